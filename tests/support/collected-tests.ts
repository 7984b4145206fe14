/** Tests that are defined with the globals, collected instead of run, so that a test can run them and look at what fails. */
import { expect } from '@jest/globals'

type Body = () => void | Promise<void>

interface Collected {
  readonly title: string
  readonly body: Body
}

export interface Outcome {
  /** Titles of the tests that failed, in order. */
  readonly failed: readonly string[]
  readonly passed: readonly string[]
  /** Titles of those that are not to be run. */
  readonly skipped: readonly string[]
  /** What each failure said, by title. */
  readonly messages: ReadonlyMap<string, string>
}

/** Calls `define` with stand-ins for the globals, which are put back before this returns; then runs what it defined. */
export async function runCollected(define: () => void): Promise<Outcome> {
  const tests: Collected[] = []
  const skipped: string[] = []
  const [before, after]: [Body[], Body[]] = [[], []]
  const it = (title: string, body: Body): void => void tests.push({ title, body })
  withGlobals(
    {
      describe: (_title: string, body: () => void) => body(),
      it: Object.assign(it, { skip: (title: string) => void skipped.push(title) }),
      beforeEach: (body: Body) => void before.push(body),
      afterEach: (body: Body) => void after.push(body),
      expect,
    },
    define,
  )
  const passed: string[] = []
  const messages = new Map<string, string>()
  for (const { title, body } of tests) {
    try {
      for (const hook of before) await hook()
      await body()
      passed.push(title)
    } catch (error) {
      messages.set(title, error instanceof Error ? error.message : String(error))
    } finally {
      for (const hook of after) await hook()
    }
  }
  return { failed: [...messages.keys()], passed, skipped, messages }
}

/** Calls `act` while the globals are others; `undefined` takes one away. */
export function withGlobals(others: Readonly<Record<string, unknown>>, act: () => void): void {
  const globals = globalThis as unknown as Record<string, unknown>
  const kept = Object.fromEntries(Object.keys(others).map((name) => [name, globals[name]]))
  Object.assign(globals, others)
  try {
    act()
  } finally {
    Object.assign(globals, kept)
  }
}
