/**
 * A test of the kit, as a value: a sentence and how to see that it holds. Tests choose themselves: what a driver lacks is tested
 * as UnsupportedError, and what a read-only stack must not do as ReadOnlyError.
 */
import type { Driver } from '../../driver.ts'
import { expectError, expectUnchanged } from './assertions.ts'
import type { Subject } from './subject.ts'

export interface ConformanceTest {
  /** A sentence about behaviour; no two tests have the same. */
  readonly title: string
  /** The disk itself is written, and not only its seed. */
  readonly changes: boolean
  readonly need: Need | undefined
  readonly run: (subject: Subject) => Promise<void>
}

/** An ability that a test is about. */
export interface Need {
  readonly has: (driver: Driver) => boolean
  /** A call that asks for the ability: where it is absent, UnsupportedError before anything is done. There is a file `a.txt`. */
  readonly ask: (subject: Subject) => Promise<unknown>
}

export function needs(has: Need['has'], ask: Need['ask']): Need {
  return { has, ask }
}

/** A test that only reads: it holds on read-only stacks too. */
export function reads(title: string, run: ConformanceTest['run'], need?: Need): ConformanceTest {
  return { title, changes: false, need, run }
}

/** A test that writes. */
export function writes(title: string, run: ConformanceTest['run'], need?: Need): ConformanceTest {
  return { title, changes: true, need, run }
}

/** Runs the test, or what takes its place where the driver cannot do what it is about. */
export async function runTest({ changes, need, run }: ConformanceTest, subject: Subject): Promise<void> {
  if (changes && subject.readOnly) return refusesToWrite(subject)
  if (need !== undefined && !need.has(subject.driver)) return refusesAsUnsupported(subject, need)
  await run(subject)
}

async function refusesToWrite(subject: Subject): Promise<void> {
  await subject.seed.put('a.txt', 'old')
  await expectUnchanged(subject, () => expectError(subject.disk.put('a.txt', 'new'), 'read_only', { operation: 'write', path: 'a.txt' }))
}

async function refusesAsUnsupported(subject: Subject, need: Need): Promise<void> {
  await subject.seed.put('a.txt', 'old')
  await expectUnchanged(subject, () => expectError(need.ask(subject), 'unsupported'))
}
