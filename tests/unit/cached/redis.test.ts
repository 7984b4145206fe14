import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { collect, toContent } from '../../../src/content.ts'
import { type CachedDriver, cached, type CachedOptions } from '../../../src/decorators/cached/cached.ts'
import { RedisStore } from '../../../src/decorators/cached/redis-store.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { StorageManager } from '../../../src/storage-manager.ts'
import { recorded, type RecordedDriver } from '../../support/recorded.ts'
import { redisServer } from '../../support/servers/redis-server.ts'
import { OwnRedis } from './own-redis.ts'

const text = async (driver: Driver, path = 'a'): Promise<string> => (await collect((await driver.read(path, {})).body)).toString()
const reads = (store: RecordedDriver): number => store.calls.filter((call) => call.startsWith('read ')).length

const closing: { close(): Promise<unknown> }[] = []
const cleanUp = (run: () => Promise<unknown>): void => void closing.unshift({ close: run })
afterEach(async () => {
  for (const open of closing.splice(0)) await open.close()
})

async function ownRedis(): Promise<OwnRedis> {
  const redis = await OwnRedis.start()
  cleanUp(() => redis.kill())
  return redis
}

async function clientOf(url: string): Promise<Redis> {
  const client = new Redis(url)
  cleanUp(async () => client.disconnect())
  return client
}

/** Caches of several processes, as it were: each has its own client, all have one origin that holds `a`. */
async function caches(
  url: string,
  number: number,
  { memory, budgetMs = 20_000, ...options }: CachedOptions & { memory?: number; budgetMs?: number } = {},
) {
  const store = recorded()
  const prefix = randomUUID()
  await store.memory.write('a', toContent('one'), {})
  const all = Array.from({ length: number }, () => {
    const cache = cached({ store: { driver: 'redis', url, prefix, memory, budgetMs }, ...options })(store) as CachedDriver
    closing.unshift(cache)
    return cache
  })
  return { store, all, prefix, cache: all[0] as CachedDriver, other: all.at(-1) as CachedDriver }
}

/** Asks until it holds. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(20)
}

/** Whether a read of the file is answered by the cache alone. */
async function isHit(cache: CachedDriver): Promise<boolean> {
  const { hits } = cache.stats()
  await text(cache)
  return cache.stats().hits > hits
}

describe('a cache in Redis', () => {
  it('is one for all processes: what one read or wrote, the others see', async () => {
    const { url } = await redisServer()
    const { store, cache, other } = await caches(url, 2)
    expect(await text(cache)).toBe('one')
    await until(() => isHit(other))
    const before = reads(store)
    expect(await text(other)).toBe('one')
    await other.write('a', toContent('two'), {})
    expect(await text(cache)).toBe('two')
    expect(reads(store)).toBe(before + 1)
    await cache.clear()
    expect(await text(other)).toBe('two')
    expect(reads(store)).toBe(before + 2)
  })

  it('makes a thousand misses of several processes one read of the disk', async () => {
    const { url } = await redisServer()
    const { store, all } = await caches(url, 4)
    await Promise.all(all.map((cache) => cache.stat('b', {}).catch(() => undefined))) // they are connected
    const texts = await Promise.all(Array.from({ length: 1_000 }, (_, index) => text(all[index % 4] as Driver)))
    expect(new Set(texts)).toEqual(new Set(['one']))
    expect(reads(store)).toBe(1)
  })

  it('does not wait for another process that only asks for facts, or that gave up', async () => {
    const { url } = await redisServer()
    const prefix = randomUUID()
    const stores = [0, 1].map(() => new RedisStore({ url, prefix, keptMs: 60_000, memoryBytes: 0, counts: {} as never }))
    closing.push(...stores)
    const [one, two] = stores as [RedisStore, RedisStore]
    await one.prepare('a', 'facts')
    expect(await two.prepare('a', 'content')).toMatchObject({ isOthers: false, isFilled: false })
    expect(await one.prepare('a', 'content')).toMatchObject({ isOthers: true })
    await two.release('a')
    expect(await one.prepare('a', 'content')).toMatchObject({ isOthers: false })
  })

  it('has no key without a time to live, and the keys of one file in one slot of a cluster', async () => {
    const redis = await ownRedis()
    const { cache, prefix } = await caches(redis.url, 1)
    await text(cache)
    await cache.stat('b', {}).catch(() => undefined)
    for (const path of ['a', 'c', 'd/e']) await cache.write(path, toContent('x'), {})
    await cache.delete(['c'], {})
    await cache.signUrl?.('f', { method: 'PUT', expiresAt: new Date(Date.now() + 60_000) })
    await text(cache)
    await cache.clear()
    await text(cache)
    const client = await clientOf(redis.url)
    const keys = await client.keys('*')
    expect(keys.length).toBeGreaterThan(7)
    for (const key of keys) expect([key, (await client.pttl(key)) > 0]).toEqual([key, true])
    const tags = keys.filter((key) => !key.endsWith('{epoch}')).map((key) => /^\{[^}]+\}:[gfc]$/.exec(key)?.[0])
    expect(tags).not.toContain(undefined)
    expect(keys.every((key) => key.includes(prefix))).toBe(true)
  })

  it('keeps a long token though a short write follows', async () => {
    const redis = await ownRedis()
    const { cache } = await caches(redis.url, 1)
    await cache.signUrl?.('a', { method: 'PUT', expiresAt: new Date(Date.now() + 86_400_000) })
    await cache.write('a', toContent('two'), {})
    const client = await clientOf(redis.url)
    const [generation] = await client.keys('*:g')
    expect(await client.pttl(String(generation))).toBeGreaterThan(86_000_000)
  })

  it('uses a client that was made elsewhere, and leaves it open', async () => {
    const { url } = await redisServer()
    const client = await clientOf(url)
    const store = recorded()
    await store.memory.write('a', toContent('one'), {})
    const cache = cached({ store: { driver: 'redis', client, prefix: randomUUID() } })(store) as CachedDriver
    await text(cache)
    await until(() => isHit(cache))
    await cache.close()
    expect(await client.ping()).toBe('PONG')
    expect(client.listenerCount('ready')).toBe(0)
    expect(await text(cache)).toBe('one')
  })

  it('keeps two disks apart that share a Redis without a prefix', async () => {
    const { url } = await redisServer()
    const both = ['one', 'two'].map(async (content) => {
      const inner = new MemoryDriver()
      await inner.write('a', toContent(content), {})
      const cache = cached({ store: { driver: 'redis', url } })(inner) as CachedDriver
      closing.push(cache)
      return cache
    })
    for (let round = 0; round < 3; round++) {
      expect(await text(await (both[0] as Promise<Driver>))).toBe('one')
      expect(await text(await (both[1] as Promise<Driver>))).toBe('two')
    }
  })

  it('is built by a configuration', async () => {
    const { url } = await redisServer()
    const store = { driver: 'redis', url, prefix: randomUUID() } as const
    const storage = new StorageManager({ default: 'fast', disks: { fast: { driver: 'cached', disk: { driver: 'memory' }, store } } })
    cleanUp(() => storage.close())
    await storage.put('a.txt', 'one')
    await until(async () => {
      expect(await storage.text('a.txt')).toBe('one')
      return (storage.disk('fast').layer('cached')?.stats().hits ?? 0) > 0
    })
  })
})

describe('memory in front of Redis', () => {
  it('answers alone, until another process writes', async () => {
    const redis = await ownRedis()
    const { cache, other } = await caches(redis.url, 2, { memory: 1_000_000 })
    await until(() => isHit(cache))
    const client = await clientOf(redis.url)
    const commands = async (): Promise<number> => Number(/cmdstat_get:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
    await until(async () => {
      const before = await commands()
      await text(cache)
      return (await commands()) === before
    })
    await other.write('a', toContent('two'), {})
    await until(async () => (await text(cache)) === 'two')
    await other.clear()
    await until(() => isHit(cache))
    expect(await text(cache)).toBe('two')
  })

  it('is left as soon as the messages stop', async () => {
    const redis = await ownRedis()
    const { store, cache } = await caches(redis.url, 1, { budgetMs: 100, memory: 1_000_000 })
    await until(() => isHit(cache))
    await until(() => isHit(cache))
    redis.pause()
    try {
      await store.memory.write('a', toContent('two'), {}) // as by a process whose message is not delivered
      await until(async () => (await text(cache)) === 'two')
    } finally {
      redis.resume()
    }
  })
})

describe('Redis that is gone', () => {
  it('from the start: the disk serves, writes succeed, and the cache works once it is there', async () => {
    let time = Date.now()
    const redis = await OwnRedis.reserve()
    cleanUp(() => redis.kill())
    const { cache } = await caches(redis.url, 1, { now: () => time })
    expect(await text(cache)).toBe('one')
    await cache.write('a', toContent('two'), {})
    expect(await text(cache)).toBe('two')
    expect(cache.stats().errors).toBeGreaterThan(0)
    await redis.start()
    time += 10_000
    await until(() => isHit(cache))
    expect(await text(cache)).toBe('two')
  })

  it('in the middle: what was written meanwhile is told before anything is read from it, and others hear of it', async () => {
    let time = Date.now()
    const redis = await ownRedis()
    const { store, cache, other } = await caches(redis.url, 2, { budgetMs: 100, now: () => time })
    await until(() => isHit(cache))
    await until(() => isHit(other))
    redis.pause()
    for (const version of ['two', 'three', 'four']) {
      await cache.write('a', toContent(version), {})
      expect(await text(cache)).toBe(version)
    }
    expect(await text(other)).toBe('four')
    redis.resume()
    time += 10_000
    for (let round = 0; round < 20; round++) expect(await text(cache)).toBe('four')
    await until(() => isHit(cache))
    expect(await text(other)).toBe('four')
    const before = reads(store)
    expect(await text(cache)).toBe('four')
    expect(reads(store)).toBe(before)
  })

  it('in the middle: an idle writer tells the others by itself', async () => {
    let time = Date.now()
    const redis = await ownRedis()
    const { cache, other } = await caches(redis.url, 2, { budgetMs: 100, now: () => time })
    await until(() => isHit(other))
    redis.pause()
    await cache.write('a', toContent('two'), {})
    redis.resume()
    time += 10_000
    await until(async () => (await text(other)) === 'two')
    await until(() => isHit(other))
    expect(await text(other)).toBe('two')
  })

  it('and comes back empty: fills that began before are refused', async () => {
    let time = Date.now()
    const redis = await ownRedis()
    const { cache } = await caches(redis.url, 1, { now: () => time })
    await until(() => isHit(cache))
    await redis.kill()
    await cache.write('a', toContent('two'), {})
    expect(await text(cache)).toBe('two')
    await redis.start()
    await until(async () => {
      time += 10_000
      expect(await text(cache)).toBe('two')
      return isHit(cache)
    })
  })

  it('and comes back with what it held before: that is not used', async () => {
    let time = Date.now()
    const redis = await ownRedis()
    const { cache, store } = await caches(redis.url, 1, { now: () => time })
    await until(() => isHit(cache))
    const client = await clientOf(redis.url)
    const keys = await client.keys('*')
    const dumps = await Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const))
    client.disconnect()
    await redis.kill()
    await store.memory.write('a', toContent('two'), {}) // by a writer that told a Redis whose last seconds were lost
    await redis.start()
    const again = await clientOf(redis.url)
    for (const [key, dump] of dumps) await again.restore(key, 100_000, dump)
    const before = reads(store)
    await until(async () => {
      time += 10_000
      expect(await text(cache)).toBe('two')
      return isHit(cache)
    })
    expect(reads(store)).toBeGreaterThan(before)
  })

  it('makes no call wait for long, and after some none at all', async () => {
    const redis = await ownRedis()
    const { cache } = await caches(redis.url, 1, { budgetMs: 100, now: () => 1 })
    await until(() => isHit(cache))
    redis.pause()
    try {
      for (let call = 0; call < 20; call++) expect(await text(cache)).toBe('one')
      const { errors } = cache.stats()
      expect(errors).toBe(5)
      for (let call = 0; call < 20; call++) await cache.write('a', toContent('two'), {})
      expect(cache.stats().errors).toBe(errors)
    } finally {
      redis.resume()
    }
  })

  it('while the cache is closed: what is owed is told, if that is quick', async () => {
    let time = Date.now()
    const redis = await ownRedis()
    const { cache, other } = await caches(redis.url, 2, { budgetMs: 100, now: () => time })
    await until(() => isHit(other))
    await cache.stat('a', {})
    redis.pause()
    await cache.write('a', toContent('two'), {})
    redis.resume()
    time += 10_000
    await cache.close()
    expect(await text(other)).toBe('two')
  })
})
