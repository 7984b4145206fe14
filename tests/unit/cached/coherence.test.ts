/** Readers and writers of one disk through several caches of one store: whoever reads after a write has ended sees it, or a newer one. */
import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from '@jest/globals'
import { cached, type CachedDriver } from '../../../src/decorators/cached/cached.ts'
import type { CacheStoreOptions } from '../../../src/decorators/cached/open-store.ts'
import { collect, toContent } from '../../../src/content.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { redisServer } from '../../support/servers/redis-server.ts'
import { seeded } from './schedules.ts'

/** Takes a random number of turns of the event loop before and after each call. */
function wandering(inner: Driver, random: () => number): Driver {
  const wander = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise(setImmediate)
    const result = await call()
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise(setImmediate)
    return result
  }
  return {
    kind: 'wandering',
    name: 'wandering',
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: inner.multipart,
    append: inner.append,
    publicUrl: inner.publicUrl,
    signUrl: inner.signUrl,
    stat: (path, options) => wander(() => inner.stat(path, options)),
    read: (path, options) => wander(() => inner.read(path, options)),
    write: (path, content, options) => wander(() => inner.write(path, content, options)),
    delete: (paths, options) => wander(() => inner.delete(paths, options)),
    list: (directory, options) => wander(() => inner.list(directory, options)),
    copy: (from, to, options) => wander(() => inner.copy(from, to, options)),
    move: (from, to, options) => wander(() => inner.move(from, to, options)),
    locate: (path) => inner.locate(path),
    close: () => inner.close(),
  }
}

const PATHS = ['a', 'b']
const ROUNDS = 60

/** @returns reads that were behind what had been written when they began */
async function chaos(caches: readonly CachedDriver[], random: () => number): Promise<string[]> {
  const begun = new Map(PATHS.map((path) => [path, 0]))
  const ended = new Map(PATHS.map((path) => [path, 0]))
  const behind: string[] = []
  let stopped = 0
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const write = async (path: string): Promise<void> => {
    const cache = pick(caches)
    for (let round = 0; round < ROUNDS; round++) {
      const version = (begun.get(path) ?? 0) + 1
      begun.set(path, version)
      await cache.write(path, toContent(String(version)), { metadata: { version: String(version) } })
      ended.set(path, version)
      for (let turns = Math.floor(random() * 12); turns > 0; turns--) await new Promise(setImmediate)
    }
    stopped++
  }
  const read = async (): Promise<void> => {
    while (stopped < PATHS.length) {
      const [cache, path] = [pick(caches), pick(PATHS)]
      const least = ended.get(path) ?? 0
      const isStat = random() < 0.3
      const seen = isStat
        ? Number((await cache.stat(path, {})).metadata?.['version'])
        : Number(await collect((await cache.read(path, {})).body))
      if (seen < least) behind.push(`${isStat ? 'stat' : 'read'} of ${path}: ${seen} instead of ${least}`)
      await new Promise(setImmediate)
    }
  }
  await Promise.all([...PATHS.map(write), read(), read(), read()])
  return behind
}

const closing: CachedDriver[] = []
afterAll(() => Promise.all(closing.map((cache) => cache.close())))

async function cachesOf(store: CacheStoreOptions | undefined, number: number, random: () => number): Promise<CachedDriver[]> {
  const origin = new MemoryDriver()
  for (const path of PATHS) await origin.write(path, toContent('0'), { metadata: { version: '0' } })
  const slow = wandering(origin, random)
  const caches = Array.from({ length: number }, () => cached({ store })(slow) as CachedDriver)
  closing.push(...caches)
  return caches
}

describe('a read that begins after a write has ended sees it', () => {
  it.each([1, 2, 3, 4, 5, 6])('in memory, seed %i', async (seed) => {
    const random = seeded(seed)
    const caches = await cachesOf(undefined, 1, random)
    expect(await chaos(caches, random)).toEqual([])
    expect(caches[0]?.stats().hits).toBeGreaterThan(0)
  })

  it.each([1, 2, 3, 4, 5, 6])('on a disk that is as slow as the origin, seed %i', async (seed) => {
    const random = seeded(seed)
    const caches = await cachesOf({ driver: 'disk', disk: wandering(new MemoryDriver(), random) }, 1, random)
    expect(await chaos(caches, random)).toEqual([])
    expect(caches[0]?.stats().hits).toBeGreaterThan(0)
  })

  it.each([1, 2, 3])('in Redis, of two processes, seed %i', async (seed) => {
    const random = seeded(seed)
    const { url } = await redisServer()
    const caches = await cachesOf({ driver: 'redis', url, prefix: `chaos-${randomUUID()}` }, 2, random)
    expect(await chaos(caches, random)).toEqual([])
    expect(caches[0]?.stats().hits).toBeGreaterThan(0)
  })
})
