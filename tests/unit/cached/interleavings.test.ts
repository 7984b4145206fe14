import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from '@jest/globals'
import type { CacheCounts, CacheStore } from '../../../src/decorators/cached/cache-store.ts'
import { DiskStore } from '../../../src/decorators/cached/disk-store.ts'
import { MemoryStore } from '../../../src/decorators/cached/memory-store.ts'
import { RedisStore } from '../../../src/decorators/cached/redis-store.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { redisServer } from '../../support/servers/redis-server.ts'
import { deleteAfterWrite, DYING, isStale, play, randomSchedule, type Schedule, schedules, seeded, type Steps, WHOLE } from './schedules.ts'

const counts = (): CacheCounts => ({ hits: 0, misses: 0, fills: 0, rejected: 0, evictions: 0, errors: 0, stale: 0 })
const memoryStore = (): MemoryStore => new MemoryStore({ maxBytes: 1_000_000, counts: counts(), now: () => 0 })
const diskStore = (): DiskStore =>
  new DiskStore({ driver: new MemoryDriver(), maxBytes: 1_000_000, counts: counts(), now: () => 0, identity: 'x' })
const closing: CacheStore[] = []

async function redisStore(memoryBytes: number): Promise<CacheStore> {
  const { url } = await redisServer()
  const store = new RedisStore({ url, prefix: `orders-${randomUUID()}`, keptMs: 60_000, memoryBytes, counts: counts() })
  closing.push(store)
  await store.open()
  return store
}

afterAll(() => Promise.all(closing.map((store) => store.close())))

interface Found {
  played: number
  /** How many left something in the cache. */
  filled: number
  readonly stale: Schedule[]
}

async function explore(store: CacheStore, orders: Iterable<Schedule>): Promise<Found> {
  const found: Found = { played: 0, filled: 0, stale: [] }
  for (const schedule of orders) {
    const outcome = await play(store, `file ${found.played++ % 1_000} ${schedule}`, schedule)
    if (outcome.cached !== undefined) found.filled++
    if (isStale(outcome)) found.stale.push(schedule)
  }
  return found
}

/** Many at once, because each is a dozen round trips. */
async function exploreTogether(store: CacheStore, orders: readonly Schedule[]): Promise<Found> {
  const next = orders.values()
  const found = await Promise.all(Array.from({ length: 32 }, () => explore(store, next)))
  return {
    played: found.reduce((sum, { played }) => sum + played, 0),
    filled: found.reduce((sum, { filled }) => sum + filled, 0),
    stale: found.flatMap(({ stale }) => stale),
  }
}

function sample(size: number, seed: number): Schedule[] {
  const random = seeded(seed)
  const kinds: readonly Steps[] = [WHOLE, ...DYING, [3, 0, 3, 3], [3, 0, 3, 0]]
  return Array.from({ length: size }, (_, index) => randomSchedule(kinds[index % kinds.length] as Steps, random))
}

describe('two writers and two readers that fill, in every order', () => {
  it('leave nothing old in memory', async () => {
    const found = await explore(memoryStore(), schedules(WHOLE))
    expect(found.stale).toEqual([])
    expect(found.played).toBe(369_600 / 4)
    expect(found.filled).toBeGreaterThan(1_000)
  })

  it.each(DYING)('leave nothing old in memory when writers stop after %i and %i steps', async (...steps) => {
    const found = await explore(memoryStore(), schedules(steps))
    expect(found.stale).toEqual([])
    expect(found.played).toBeGreaterThan(100)
  })

  it('would leave something old, if the cache were only told after each write', async () => {
    const found = await explore(deleteAfterWrite(memoryStore()), schedules([0, 3, 3, 3]))
    expect(found.stale.length).toBeGreaterThan(100)
  })

  it('leave nothing old on a disk', async () => {
    const found = await explore(diskStore(), sample(1_500, 1))
    expect(found.stale).toEqual([])
    expect(found.filled).toBeGreaterThan(20)
  })

  it.each([
    ['in Redis', 0],
    ['in Redis with memory in front', 1_000_000],
  ])('leave nothing old %s', async (_where, memoryBytes) => {
    const found = await exploreTogether(await redisStore(memoryBytes), sample(1_500, 2))
    expect(found.stale).toEqual([])
    expect(found.filled).toBeGreaterThan(20)
  })

  it('would leave something old in Redis, if it were only told after each write', async () => {
    const found = await exploreTogether(deleteAfterWrite(await redisStore(0)), sample(500, 3))
    expect(found.stale.length).toBeGreaterThan(20)
  })
})

describe('a writer that died', () => {
  it('keeps its file out of the cache until its token expires, and fills that began before then are refused', async () => {
    let time = 0
    const store = new MemoryStore({ maxBytes: 1_000_000, counts: counts(), now: () => time })
    const before = await store.prepare('a', 'content')
    await store.begin(['a'], 'dead', 1_000)
    expect(await store.prepare('a', 'content')).toBeUndefined()
    time = 1_000
    const after = await store.prepare('a', 'content')
    expect(after).toBeDefined()
    expect(after?.version).not.toBe(before?.version)
  })
})
