/**
 * What users hold. `Filesystem` has every convenience once, over the few verbs of a Driver; `Disk` is one driver with a name;
 * the facade is a Filesystem too, whose driver is the default disk's.
 *
 *   method ── judge path, content, options ──▶ driver verb ──▶ result, or an error that says where it happened
 *
 * Nothing is done before everything that was passed in is judged. Every rejection is a StorageError, but for an abort, which
 * rejects with the signal's reason.
 */
import { checkDisk } from './check.ts'
import type { Readable } from 'node:stream'
import {
  abandon,
  type Contents,
  discard,
  holdErrors,
  isBlob,
  isIterable,
  toContent,
  toReadable,
  withChecksum,
  withProgress,
} from './content.ts'
import { copyBetween, moveBetween, type Target } from './copy-between.ts'
import {
  abortableContent,
  type CallLimits,
  CLEANUP_GRACE_MS,
  type Deadline,
  startDeadline,
  throwIfAborted,
  waitFor,
  watchedBody,
} from './deadline.ts'
import { readOnly } from './decorators/read-only.ts'
import { scoped } from './decorators/scoped.ts'
import { deleteTree, pagesOf, resolveRange } from './derive.ts'
import { createDigest } from './digest.ts'
import { derivedSource, type DiskOptions, type DiskSource, fixedSource, type Mount } from './disk-source.ts'
import type {
  Buckets,
  Content,
  Decorator,
  Driver,
  Entry,
  FileStat,
  Layers,
  ListOptions,
  Page,
  ReadResult,
  Supports,
  Visibility,
  WriteOptions,
} from './driver.ts'
import {
  ConfigurationError,
  type ErrorContext,
  FileNotFoundError,
  InvalidArgumentError,
  isNotFound,
  isStorageError,
  type Operation,
  PartialFailureError,
  ReadOnlyError,
  toStorageError,
  UnsupportedError,
} from './errors.ts'
import { type FileSource, fileContent, randomName } from './file-content.ts'
import * as judge from './options.ts'
import { checkSegment, compareUtf8, joinPath, normalizeFilePath, normalizePath } from './path.ts'
import { isDirectory, isFile } from './presence.ts'
import { appendNatively, rewrite } from './rewrite.ts'
import { temporaryUploadUrl, temporaryUrl } from './signing.ts'
import { findLayer } from './stack.ts'
import { getBytes, judgeSchema, parsed } from './whole-file.ts'

/** Abilities that `supports` knows. */
export type Ability = Exclude<keyof Supports, 'encryptedAtRest'> | 'visibility' | 'publicUrl' | 'append' | 'multipart'

/** Abilities that are members of the driver itself. */
const MEMBERS: ReadonlySet<string> = new Set(['visibility', 'publicUrl', 'append', 'multipart'])

/** One call on its way to the driver. */
interface Call {
  readonly driver: Driver
  readonly mount: Mount
  readonly path: string
  readonly signal: AbortSignal | undefined
  readonly deadline: Deadline | undefined
}

/** A file on its way to the driver. */
interface Written {
  readonly path: string
  readonly content: Content
  /** What the content itself says its type is; the caller's word goes first. */
  readonly contentType: string | undefined
}

/** Verbs that change something: when aborted, they get time to clean up before the caller is told. */
const MUTATIONS: ReadonlySet<Operation> = new Set<Operation>([
  'write',
  'delete',
  'copy',
  'move',
  'append',
  'setVisibility',
  'makeDirectory',
  'deleteDirectory',
])

/** What `Disk` and the facade both are. */
export abstract class Filesystem {
  abstract readonly name: string

  /** The driver to use now; a promise while it is being found or made. */
  protected abstract mount(): Mount | Promise<Mount>

  /** The driver of any filesystem, for those who build upon one. */
  protected static mountOf(filesystem: Filesystem): Mount | Promise<Mount> {
    return filesystem.mount()
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The whole file in memory. @throws QuotaExceededError beyond `maxBytes`, before more is read */
  async get(path: string, options: judge.GetOptions = {}): Promise<Buffer> {
    return this.#run('read', path, options, (call) => getBytes(call, options), readablePath)
  }

  /** The whole file, or null when it does not exist; every other failure rejects. */
  async getOrNull(path: string, options: judge.GetOptions = {}): Promise<Buffer | null> {
    return this.get(path, options).catch((error: unknown) => {
      if (isNotFound(error)) return null
      throw error
    })
  }

  async text(path: string, options: judge.TextOptions = {}): Promise<string> {
    const read = async (call: Call): Promise<string> => {
      const { encoding = 'utf8' } = options
      if (!Buffer.isEncoding(encoding)) throw new InvalidArgumentError(`unknown encoding "${String(encoding)}"`)
      return (await getBytes(call, options)).toString(encoding)
    }
    return this.#run('read', path, options, read, readablePath)
  }

  /** @throws IntegrityError when the file is not JSON; InvalidArgumentError when the schema refuses it */
  async json<T = unknown>(path: string, options: judge.JsonOptions<T> = {}): Promise<T> {
    const read = async (call: Call): Promise<T> => {
      judgeSchema(options.schema)
      return parsed((await getBytes(call, options)).toString('utf8'), options.schema)
    }
    return this.#run('read', path, options, read, readablePath)
  }

  /** Rejects up front when the file is missing. Destroying the stream gives its descriptor or socket back. */
  async readStream(path: string, options: judge.StreamOptions = {}): Promise<Readable> {
    let mount: Mount | undefined
    let deadline: Deadline | undefined
    let reading: Promise<ReadResult> | undefined
    try {
      judge.requireBag(options)
      judge.judgeRange(options.range)
      const found = this.#find(options)
      if ('driver' in found) mount = found
      const normal = readablePath(path)
      mount ??= await found
      deadline = startDeadline({ signal: options.signal, timeoutMs: options.timeoutMs ?? mount.timeoutMs })
      const { range, versionId } = options
      judge.judgeVersion(versionId, mount.driver)
      reading = mount.driver.read(normal, { range, versionId, signal: deadline?.signal })
      const { stat, body } = await (deadline === undefined ? reading : deadline.race(reading))
      deadline?.pause()
      const { start, end } = resolveRange(range, stat.size)
      const fail = (error: unknown): unknown => this.#fail(error, { operation: 'read', path }, mount, options.signal)
      return toReadable(watchedBody(body, { deadline, perChunk: true, expected: end - start, fail }))
    } catch (error) {
      deadline?.clear()
      reading?.then(({ body }) => discard(body)).catch(() => undefined) // it may still come, after a timeout
      throw this.#fail(error, { operation: 'read', path }, mount, options?.signal)
    }
  }

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Creates or replaces the file, parents included. Readers see the old or the new file, never a part; a failure leaves the old one. */
  async put(path: string, contents: Contents, options: judge.PutOptions = {}): Promise<judge.PutResult> {
    return this.#write(path, options, contents, async (normal) => ({
      path: normal,
      content: toContent(contents),
      contentType: typeOfBlob(contents),
    }))
  }

  /** `put`, for streams and iterables of unknown length. Memory stays bounded. */
  async writeStream(path: string, source: Contents, options: judge.PutOptions = {}): Promise<judge.PutResult> {
    return this.put(path, source, options)
  }

  /** Stores the file under a random name that keeps a safe extension. A string is the path of a local file. @returns where it is */
  async putFile(directory: string, file: FileSource, options: judge.PutOptions = {}): Promise<judge.PutResult> {
    const make = async (parent: string): Promise<Written> => {
      const { content, name, type } = await fileContent(file)
      return { path: joinPath(parent, randomName(name)), content, contentType: type }
    }
    return this.#write(directory, options, file, make, normalizePath)
  }

  /** Stores the file under one name, which must be a single segment. A string is the path of a local file. */
  async putFileAs(directory: string, file: FileSource, name: string, options: judge.PutOptions = {}): Promise<judge.PutResult> {
    const make = async (parent: string): Promise<Written> => {
      const path = joinPath(parent, checkSegment(name))
      const { content, type } = await fileContent(file)
      return { path, content, contentType: type }
    }
    return this.#write(directory, options, file, make, normalizePath)
  }

  /** Adds to the end of a file, creating it. Native where the store can; else it is rewritten under `ifMatch`, so nobody's bytes are lost. */
  async append(path: string, contents: Contents, options: judge.AppendOptions = {}): Promise<judge.PutResult> {
    return this.#extend('append', path, contents, options)
  }

  /** Adds to the beginning of a file, creating it. The file is rewritten under `ifMatch`. */
  async prepend(path: string, contents: Contents, options: judge.AppendOptions = {}): Promise<judge.PutResult> {
    return this.#extend('prepend', path, contents, options)
  }

  // ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A file or a directory is there. */
  async exists(path: string, options: CallLimits = {}): Promise<boolean> {
    return this.#run('stat', path, options, async (call) => call.path === '' || (await isFile(call)) || isDirectory(call))
  }

  async missing(path: string, options: CallLimits = {}): Promise<boolean> {
    return !(await this.exists(path, options))
  }

  async fileExists(path: string, options: CallLimits = {}): Promise<boolean> {
    return this.#run('stat', path, options, async (call) => call.path !== '' && isFile(call))
  }

  /** The root always exists. Without real directories: something is in it. */
  async directoryExists(path: string, options: CallLimits = {}): Promise<boolean> {
    return this.#run('stat', path, options, isDirectory)
  }

  /** Every fact of a file in one call. @throws FileNotFoundError also for a directory */
  async stat(path: string, options: judge.StatOptions = {}): Promise<FileStat> {
    const read = async ({ driver, path, signal }: Call): Promise<FileStat> => {
      judge.judgeVersion(options.versionId, driver)
      return driver.stat(path, { versionId: options.versionId, signal })
    }
    return this.#run('stat', path, options, read, readablePath)
  }

  /** The same as `stat`. */
  async metadata(path: string, options: judge.StatOptions = {}): Promise<FileStat> {
    return this.stat(path, options)
  }

  /** In bytes. */
  async size(path: string, options: judge.StatOptions = {}): Promise<number> {
    return (await this.stat(path, options)).size
  }

  async lastModified(path: string, options: judge.StatOptions = {}): Promise<Date> {
    return (await this.stat(path, options)).lastModified
  }

  /** The stored content type, else the one that the extension says. Content is not sniffed. */
  async mimeType(path: string, options: judge.StatOptions = {}): Promise<string | undefined> {
    return (await this.stat(path, options)).contentType
  }

  /** Computed over the content, which is read whole. Never an ETag. */
  async checksum(path: string, options: judge.ChecksumOptions = {}): Promise<string> {
    const compute = async ({ driver, path, signal, deadline }: Call): Promise<string> => {
      const { algorithm = 'sha256', encoding = 'hex' } = options
      if (encoding !== 'hex' && encoding !== 'base64') throw new InvalidArgumentError('encoding is "hex" or "base64"')
      const digest = createDigest(algorithm)
      const { stat, body } = await driver.read(path, { signal })
      for await (const chunk of watchedBody(body, { deadline, expected: stat.size })) digest.update(chunk)
      return digest.digest(encoding)
    }
    return this.#run('read', path, options, compute, readablePath)
  }

  async visibility(path: string, options: CallLimits = {}): Promise<Visibility> {
    const read = async ({ driver, path, signal }: Call): Promise<Visibility> => {
      if (driver.visibility === undefined) throw judge.noVisibility()
      return driver.visibility.get(path, { signal })
    }
    return this.#run('visibility', path, options, read, readablePath)
  }

  async setVisibility(path: string, visibility: Visibility, options: CallLimits = {}): Promise<void> {
    const set = async ({ driver, path, signal }: Call): Promise<void> => {
      judge.judgeVisibility(visibility)
      if (driver.visibility === undefined) throw judge.noVisibility()
      await driver.visibility.set(path, visibility, { signal })
    }
    return this.#run('setVisibility', path, options, set, readablePath)
  }

  // ── listing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The entries of a directory in order, page by page. A missing directory lists nothing. Rejects at the first step. */
  async *list(directory = '', options: judge.DiskListOptions = {}): AsyncGenerator<Entry, undefined> {
    let cursor: string | undefined
    do {
      const found: Page = await this.#page(directory, options, () => ({ limit: options.pageSize, cursor }))
      for (const entry of found.entries) if (options.type === undefined || entry.type === options.type) yield entry
      cursor = found.cursor
    } while (cursor !== undefined)
  }

  /** One page of a directory. Its cursor asks for the next one; the last page has none. */
  async listPage(directory = '', options: judge.PageOptions = {}): Promise<Page> {
    return this.#page(directory, options, () => ({ limit: options.limit, cursor: options.cursor }))
  }

  /** The paths of the files in a directory, sorted by UTF-8 bytes. */
  async files(directory = '', options: judge.NamesOptions = {}): Promise<string[]> {
    return this.#names(directory, 'file', options)
  }

  async allFiles(directory = '', options: CallLimits = {}): Promise<string[]> {
    return this.#names(directory, 'file', options, true)
  }

  /** The paths of the directories in a directory, sorted by UTF-8 bytes. */
  async directories(directory = '', options: judge.NamesOptions = {}): Promise<string[]> {
    return this.#names(directory, 'directory', options)
  }

  async allDirectories(directory = '', options: CallLimits = {}): Promise<string[]> {
    return this.#names(directory, 'directory', options, true)
  }

  /** With its parents. Where directories are only implied by files there is nothing to make. */
  async makeDirectory(path: string, options: CallLimits & { readonly visibility?: Visibility | undefined } = {}): Promise<void> {
    return this.#run('makeDirectory', path, options, async ({ driver, mount, path, signal }) => {
      if (options.visibility !== undefined) judge.judgeVisibility(options.visibility)
      if (judge.isReadOnly(driver)) throw new ReadOnlyError()
      if (driver.directories === undefined)
        await driver.list(path, { limit: 1, stat: false, signal }) // there is nothing to make, but the store may be wrong
      else if (path !== '') await driver.directories.create(path, { visibility: options.visibility ?? mount.visibility, signal })
    })
  }

  /** With all it holds. A missing one is fine. `deleted` counts files. @throws InvalidArgumentError for the root without `allowRoot` */
  async deleteDirectory(
    path: string,
    options: CallLimits & { readonly allowRoot?: boolean | undefined } = {},
  ): Promise<{ deleted: number }> {
    return this.#run('deleteDirectory', path, options, async ({ driver, path, signal }) => {
      if (judge.isReadOnly(driver)) throw new ReadOnlyError()
      if (path === '' && options.allowRoot !== true)
        throw new InvalidArgumentError('this would delete the whole disk: pass { allowRoot: true } to do so')
      const deleted =
        driver.directories === undefined ? await deleteTree(driver, path, { signal }) : await driver.directories.delete(path, { signal })
      return { deleted }
    })
  }

  // ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Deletes files; absent ones are fine. A bad path refuses the whole batch. @throws PartialFailureError for a batch that could not be deleted whole */
  async delete(paths: string | Iterable<string> | AsyncIterable<string>, options: CallLimits = {}): Promise<void> {
    const single = typeof paths === 'string' || !isIterable(paths)
    const remove = async ({ driver, mount, signal, deadline }: Call): Promise<void> => {
      const batch = single ? [paths as string] : await gathered(paths, deadline)
      const normal = batch.map((path) => normalizeFilePath(path))
      if (normal.length === 0) return
      const failures = await driver.delete(normal, { signal })
      for (const { path, error } of failures) error.locate({ operation: 'delete', path, disk: mount.name, driver: driver.name })
      const [first] = failures
      if (first !== undefined) throw single ? first.error : new PartialFailureError(undefined, { failures })
    }
    return this.#run('delete', single ? (paths as string) : '', options, remove)
  }

  /** Server-side where the store can. Keeps content type, metadata and visibility; replaces the target unless `ifAbsent`. */
  async copy(from: string, to: string, options: judge.CopyOptions = {}): Promise<void> {
    return this.#copyOrMove('copy', from, to, options)
  }

  /** Renames where the store can; else the source goes only once the copy is whole. */
  async move(from: string, to: string, options: judge.CopyOptions = {}): Promise<void> {
    return this.#copyOrMove('move', from, to, options)
  }

  /** To another disk, under the same path unless given. Keeps content type, metadata and visibility where that disk has them. */
  async copyTo(disk: Filesystem, from: string, to: string = from, options: judge.CopyOptions = {}): Promise<void> {
    return this.#between('copy', { disk, from, to }, options)
  }

  /** To another disk. The source goes only once the copy is known to be whole, and only if it is still the file that was copied. */
  async moveTo(disk: Filesystem, from: string, to: string = from, options: judge.CopyOptions = {}): Promise<void> {
    return this.#between('move', { disk, from, to }, options)
  }

  // ── URLs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The public URL; whether it answers depends on the file's visibility. */
  async url(path: string, options: CallLimits = {}): Promise<string> {
    const build = async ({ driver, path }: Call): Promise<string> => {
      if (driver.publicUrl === undefined) throw new UnsupportedError('this disk has no public URLs: give it a "url", or "serve" it')
      return driver.publicUrl(path)
    }
    return this.#run('publicUrl', path, options, build, normalizeFilePath)
  }

  /** A URL that answers until it expires. @param expires seconds from now, or a Date; an hour unless the disk says otherwise */
  async temporaryUrl(path: string, expires?: number | Date, options: judge.TemporaryUrlOptions = {}): Promise<string> {
    const sign = ({ mount, path }: Call): Promise<string> => temporaryUrl(path, mount, expires, options)
    return this.#run('signUrl', path, options, sign, normalizeFilePath)
  }

  /** The temporary URL of each path, by path. */
  async temporaryUrls(
    paths: string | Iterable<string>,
    expires?: number | Date,
    options: judge.TemporaryUrlOptions = {},
  ): Promise<Record<string, string>> {
    const sign = async ({ mount }: Call): Promise<Record<string, string>> => {
      if (typeof paths !== 'string' && !isIterable(paths)) throw new InvalidArgumentError('temporaryUrls takes one path or several')
      const batch = Array.from(typeof paths === 'string' ? [paths] : paths, (path) => ({ path, normal: normalizeFilePath(path) }))
      const urls: [string, string][] = []
      for (const { path, normal } of batch) urls.push([path, await temporaryUrl(normal, mount, expires, options).catch(failedAt(path))])
      return Object.fromEntries(urls)
    }
    return this.#run('signUrl', '', options, sign)
  }

  /** A request that uploads the file, for browsers. @throws UnsupportedError for a limit that the store cannot enforce */
  async temporaryUploadUrl(path: string, expires?: number | Date, options: judge.UploadUrlOptions = {}): Promise<judge.UploadUrl> {
    const sign = ({ mount, path }: Call): Promise<judge.UploadUrl> => temporaryUploadUrl(path, mount, expires, options)
    return this.#run('signUrl', path, options, sign, normalizeFilePath)
  }

  // ── the machinery ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Judges the path, finds the driver, and runs the call under its limits; an error leaves it with its place. */
  async #run<T>(
    operation: Operation,
    path: string,
    limits: CallLimits,
    call: (call: Call) => Promise<T>,
    judgePath: (path: string) => string = normalizePath,
  ): Promise<T> {
    let mount: Mount | undefined
    let deadline: Deadline | undefined
    try {
      judge.requireBag(limits)
      const found = this.#find(limits)
      if ('driver' in found) mount = found
      const normal = judgePath(path)
      mount ??= await found
      deadline = startDeadline({ signal: limits.signal, timeoutMs: limits.timeoutMs ?? mount.timeoutMs })
      const running = call({ driver: mount.driver, mount, path: normal, signal: deadline?.signal, deadline })
      return await (deadline === undefined ? running : deadline.race(running, MUTATIONS.has(operation) ? CLEANUP_GRACE_MS : 0))
    } catch (error) {
      throw this.#fail(error, { operation, path: typeof path === 'string' && path !== '' ? path : undefined }, mount, limits?.signal)
    } finally {
      deadline?.clear()
    }
  }

  /** The driver to use now. One that is still to be found is waited for no longer than the call may take. */
  #find({ signal, timeoutMs }: CallLimits): Mount | Promise<Mount> {
    throwIfAborted(signal)
    const found = this.mount()
    if ('driver' in found) return found
    const waiting = waitFor(found, { signal, timeoutMs })
    waiting.catch(() => undefined) // nobody waits when the path is refused meanwhile
    return waiting
  }

  /** The error with its place filled in; the reason of the caller's own signal as it is. */
  #fail(error: unknown, context: ErrorContext, mount?: Mount, signal?: AbortSignal): unknown {
    if (signal?.aborted && Object.is(error, signal.reason)) return error
    return toStorageError(error).locate({ ...context, disk: mount?.name ?? this.#nameNow(), driver: mount?.driver.name })
  }

  #nameNow(): string | undefined {
    try {
      return this.name
    } catch {
      return undefined // the facade, before it has a configuration
    }
  }

  /** @param source what the content is made of, to be given up when nothing is written */
  async #write(
    path: string,
    options: judge.PutOptions,
    source: unknown,
    make: (parent: string) => Promise<Written>,
    judgePath = normalizeFilePath,
  ): Promise<judge.PutResult> {
    holdErrors(source)
    try {
      const write = async ({ driver, mount, path: normal, deadline, signal }: Call): Promise<judge.PutResult> => {
        judge.judgeWriteOptions(options, driver)
        const { path, content, contentType } = await make(normal)
        const written = { ...writeOptions(options, mount), contentType: options.contentType ?? contentType, signal }
        const result = await driver.write(path, prepared(content, options, deadline), written).catch(failedAt(path))
        return { path, ...result }
      }
      return await this.#run('write', path, options, write, judgePath)
    } catch (error) {
      abandon(source)
      throw error
    }
  }

  async #extend(side: 'append' | 'prepend', path: string, contents: Contents, options: judge.AppendOptions): Promise<judge.PutResult> {
    holdErrors(contents)
    try {
      const extend = async ({ driver, mount, path, deadline, signal }: Call): Promise<judge.PutResult> => {
        judge.judgeAppendOptions(options, driver)
        const content = prepared(toContent(contents), options, deadline)
        const rest = { ...writeOptions(options, mount), signal }
        if (side === 'prepend' || driver.append === undefined)
          return rewrite({ driver, path, side, separator: options.separator ?? '' }, content, rest)
        await appendNatively({ driver, path, separator: options.separator ?? '' }, driver.append.bind(driver), content, rest)
        const { size, etag } = await driver.stat(path, { signal })
        return { path, size, ...(etag !== undefined && { etag }) }
      }
      return await this.#run(side === 'append' ? 'append' : 'write', path, options, extend, normalizeFilePath)
    } catch (error) {
      abandon(contents)
      throw error
    }
  }

  async #copyOrMove(operation: 'copy' | 'move', from: string, to: string, options: judge.CopyOptions): Promise<void> {
    const transfer = async ({ driver, path, signal }: Call): Promise<void> => {
      const target = normalizeFilePath(to)
      judge.judgeWriteOptions(options, driver)
      await driver[operation](path, target, { ...pickWriteOptions(options), signal }).catch(conditionAt(target, options))
    }
    return this.#run(operation, from, options, transfer, readablePath)
  }

  async #between(
    operation: 'copy' | 'move',
    { disk, from, to }: { disk: Filesystem; from: string; to: string },
    options: judge.CopyOptions,
  ): Promise<void> {
    const transfer = async ({ driver, mount, path, signal }: Call): Promise<void> => {
      if (!(disk instanceof Filesystem)) throw new InvalidArgumentError(`the target must be a disk, as Storage.disk(name) gives it`)
      const target = await disk.#target(operation, to, options)
      if (operation === 'move' && judge.isReadOnly(driver)) throw new ReadOnlyError()
      const rest = { ...pickWriteOptions(options), signal }
      if (driver === target.driver) return driver[operation](path, target.path, rest).catch(conditionAt(target.path, options))
      await (operation === 'copy' ? copyBetween : moveBetween)({ driver, path, disk: mount.name }, target, rest)
    }
    return this.#run(operation, from, options, transfer, readablePath)
  }

  /** This disk as the end of a transfer from another one; what is wrong with it says so of this disk. */
  async #target(operation: Operation, to: string, options: judge.CopyOptions): Promise<Target> {
    let mount: Mount | undefined
    try {
      mount = await this.mount()
      const path = normalizeFilePath(to)
      judge.judgeWriteOptions(options, mount.driver)
      return { driver: mount.driver, path, disk: mount.name, visibility: mount.visibility }
    } catch (error) {
      throw this.#fail(error, { operation, path: typeof to === 'string' ? to : undefined }, mount)
    }
  }

  async #page(
    directory: string,
    options: CallLimits & Pick<ListOptions, 'recursive' | 'after' | 'stat'> & { readonly type?: Entry['type'] | undefined },
    which: () => Pick<ListOptions, 'cursor' | 'limit'>,
  ): Promise<Page> {
    const list = async ({ driver, path, signal }: Call): Promise<Page> => {
      const { recursive, after, stat, type } = options
      const page = { recursive, after, stat, ...which() }
      judge.judgeListing(page, type)
      return driver.list(path, { ...page, signal })
    }
    return this.#run('list', directory, options, list)
  }

  async #names(directory: string, type: Entry['type'], options: judge.NamesOptions, recursive = options?.recursive): Promise<string[]> {
    return this.#run('list', directory, options, async ({ driver, path, signal }) => {
      const names: string[] = []
      for await (const entries of pagesOf(driver, path, { recursive, stat: false, signal })) {
        for (const entry of entries) if (entry.type === type) names.push(entry.path)
      }
      return type === 'file' ? names : names.sort(compareUtf8) // a listing has a directory's slash in its order
    })
  }
}

/** One driver with a name. Nothing is opened before the first operation. */
export class Disk extends Filesystem {
  readonly #source: DiskSource

  constructor(source: Driver | DiskSource, options: DiskOptions = {}) {
    super()
    this.#source = 'mount' in source ? source : fixedSource(source, options)
  }

  get name(): string {
    return this.#source.name
  }

  protected override mount(): Mount | Promise<Mount> {
    return this.#source.mount()
  }

  /** The driver, decorated as configured. @throws ConfigurationError while it is still being found or made */
  get driver(): Driver {
    const mount = this.mount()
    if ('driver' in mount) return mount.driver
    mount.catch(() => undefined)
    throw new ConfigurationError('the disk is not ready: call configure, or await Storage.load()', { disk: this.name })
  }

  /** Wraps the disk; of several decorators the last is outermost. The disk itself stays as it is. */
  with(...decorators: Decorator[]): Disk {
    return new Disk(derivedSource(this.#source, (driver) => decorators.reduce((inner, decorate) => decorate(inner), driver)))
  }

  /** The part of the disk below a directory, as a disk of its own. */
  scope(prefix: string): Disk {
    return this.with(scoped(prefix))
  }

  readOnly(): Disk {
    return this.with(readOnly())
  }

  /** Whether the whole stack can do it; false for unknown names. */
  supports(ability: Ability | (string & {})): boolean {
    const { driver } = this
    if (MEMBERS.has(ability)) return driver[ability as 'append'] !== undefined
    return ability !== 'encryptedAtRest' && Object.hasOwn(driver.supports, ability) && driver.supports[ability as keyof Supports]
  }

  /** The nearest layer of that kind, outermost first, or undefined. */
  layer<Kind extends keyof Layers>(kind: Kind): Layers[Kind] | undefined
  layer(kind: string): Driver | undefined
  layer(kind: string): Driver | undefined {
    return findLayer(this.driver, (driver) => driver.kind === kind)
  }

  /** The administration of buckets, where the store has them. A read-only disk shows none. */
  get buckets(): Buckets | undefined {
    if (findLayer(this.driver, ({ kind }) => kind === 'read-only') !== undefined) return undefined
    const leaf = findLayer(this.driver, (driver) => 'buckets' in driver && driver.buckets !== undefined)
    return (leaf as { readonly buckets?: Buckets } | undefined)?.buckets
  }

  /** Writes, reads back, lists and deletes a small file. Never rejects: `ok` and `error` tell. */
  async check(options: CallLimits = {}): Promise<judge.CheckResult> {
    return checkDisk(this, options)
  }

  /** Closes the layers that belong to this disk, outermost first; not what they share with other disks. */
  async close(): Promise<void> {
    await this.#source.close().catch((error: unknown) => {
      throw toStorageError(error).locate({ operation: 'close', disk: this.name })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** `vault: encrypted(s3)` */
  override toString(): string {
    try {
      return `${this.name}: ${this.driver.name}`
    } catch {
      return this.name
    }
  }
}

/** The type that a Blob or File says it has. */
function typeOfBlob(contents: Contents): string | undefined {
  return isBlob(contents) && contents.type !== '' ? contents.type : undefined
}

/** The content as the options want it taken: stoppable, counted, verified. */
function prepared(content: Content, { onProgress, checksum }: judge.PutOptions, deadline: Deadline | undefined): Content {
  let result = deadline === undefined ? content : abortableContent(content, deadline)
  if (checksum !== undefined) result = withChecksum(result, checksum)
  return onProgress === undefined ? result : withProgress(result, onProgress)
}

/** What a driver gets of the options of a write, and the disk's own visibility where none was asked for. */
function writeOptions(options: judge.PutOptions, { driver, visibility }: Mount): WriteOptions {
  const own = options.visibility ?? (driver.visibility === undefined ? undefined : visibility)
  return { ...pickWriteOptions(options), visibility: own }
}

function pickWriteOptions({ signal: _signal, timeoutMs: _timeoutMs, onProgress: _onProgress, ...options }: judge.PutOptions): WriteOptions {
  return options
}

/** The path of what is to be read: the root is a directory, so nothing is found there. */
function readablePath(path: string): string {
  const normal = normalizePath(path)
  if (normal === '') throw new FileNotFoundError('not found: the root of the disk is a directory')
  return normal
}

/** An error of one of several paths, or of one that was made up on the way, says which. */
function failedAt(path: string): (error: unknown) => never {
  return (error) => {
    throw toStorageError(error).locate({ path })
  }
}

/** A condition that was lost is about the target of a copy, not about its source. */
function conditionAt(target: string, { ifMatch }: WriteOptions): (error: unknown) => never {
  return (error) => {
    const lost =
      isStorageError(error) && (error.code === 'already_exists' || (error.code === 'precondition_failed' && ifMatch !== undefined))
    throw lost ? error.locate({ path: target }) : error
  }
}

/** Every path of a batch, before one of them is touched. */
async function gathered(paths: Iterable<string> | AsyncIterable<string>, deadline: Deadline | undefined): Promise<string[]> {
  const gather = async (): Promise<string[]> => {
    const batch: string[] = []
    for await (const path of paths) batch.push(path)
    return batch
  }
  return deadline === undefined ? gather() : deadline.race(gather())
}
