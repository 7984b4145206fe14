/**
 * The test globals of Jest or Vitest, looked up when they are called, so that importing the kit needs neither.
 * Only what both have.
 */
import { ConfigurationError } from '../../errors.ts'

/** The few matchers that the kit uses. */
export interface Assertion {
  toBe(expected: unknown): void
  toEqual(expected: unknown): void
  toBeUndefined(): void
}

type Hook = (body: () => Promise<void>, timeoutMs?: number) => void
type DefineTest = (title: string, body: () => void | Promise<void>, timeoutMs?: number) => void

export interface TestGlobals {
  readonly describe: (title: string, body: () => void) => void
  readonly it: DefineTest & { readonly skip: DefineTest }
  readonly expect: (actual: unknown) => Assertion
  readonly beforeEach: Hook
  readonly afterEach: Hook
}

const NAMES = ['describe', 'it', 'expect', 'beforeEach', 'afterEach'] as const

/** @throws ConfigurationError outside of a test file, or where the runner does not inject its globals */
export function testGlobals(): TestGlobals {
  const found = globalThis as unknown as Partial<TestGlobals>
  const missing = NAMES.filter((name) => typeof found[name] !== 'function')
  if (missing.length === 0) return found as TestGlobals
  throw new ConfigurationError(
    `describeDriver needs ${missing.join(', ')} as ${missing.length === 1 ? 'a global' : 'globals'}: ` +
      'call it in a test file of Jest (injectGlobals: true, its default) or of Vitest (test.globals: true)',
  )
}

export function expect(actual: unknown): Assertion {
  return testGlobals().expect(actual)
}
