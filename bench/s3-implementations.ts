/**
 * The S3 clients that are compared, behind one small interface, each as its users have it: what is loaded at the first use is loaded then,
 * and nothing is configured but the place and the credentials. The exception is `sdk tuned`: the bare AWS SDK with everything that makes it
 * faster, and with less around it than a product can do without. It is the bar, as no library above the SDK can be faster than it.
 *
 * What this file needs of Node itself is loaded by who uses it: a cold start would not show who pays for `node:http`.
 */
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import type * as Aws from '@aws-sdk/client-s3'
import type { Driver } from '../src/driver.ts'
import type * as Core from '../src/index.ts'

export interface S3Implementation {
  put(key: string, bytes: Buffer): Promise<unknown>
  get(key: string): Promise<Uint8Array>
  /** The size. */
  head(key: string): Promise<number>
  /** Of unknown length. */
  upload?(key: string, source: Readable): Promise<unknown>
  download(key: string): Promise<AsyncIterable<Uint8Array>>
  /** How it fetches a large file fastest, where that is another way: several ranges at once. */
  fastest?(key: string, size: number): Promise<AsyncIterable<Uint8Array>>
  deleteMany(keys: readonly string[]): Promise<unknown>
  list(prefix: string): AsyncIterable<string>
}

export const BUCKET = 'bench'
const REGION = 'us-east-1'
const KEY = 'AKIDBENCHBENCHBENCH0'
const SECRET = 'bench/secret/bench/secret/bench/secret00'
/** Those of the disk's defaults, for every client that can be told; `sdk`, flystorage and files-sdk are as they come: 5 MiB, four at once. */
const PART = 8 * 1024 * 1024
const PARTS_AT_ONCE = 3
const RANGES = 16
/** What users do of a library that deletes one file per call. */
const DELETES_AT_ONCE = 50

function clientConfig(endpoint: string): Aws.S3ClientConfig {
  return { endpoint, region: REGION, forcePathStyle: true, credentials: { accessKeyId: KEY, secretAccessKey: SECRET } }
}

/** As its documentation shows it: client-s3, and lib-storage for streams. */
async function sdk(endpoint: string): Promise<S3Implementation> {
  const aws = (await peer('@aws-sdk/client-s3')) as typeof Aws
  const client = new aws.S3Client(clientConfig(endpoint))
  return {
    ...bare(aws, client),
    get: async (Key) => {
      const { Body } = await client.send(new aws.GetObjectCommand({ Bucket: BUCKET, Key }))
      return Body?.transformToByteArray() ?? new Uint8Array()
    },
    list: async function* (Prefix) {
      for await (const { Contents = [] } of aws.paginateListObjectsV2({ client }, { Bucket: BUCKET, Prefix }))
        for (const { Key = '' } of Contents) yield Key
    },
  }
}

const SPARED = [
  'loggerMiddleware',
  'validateBucketNameMiddleware',
  'regionRedirectMiddleware',
  's3ExpressMiddleware',
  'getUserAgentMiddleware',
  'recursionDetectionMiddleware',
  'addExpectContinueMiddleware',
]

/** No checksums, an unsigned payload, no `Expect`, one agent, one middleware chain for all requests and seven links less in it; bodies collected in one buffer. */
async function sdkTuned(endpoint: string): Promise<S3Implementation> {
  const { Agent } = await import('node:http')
  const aws = (await peer('@aws-sdk/client-s3')) as typeof Aws
  const client = new aws.S3Client({
    ...clientConfig(endpoint),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    cacheMiddleware: true,
    requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: 256 }) },
  })
  for (const name of SPARED) client.middlewareStack.remove(name)
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: object }).headers, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })
      return next(args)
    },
    { step: 'build', name: 'unsignedPayload' },
  )
  return {
    ...bare(aws, client, { partSize: PART, queueSize: PARTS_AT_ONCE }),
    get: async (Key) => {
      const { Body, ContentLength = 0 } = await client.send(new aws.GetObjectCommand({ Bucket: BUCKET, Key }))
      return collected(Body as Readable, ContentLength)
    },
    fastest: async (Key, size) =>
      inRanges(size, async (start, end) => {
        const { Body, ContentLength = 0 } = await client.send(
          new aws.GetObjectCommand({ Bucket: BUCKET, Key, Range: `bytes=${start}-${end - 1}` }),
        )
        return collected(Body as Readable, ContentLength)
      }),
    list: async function* (Prefix) {
      const page = (token?: string): Promise<Aws.ListObjectsV2CommandOutput> =>
        client.send(new aws.ListObjectsV2Command({ Bucket: BUCKET, Prefix, ...(token !== undefined && { ContinuationToken: token }) }))
      for (let next: Promise<Aws.ListObjectsV2CommandOutput> | undefined = page(); next !== undefined; ) {
        const { Contents = [], NextContinuationToken: token }: Aws.ListObjectsV2CommandOutput = await next
        next = token === undefined ? undefined : page(token) // under way while this one is read
        for (const { Key = '' } of Contents) yield Key
      }
    },
  }
}

function bare(aws: typeof Aws, client: Aws.S3Client, parts: object = {}): Omit<S3Implementation, 'get' | 'list'> {
  return {
    put: (Key, Body) => client.send(new aws.PutObjectCommand({ Bucket: BUCKET, Key, Body })),
    head: async (Key) => (await client.send(new aws.HeadObjectCommand({ Bucket: BUCKET, Key }))).ContentLength ?? -1,
    upload: async (Key, Body) => {
      const { Upload } = await peer('@aws-sdk/lib-storage')
      return new Upload({ client, params: { Bucket: BUCKET, Key, Body }, ...parts }).done()
    },
    download: async (Key) => (await client.send(new aws.GetObjectCommand({ Bucket: BUCKET, Key }))).Body as Readable,
    deleteMany: async (keys) => {
      for (let at = 0; at < keys.length; at += 1_000) {
        const Objects = keys.slice(at, at + 1_000).map((Key) => ({ Key }))
        await client.send(new aws.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects, Quiet: true } }))
      }
    },
  }
}

function collected(body: Readable, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let all: Buffer | undefined
    let at = 0
    body.on('data', (chunk: Buffer) => {
      if (at === 0 && chunk.byteLength === length) all = chunk
      else chunk.copy((all ??= Buffer.allocUnsafe(length)), at)
      at += chunk.byteLength
    })
    body.on('error', reject)
    body.on('end', () => (at === length ? resolve(all ?? Buffer.alloc(0)) : reject(new Error('a body was short'))))
  })
}

/** In order, with 16 ranges under way. */
async function* inRanges(size: number, fetch: (start: number, end: number) => Promise<Buffer>): AsyncGenerator<Buffer> {
  const pending: Promise<Buffer>[] = []
  for (let start = 0; start < size || pending.length > 0; ) {
    while (start < size && pending.length < RANGES) {
      pending.push(fetch(start, Math.min(size, start + PART)))
      start += PART
    }
    const first = await pending.shift()
    if (first !== undefined) yield first
  }
}

/** The endpoint only says where the server is: checksums are sent and checked as by default on Amazon S3, and as the SDK does. */
const AS_ON_AMAZON = { checksums: 'whenSupported' } as const

async function stowageDriver(endpoint: string, options: object): Promise<Driver> {
  const { S3Driver } = (await built('drivers/s3/s3-driver.js')) as { S3Driver: new (config: object) => Driver }
  return new S3Driver({ bucket: BUCKET, region: REGION, endpoint, pathStyle: true, key: KEY, secret: SECRET, ...options })
}

async function stowage(endpoint: string, options: object = AS_ON_AMAZON): Promise<S3Implementation> {
  const { Disk } = (await built('index.js')) as typeof Core
  const disk = new Disk(await stowageDriver(endpoint, options))
  return {
    put: (key, bytes) => disk.put(key, bytes),
    get: (key) => disk.get(key),
    head: (key) => disk.size(key),
    upload: (key, source) => disk.writeStream(key, source),
    download: (key) => disk.readStream(key),
    deleteMany: (keys) => disk.delete(keys),
    list: async function* (prefix) {
      for await (const { path } of disk.list(prefix, { recursive: true })) yield path
    },
  }
}

/** What `Disk` adds shows in the difference. */
async function stowageBare(endpoint: string): Promise<S3Implementation> {
  const driver = await stowageDriver(endpoint, AS_ON_AMAZON)
  return {
    put: (key, bytes) =>
      driver.write(
        key,
        {
          size: bytes.byteLength,
          replayable: true,
          bytes,
          stream: async function* () {
            yield bytes
          },
        },
        {},
      ),
    get: async (key) => {
      const { body } = await driver.read(key, {})
      return body.bytes?.() ?? Buffer.concat(await Array.fromAsync(body))
    },
    head: async (key) => (await driver.stat(key, {})).size,
    upload: (key, source) => driver.write(key, { size: undefined, replayable: false, bytes: undefined, stream: () => source }, {}),
    download: async (key) => (await driver.read(key, {})).body,
    deleteMany: async (keys) => {
      const [failed] = await driver.delete(keys, {})
      if (failed !== undefined) throw failed.error
    },
    list: async function* (prefix) {
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await driver.list(prefix.replace(/\/$/, ''), { recursive: true, cursor })
        for (const { path } of page.entries) yield path
        cursor = page.cursor
      }
    },
  }
}

/** What users install: the compiled package. */
function built(file: string): Promise<unknown> {
  return import(pathToFileURL(join(process.env['BENCH_DIST'] ?? 'dist', file)).href)
}

async function flydrive(endpoint: string): Promise<S3Implementation> {
  const { Disk } = await peer('flydrive')
  const { S3Driver } = await peer('flydrive/drivers/s3')
  const disk = new Disk(new S3Driver({ ...clientConfig(endpoint), bucket: BUCKET, visibility: 'private' }))
  return {
    put: (key, bytes) => disk.put(key, bytes),
    get: (key) => disk.getBytes(key),
    head: async (key) => (await disk.getMetaData(key)).contentLength,
    upload: (key, source) => disk.putStream(key, source),
    download: (key) => disk.getStream(key),
    deleteMany: (keys) => eachOf(keys, (key) => disk.delete(key)),
    list: async function* (prefix) {
      let paginationToken: string | undefined
      do {
        const page = await disk.listAll(prefix, { recursive: true, paginationToken })
        for (const object of page.objects) yield object.key as string
        paginationToken = page.paginationToken as string | undefined
      } while (paginationToken !== undefined)
    },
  }
}

async function flystorage(endpoint: string): Promise<S3Implementation> {
  const aws = (await peer('@aws-sdk/client-s3')) as typeof Aws
  const { FileStorage } = await peer('@flystorage/file-storage')
  const { AwsS3StorageAdapter } = await peer('@flystorage/aws-s3')
  const storage = new FileStorage(new AwsS3StorageAdapter(new aws.S3Client(clientConfig(endpoint)), { bucket: BUCKET }))
  return {
    put: (key, bytes) => storage.write(key, bytes),
    get: (key) => storage.readToUint8Array(key),
    head: (key) => storage.fileSize(key),
    upload: (key, source) => storage.write(key, source),
    download: (key) => storage.read(key),
    deleteMany: (keys) => eachOf(keys, (key) => storage.deleteFile(key)),
    list: async function* (prefix) {
      for await (const { path } of storage.list(prefix, { deep: true })) yield path as string
    },
  }
}

async function filesSdk(endpoint: string): Promise<S3Implementation> {
  const { Files } = await peer('files-sdk')
  const { s3 } = await peer('files-sdk/s3')
  const files = new Files({ adapter: s3({ ...clientConfig(endpoint), bucket: BUCKET }) })
  return {
    put: (key, bytes) => files.upload(key, bytes),
    get: async (key) => new Uint8Array(await (await files.download(key)).arrayBuffer()),
    head: async (key) => (await files.head(key)).size,
    upload: async (key, source) => {
      const { Readable } = await import('node:stream')
      return files.upload(key, Readable.toWeb(source), { multipart: true })
    },
    download: async (key) => (await files.download(key, { as: 'stream' })).stream(),
    deleteMany: (keys) => files.delete(keys),
    list: async function* (prefix) {
      for await (const { key } of files.listAll({ prefix })) yield key as string
    },
  }
}

/** Rust behind N-API: another league in CPU, without the SDK's credentials, retries and errors. */
async function opendal(endpoint: string): Promise<S3Implementation> {
  const { Operator } = await peer('opendal')
  const operator = new Operator('s3', {
    root: '/',
    bucket: BUCKET,
    region: REGION,
    endpoint,
    access_key_id: KEY,
    secret_access_key: SECRET,
    disable_config_load: 'true',
    disable_ec2_metadata: 'true',
  })
  return {
    put: (key, bytes) => operator.write(key, bytes),
    get: (key) => operator.read(key),
    head: async (key) => Number((await operator.stat(key)).contentLength),
    upload: async (key, source) => {
      const writer = await operator.writer(key, { chunk: BigInt(PART), concurrent: PARTS_AT_ONCE })
      for await (const chunk of source) await writer.write(chunk)
      await writer.close()
    },
    download: async (key) => (await operator.reader(key)).createReadStream({ highWaterMark: 1024 * 1024 }),
    fastest: async function (key, size) {
      return inRanges(size, (start, end) => operator.read(key, { offset: BigInt(start), size: BigInt(end - start) }))
    },
    deleteMany: (keys) => operator.remove(keys),
    list: async function* (prefix) {
      for (const entry of await operator.list(prefix, { recursive: true })) yield entry.path() as string
    },
  }
}

async function eachOf(keys: readonly string[], action: (key: string) => Promise<unknown>): Promise<void> {
  let next = 0
  const run = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) await action(key)
  }
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, run))
}

// oxlint-disable-next-line typescript/no-explicit-any -- the peers' types are not installed with the project
type Peer = any

/** A package of `bench/node_modules`; the specifier is no literal, so that the project compiles without it. */
async function peer(specifier: string): Promise<Peer> {
  return import(specifier)
}

export const S3_IMPLEMENTATIONS: Readonly<Record<string, (endpoint: string) => Promise<S3Implementation>>> = {
  sdk,
  'sdk tuned': sdkTuned,
  stowage,
  'stowage plain': (endpoint) => stowage(endpoint, { checksums: 'whenRequired', signPayload: false }),
  'stowage sdk': (endpoint) => stowage(endpoint, { ...AS_ON_AMAZON, transport: 'sdk' }),
  'stowage driver': stowageBare,
  flydrive,
  flystorage,
  'files-sdk': filesSdk,
  opendal,
}

/** As if it were one of them, where waiting is measured. Loaded only then, as `node:net` is. */
export const WIRE = 'wire'
export async function wireClient(endpoint: string): Promise<S3Implementation> {
  const { wire } = await import('./s3-wire.ts')
  return wire(endpoint, BUCKET)
}
