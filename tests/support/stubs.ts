/** Drivers that misbehave in one way, for tests of what a disk makes of it. */
import type { Driver, ReadResult } from '../../src/driver.ts'
import { type RecordedDriver, recorded } from './recorded.ts'

/** The recorded driver with some members replaced. */
export function stub(overrides: Partial<Driver>, store: RecordedDriver = recorded()): RecordedDriver {
  return { ...store, ...overrides }
}

/** A promise that nobody ever settles. */
export function never(): Promise<never> {
  return new Promise(() => undefined)
}

/** A driver of which no call ever settles. */
export function stuck(): RecordedDriver {
  const ability = { get: never, set: never }
  return stub({
    visibility: ability,
    directories: { exists: never, create: never, delete: never },
    append: never,
    publicUrl: never,
    signUrl: never,
    stat: never,
    read: never,
    write: never,
    delete: never,
    list: never,
    copy: never,
    move: never,
  })
}

/** What a driver answers to `read`, with a body of one's own. */
export function answer(body: AsyncIterable<Uint8Array>, size: number): ReadResult {
  return { stat: { path: 'a', size, lastModified: new Date(0) }, body }
}
