import { beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { FileNotFoundError, PartialFailureError, RateLimitedError, StorageError, UnavailableError } from '../../../src/errors.ts'
import { faulty, type FaultyOperation } from '../../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'

const expiresAt = new Date('2030-01-01')
let store: RecordedDriver

beforeEach(async () => {
  store = recorded()
  await store.memory.write('a', toContent('a'), {})
})

const CALLS: readonly (readonly [FaultyOperation, (driver: Driver) => Promise<unknown> | undefined])[] = [
  ['stat', (driver) => driver.stat('a', {})],
  ['stat', (driver) => driver.directories?.exists('a', {})],
  ['read', (driver) => driver.read('a', {})],
  ['write', (driver) => driver.write('b', toContent('b'), {})],
  ['delete', (driver) => driver.delete(['b'], {})],
  ['list', (driver) => driver.list('', {})],
  ['copy', (driver) => driver.copy('a', 'c', {})],
  ['move', (driver) => driver.move('a', 'a', {})],
  ['append', (driver) => driver.append?.('a', toContent('b'), {})],
  ['signUrl', (driver) => driver.signUrl?.('a', { method: 'GET', expiresAt })],
  ['publicUrl', (driver) => driver.publicUrl?.('a')],
  ['visibility', (driver) => driver.visibility?.get('a', {})],
  ['setVisibility', (driver) => driver.visibility?.set('a', 'public', {})],
  ['makeDirectory', (driver) => driver.directories?.create('d', {})],
  ['deleteDirectory', (driver) => driver.directories?.delete('d', {})],
  ['multipart', (driver) => driver.multipart?.create('a', {})],
  ['multipart', (driver) => driver.multipart?.abort('a', 'upload', {})],
]

/** How each of several stats ends: its code, or ok. */
async function outcomes(driver: Driver, count: number): Promise<string[]> {
  const found: string[] = []
  for (let i = 0; i < count; i++) {
    found.push(
      await driver.stat('a', {}).then(
        () => 'ok',
        (error: StorageError) => error.code,
      ),
    )
  }
  return found
}

describe('faulty', () => {
  it.each(CALLS)('fails %s, whichever it is, before the inner driver is asked', async (_operation, call) => {
    await expect(call(faulty(store))).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect(store.calls).toEqual([])
  })

  it.each(CALLS)('fails %s alone when told to, and passes the others', async (operation, call) => {
    const driver = faulty(store, { operation })
    await expect(call(driver)).rejects.toMatchObject({ code: 'unavailable' })
    for (const [other, callOther] of CALLS) if (other !== operation) await callOther(driver)
    expect(store.calls.length).toBe(CALLS.filter(([other]) => other !== operation).length)
  })

  it('fails the first n calls', async () => {
    expect(await outcomes(faulty(store, { first: 2 }), 4)).toEqual(['unavailable', 'unavailable', 'ok', 'ok'])
    expect(await outcomes(faulty(store, { first: 0 }), 2)).toEqual(['ok', 'ok'])
  })

  it('fails every nth call', async () => {
    expect(await outcomes(faulty(store, { every: 3 }), 6)).toEqual(['ok', 'ok', 'unavailable', 'ok', 'ok', 'unavailable'])
  })

  it('counts only the calls of its operation', async () => {
    const driver = faulty(store, { operation: 'stat', every: 2 })
    await driver.list('', {})
    expect(await outcomes(driver, 2)).toEqual(['ok', 'unavailable'])
  })

  it('makes a fresh copy of a StorageError for each failure', async () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    const error = new RateLimitedError('slow down', { cause, retryable: false })
    const driver = faulty(store, { error })
    const caught = await Promise.all([1, 2].map(() => driver.stat('a', {}).catch((thrown: unknown) => thrown)))
    for (const copy of caught) {
      expect(copy).toBeInstanceOf(RateLimitedError)
      expect(copy).toMatchObject({ name: 'RateLimitedError', code: 'rate_limited', message: 'slow down', cause, retryable: false })
      expect(copy).not.toBe(error)
    }
    expect(caught[0]).not.toBe(caught[1])
    ;(caught[0] as StorageError).locate({ operation: 'stat', path: 'a', disk: 'd' })
    expect(error.path).toBeUndefined()
    expect((caught[1] as StorageError).path).toBeUndefined()
  })

  it('copies a plain StorageError and a PartialFailureError too', async () => {
    const plain = faulty(store, { error: new StorageError('odd') })
    await expect(plain.stat('a', {})).rejects.toMatchObject({ code: 'unknown', message: 'odd' })
    const failures = [{ path: 'a', error: new UnavailableError() }]
    const partial = faulty(store, { error: new PartialFailureError(undefined, { failures }) })
    await expect(partial.stat('a', {})).rejects.toMatchObject({ code: 'partial_failure', failures, retryable: true })
  })

  it('throws any other error as it is, and asks a factory each time', async () => {
    const error = new TypeError('a bug')
    await expect(faulty(store, { error }).stat('a', {})).rejects.toBe(error)
    const made: Error[] = []
    const driver = faulty(store, { error: () => made[made.push(new FileNotFoundError()) - 1] as Error })
    expect(await outcomes(driver, 2)).toEqual(['not_found', 'not_found'])
    expect(made.length).toBe(2)
  })

  it('waits before each call, and an abort ends the wait with its reason', async () => {
    const controller = new AbortController()
    const slow = faulty(store, { first: 0, latencyMs: 2 ** 30 })
    const pending = slow.stat('a', { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(pending).rejects.toBe(reason)
    expect(store.calls).toEqual([])
    expect(await outcomes(faulty(store, { first: 0, latencyMs: 1 }), 1)).toEqual(['ok'])
  })

  it('rejects with the reason of a signal that is aborted already', async () => {
    const reason = new Error('enough')
    await expect(faulty(store).stat('a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it.each([
    { first: -1 },
    { first: 1.5 },
    { every: 0 },
    { every: Number.NaN },
    { first: 1, every: 1 },
    { latencyMs: -1 },
    { operation: 'reed' as 'read' },
  ])('refuses %j', (options) => {
    expect(() => faulty(store, options)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('has the abilities of what it wraps, and says what it is', async () => {
    const bare = faulty(new MemoryDriver())
    expect([bare.publicUrl, bare.signUrl]).toEqual([undefined, undefined])
    const poor = faulty({ ...store, append: undefined, visibility: undefined, directories: undefined, multipart: undefined })
    expect([poor.append, poor.visibility, poor.directories, poor.multipart]).toEqual([undefined, undefined, undefined, undefined])
    expect(faulty(store)).toMatchObject({ kind: 'faulty', name: 'faulty(recorded)', supports: store.supports })
    expect(faulty(store).locate('a')).toEqual(store.locate('a'))
    await faulty(store).close()
    expect(store.calls).toEqual([])
  })
})
