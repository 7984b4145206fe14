/**
 * The client of the soak, in a process of its own: so many calls of all kinds on one disk, with its memory and its sockets looked at in
 * between. Answers to `probe` when it has made as many calls at once as the disk has connections; then closes it.
 */
import { Buffer } from 'node:buffer'
import { generated } from '../../bench/null-server.ts'
import { bytesContent } from '../../src/content.ts'
import { Disk } from '../../src/disk.ts'
import type { MultipartAbility } from '../../src/driver.ts'
import { S3Driver } from '../../src/drivers/s3/s3-driver.ts'
import { isNotFound } from '../../src/errors.ts'
import { pick, seeded } from '../support/seeded.ts'

export interface Setup {
  readonly endpoint: string
  readonly calls: number
  /** At once. */
  readonly workers: number
  readonly maxSockets: number
  readonly samples: number
  readonly seed: number
}

export interface Sample {
  readonly rssMiB: number
  readonly sockets: number
}

export interface SoakReport {
  readonly samples: readonly Sample[]
  /** After a collection, one tenth through and at the end. */
  readonly heapMiB: readonly [early: number, late: number]
  /** Calls by kind. */
  readonly made: Readonly<Record<string, number>>
  /** Calls that were given up midway: each may have cost its connection. */
  readonly givenUp: number
  /** What ended otherwise than it should, the first hundred. */
  readonly wrong: readonly string[]
  readonly seconds: number
}

const { endpoint, calls, workers, maxSockets, samples, seed } = JSON.parse(process.argv[2] ?? '') as Setup
const options = { bucket: 'soak', region: 'us-east-1', endpoint, pathStyle: true, key: 'key', secret: 'secret', maxSockets }
const disk = new Disk(new S3Driver({ ...options, transport: 'lean' }))
const random = seeded(seed)
const REASON = new Error('no longer wanted')
const SMALL = Buffer.from(generated(0, 1_024))
const LARGE = Buffer.from(generated(0, 65_536))
const MANY = Array.from({ length: 20 }, (_, index) => `many/${index}`)

const made: Record<string, number> = {}
const wrong: string[] = []
const taken: Sample[] = []
let givenUp = 0
let left = calls

function check(what: string, holds: boolean): void {
  if (!holds && wrong.length < 100) wrong.push(what)
}

const KINDS: Readonly<Record<string, readonly [weight: number, call: () => Promise<void>]>> = {
  get: [28, async () => check('get', SMALL.equals(await disk.get('s1024/a b')))],
  'get of 64 KiB': [3, async () => check('get of 64 KiB', LARGE.equals(await disk.get('s65536/a')))],
  'get of a range': [
    8,
    async () => check('range', SMALL.subarray(100, 200).equals(await disk.get('s1024/a', { range: { start: 100, end: 200 } }))),
  ],
  put: [25, async () => check('put', (await disk.put('some/file.txt', SMALL)).size === SMALL.byteLength)],
  'put ifAbsent': [3, async () => check('put ifAbsent', (await disk.put('some/new.txt', SMALL, { ifAbsent: true })).etag !== undefined)],
  'put of 64 KiB': [2, async () => void (await disk.put('some/file.bin', LARGE))],
  stat: [13, async () => check('stat', (await disk.stat('s77/a')).size === 77)],
  delete: [6, async () => disk.delete('some/file.txt')],
  'delete of many': [1, async () => disk.delete(MANY)],
  list: [1, async () => check('list', (await disk.files('n40')).length === 40)],
  'get of nothing': [3, async () => check('get of nothing', (await disk.getOrNull('none')) === null)],
  'stat of nothing': [2, async () => check('stat of nothing', await disk.stat('none').then(() => false, isNotFound))],
  upload: [0.5, upload],
  'stream, given up': [1, giveUpReading],
  'get, given up': [2, () => giveUp((signal) => disk.get('s65536/b', { signal }))],
  'put, given up': [2, () => giveUp((signal) => disk.put('some/file.bin', LARGE, { signal }))],
}
const WEIGHTED = Object.entries(KINDS).map(([name, [weight]]) => [name, weight] as const)

async function upload(): Promise<void> {
  const multipart = disk.driver.multipart as MultipartAbility
  const id = await multipart.create('some/large.bin', {})
  const parts = await Promise.all([1, 2].map((number) => multipart.part('some/large.bin', id, number, bytesContent(SMALL), {})))
  if (random() < 0.2) await multipart.abort('some/large.bin', id, {})
  else check('upload', (await multipart.complete('some/large.bin', id, parts, {})).size === 2 * SMALL.byteLength)
}

async function giveUpReading(): Promise<void> {
  givenUp++
  const stream = await disk.readStream('s300000/a')
  if (random() < 0.5) for await (const _ of stream) break
  stream.destroy()
}

async function giveUp(call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController()
  const calling = call(controller.signal)
  if (random() < 0.5) setImmediate(() => controller.abort(REASON))
  else setTimeout(() => controller.abort(REASON), random() * 5)
  await calling.catch((error: unknown) => {
    givenUp++
    check(`given up: ${String(error)}`, error === REASON)
  })
}

async function work(): Promise<void> {
  while (left > 0) {
    left--
    if (left % Math.ceil(calls / samples) === 0) taken.push(sample())
    const name = pick(random, WEIGHTED)
    made[name] = (made[name] ?? 0) + 1
    try {
      await KINDS[name]?.[1]()
    } catch (error) {
      check(`${name}: ${String(error)}`, false)
    }
    if (left === Math.floor(calls * 0.9)) early = heapMiB()
  }
}

function sample(): Sample {
  const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
  return { rssMiB: process.memoryUsage.rss() / 1024 ** 2, sockets }
}

function heapMiB(): number {
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  return process.memoryUsage().heapUsed / 1024 ** 2
}

process.on('message', (question: 'probe') => {
  const probing = Promise.all(Array.from({ length: maxSockets }, () => disk.get('s1024/a'))).then(() => disk.close())
  void probing.then(() => process.send?.({ [question]: sample() }))
})
process.on('disconnect', () => process.exit())

let early = Number.NaN
const began = performance.now()
await Promise.all(Array.from({ length: workers }, work))
const seconds = (performance.now() - began) / 1_000
process.send?.({ samples: taken, heapMiB: [early, heapMiB()], made, givenUp, wrong, seconds } satisfies SoakReport)
