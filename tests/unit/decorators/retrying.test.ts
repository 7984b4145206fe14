import { beforeEach, describe, expect, it } from '@jest/globals'
import { collect, streamContent, toContent } from '../../../src/content.ts'
import { retrying, type RetryingOptions } from '../../../src/decorators/retrying.ts'
import type { DeleteFailure, Driver } from '../../../src/driver.ts'
import { FileNotFoundError, PermissionDeniedError, RateLimitedError, UnavailableError } from '../../../src/errors.ts'
import { faulty, type FaultyOptions } from '../../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'

let store: RecordedDriver
let waits: number[]

beforeEach(async () => {
  store = recorded()
  waits = []
  await store.memory.write('a', toContent('a'), {})
})

/** Retries without waiting; the waits are noted. */
function patient(options: RetryingOptions = {}): (inner: Driver) => Driver {
  const sleep = async (ms: number): Promise<void> => void waits.push(ms)
  return retrying({ random: () => 0.5, sleep, ...options })
}

function over(options: FaultyOptions): Driver {
  return patient()(faulty(store, options))
}

function causedBy(cause: object): UnavailableError {
  return new UnavailableError(undefined, { cause: Object.assign(new Error('failed'), cause) })
}

type Call = (driver: Driver) => Promise<unknown> | undefined

const HARMLESS: readonly (readonly [string, Call])[] = [
  ['stat', (driver) => driver.stat('a', {})],
  ['read', (driver) => driver.read('a', {})],
  ['list', (driver) => driver.list('', {})],
  ['delete', (driver) => driver.delete(['a'], {})],
  ['visibility', (driver) => driver.visibility?.get('a', {})],
  ['directory exists', (driver) => driver.directories?.exists('a', {})],
  ['write', (driver) => driver.write('b', toContent('b'), {})],
  ['copy', (driver) => driver.copy('a', 'b', {})],
]

const CONDITIONAL: readonly (readonly [string, Call])[] = [
  ['write with ifAbsent', (driver) => driver.write('b', toContent('b'), { ifAbsent: true })],
  ['write with ifMatch', async (driver) => driver.write('a', toContent('b'), { ifMatch: (await store.memory.stat('a', {})).etag })],
  ['copy with ifAbsent', (driver) => driver.copy('a', 'b', { ifAbsent: true })],
  ['move', (driver) => driver.move('a', 'b', {})],
]

const ONCE: readonly (readonly [string, Call])[] = [
  ['append', (driver) => driver.append?.('a', toContent('b'), {})],
  ['multipart', (driver) => driver.multipart?.create('a', {})],
  ['setVisibility', (driver) => driver.visibility?.set('a', 'public', {})],
  ['makeDirectory', (driver) => driver.directories?.create('d', {})],
  ['deleteDirectory', (driver) => driver.directories?.delete('d', {})],
  ['a write of content that can be read once', (driver) => driver.write('b', streamContent(toContent('b').stream()), {})],
  ['a move with ifAbsent', (driver) => driver.move('a', 'b', { ifAbsent: true })],
]

describe('retrying: what is repeated', () => {
  it.each(HARMLESS)('%s, after an error that is retryable', async (_name, call) => {
    await call(over({ first: 3 }))
    expect(waits.length).toBe(3)
    expect(store.calls.length).toBe(1)
  })

  it.each(HARMLESS)('%s, but not after an error that is not', async (_name, call) => {
    await expect(call(over({ first: 1, error: new PermissionDeniedError() }))).rejects.toMatchObject({ code: 'permission_denied' })
    expect(waits).toEqual([])
  })

  it.each(CONDITIONAL)('%s, not after an error that leaves open whether it was done', async (_name, call) => {
    await expect(call(over({ first: 1 }))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(call(over({ first: 1, error: causedBy({ code: 'ECONNRESET', syscall: 'read' }) }))).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(waits).toEqual([])
  })

  it.each(CONDITIONAL)('%s, after an error that proves that nothing was sent', async (_name, call) => {
    await call(over({ first: 1, error: causedBy({ code: 'ECONNREFUSED' }) }))
    expect(waits.length).toBe(1)
  })

  it.each([
    ['rate_limited', new RateLimitedError()],
    ['ENOTFOUND', causedBy({ code: 'ENOTFOUND' })],
    ['EAI_AGAIN', causedBy({ code: 'EAI_AGAIN' })],
    ['a connect that timed out', causedBy({ code: 'ETIMEDOUT', syscall: 'connect' })],
    ['a cause of a cause', causedBy({ cause: { code: 'ECONNREFUSED' } })],
  ])('a conditional write after %s', async (_name, error) => {
    await over({ first: 1, error }).write('b', toContent('b'), { ifAbsent: true })
    expect(waits.length).toBe(1)
  })

  it('a conditional write not after a proof in an error that is not retryable', async () => {
    const error = new PermissionDeniedError(undefined, { cause: { code: 'ECONNREFUSED' } })
    await expect(over({ first: 1, error }).write('b', toContent('b'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'permission_denied',
    })
    expect(waits).toEqual([])
  })

  it.each(ONCE)('never: %s', async (_name, call) => {
    const error = causedBy({ code: 'ECONNREFUSED' })
    await expect(call(over({ first: 1, error }))).rejects.toMatchObject({ code: 'unavailable' })
    expect(waits).toEqual([])
    expect(store.calls).toEqual([])
  })

  it('never: an error that is not ours', async () => {
    const error = new TypeError('a bug')
    await expect(over({ error }).stat('a', {})).rejects.toBe(error)
    expect(waits).toEqual([])
  })

  it('writes the whole content again', async () => {
    let tries = 0
    const breaking: Driver = {
      ...store,
      write: async (path, content, options) => {
        if (++tries > 1) return store.memory.write(path, content, options)
        for await (const _chunk of content.stream()) throw new UnavailableError('broke off')
        throw new Error('there was no chunk')
      },
    }
    await patient()(breaking).write('b', toContent(['one ', 'two']), {})
    expect((await collect((await store.memory.read('b', {})).body)).toString()).toBe('one two')
  })
})

describe('retrying: deletions', () => {
  it('asks again only for what may do better, and reports the rest', async () => {
    const asked: string[][] = []
    const denied = new PermissionDeniedError()
    const partly: Driver = {
      ...store,
      delete: async (paths) => {
        asked.push([...paths])
        if (asked.length === 1)
          return [failure('b', new UnavailableError()), { path: 'c', error: denied }, failure('d', new UnavailableError())]
        return asked.length === 2 ? [failure('d', new UnavailableError())] : []
      },
    }
    expect(await patient()(partly).delete(['a', 'b', 'c', 'd'], {})).toEqual([{ path: 'c', error: denied }])
    expect(asked).toEqual([['a', 'b', 'c', 'd'], ['b', 'd'], ['d']])
  })

  it('reports what still fails after the last attempt', async () => {
    const error = new UnavailableError()
    const failing: Driver = { ...store, delete: async () => [{ path: 'b', error }] }
    expect(await patient({ attempts: 2 })(failing).delete(['a', 'b'], {})).toEqual([{ path: 'b', error }])
    expect(waits.length).toBe(1)
  })

  it('reports what earlier answers said when a later request fails as a whole', async () => {
    const [lasting, denied] = [new UnavailableError(), new PermissionDeniedError()]
    let calls = 0
    const failing: Driver = {
      ...store,
      delete: async () => {
        if (++calls > 1) throw new PermissionDeniedError()
        return [
          { path: 'a', error: denied },
          { path: 'b', error: lasting },
        ]
      },
    }
    expect(await patient()(failing).delete(['a', 'b', 'c'], {})).toEqual([
      { path: 'a', error: denied },
      { path: 'b', error: lasting },
    ])
  })

  it('rejects when no request was ever answered', async () => {
    await expect(over({}).delete(['a', 'b'], {})).rejects.toMatchObject({ code: 'unavailable' })
    expect(waits.length).toBe(3)
  })
})

describe('retrying: how often and how long', () => {
  it('makes four attempts, and rejects with the last error', async () => {
    const errors: Error[] = []
    const error = (): Error => errors[errors.push(new UnavailableError(`failure ${errors.length + 1}`)) - 1] as Error
    await expect(over({ error }).stat('a', {})).rejects.toMatchObject({ message: 'failure 4' })
    expect(errors.length).toBe(4)
  })

  it('waits a random part of a time that doubles up to the maximum', async () => {
    const driver = patient({ attempts: 6, baseDelayMs: 100, maxDelayMs: 1_000 })(faulty(store))
    await expect(driver.stat('a', {})).rejects.toMatchObject({ code: 'unavailable' })
    expect(waits).toEqual([50, 100, 200, 400, 500])
  })

  it.each([
    [1, 1],
    ['3', 3],
    [{ attempts: '2' }, 2],
  ])('takes %j as the number of attempts', async (options, attempts) => {
    let calls = 0
    const counting: Driver = { ...store, stat: () => Promise.reject(new UnavailableError(`${++calls}`)) }
    const given = typeof options === 'object' ? { ...options, baseDelayMs: 0 } : options
    await expect(retrying(given)(counting).stat('a', {})).rejects.toMatchObject({ code: 'unavailable' })
    expect(calls).toBe(attempts)
  })

  it('takes true for the defaults, and waits for real', async () => {
    expect((await retrying(true)(faulty(store, { first: 1 })).stat('a', {})).size).toBe(1)
  })

  it.each([
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    'three',
    '0',
    false as never,
    { baseDelayMs: -1 },
    { baseDelayMs: '' },
    { maxDelayMs: 'soon' },
    { maxDelayMs: Number.NaN },
  ])('refuses %j', (options) => {
    expect(() => retrying(options)).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('rejects at once with the reason when the signal aborts during the wait', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const driver = retrying({ sleep: () => new Promise(() => controller.abort(reason)) })(faulty(store))
    await expect(driver.stat('a', { signal: controller.signal })).rejects.toBe(reason)
  })

  it('lets go of its timer when the signal aborts during the wait', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const driver = retrying({ random: () => 0.999, baseDelayMs: 2 ** 31, maxDelayMs: 2 ** 31 })(faulty(store))
    const pending = driver.stat('a', { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 1)
    await expect(pending).rejects.toBe(reason)
  })

  it('does not wait when the signal is aborted already', async () => {
    const controller = new AbortController()
    const aborting: Driver = {
      ...store,
      stat: async () => {
        controller.abort(new Error('enough'))
        throw new UnavailableError()
      },
    }
    await expect(patient()(aborting).stat('a', { signal: controller.signal })).rejects.toThrow('enough')
    expect(waits).toEqual([])
  })

  it('leaves the listeners of a signal as they were', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      listeners++
      add(...given)
    }
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      listeners--
      remove(...given)
    }
    await over({ first: 3 }).stat('a', { signal })
    expect(listeners).toBe(0)
  })
})

describe('retrying: abilities', () => {
  it('are those of the inner driver, and so is what it supports', () => {
    const driver = patient()(store)
    expect(driver.supports).toBe(store.supports)
    expect(driver.multipart).toBe(store.multipart)
    const poor = patient()({
      ...store,
      append: undefined,
      visibility: undefined,
      directories: undefined,
      multipart: undefined,
      publicUrl: undefined,
      signUrl: undefined,
    })
    expect([poor.append, poor.visibility, poor.directories, poor.multipart, poor.publicUrl, poor.signUrl]).toEqual(Array(6).fill(undefined))
  })

  it('that sign and locate pass', async () => {
    const driver = patient()(store)
    expect(await driver.publicUrl?.('a')).toBe('https://files.test/a')
    expect(await driver.signUrl?.('a', { method: 'PUT', expiresAt: new Date('2030-01-01') })).toMatchObject({ method: 'PUT' })
    expect(driver.locate('a')).toEqual(store.locate('a'))
  })

  it('says what it is, and closes nothing', async () => {
    const driver = patient()(store)
    expect(driver).toMatchObject({ kind: 'retrying', name: 'retrying(recorded)' })
    await driver.close()
    expect(store.calls).toEqual([])
  })

  it('passes a missing file on without asking again', async () => {
    await expect(patient()(store).stat('nope', {})).rejects.toBeInstanceOf(FileNotFoundError)
    expect(store.calls).toEqual(['stat nope'])
  })
})

function failure(path: string, error: UnavailableError): DeleteFailure {
  return { path, error }
}
