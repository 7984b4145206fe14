import { describe, expect, it, jest } from '@jest/globals'
import { collect, discard, toContent } from '../../../src/content.ts'
import { type CachedDriver, cached, type CachedOptions } from '../../../src/decorators/cached/cached.ts'
import { encodeEntry } from '../../../src/decorators/cached/entry.ts'
import { Lru } from '../../../src/decorators/cached/lru.ts'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import type { Body, Driver, ReadResult } from '../../../src/driver.ts'
import { PermissionDeniedError, RateLimitedError, TimeoutError, UnavailableError } from '../../../src/errors.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { StorageManager } from '../../../src/storage-manager.ts'
import { recorded, type RecordedDriver } from '../../support/recorded.ts'

const text = async (driver: Driver, path = 'a'): Promise<string> => (await collect((await driver.read(path, {})).body)).toString()
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
}
const reads = (store: RecordedDriver): number => store.calls.filter((call) => call.startsWith('read ')).length
const stats = (store: RecordedDriver): number => store.calls.filter((call) => call.startsWith('stat ')).length

interface Setup {
  readonly store: RecordedDriver
  readonly cache: CachedDriver
  time: number
  /** What the origin does in place of answering. */
  failing: Error | undefined
}

/** A cache over a recorded origin that holds `a`, with a clock that stands still and no jitter. */
async function setup(options: CachedOptions = {}): Promise<Setup> {
  const store = recorded()
  await store.memory.write('a', toContent('one'), {})
  const state: Setup = { store, cache: undefined as never, time: 1_000_000, failing: undefined }
  const unreliable: Driver = {
    ...store,
    stat: async (path, call) => (state.failing ? Promise.reject(state.failing) : store.stat(path, call)),
    read: async (path, call) => (state.failing ? Promise.reject(state.failing) : store.read(path, call)),
  }
  const cache = cached({ now: () => state.time, random: () => 0.5, ...options })(unreliable) as CachedDriver
  return Object.assign(state, { cache })
}

/** A body whose chunks come when they are told to. */
function stepwise(
  stat: ReadResult['stat'],
  chunks: readonly string[],
): { result: ReadResult; step(): void; readonly wasReturned: boolean } {
  let open = 0
  let wake = (): void => undefined
  let wasReturned = false
  async function* body(): AsyncGenerator<Uint8Array, undefined> {
    try {
      for (const [index, chunk] of chunks.entries()) {
        while (index >= open) await new Promise<void>((resolve) => void (wake = resolve))
        yield Buffer.from(chunk)
      }
    } finally {
      wasReturned = true
    }
  }
  const step = (): void => {
    open++
    wake()
  }
  return {
    result: { stat, body: body() },
    step,
    get wasReturned() {
      return wasReturned
    },
  }
}

describe('what is kept', () => {
  it('is content and facts: the disk is asked once', async () => {
    const { cache, store } = await setup()
    expect([await text(cache), await text(cache)]).toEqual(['one', 'one'])
    expect((await cache.stat('a', {})).size).toBe(3)
    expect([reads(store), stats(store)]).toEqual([1, 0])
    expect(cache.stats()).toEqual({ hits: 2, misses: 1, fills: 1, rejected: 0, evictions: 0, errors: 0, stale: 0 })
  })

  it('serves ranges, and a range that misses is not kept', async () => {
    const { cache, store } = await setup()
    const range = { start: 1, end: 3 }
    expect(String(await collect((await cache.read('a', { range })).body))).toBe('ne')
    await text(cache)
    expect(reads(store)).toBe(2)
    expect(String(await collect((await cache.read('a', { range })).body))).toBe('ne')
    expect(String(await collect((await cache.read('a', { range: { suffix: 1 } })).body))).toBe('e')
    await expect(cache.read('a', { range: { start: 3 } })).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(reads(store)).toBe(2)
  })

  it('is only what it was: callers get copies', async () => {
    const { cache } = await setup()
    for (let round = 0; round < 3; round++) {
      const { stat, body } = await cache.read('a', {})
      const bytes = await collect(body)
      expect(bytes.toString()).toBe('one')
      bytes.fill(0)
      stat.lastModified.setTime(0)
      expect((await cache.stat('a', {})).lastModified.getTime()).toBeGreaterThan(0)
    }
  })

  it('is no file above maxFileSize, whose facts are kept all the same', async () => {
    const { cache, store } = await setup({ maxFileSize: 2 })
    expect([await text(cache), await text(cache)]).toEqual(['one', 'one'])
    await cache.stat('a', {})
    await cache.stat('a', {})
    expect([reads(store), stats(store)]).toEqual([2, 1])
  })

  it.each([
    ['write', (cache: Driver) => cache.write('a', toContent('two'), {})],
    ['append', (cache: Driver) => cache.append?.('a', toContent('!'), {})],
    ['delete', (cache: Driver) => cache.delete(['a'], {})],
    ['copy onto it', (cache: Driver) => cache.copy('b', 'a', {})],
    ['move onto it', (cache: Driver) => cache.move('b', 'a', {})],
    ['move away', (cache: Driver) => cache.move('a', 'c', {})],
    ['visibility', (cache: Driver) => cache.visibility?.set('a', 'public', {})],
    ['directory', (cache: Driver) => cache.directories?.delete('', {})],
  ])('goes with a change: %s', async (_name, change) => {
    const { cache, store } = await setup()
    await store.memory.write('b', toContent('other'), {})
    await text(cache)
    await cache.stat('a', {})
    await change(cache)
    const [before] = [store.calls.length]
    await cache.stat('a', {}).catch(() => undefined)
    await text(cache).catch(() => undefined)
    expect(store.calls.slice(before)).toEqual(['stat a', 'read a'].slice(0, store.memory.files.has('a') ? 2 : 1))
  })

  it('goes also with a write that failed, which may have happened', async () => {
    const { cache, store } = await setup()
    await text(cache)
    await expect(cache.write('a', toContent('two'), { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await text(cache)
    expect(reads(store)).toBe(2)
  })

  it('goes at clear()', async () => {
    const { cache, store } = await setup()
    await text(cache)
    await cache.clear()
    await text(cache)
    expect(reads(store)).toBe(2)
  })

  it('is not a file that somebody may upload to by a signed URL, until that has expired', async () => {
    const state = await setup()
    const { cache, store } = state
    await text(cache)
    await cache.signUrl?.('a', { method: 'PUT', expiresAt: new Date(state.time + 60_000) })
    await store.memory.write('a', toContent('uploaded'), {})
    expect([await text(cache), await text(cache)]).toEqual(['uploaded', 'uploaded'])
    expect(reads(store)).toBe(3)
    state.time += 17 * 60_000
    await text(cache)
    await text(cache)
    expect(reads(store)).toBe(4)
  })

  it('is bounded in bytes; what was used longest ago goes first', async () => {
    const { cache, store } = await setup({ store: { driver: 'memory', maxBytes: 6_000 } })
    for (const path of ['a', 'b', 'c', 'd']) await store.memory.write(path, toContent(Buffer.alloc(1_000, path)), {})
    for (const path of ['a', 'b', 'a', 'c', 'd']) await text(cache, path)
    const before = reads(store)
    await text(cache, 'a')
    expect(reads(store)).toBe(before)
    await text(cache, 'b')
    expect(reads(store)).toBe(before + 1)
    expect(cache.stats().evictions).toBeGreaterThan(0)
  })

  it('does not keep the buffer that a small file came in', () => {
    const lru = new Lru(10_000, () => undefined)
    const stat = { path: 'a', size: 10, lastModified: new Date(0) }
    lru.set('a', { stat, content: Buffer.alloc(65_536).subarray(0, 10), storedAt: 0, softMs: 1, hardMs: 1 })
    expect(lru.get('a')?.content?.buffer.byteLength).toBe(10)
  })
})

describe('misses at once', () => {
  it('are one read of the disk: a thousand of them', async () => {
    const { cache, store } = await setup()
    const all = await Promise.all(Array.from({ length: 1_000 }, () => text(cache)))
    expect(new Set(all)).toEqual(new Set(['one']))
    expect(reads(store)).toBe(1)
    await Promise.all(Array.from({ length: 1_000 }, () => cache.stat('b', {}).catch(() => undefined)))
    expect(stats(store)).toBe(1)
  })

  it('do not join a read that began before a write', async () => {
    const { cache, store } = await setup()
    const { stat } = await store.memory.read('a', {})
    const slow = stepwise(stat, ['on', 'e'])
    let calls = 0
    const driver = cached()({ ...store, read: async (path, options) => (calls++ === 0 ? slow.result : store.memory.read(path, options)) })
    const early = text(driver)
    await turns()
    await driver.write('a', toContent('two'), {})
    expect(await text(driver)).toBe('two')
    slow.step()
    slow.step()
    expect(await early).toBe('one')
    expect(await text(driver)).toBe('two')
    await cache.close()
  })

  it('get each chunk as soon as it has come, and the whole is kept', async () => {
    const { store } = await setup()
    const { stat } = await store.memory.read('a', {})
    const slow = stepwise(stat, ['o', 'n', 'e'])
    let calls = 0
    const cache = cached()({ ...store, read: async () => (calls++, slow.result) }) as CachedDriver
    const [one, two] = await Promise.all([cache.read('a', {}), cache.read('a', {})])
    const chunks = one.body[Symbol.asyncIterator]()
    slow.step()
    expect(String(Buffer.from((await chunks.next()).value ?? []))).toBe('o')
    slow.step()
    slow.step()
    expect(String(await collect(two.body))).toBe('one')
    expect(String(Buffer.from((await chunks.next()).value ?? []))).toBe('n')
    await turns()
    expect(await text(cache)).toBe('one')
    expect(calls).toBe(1)
  })

  it('go on without those who leave; the last to leave ends the read, and nothing is kept', async () => {
    const { store } = await setup()
    const { stat } = await store.memory.read('a', {})
    const slow = [stepwise(stat, ['o', 'n', 'e']), stepwise(stat, ['one'])]
    const signals: (AbortSignal | undefined)[] = []
    const cache = cached()({
      ...store,
      read: async (_path, { signal }) => {
        signals.push(signal)
        return (slow[signals.length - 1] as (typeof slow)[0]).result
      },
    }) as CachedDriver
    const [one, two] = await Promise.all([cache.read('a', {}), cache.read('a', {})])
    await discard(one.body)
    expect(signals[0]?.aborted).toBe(false)
    slow[0]?.step()
    await discard(two.body)
    expect(signals[0]?.aborted).toBe(true)
    slow[0]?.step()
    await turns()
    expect(slow[0]?.wasReturned).toBe(true)
    slow[1]?.step()
    expect(await text(cache)).toBe('one')
    expect(cache.stats()).toMatchObject({ fills: 1, rejected: 1 })
  })

  it('are given up when all who wait have aborted, and a hung disk does not hang those who come later', async () => {
    const { store } = await setup()
    const signals: AbortSignal[] = []
    const cache = cached()({
      ...store,
      read: (path, options) => {
        signals.push(options.signal as AbortSignal)
        return signals.length > 1 ? store.memory.read(path, options) : new Promise(() => undefined)
      },
    })
    const controllers = [new AbortController(), new AbortController()]
    const waiting = controllers.map(({ signal }) => cache.read('a', { signal }))
    await turns()
    controllers[0]?.abort(new Error('enough'))
    await expect(waiting[0]).rejects.toThrow('enough')
    expect(signals[0]?.aborted).toBe(false)
    controllers[1]?.abort(new Error('enough'))
    await expect(waiting[1]).rejects.toThrow('enough')
    expect([signals.length, signals[0]?.aborted]).toEqual([1, true])
    expect(await text(cache)).toBe('one')
  })

  it.each([
    ['ends early', ['o', 'n']],
    ['goes on too long', ['one', 'two']],
  ])('fail with a body that %s, and nothing is kept', async (_name, chunks) => {
    const { store } = await setup()
    const { stat } = await store.memory.read('a', {})
    let calls = 0
    const read = async (): Promise<ReadResult> => {
      const slow = stepwise(stat, calls++ === 0 ? chunks : ['one'])
      for (const _chunk of [0, 1]) slow.step()
      return slow.result
    }
    const cache = cached()({ ...store, read }) as CachedDriver
    await expect(text(cache)).rejects.toMatchObject({ code: 'unavailable' })
    await turns()
    expect(await text(cache)).toBe('one')
    await turns()
    expect(cache.stats()).toMatchObject({ fills: 1, rejected: 1 })
  })

  it('of a large file are read by each for himself, and end with its own signal', async () => {
    const { store } = await setup()
    const signals: AbortSignal[] = []
    let discarded = 0
    const body: Body = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => (discarded++, { done: true, value: undefined }),
      }),
    }
    const cache = cached({ maxFileSize: 1 })({
      ...store,
      read: async (path, { signal }) => {
        signals.push(signal as AbortSignal)
        return { stat: await store.memory.stat(path, {}), body }
      },
    })
    const controllers = [new AbortController(), new AbortController()]
    const all = await Promise.all(controllers.map(({ signal }) => cache.read('a', { signal })))
    expect(signals.length).toBe(2)
    controllers[0]?.abort()
    expect(signals.filter(({ aborted }) => aborted).length).toBeGreaterThan(0)
    for (const { body: own } of all) await discard(own)
    expect(discarded).toBe(2)
  })
})

describe('time', () => {
  it('is soft at first: the entry, and one question behind it', async () => {
    const state = await setup({ ttl: 100 })
    const { cache, store } = state
    await text(cache)
    state.time += 79_999
    await text(cache)
    await turns()
    expect(stats(store)).toBe(0)
    state.time += 1
    await Promise.all(Array.from({ length: 50 }, () => text(cache)))
    await turns()
    expect([reads(store), stats(store)]).toEqual([1, 1])
    state.time += 79_000 // its time began anew
    await text(cache)
    await turns()
    expect([reads(store), stats(store)]).toEqual([1, 1])
  })

  it('is hard at last: asked by etag, once for all, and kept when nothing changed', async () => {
    const state = await setup({ ttl: 100 })
    const { cache, store } = state
    await text(cache)
    state.time += 100_000
    await Promise.all(Array.from({ length: 50 }, () => text(cache)))
    expect([reads(store), stats(store)]).toEqual([1, 1])
    state.time += 100_000
    await store.memory.write('a', toContent('two'), {})
    expect(await text(cache)).toBe('two')
    expect([reads(store), stats(store)]).toEqual([2, 2])
  })

  it('is jittered by a tenth', async () => {
    for (const [random, kept] of [
      [0, 90],
      [1, 110],
    ] as const) {
      const state = await setup({ ttl: 100, random: () => random })
      await text(state.cache)
      state.time += kept * 1_000 - 1
      await text(state.cache)
      await turns()
      const before = stats(state.store)
      expect(reads(state.store)).toBe(1)
      expect(before).toBe(1)
    }
  })

  it('of facts may be shorter, which does not throw content away', async () => {
    const state = await setup({ ttl: 1_000, metadataTtl: 10 })
    const { cache, store } = state
    await text(cache)
    state.time += 11_000
    await cache.stat('a', {})
    await cache.stat('a', {})
    await text(cache)
    expect([reads(store), stats(store)]).toEqual([1, 1])
  })

  it('shows what was written around the cache', async () => {
    const state = await setup({ ttl: 100 })
    const { cache, store } = state
    await text(cache)
    await store.memory.write('a', toContent('two'), {})
    expect(await text(cache)).toBe('one')
    state.time += 80_000
    expect(await text(cache)).toBe('one')
    await turns()
    expect(await text(cache)).toBe('two')
  })

  it('of an absence is two seconds, and ends with a write', async () => {
    const state = await setup()
    const { cache, store } = state
    const missing = (): Promise<void> => expect(cache.stat('b', {})).rejects.toMatchObject({ code: 'not_found' })
    await missing()
    await missing()
    await expect(text(cache, 'b')).rejects.toMatchObject({ code: 'not_found' })
    expect([stats(store), reads(store)]).toEqual([1, 0])
    state.time += 2_000
    await missing()
    expect(stats(store)).toBe(2)
    await cache.write('b', toContent('there'), {})
    expect(await text(cache, 'b')).toBe('there')
  })
})

describe('a disk that cannot answer', () => {
  it.each([UnavailableError, TimeoutError, RateLimitedError])('has its last answers given for staleIfError: %p', async (Failure) => {
    const error = new Failure()
    const state = await setup({ ttl: 10, staleIfError: 100 })
    const { cache } = state
    await text(cache)
    await cache.stat('a', {})
    state.failing = error
    state.time += 109_999
    expect(await text(cache)).toBe('one')
    expect((await cache.stat('a', {})).size).toBe(3)
    expect(cache.stats().stale).toBe(2)
    state.time += 1
    await expect(text(cache)).rejects.toBe(error)
    await expect(cache.stat('a', {})).rejects.toBe(error)
  })

  it('is not one that says no', async () => {
    const state = await setup({ ttl: 10, staleIfError: 100 })
    await text(state.cache)
    state.time += 11_000
    state.failing = new PermissionDeniedError()
    await expect(text(state.cache)).rejects.toBe(state.failing)
    state.failing = undefined
    await state.store.memory.delete(['a'], {})
    await expect(text(state.cache)).rejects.toMatchObject({ code: 'not_found' })
    expect(state.cache.stats().stale).toBe(0)
  })
})

describe('on a disk', () => {
  const entryFiles = (disk: MemoryDriver): string[] => [...disk.files.keys()]

  it('what an earlier process kept is used once its disk says that it is unchanged', async () => {
    const disk = new MemoryDriver()
    const options: CachedOptions = { store: { driver: 'disk', disk } }
    const { cache, store } = await setup(options)
    await text(cache)
    await turns()
    expect(entryFiles(disk)).toHaveLength(1)
    const later = cached(options)(store)
    expect([await text(later), await text(later)]).toEqual(['one', 'one'])
    expect([reads(store), stats(store)]).toEqual([1, 1])
    await store.memory.write('a', toContent('two'), {})
    expect(await text(cached(options)(store))).toBe('two')
  })

  it('what a crash left, or what is damaged, is not served', async () => {
    const disk = new MemoryDriver()
    const options: CachedOptions = { store: { driver: 'disk', disk } }
    const { cache, store } = await setup(options)
    const stat = await store.memory.stat('a', {})
    await text(cache)
    await turns()
    const [file] = entryFiles(disk) as [string]
    const now = Date.now()
    const forged = encodeEntry({ stat, content: Buffer.from('old'), storedAt: now, softMs: 1e6, hardMs: 1e6 }, 'a fill that never ended')
    await disk.write(file, toContent(forged), {})
    expect(await text(cache)).toBe('one')
    await turns()
    const whole = disk.files.get(entryFiles(disk)[0] as string)?.bytes as Uint8Array
    for (const damaged of [
      whole.subarray(0, 3),
      whole.subarray(0, -1),
      whole.map((byte, index) => (index === whole.length - 1 ? byte ^ 1 : byte)),
      Buffer.from('{}'),
    ]) {
      await disk.write(file, toContent(new Uint8Array(damaged)), {})
      expect(await text(cache)).toBe('one')
      await turns()
    }
  })

  it('is bounded in bytes, also by what is found there; the oldest goes first', async () => {
    const disk = new MemoryDriver()
    const make = (store: Driver): CachedDriver => cached({ store: { driver: 'disk', disk, maxBytes: 4_000 } })(store) as CachedDriver
    const { store } = await setup()
    const cache = make(store)
    for (const path of ['b', 'c', 'd', 'e']) await store.memory.write(path, toContent(Buffer.alloc(1_000, path)), {})
    for (const path of ['b', 'c', 'b', 'd', 'e']) {
      await text(cache, path)
      await turns()
    }
    const bytes = (): number => [...disk.files.values()].reduce((sum, file) => sum + file.stat.size, 0)
    expect(bytes()).toBeLessThanOrEqual(4_000)
    expect(cache.stats().evictions).toBeGreaterThan(0)
    const before = reads(store)
    await text(cache, 'e')
    expect(reads(store)).toBe(before)
    await text(make(store), 'a')
    await turns()
    expect(bytes()).toBeLessThanOrEqual(4_000)
  })

  it('that fails, reads come from the disk and writes succeed; after it is back nothing old is read', async () => {
    const disk = new MemoryDriver()
    let broken = false
    const fails = async <T>(call: () => Promise<T>): Promise<T> => (broken ? Promise.reject(new UnavailableError()) : call())
    const failing: Driver = {
      ...recorded(disk),
      read: (path, options) => fails(() => disk.read(path, options)),
      write: (path, content, options) => fails(() => disk.write(path, content, options)),
      delete: (paths, options) => fails(() => disk.delete(paths, options)),
    }
    const state = await setup({ store: { driver: 'disk', disk: failing } })
    const { cache } = state
    await text(cache)
    await turns()
    broken = true
    for (const version of ['two', 'three', 'four', 'five', 'six']) {
      await cache.write('a', toContent(version), {})
      expect(await text(cache)).toBe(version)
    }
    expect(cache.stats().errors).toBeGreaterThan(0)
    broken = false
    state.time += 10_000
    for (let round = 0; round < 3; round++) {
      expect(await text(cache)).toBe('six')
      await turns()
    }
    const before = reads(state.store)
    expect(await text(cache)).toBe('six')
    expect(reads(state.store)).toBe(before)
  })

  it('says both disks in its name, and disks that share one do not see each other', async () => {
    const disk = new MemoryDriver()
    const [one, two] = [await setup({ store: { driver: 'disk', disk } }), await setup({ store: { driver: 'disk', disk } })]
    expect(one.cache.name).toBe('cached(recorded, memory)')
    const caches = [one, two].map(({ store }, index) => cached({ store: { driver: 'disk', disk } })(scoped(`s${index}`)(store.memory)))
    for (const [index, cache] of caches.entries()) await cache.write('a', toContent(`of ${index}`), {})
    for (let round = 0; round < 2; round++) expect(await Promise.all(caches.map((cache) => text(cache)))).toEqual(['of 0', 'of 1'])
  })
})

describe('a configuration', () => {
  it('over an encrypted disk needs plaintextCache', () => {
    const inner = encrypted({ key: generateKey() })(new MemoryDriver())
    expect(() => cached()(inner)).toThrow(expect.objectContaining({ code: 'configuration' }))
    expect(cached({ plaintextCache: true })(inner).name).toBe('cached(encrypted(memory))')
  })

  it.each([{ ttl: -1 }, { ttl: Number.NaN }, { staleIfError: Number.POSITIVE_INFINITY }, { maxFileSize: -1 }])(
    'with bad numbers is refused: %j',
    (options) => {
      expect(() => cached(options)(new MemoryDriver())).toThrow(expect.objectContaining({ code: 'configuration' }))
    },
  )

  it.each([
    [undefined, 'cached(memory)'],
    [{ driver: 'memory', maxBytes: 1_000_000 } as const, 'cached(memory)'],
    [{ driver: 'disk', disk: 'shelf', maxBytes: 1_000_000 } as const, 'cached(memory, memory)'],
  ])('of a storage is built: %j', async (store, name) => {
    const storage = new StorageManager({
      default: 'fast',
      disks: { origin: { driver: 'memory' }, shelf: { driver: 'memory' }, fast: { driver: 'cached', disk: 'origin', store, ttl: 60 } },
    })
    const disk = storage.disk('fast')
    await disk.put('a.txt', 'one')
    expect([await disk.text('a.txt'), await disk.text('a.txt')]).toEqual(['one', 'one'])
    expect(disk.toString()).toBe(`fast: ${name}`)
    expect(disk.layer('cached')?.stats()).toMatchObject({ hits: 1, misses: 1, fills: 1 })
    await storage.close()
  })
})

describe('a cache', () => {
  it('leaves no timer behind', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] })
    try {
      const { cache } = await setup({ store: { driver: 'disk', disk: new MemoryDriver() } })
      await text(cache)
      await cache.write('a', toContent('two'), {})
      await text(cache)
      await cache.close()
      await cache.close()
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })

  it('reads on after it was closed', async () => {
    const { cache } = await setup({ store: { driver: 'disk', disk: new MemoryDriver() } })
    await cache.close()
    expect(await text(cache)).toBe('one')
  })
})
