/**
 * The reference driver: every rule of the seam, over a Map. Read it before writing another.
 *
 * Files are immutable values that a write replaces, so a reader holds the old or the new one, never a part. Conditions are
 * judged in the same turn of the event loop as the replacement, so of several writers exactly one wins.
 */
import { bytesBody, contentBytes, toContent } from '../content.ts'
import { contentTypeOf } from '../content-type.ts'
import { headersOf, keptOptions, pageOf, resolveRange } from '../derive.ts'
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  DirectoryAbility,
  Driver,
  FileStat,
  ListOptions,
  Location,
  MultipartAbility,
  Page,
  ReadOptions,
  ReadResult,
  Supports,
  UploadedPart,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../driver.ts'
import { FileExistsError, FileNotFoundError, InvalidArgumentError, PreconditionFailedError } from '../errors.ts'
import { compareUtf8, directoryPrefix, parentsOf } from '../path.ts'

declare module '../driver.ts' {
  interface Layers {
    memory: MemoryDriver
  }
}

export interface MemoryDriverOptions {
  /** The clock of `lastModified`. */
  readonly now?: (() => Date) | undefined
  /** Files that are there from the beginning. */
  readonly files?: Iterable<WriteOptions & { readonly path: string; readonly content: string | Uint8Array }> | undefined
}

/** A file in memory, never changed once it is there. */
export interface StoredFile {
  readonly bytes: Uint8Array
  readonly stat: FileStat
}

interface Upload {
  readonly path: string
  readonly options: WriteOptions
  readonly parts: Map<number, Uint8Array>
}

let stores = 0

/** A disk in memory, with real directories. What it holds is gone with it. */
export class MemoryDriver implements Driver {
  readonly kind = 'memory'
  readonly name = 'memory'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports = {
    ifAbsent: true,
    ifMatch: true,
    rangedRead: true,
    serverSideCopy: true,
    metadata: true,
    versions: false,
    temporaryUrl: false,
    temporaryUploadUrl: false,
    encryptedAtRest: false,
  }

  readonly publicUrl = undefined
  readonly signUrl = undefined

  readonly #files = new Map<string, StoredFile>()
  readonly #directories = new Set<string>()
  readonly #uploads = new Map<string, Upload>()
  readonly #store = `memory:${++stores}`
  readonly #now: () => Date
  #changes = 0
  /** Every key in order, a directory's with a slash at its end; undefined after keys came or went. */
  #sortedKeys: readonly string[] | undefined

  constructor({ now = () => new Date(), files = [] }: MemoryDriverOptions = {}) {
    this.#now = now
    for (const { path, content, ...facts } of files) this.#replace(path, Buffer.from(content), facts)
  }

  readonly visibility: VisibilityAbility = {
    get: async (path, { signal }) => {
      signal?.throwIfAborted()
      return this.#find(path).stat.visibility ?? 'private'
    },
    set: async (path, visibility, { signal }) => {
      signal?.throwIfAborted()
      const { bytes, stat } = this.#find(path)
      this.#files.set(path, { bytes, stat: { ...stat, visibility } })
    },
  }

  readonly directories: DirectoryAbility = {
    exists: async (path, { signal }) => {
      signal?.throwIfAborted()
      return this.hasDirectory(path)
    },
    create: async (path, { signal }) => {
      signal?.throwIfAborted()
      this.#makeDirectories([path, ...parentsOf(path)])
    },
    delete: async (path, { signal }) => {
      signal?.throwIfAborted()
      const prefix = directoryPrefix(path)
      const files = [...this.#files.keys()].filter((key) => key.startsWith(prefix))
      for (const key of files) this.#files.delete(key)
      for (const key of this.#directories) if (`${key}/`.startsWith(prefix)) this.#directories.delete(key)
      this.#sortedKeys = undefined
      return files.length
    },
  }

  readonly multipart: MultipartAbility = {
    create: async (path, options) => {
      options.signal?.throwIfAborted()
      const uploadId = `upload-${++this.#changes}`
      this.#uploads.set(uploadId, { path, options, parts: new Map() })
      return uploadId
    },
    part: async (path, uploadId, number, content, { signal }) => {
      const { parts } = this.#upload(path, uploadId)
      const bytes = await ownBytes(content, signal)
      parts.set(number, bytes)
      return describePart([number, bytes])
    },
    list: async (path, uploadId) => [...this.#upload(path, uploadId).parts].sort(([a], [b]) => a - b).map(describePart),
    complete: async (path, uploadId, parts, options) => {
      const upload = this.#upload(path, uploadId)
      const bytes = Buffer.concat(parts.map((part) => uploadedBytes(upload, part)))
      const result = await this.write(path, toContent(bytes), { ...upload.options, ...options })
      this.#uploads.delete(uploadId)
      return result
    },
    abort: async (_path, uploadId) => void this.#uploads.delete(uploadId),
  }

  readonly append = async (path: string, content: Content, options: WriteOptions): Promise<void> => {
    options.signal?.throwIfAborted()
    const contentType = options.contentType ?? (await contentTypeOf(path))
    const add = (chunk: Uint8Array): void => {
      const existing = this.#files.get(path)
      if (existing === undefined) this.#replace(path, new Uint8Array(chunk), { ...options, contentType })
      else this.#replace(path, Buffer.concat([existing.bytes, chunk]), { ...existing.stat })
    }
    for await (const chunk of content.stream()) {
      options.signal?.throwIfAborted()
      add(chunk)
    }
    if (!this.#files.has(path)) add(new Uint8Array())
  }

  async stat(path: string, { ifMatch, signal }: ReadOptions): Promise<FileStat> {
    signal?.throwIfAborted()
    return copyOf(this.#find(path, ifMatch).stat)
  }

  async read(path: string, { range, ifMatch, signal }: ReadOptions): Promise<ReadResult> {
    signal?.throwIfAborted()
    const { stat, bytes } = this.#find(path, ifMatch)
    const { start, end } = resolveRange(range, stat.size)
    return { stat: copyOf(stat), body: bytesBody(new Uint8Array(bytes.subarray(start, end))) }
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    options.signal?.throwIfAborted()
    const contentType = options.contentType ?? (await contentTypeOf(path))
    const bytes = await ownBytes(content, options.signal)
    return this.#replace(path, bytes, { ...options, contentType })
  }

  async delete(paths: readonly string[], { signal }: DeleteOptions): Promise<readonly DeleteFailure[]> {
    signal?.throwIfAborted()
    for (const path of paths) this.#files.delete(path)
    this.#sortedKeys = undefined
    return []
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    options.signal?.throwIfAborted()
    this.#sortedKeys ??= [...this.#files.keys(), ...Array.from(this.#directories, directoryPrefix)].sort(compareUtf8)
    return pageOf(this.#sortedKeys, directory, options, (path) => {
      const { size, lastModified, etag } = copyOf(this.#find(path).stat)
      return { type: 'file', path, size, lastModified, etag }
    })
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const { bytes, stat } = this.#find(from)
    const contentType = options.contentType ?? stat.contentType ?? (await contentTypeOf(to))
    if (from === to && !options.ifAbsent) return
    this.#replace(to, bytes, { visibility: stat.visibility, ...keptOptions(stat, options), contentType })
  }

  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    const source = this.#files.get(from)
    await this.copy(from, to, options)
    if (from === to) return
    if (this.#files.get(from) !== source) throw new PreconditionFailedError('the source changed meanwhile: both files are kept')
    this.#files.delete(from)
    this.#sortedKeys = undefined
  }

  locate(path: string): Location {
    return { store: this.#store, key: path }
  }

  async close(): Promise<void> {
    // Nothing is open, and the files stay as long as the driver does.
  }

  /** Every file by path, at this moment: for assertions, which cannot wait. */
  get files(): ReadonlyMap<string, StoredFile> {
    return this.#files
  }

  /** Whether a directory is there, at this moment. */
  hasDirectory(path: string): boolean {
    return path === '' || this.#directories.has(path)
  }

  #find(path: string, ifMatch?: string): StoredFile {
    const file = this.#files.get(path)
    if (file === undefined) throw new FileNotFoundError(this.#directories.has(path) ? 'not found: a directory is there' : undefined)
    if (ifMatch !== undefined && file.stat.etag !== ifMatch) throw new PreconditionFailedError()
    return file
  }

  #upload(path: string, uploadId: string): Upload {
    const upload = this.#uploads.get(uploadId)
    if (upload?.path !== path) throw new InvalidArgumentError('there is no such upload: it was completed or aborted')
    return upload
  }

  /** Judges the conditions and replaces the file, in one turn of the event loop. */
  #replace(path: string, bytes: Uint8Array, options: WriteOptions): WriteResult {
    const existing = this.#files.get(path)
    if (options.ifAbsent && existing !== undefined) throw new FileExistsError()
    if (options.ifMatch !== undefined && existing?.stat.etag !== options.ifMatch) throw new PreconditionFailedError()
    if (this.#directories.has(path)) throw new FileExistsError('a directory is there')
    this.#makeDirectories(parentsOf(path))
    const etag = `"${++this.#changes}"`
    const stat: FileStat = {
      path,
      size: bytes.byteLength,
      lastModified: this.#now(),
      etag,
      ...headersOf(options),
      ...(options.metadata && { metadata: { ...options.metadata } }),
      visibility: options.visibility ?? 'private',
      ...(options.storageClass !== undefined && { storageClass: options.storageClass }),
    }
    this.#files.set(path, { bytes, stat })
    if (existing === undefined) this.#sortedKeys = undefined
    return { size: stat.size, etag }
  }

  #makeDirectories(paths: readonly string[]): void {
    if (paths.some((path) => this.#files.has(path))) throw new FileExistsError('a file is where a directory has to be')
    for (const path of paths.filter((parent) => !this.hasDirectory(parent))) {
      this.#directories.add(path)
      this.#sortedKeys = undefined
    }
  }
}

/** The content in memory of our own: the caller may change its buffer later, and `slice` of a Buffer would be a view. */
async function ownBytes(content: Content, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = await contentBytes(content, signal)
  return bytes === content.bytes ? new Uint8Array(bytes) : bytes
}

function describePart([number, bytes]: readonly [number, Uint8Array]): UploadedPart {
  return { number, size: bytes.byteLength, etag: `"${number}-${bytes.byteLength}"` }
}

function uploadedBytes(upload: Upload, { number }: UploadedPart): Uint8Array {
  const bytes = upload.parts.get(number)
  if (bytes === undefined) throw new InvalidArgumentError(`part ${number} was not uploaded`)
  return bytes
}

/** Facts that a caller may change without changing the file. */
function copyOf(stat: FileStat): FileStat {
  return { ...stat, lastModified: new Date(stat.lastModified), ...(stat.metadata && { metadata: { ...stat.metadata } }) }
}
