/** What the files of a directory go through, loaded by the first operation. */
import type { BigIntStats } from 'node:fs'
import { contentTypeOf } from '../../content-type.ts'
import { bytesBody } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  DirectoryAbility,
  Driver,
  FileStat,
  ListOptions,
  Page,
  ReadOptions,
  ReadResult,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { FileNotFoundError, PreconditionFailedError } from '../../errors.ts'
import { basename, dirname } from '../../path.ts'
import { appendContent } from './append.ts'
import { writeAtomically } from './atomic-write.ts'
import { copyWithin, type Ends, moveWithin } from './copy-move.ts'
import { deleteFile, deleteFiles } from './delete-files.ts'
import { makeDirectories, removeTree } from './directories.ts'
import { describeFile, unlessReplaced, visibilityOf } from './facts.ts'
import { FileBody } from './file-body.ts'
import { checkFilePath, checkPath } from './keys.ts'
import { type Intent, isMissing, LinkError, translated } from './local-errors.ts'
import { closeQuietly, closeSoon, factsOf, OPEN, readFully } from './local-files.ts'
import { Listing } from './listing.ts'
import { setMode } from './modes.ts'
import { extrasOf } from './sidecar.ts'
import type { LocalSettings } from './settings.ts'
import { sweepTree } from './sweep.ts'

/** Bodies up to this size are read at once, so that one that nobody reads holds nothing open. */
const SMALL_BYTES = 256 * 1024

export class LocalOperations {
  readonly #disk: LocalSettings
  readonly #driver: Driver
  readonly #listing: Listing

  /** @param driver itself, as others see it: a move between file systems goes through it */
  constructor(disk: LocalSettings, driver: Driver) {
    this.#disk = disk
    this.#driver = driver
    this.#listing = new Listing(disk.root)
  }

  /** The permission bits. */
  readonly visibility: VisibilityAbility = {
    get: (path, { signal }) => this.#file('read', path, signal, async (key) => visibilityOf(await this.#statFile(key))),
    set: (path, visibility, { signal }) =>
      this.#file('read', path, signal, (key) => setMode(this.#disk.root, key, this.#disk.fileModes[visibility])),
  }

  readonly directories: DirectoryAbility = {
    exists: (path, { signal }) => this.#directory('read', path, signal, () => this.#isDirectory(path)),
    create: (path, { signal, visibility }) =>
      this.#directory('write', path, signal, async () => makeDirectories(this.#disk, await this.#disk.root.resolve(path), visibility)),
    delete: (path, { signal }) => this.#directory('write', path, signal, () => this.#removeDirectory(path, signal)),
  }

  async append(path: string, content: Content, options: WriteOptions): Promise<void> {
    await this.#file('write', path, options.signal, async (key) => {
      const extras = extrasOf(options, options.contentType === undefined ? undefined : await contentTypeOf(path))
      if (options.ifAbsent) await writeAtomically(this.#disk, key, content, { ...options, extras })
      else await appendContent(this.#disk, key, content, { ...options, extras })
    })
  }

  async stat(path: string, { ifMatch, signal }: ReadOptions): Promise<FileStat> {
    return this.#file('read', path, signal, async (key) => {
      const stat = await unlessReplaced(async () => describeFile(this.#disk.root, { path, key }, await this.#statFile(key)))
      if (ifMatch !== undefined && stat.etag !== ifMatch) throw new PreconditionFailedError()
      return stat
    })
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    return this.#file('read', path, options.signal, async (key) => {
      return unlessReplaced(() => this.#readFile({ path, key }, options))
    })
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    return this.#file('write', path, options.signal, async (key) => {
      const extras = extrasOf(options, options.contentType === undefined ? undefined : await contentTypeOf(path))
      return writeAtomically(this.#disk, key, content, { ...options, extras })
    })
  }

  async delete(paths: readonly string[], { signal }: DeleteOptions): Promise<readonly DeleteFailure[]> {
    for (const path of paths) checkFilePath(path, this.#disk.root.at(''))
    signal?.throwIfAborted()
    return deleteFiles(this.#disk.root, paths, signal)
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    return this.#directory('read', directory, options.signal, () => this.#listing.page(directory, options))
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    await this.#both(from, to, options, (ends) => copyWithin(this.#disk, ends, options))
  }

  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    await this.#both(from, to, options, async (ends) => {
      const { root } = this.#disk
      const linked = ends.fromKey === (await root.resolveParent(from)) ? undefined : await root.resolveParent(from)
      if (linked === undefined) return moveWithin({ ...this.#disk, driver: this.#driver }, ends, options)
      // Of a link only the name goes; the file that it leads to has another.
      await copyWithin(this.#disk, ends, options)
      if (ends.fromKey !== ends.toKey) await root.within(dirname(linked), (at) => deleteFile(root, at, basename(linked)))
    })
  }

  async sweep(): Promise<number> {
    return translated('read', () => sweepTree(this.#disk.root))
  }

  close(): void {
    this.#listing.close()
  }

  async #readFile(file: { readonly path: string; readonly key: string }, options: ReadOptions): Promise<ReadResult> {
    const fd = await this.#disk.root.open(file.key, OPEN.read)
    try {
      return await this.#readOpen(fd, file, options)
    } catch (error) {
      await closeQuietly(fd)
      throw error
    }
  }

  async #readOpen(fd: number, file: { readonly path: string; readonly key: string }, options: ReadOptions): Promise<ReadResult> {
    const { root } = this.#disk
    const stats = await factsOf(fd, root.inMemory)
    if (!stats.isFile()) throw new FileNotFoundError()
    const stat = await describeFile(root, file, stats)
    if (options.ifMatch !== undefined && stat.etag !== options.ifMatch) throw new PreconditionFailedError()
    const { start, end } = resolveRange(options.range, stat.size)
    if (end - start > SMALL_BYTES) return { stat, body: new FileBody(fd, { start, end }, options.signal) }
    const buffer = Buffer.allocUnsafeSlow(end - start)
    const length = await readFully(fd, buffer, start)
    await closeSoon(fd, root.inMemory)
    return { stat, body: bytesBody(length === buffer.byteLength ? buffer : buffer.subarray(0, length)) }
  }

  async #statFile(key: string): Promise<BigIntStats> {
    const stats = await this.#disk.root.stat(key)
    if (!stats.isFile()) throw new FileNotFoundError()
    return stats
  }

  async #isDirectory(path: string): Promise<boolean> {
    if (path === '') return true // made at the first write, and a directory until then too
    try {
      const { root } = this.#disk
      return (await root.stat(await root.resolve(path))).isDirectory()
    } catch (error) {
      if (isMissing(error) || (error instanceof LinkError && !error.refused)) return false
      throw error
    }
  }

  async #removeDirectory(path: string, signal: AbortSignal | undefined): Promise<number> {
    const { root } = this.#disk
    try {
      const key = await root.resolveParent(path)
      const stats = await root.lstat(key)
      if (stats.isDirectory()) return await removeTree(root, key, signal)
      if (stats.isSymbolicLink()) await root.within(dirname(key), (at) => deleteFile(root, at, basename(key)))
      return 0
    } catch (error) {
      if (isMissing(error)) return 0
      throw error
    }
  }

  /** The beginning of every operation on a file: nothing is touched for a bad path or an aborted signal. */
  #file<T>(intent: Intent, path: string, signal: AbortSignal | undefined, act: (key: string) => Promise<T>): Promise<T> {
    return translated(intent, async () => {
      checkFilePath(path, this.#disk.root.at(''))
      signal?.throwIfAborted()
      return act(this.#disk.root.links === 'follow' ? await this.#disk.root.resolve(path) : path)
    })
  }

  #directory<T>(intent: Intent, path: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    return translated(intent, async () => {
      checkPath(path, this.#disk.root.at(''))
      signal?.throwIfAborted()
      return act()
    })
  }

  /** A source that is missing is `not_found`, and what stands in the target's way `already_exists`. */
  async #both(from: string, to: string, { signal }: WriteOptions, act: (ends: Ends) => Promise<void>): Promise<void> {
    const { root } = this.#disk
    for (const path of [from, to]) await translated('read', async () => checkFilePath(path, root.at('')))
    signal?.throwIfAborted()
    const fromKey = await this.#file('read', from, signal, async (key) => {
      await this.#statFile(key)
      return key
    })
    await this.#file('write', to, signal, (toKey) => unlessReplaced(() => act({ from, to, fromKey, toKey })))
  }
}
