/**
 * The conformance kit: everything that each driver and each stack of drivers keeps, as tests in Jest or Vitest.
 *
 *   describeDriver('scoped(memory)', () => scoped('a/b')(new MemoryDriver()))
 *
 * Tests choose themselves by the abilities that they find: what a driver lacks has to be an UnsupportedError before anything is done.
 */
import { abilities } from './abilities.ts'
import { aborting } from './aborting.ts'
import { appending } from './appending.ts'
import { conditions } from './conditions.ts'
import { type ConformanceTest, runTest } from './conformance-test.ts'
import { contents } from './contents.ts'
import { copying } from './copying.ts'
import { deleting } from './deleting.ts'
import { facts } from './facts.ts'
import { type TestGlobals, testGlobals } from './globals.ts'
import { listing } from './listing.ts'
import { model } from './model.ts'
import { paths } from './paths.ts'
import { reading } from './reading.ts'
import { type MakeDriver, prepare, type Subject } from './subject.ts'
import { writing } from './writing.ts'

/** A test that a store cannot keep, and why: the limit of its server, in words that a reader can look up. */
export interface Exception {
  /** The title of the test. */
  readonly test: string
  /** Printed wherever the tests run. */
  readonly because: string
}

export interface DescribeDriverOptions {
  /** Tests to leave out. A title that no test has is itself a failure, so that exceptions cannot outlive their tests. */
  readonly except?: readonly Exception[] | undefined
  /** How long one test may take. Default: 30 seconds. */
  readonly testTimeoutMs?: number | undefined
}

const TOPICS: Readonly<Record<string, readonly ConformanceTest[]>> = {
  reading,
  writing,
  contents,
  conditions,
  appending,
  facts,
  listing,
  deleting,
  copying,
  paths,
  aborting,
  abilities,
  model,
}

/**
 * Defines the tests of a driver: call it at the top level of a test file, or in a `describe`.
 * @param make gives a fresh, empty driver for each test, which the kit closes; or a store, for tests that look beneath the driver
 * @throws ConfigurationError where there are no test globals
 */
export function describeDriver(name: string, make: MakeDriver, { except = [], testTimeoutMs = 30_000 }: DescribeDriverOptions = {}): void {
  const globals = testGlobals()
  const { describe, it, beforeEach, afterEach } = globals
  const skipped = new Map(except.map(({ test, because }) => [test, because]))
  describe(`${name} keeps what every driver keeps`, () => {
    let subject: Subject | undefined
    beforeEach(async () => {
      subject = undefined
      subject = await prepare(make)
    }, testTimeoutMs)
    afterEach(async () => subject?.close(), testTimeoutMs)
    for (const [topic, tests] of Object.entries(TOPICS)) {
      describe(topic, () => {
        for (const test of tests) {
          const because = skipped.get(test.title)
          if (because === undefined) it(test.title, () => runTest(test, subject as Subject), testTimeoutMs)
          else skip(globals, test.title, because)
        }
      })
    }
    it('has exceptions only for tests that there are, each with its reason', () => judgeExceptions(except))
  })
}

/** Says why, where everybody sees it. */
function skip({ it }: TestGlobals, title: string, because: string): void {
  console.info(`not tested: "${title}", because ${because}`)
  it.skip(`${title} (except: ${because})`, () => undefined)
}

function judgeExceptions(except: readonly Exception[]): void {
  const titles = new Set(Object.values(TOPICS).flatMap((tests) => tests.map(({ title }) => title)))
  for (const { test, because } of except) {
    if (!titles.has(test))
      throw new Error(`there is no test ${JSON.stringify(test)}: the exception has outlived it, or its title is not exact`)
    if (typeof because !== 'string' || because.trim() === '') throw new Error(`the exception of ${JSON.stringify(test)} needs a reason`)
  }
}
