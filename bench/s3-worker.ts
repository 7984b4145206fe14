/** One S3 client in a process of its own. It measures what the parent asks for, when it asks, and answers in milliseconds. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { generated } from './null-server.ts'
import { S3_IMPLEMENTATIONS, type S3Implementation, WIRE, wireClient } from './s3-implementations.ts'

export type S3Task =
  | SmallTask
  /** With `verify` what is read is compared with what the server makes up. */
  | { readonly kind: 'upload' | 'download' | 'memory' | 'fastest'; readonly bytes: number; readonly verify?: boolean }
  | { readonly kind: 'deleteMany' | 'list'; readonly count: number }
  /** The result is 1 for a read that is refused because its bytes are not those of the checksum, else 0. */
  | { readonly kind: 'bad get' | 'bad download'; readonly bytes: number }
  | { readonly kind: 'check' }

interface SmallTask {
  readonly kind: 'put' | 'get' | 'head'
  readonly bytes: number
  readonly concurrency: number
  /** How many, or for how long: as many as come. */
  readonly count?: number
  readonly forMs?: number
}

export interface S3Measurement {
  /** Undefined where it failed; then `error` says why. */
  readonly ms: number | undefined
  readonly cpuMs: number
  readonly peakRssMb: number
  /** What was counted here: operations, bytes or keys. */
  readonly result: number
  readonly error?: string
}

const KEYS = 64
const CHECKED_STREAM = 20 * 1024 * 1024 + 1

async function perform(client: S3Implementation, task: S3Task): Promise<number> {
  switch (task.kind) {
    case 'put':
    case 'get':
    case 'head':
      return small(client, task)
    case 'upload':
      if (client.upload === undefined) throw new Error('no streams')
      await client.upload(`s${task.bytes}/large`, source(task.bytes))
      return task.bytes
    case 'memory':
      return counted([await client.get(`s${task.bytes}/large`)], task)
    case 'download':
      return counted(await client.download(`s${task.bytes}/large`), task)
    case 'fastest':
      if (client.fastest === undefined) throw new Error('no other way')
      return counted(await client.fastest(`s${task.bytes}/large`, task.bytes), task)
    case 'bad get':
      return refused(client.get(`bad/s${task.bytes}/file`))
    case 'bad download':
      return refused(client.download(`bad/s${task.bytes}/file`).then((body) => counted(body, task)))
    case 'deleteMany':
      await client.deleteMany(Array.from({ length: task.count }, (_, index) => `s0/file-${index}`))
      return task.count
    case 'list': {
      let count = 0
      for await (const key of client.list(`n${task.count}/`)) if (key !== '') count++
      return count
    }
    case 'check':
      break
  }
  return check(client)
}

async function small(
  client: S3Implementation,
  { kind, bytes, concurrency, count = Number.POSITIVE_INFINITY, forMs }: SmallTask,
): Promise<number> {
  const content = randomBytes(bytes)
  const until = forMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + forMs
  let next = 0
  let done = 0
  const run = async (): Promise<void> => {
    for (let index = next++; index < count && performance.now() < until; index = next++) {
      const key = `s${bytes}/file-${index % KEYS}`
      if (kind === 'put') await client.put(key, content)
      else if (kind === 'get' && (await client.get(key)).byteLength !== bytes) throw new Error('a read was short')
      else if (kind === 'head' && (await client.head(key)) !== bytes) throw new Error('a wrong size')
      done++
    }
  }
  await Promise.all(Array.from({ length: concurrency }, run))
  return done
}

async function refused(reading: Promise<unknown>): Promise<number> {
  return reading.then(
    () => 0,
    () => 1,
  )
}

/** Of unknown length, in chunks of 256 KiB with memory of their own, as those of a file are. */
function source(bytes: number): Readable {
  let at = 0
  return new Readable({
    highWaterMark: 256 * 1024,
    read() {
      const chunk = generated(at, bytes)
      at += chunk.byteLength
      this.push(chunk.byteLength === 0 ? null : Buffer.from(chunk))
    },
  })
}

async function counted(
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { bytes, verify = false }: { readonly bytes: number; readonly verify?: boolean },
): Promise<number> {
  let count = 0
  let crc = 0
  for await (const chunk of body) {
    count += chunk.byteLength
    if (verify) crc = crc32(chunk, crc)
  }
  if (verify && crc !== crcOfGenerated(bytes)) throw new Error('what was read is not what was sent')
  return count
}

function crcOfGenerated(bytes: number): number {
  let crc = 0
  for (let at = 0; at < bytes; ) {
    const chunk = generated(at, bytes)
    crc = crc32(chunk, crc)
    at += chunk.byteLength
  }
  return crc
}

/** Everything that is measured later really does what it is measured for. The server stores what it is given. */
async function check(client: S3Implementation): Promise<number> {
  let checks = 0
  const same = (what: string, actual: unknown, expected: unknown): void => {
    checks++
    if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`)
  }
  for (const size of [0, 1, 1_024, 65_536, 300_000]) {
    const content = randomBytes(size)
    await client.put(`put/${size}`, content)
    same(`put and get of ${size} bytes`, await digest([await client.get(`put/${size}`)]), await digest([content]))
    same(`head of ${size} bytes`, await client.head(`put/${size}`), size)
  }
  const large = `s${CHECKED_STREAM}/generated`
  const expected = await digest(source(CHECKED_STREAM))
  same('download', await digest(await client.download(large)), expected)
  same('download to memory', await digest([await client.get(large)]), expected)
  if (client.fastest !== undefined) same('fastest download', await digest(await client.fastest(large, CHECKED_STREAM)), expected)
  const keys = new Set<string>()
  for await (const key of client.list('n2500/')) keys.add(key)
  same('keys of a listing', keys.size, 2_500)
  await client.deleteMany(['put/0', 'put/1'])
  let left = 0
  for await (const key of client.list('put/')) if (key !== '') left++
  same('files after a delete', left, 3)
  const uploads = client.upload === undefined ? 0 : await checkUpload(client, expected)
  return checks + uploads
}

async function checkUpload(client: S3Implementation, expected: string): Promise<number> {
  try {
    await client.upload?.('upload', source(CHECKED_STREAM))
  } catch (error) {
    process.stderr.write(`  no upload of unknown length: ${String(error)}\n`)
    return 0
  }
  const uploaded = await digest(await client.download('upload'))
  if (uploaded !== expected) throw new Error('what was uploaded is not what was sent')
  return 1
}

async function digest(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

async function measure(client: S3Implementation, task: S3Task): Promise<S3Measurement> {
  const cpu = process.cpuUsage()
  const before = performance.now()
  try {
    const result = await perform(client, task)
    return { ms: performance.now() - before, ...usage(cpu), result }
  } catch (error) {
    return { ms: undefined, ...usage(cpu), result: 0, error: String(error) }
  }
}

function usage(since: NodeJS.CpuUsage): { cpuMs: number; peakRssMb: number } {
  const { user, system } = process.cpuUsage(since)
  return { cpuMs: (user + system) / 1_000, peakRssMb: process.resourceUsage().maxRSS / 1024 }
}

const [name = '', endpoint = ''] = process.argv.slice(2)
const client = await (name === WIRE ? wireClient : S3_IMPLEMENTATIONS[name])?.(endpoint)
if (client === undefined) throw new Error(`unknown implementation ${name}`)
process.on('message', (task: S3Task) => {
  measure(client, task).then(
    (measurement) => process.send?.(measurement),
    () => process.exit(1),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
