/**
 * What a cache saves, and what a layer costs: hits in memory and in Redis beside an origin that takes 5 ms, a hit in Redis beside a
 * bare round trip, and a decorator that does nothing. Sides take turns; medians of the rounds.
 *
 *   node bench/decorators-cached.ts      prints Markdown; needs redis-server, or STOWAGE_TEST_REDIS_URL; BENCH_ROUNDS=7
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { collect, toContent } from '../src/content.ts'
import { type CachedDriver, cached, type CachedOptions } from '../src/decorators/cached/cached.ts'
import { scoped } from '../src/decorators/scoped.ts'
import type { Driver } from '../src/driver.ts'
import { MemoryDriver } from '../src/drivers/memory-driver.ts'
import { faulty } from '../src/testing/faulty.ts'
import { redisServer } from '../tests/support/servers/redis-server.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const CONTENT = Buffer.alloc(16 * 1024, 'x')

interface Side {
  readonly name: string
  readonly calls: number
  readonly run: () => Promise<unknown>
}

/** Microseconds per call, a median. */
async function measure(sides: readonly Side[]): Promise<ReadonlyMap<string, number>> {
  const rounds = new Map<string, number[]>(sides.map(({ name }) => [name, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, calls, run } of round % 2 === 0 ? sides : sides.toReversed()) {
      const begin = performance.now()
      for (let call = 0; call < calls; call++) await run()
      if (round > 0) rounds.get(name)?.push(((performance.now() - begin) * 1_000) / calls)
    }
  }
  return new Map([...rounds].map(([name, times]) => [name, times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN]))
}

const read = async (driver: Driver): Promise<unknown> => collect((await driver.read('a', {})).body)

async function filled(options: CachedOptions, inner: Driver): Promise<CachedDriver> {
  const cache = cached(options)(inner) as CachedDriver
  while (cache.stats().hits === 0) {
    await read(cache)
    await sleep(5)
  }
  return cache
}

async function bench(): Promise<string> {
  const memory = new MemoryDriver()
  await memory.write('a', toContent(CONTENT), {})
  const origin = faulty(memory, { first: 0, latencyMs: 5 })
  const { url } = await redisServer()
  const client = new Redis(url)
  await client.set('stowage-bench', CONTENT, 'PX', 600_000)
  const prefix = `bench-${process.pid}`
  const near = await filled({}, origin)
  const far = await filled({ store: { driver: 'redis', url, prefix } }, origin)
  const both = await filled({ store: { driver: 'redis', url, prefix: `${prefix}-near`, memory: 1_000_000 } }, origin)
  const [idle, inside] = [noOp(memory), scoped('b')(memory)]
  await inside.write('a', toContent(CONTENT), {})
  const times = await measure([
    { name: 'origin of 5 ms', calls: 50, run: () => read(origin) },
    { name: 'hit in memory', calls: 5_000, run: () => read(near) },
    { name: 'hit in Redis', calls: 500, run: () => read(far) },
    { name: 'hit in memory in front of Redis', calls: 5_000, run: () => read(both) },
    { name: 'bare GET of the same bytes', calls: 500, run: () => client.getBuffer('stowage-bench') },
    { name: 'bare PING', calls: 500, run: () => client.ping() },
    { name: 'stat, memory driver', calls: 50_000, run: () => memory.stat('a', {}) },
    { name: 'stat, no-op(memory driver)', calls: 50_000, run: () => idle.stat('a', {}) },
    { name: 'stat, scoped(memory driver)', calls: 50_000, run: () => inside.stat('a', {}) },
  ])
  await Promise.all([near, far, both].map((cache) => cache.close()))
  client.disconnect()
  return report(times)
}

/** A decorator that does nothing, written as all are. */
function noOp(inner: Driver): Driver {
  return {
    kind: 'no-op',
    name: `no-op(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: inner.multipart,
    append: inner.append?.bind(inner),
    publicUrl: inner.publicUrl?.bind(inner),
    signUrl: inner.signUrl?.bind(inner),
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
}

function report(times: ReadonlyMap<string, number>): string {
  const of = (name: string): number => times.get(name) ?? Number.NaN
  const rows = [...times].map(([name, time]) => `| ${name} | ${time.toFixed(1)} |`)
  return [
    '| 16 KiB, one after the other | µs |',
    '|---|---:|',
    ...rows,
    '',
    `A hit in memory is ${Math.round(of('origin of 5 ms') / of('hit in memory'))} times as fast as the origin,`,
    `a hit in Redis takes ${(of('hit in Redis') / of('bare GET of the same bytes')).toFixed(2)} times a bare GET,`,
    `and a decorator that does nothing costs ${(of('stat, no-op(memory driver)') - of('stat, memory driver')).toFixed(2)} µs per operation.`,
  ].join('\n')
}

console.log(await bench())
