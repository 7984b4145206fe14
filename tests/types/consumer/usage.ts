/** Compiled against the built package, as a user's file: what people do with disks, and what they get back. */
import { Readable } from 'node:stream'
import {
  type Buckets,
  type Driver,
  type Entry,
  type FileStat,
  Disk,
  FileNotFoundError,
  isStorageError,
  logged,
  type PutResult,
  readOnly,
  retrying,
  scoped,
  served,
  Storage,
  StorageManager,
  throttled,
} from 'stowage'
import { LocalDriver } from 'stowage/drivers/local'
import { MemoryDriver } from 'stowage/drivers/memory'
import { S3Driver } from 'stowage/drivers/s3'
import { createHandler, toNodeHandler } from 'stowage/http'
import { type FakeDisk, fakeFile, faulty } from 'stowage/testing'

export async function read(disk: Disk, signal: AbortSignal): Promise<void> {
  const bytes: Buffer = await disk.get('a.txt', { range: { start: 0, end: 4 }, signal, timeoutMs: undefined })
  const maybe: Buffer | null = await disk.getOrNull('a.txt', { maxBytes: 10 })
  const text: string = await disk.text('a.txt', { encoding: 'utf8' })
  const value: { id: number } = await disk.json<{ id: number }>('a.json')
  const stream: Readable = await disk.readStream('a.txt', { range: { suffix: 4 } })
  const stat: FileStat = await disk.stat('a.txt')
  const type: string | undefined = stat.contentType
  const entries: AsyncIterable<Entry> = disk.list('', { recursive: true, type: 'file' })
  for await (const entry of entries) if (entry.type === 'file') console.log(entry.path, entry.size)
  const names: readonly string[] = await disk.allFiles()
  console.log(bytes, maybe, text, value, stream, type, names)
  // @ts-expect-error -- it may be missing
  const missing: Buffer = await disk.getOrNull('a.txt')
  // @ts-expect-error -- a misspelt option
  await disk.get('a.txt', { rnage: { start: 0 } })
  // @ts-expect-error -- either from a place, or the end
  await disk.get('a.txt', { range: { start: 0, suffix: 1 } })
}

export async function write(disk: Disk): Promise<void> {
  const result: PutResult = await disk.put('a.txt', 'text', { contentType: undefined, visibility: 'public', ifAbsent: true })
  await disk.put('a', new Uint8Array(1))
  await disk.put('a', new ArrayBuffer(1))
  await disk.put('a', new Blob(['x']))
  await disk.put('a', Readable.from(['x']))
  await disk.put('a', new ReadableStream<Uint8Array>())
  await disk.writeStream(
    'a',
    (async function* () {
      yield 'x'
    })(),
  )
  await disk.putFile('directory', new File(['x'], 'a.txt'))
  await disk.putFileAs('directory', new URL('file:///a.txt'), 'b.txt')
  await disk.put('a', 'x', {
    checksum: { algorithm: 'sha256', value: '00' },
    onProgress: ({ loaded, total }) => console.log(loaded, total),
  })
  await disk.delete(['a', 'b'])
  await disk.copyTo(Storage, 'a', 'b')
  const url: string = await disk.temporaryUrl('a', 60, { method: 'HEAD', download: 'name.txt' })
  console.log(result.etag, url)
  // @ts-expect-error -- a number is no content
  await disk.put('a.txt', 1)
  // @ts-expect-error -- a word that is none
  await disk.put('a.txt', 'text', { visibility: 'pubic' })
  // @ts-expect-error -- a misspelt option
  await disk.put('a.txt', 'text', { contenttype: 'text/plain' })
}

export function layers(disk: Disk): void {
  const served = disk.layer('served')
  const allowed: boolean | undefined = served && served.verify('GET', 'a', new URLSearchParams()) !== undefined
  const local: LocalDriver | undefined = disk.layer('local')
  const memory: MemoryDriver | undefined = disk.layer('memory')
  // @ts-expect-error -- there may be no such layer
  disk.layer('served').verify('GET', 'a', new URLSearchParams())
  // @ts-expect-error -- a layer of this kind has no such member
  disk.layer('memory')?.verify
  const other: Driver | undefined = disk.layer('third-party')
  console.log(allowed, local, memory, other)
}

export async function administration(disk: Disk): Promise<void> {
  const buckets: Buckets | undefined = disk.buckets
  await buckets?.create('reports')
  const names: readonly string[] | undefined = (await Storage.buckets?.list())?.map(({ name }) => name)
  await buckets?.versioning?.set('enabled', 'reports')
  await buckets?.lifecycle?.set([{ filter: { prefix: 'tmp/' }, expire: { days: 7 }, abortUploads: { days: 1 } }])
  // @ts-expect-error -- a word that is none
  await buckets?.versioning?.set('on')
  // @ts-expect-error -- days or a date
  await buckets?.lifecycle?.set([{ expire: { days: 7, date: new Date() } }])
  await buckets?.delete('reports', { force: true })
  const s3: S3Driver | undefined = disk.layer('s3')
  const rules: readonly { readonly expiredDeleteMarkers?: boolean | undefined }[] | undefined = await s3?.buckets.lifecycle.get()
  for await (const { versionId, deleted } of s3?.versions('a.txt') ?? []) console.log(versionId, deleted, rules)
  await s3?.acl.set('a.txt', [{ grantee: { type: 'everyone' }, permission: 'read' }])
  const pruned: number | undefined = (await s3?.pruneIncompleteUploads({ olderThan: 3_600 }))?.aborted
  console.log(pruned)
  // @ts-expect-error -- a permission that is none
  await s3?.acl.set('a.txt', [{ grantee: { type: 'everyone' }, permission: 'see' }])
  console.log(names)
}

/** A driver of the app's own makes its layer known. */
interface DropboxDriver extends Driver {
  readonly kind: 'dropbox'
  account(): Promise<string>
}
declare module 'stowage' {
  interface Layers {
    dropbox: DropboxDriver
  }
}
export const account: Promise<string> | undefined = Storage.layer('dropbox')?.account()

export async function compose(): Promise<void> {
  const driver: Driver = new LocalDriver({ root: 'files', visibility: undefined })
  const disk: Disk = new Disk(driver).with(
    scoped('a'),
    readOnly(),
    retrying({ attempts: 2 }),
    throttled({ maxConcurrency: 2 }),
    served({ disk: 'x' }),
  )
  const manager = new StorageManager<'a' | 'b'>({ default: 'a', disks: { a: { driver: 'memory' }, b: { driver: 'local', root: 'x' } } })
  const fake: FakeDisk = manager.fake('a', { seed: { 'a.txt': 'x' } })
  fake.assertExists('a.txt', 'x')
  fake.failNext('write', new FileNotFoundError())
  faulty(new MemoryDriver(), { operation: 'write', every: 2 })
  logged({})(driver)
  await disk.putFile('', fakeFile('a.png', { size: 3 }))
  createHandler(manager)(new Request('https://example.com/'))
  toNodeHandler(createHandler(Storage))
  await manager.copy('a://x', 'b://y')
  // @ts-expect-error -- no such disk
  manager.disk('c')
  try {
    await manager.disk('b').get('a')
  } catch (error) {
    if (isStorageError(error)) console.log(error.code === 'not_found', error.path, error.retryable)
  }
}
