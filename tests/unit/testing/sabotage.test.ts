/** The conformance kit catches sabotage: drivers with one deliberate mistake fail it, in the test that names the mistake. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import { readOnly } from '../../../src/decorators/read-only.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import type { DeleteFailure, Driver, Range } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { ConfigurationError, FileExistsError } from '../../../src/errors.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../../src/testing/conformance/refusing-deletes.ts'
import type { MakeDriver } from '../../../src/testing/conformance/subject.ts'
import { type Outcome, runCollected, withGlobals } from '../../support/collected-tests.ts'

/** A driver with some members replaced by broken ones. */
function broken(inner: Driver, members: Partial<Driver>): Driver {
  const healthy: Driver = {
    kind: 'broken',
    name: `broken(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: inner.multipart,
    append: inner.append?.bind(inner),
    publicUrl: inner.publicUrl,
    signUrl: inner.signUrl,
    stat: (path, options) => inner.stat(path, options),
    read: (path, options) => inner.read(path, options),
    write: (path, content, options) => inner.write(path, content, options),
    delete: (paths, options) => inner.delete(paths, options),
    list: (directory, options) => inner.list(directory, options),
    copy: (from, to, options) => inner.copy(from, to, options),
    move: (from, to, options) => inner.move(from, to, options),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(),
  }
  return { ...healthy, ...members }
}

/** 'photos' matches 'photos2', too: the prefix of a listing lacks its slash. */
function withPrefixBug(): Driver {
  const memory = new MemoryDriver()
  return broken(memory, {
    list: async (directory, options) => {
      if (directory === '') return memory.list('', options)
      const { entries } = await memory.list('', { ...options, recursive: true, limit: 100_000 })
      return { entries: entries.filter(({ path }) => path.startsWith(directory) && path !== directory) }
    },
  })
}

/** ifAbsent looks first, and writes later. */
function withRace(): Driver {
  const memory = new MemoryDriver()
  return broken(memory, {
    write: async (path, content, options) => {
      if (options.ifAbsent && memory.files.has(path)) throw new FileExistsError()
      await nextTurn()
      return memory.write(path, content, { ...options, ifAbsent: false })
    },
  })
}

/** The end of a range is taken for the last byte. */
function withInclusiveRanges(): Driver {
  const memory = new MemoryDriver()
  const wider = (range: Range): Range => (range.end === undefined ? range : { start: range.start, end: range.end + 1 })
  return broken(memory, {
    read: (path, options) => memory.read(path, options.range === undefined ? options : { ...options, range: wider(options.range) }),
  })
}

/** Whatever the store answers, every file is said to be deleted. */
const withSwallowedFailures: MakeDriver = () => {
  const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
  const swallow = (failures: readonly DeleteFailure[]): readonly DeleteFailure[] => failures.slice(failures.length)
  return { driver: broken(driver, { delete: async (paths, options) => swallow(await driver.delete(paths, options)) }), failDeletes }
}

const SABOTAGE: readonly (readonly [mistake: string, make: MakeDriver, title: string])[] = [
  ['a prefix without its slash', withPrefixBug, 'does not treat "photos2" as inside "photos", nor "users/10" as inside "users/1"'],
  ['an ifAbsent that is not atomic', withRace, 'lets exactly one of 50 concurrent ifAbsent writes win'],
  [
    'ranges that are off by one',
    withInclusiveRanges,
    'reads ranges: the end is exclusive, an end past the end is cut, a suffix counts from the end',
  ],
  ['failures of deletes that are swallowed', withSwallowedFailures, 'says which files of many it could not delete, and deletes the others'],
]

describe('the conformance kit', () => {
  let healthy: Outcome

  beforeAll(async () => {
    const make: MakeDriver = () => {
      const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
      return { driver: broken(driver, {}), failDeletes }
    }
    healthy = await runCollected(() => describeDriver('healthy', make))
  })

  it('passes a healthy driver, and has no two tests of one title', () => {
    expect(healthy.failed).toEqual([])
    expect(new Set(healthy.passed).size).toBe(healthy.passed.length)
  })

  it.each(SABOTAGE)('catches %s', async (_mistake, make, title) => {
    expect(healthy.passed).toContain(title)
    const { failed } = await runCollected(() => describeDriver('sabotaged', make))
    expect(failed).toContain(title)
    expect(failed.length).toBeLessThan(healthy.passed.length / 4) // the mistake is named, not drowned
  })

  it('prints the shortest run of a disk that disagrees with a Map, with its seed', async () => {
    const { messages } = await runCollected(() => describeDriver('sabotaged', withInclusiveRanges))
    const message = messages.get('does what a Map would do, whatever is asked of it in whatever order') ?? ''
    expect(message).toMatch(/^With seed \d+ the disk and a Map disagree/)
    const steps = message.split('\n').filter((line) => line.startsWith('  {'))
    expect(steps).toHaveLength(2) // a file, and a range of it
    expect(steps[1]).toMatch(/"verb":"get".*"end":/)
  })

  it('leaves out what it is told to, and prints why', async () => {
    const print = jest.spyOn(console, 'info').mockImplementation(() => undefined)
    try {
      const [, , title] = SABOTAGE[2] as (typeof SABOTAGE)[number]
      const except = [{ test: title, because: 'the server counts from one' }]
      const { failed, skipped } = await runCollected(() => describeDriver('sabotaged', withInclusiveRanges, { except }))
      expect(failed).not.toContain(title)
      expect(skipped).toEqual([expect.stringContaining('the server counts from one')])
      expect(print).toHaveBeenCalledWith(expect.stringContaining('the server counts from one'))
    } finally {
      print.mockRestore()
    }
  })

  it.each([
    ['names no test', { test: 'reads minds', because: 'the server cannot' }],
    ['has no reason', { test: 'reads no more than maxBytes allow', because: ' ' }],
  ])('fails for an exception that %s', async (_fault, exception) => {
    const print = jest.spyOn(console, 'info').mockImplementation(() => undefined)
    const { failed } = await runCollected(() => describeDriver('memory', () => new MemoryDriver(), { except: [exception] }))
    print.mockRestore()
    expect(failed).toEqual(['has exceptions only for tests that there are, each with its reason'])
  })

  it('says what is missing outside of a test file', () => {
    expect(() => withGlobals({ it: undefined, expect: undefined }, () => describeDriver('memory', () => new MemoryDriver()))).toThrow(
      ConfigurationError,
    )
  })

  it('writes beneath a read-only driver by itself', async () => {
    const { passed, failed } = await runCollected(() => describeDriver('read-only', () => readOnly()(new MemoryDriver())))
    expect(failed).toEqual([])
    expect(passed.length).toBeGreaterThan(50)
  })

  it('wants the driver beneath of one that cannot be written', async () => {
    const readOnly = scoped('below')({ ...broken(new MemoryDriver(), {}), kind: 'read-only', inner: [] })
    const { passed, messages } = await runCollected(() => describeDriver('read-only', () => readOnly))
    expect(passed).toEqual([])
    expect([...messages.values()][0]).toContain('{ driver, seed }')
  })
})
