/**
 * A disk in memory that takes the place of a real one in tests: it remembers what was asked of it, fails on demand, and asserts.
 *
 *   FakeDisk ─▶ recorded ─▶ served (signed URLs) ─▶ MemoryDriver, or a LocalDriver with `root`
 *
 * Assertions are synchronous, so that a forgotten `await` cannot turn a failing one green.
 */
import type { DiskConfig } from '../config/disk-config.ts'
import { served } from '../decorators/served.ts'
import { Disk } from '../disk.ts'
import type { Visibility } from '../driver.ts'
import type { Operation } from '../errors.ts'
import { compareUtf8, directoryPrefix, normalizePath } from '../path.ts'
import { AssertionError, bytesOf, describeDifference, listPaths, sameBytes } from './compare.ts'
import { type FakeFiles, folderFiles, memoryFiles, type SeenFile } from './fake-files.ts'
import type { FaultyOperation } from './faulty.ts'
import { planFailure, recorded, type RecordedOperation, type Recording } from './recorded.ts'

export interface FakeOptions {
  /** Files that are there from the beginning, by path. */
  readonly seed?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** Keeps the files in this folder of the machine, between runs too. */
  readonly root?: string | undefined
}

/** What a manager tells the fake of one of its disks. */
export interface FakePlace extends FakeOptions {
  readonly config?: DiskConfig | undefined
  readonly onRestore?: (() => void) | undefined
}

/** Operations that bring content onto the disk. */
const WRITES: ReadonlySet<Operation> = new Set<Operation>(['write', 'append', 'copy', 'move', 'multipart'])
const SECRET = 'stowage-fake-secret-which-is-no-secret'

export class FakeDisk extends Disk {
  readonly #recording: Recording
  readonly #files: FakeFiles
  readonly #visibility: Visibility
  readonly #onRestore: () => void

  constructor(name = 'fake', { seed = {}, root, config, onRestore = () => undefined }: FakePlace = {}) {
    const visibility = config?.visibility
    const files = root === undefined ? memoryFiles(seed, visibility) : folderFiles(root, { seed, visibility })
    const recording: Recording = { operations: [], failures: new Map() }
    super(recorded(recording)(served({ ...urlsOf(config), disk: name, visibility })(files.driver)), {
      name,
      visibility,
      timeoutMs: numberOf(config?.timeoutMs),
    })
    this.#files = files
    this.#recording = recording
    this.#visibility = visibility ?? 'private'
    this.#onRestore = onRestore
  }

  /** What reached the disk, in order. */
  get operations(): readonly RecordedOperation[] {
    return this.#recording.operations
  }

  /** The next call of this operation rejects with the error. Called twice, the next two do. */
  failNext(operation: FaultyOperation, error?: Error): this {
    planFailure(this.#recording, operation, error)
    return this
  }

  /** Every path is a file or a directory; with `content`, a file of exactly that. */
  assertExists(paths: string | readonly string[], content?: string | Uint8Array): this {
    for (const path of normalized(paths)) {
      const file = this.#files.file(path)
      if (file === undefined && (content !== undefined || !this.#files.isDirectory(path))) throw this.#missing(path)
      if (file === undefined || content === undefined || sameBytes(file.bytes, bytesOf(content))) continue
      const difference = describeDifference(bytesOf(content), file.bytes)
      throw new AssertionError(
        `${this.#subject(path)} to hold other content.\n${difference}`,
        asShown(file.bytes),
        asShown(bytesOf(content)),
      )
    }
    return this
  }

  /** No path is a file or a directory. */
  assertMissing(paths: string | readonly string[]): this {
    for (const path of normalized(paths)) {
      if (this.#files.file(path) !== undefined) throw new AssertionError(`${this.#subject(path)} to be missing, but it is a file.`)
      if (this.#files.isDirectory(path)) throw new AssertionError(`${this.#subject(path)} to be missing, but it is a directory.`)
    }
    return this
  }

  /** So many files are in a directory; with `recursive`, below it. */
  assertCount(directory: string, count: number, { recursive = false }: { readonly recursive?: boolean | undefined } = {}): this {
    const paths = this.#paths(directory, recursive)
    const message = `${this.#subject(directory)} to hold ${count} files, but there are ${paths.length}:\n${listPaths(paths)}`
    if (paths.length !== count) throw new AssertionError(message, paths.length, count)
    return this
  }

  /** No file is below the directory; it need not exist. */
  assertDirectoryEmpty(directory: string): this {
    const paths = this.#paths(directory, true)
    if (paths.length > 0) throw new AssertionError(`${this.#subject(directory)} to be empty, but there is:\n${listPaths(paths)}`, paths, [])
    return this
  }

  /** No file is on the disk. */
  assertEmpty(): this {
    const paths = this.#paths('', true)
    if (paths.length > 0)
      throw new AssertionError(`Expected disk "${this.name}" to be empty, but there is:\n${listPaths(paths)}`, paths, [])
    return this
  }

  /** A file written without a visibility has the disk's, else it is private. */
  assertVisibility(path: string, visibility: Visibility): this {
    const actual = this.#file(path).visibility ?? this.#visibility
    if (actual !== visibility)
      throw new AssertionError(`${this.#subject(path)} to be ${visibility}, but it is ${actual}.`, actual, visibility)
    return this
  }

  assertContentType(path: string, contentType: string): this {
    const actual = this.#file(path).contentType
    const message = `${this.#subject(path)} to be of type "${contentType}", but it is ${actual === undefined ? 'of none' : `"${actual}"`}.`
    if (actual !== contentType) throw new AssertionError(message, actual, contentType)
    return this
  }

  /** Nothing was written, appended, copied or moved since the fake was made, whether it is still there or not. What failed wrote nothing. */
  assertNothingWritten(): this {
    const writes = this.operations.filter(({ operation, failed }) => WRITES.has(operation) && failed !== true)
    const calls = writes.map(({ operation, path, to }) => `  ${operation} "${path}"${to === undefined ? '' : ` to "${to}"`}`)
    const message = `Expected nothing to be written on disk "${this.name}", but there was:\n${calls.join('\n')}`
    if (writes.length > 0) throw new AssertionError(message, calls, [])
    return this
  }

  /** Takes this fake away again. */
  restore(): void {
    this.#onRestore()
  }

  [Symbol.dispose](): void {
    this.restore()
  }

  #subject(path: string): string {
    return `Expected "${path}" on disk "${this.name}"`
  }

  #missing(path: string): AssertionError {
    return new AssertionError(`${this.#subject(path)} to exist, but there is:\n${listPaths(this.#paths('', true))}`)
  }

  #file(path: string): SeenFile {
    const normal = normalizePath(path)
    const file = this.#files.file(normal)
    if (file === undefined) throw this.#missing(normal)
    return file
  }

  #paths(directory: string, recursive: boolean): string[] {
    const prefix = directoryPrefix(normalizePath(directory))
    const below = this.#files.paths().filter((path) => path.startsWith(prefix))
    return below.filter((path) => recursive || !path.slice(prefix.length).includes('/')).sort(compareUtf8)
  }
}

function normalized(paths: string | readonly string[]): string[] {
  if (paths.length === 0) throw new AssertionError('Expected at least one path to look for.')
  return (typeof paths === 'string' ? [paths] : paths).map((path) => normalizePath(path))
}

function asShown(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

function numberOf(value: number | string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

/** The URLs of the real disk where it has its own, so that links in what is tested look as they will; signed with a secret of no worth. */
function urlsOf(config: DiskConfig | undefined): { url?: string | undefined; publicUrl?: string | undefined; secret: string } {
  const serve = config?.serve
  const url = typeof serve === 'object' ? serve.url : undefined
  const publicUrl = config !== undefined && typeof config.url === 'string' ? config.url : undefined
  return { url, publicUrl, secret: SECRET }
}
