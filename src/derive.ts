/**
 * Named fallbacks that a driver calls where its store has no better way. Nothing here is inherited: a driver that does not
 * call one does not get it.
 */
import { streamContent } from './content.ts'
import type { CallOptions, Driver, Entry, FileStat, ListOptions, Page, Range, ReadOptions, WriteOptions } from './driver.ts'
import { FileExistsError, InvalidArgumentError, PartialFailureError, PreconditionFailedError } from './errors.ts'
import { compareUtf8, directoryPrefix } from './path.ts'

/** Entries per page where nobody says. */
export const PAGE_ENTRIES = 1_000

/** What a range means for a file of `size` bytes. @throws InvalidArgumentError when it begins at or past the end */
export function resolveRange(range: Range | undefined, size: number): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size }
  if (range.suffix !== undefined) {
    if (range.suffix <= 0) throw new InvalidArgumentError('a suffix range needs at least one byte')
    return { start: Math.max(0, size - range.suffix), end: size }
  }
  const { start, end = size } = range
  if (start >= size && start !== 0) throw new InvalidArgumentError(`the range begins at byte ${start}, but the file has ${size} bytes`)
  return { start, end: Math.min(end, size) }
}

/** The part of a write's options that a copy keeps from its source: content headers and metadata, but for those given. */
export function keptOptions(stat: FileStat, options: WriteOptions): WriteOptions {
  return {
    ...options,
    contentType: options.contentType ?? stat.contentType,
    cacheControl: options.cacheControl ?? stat.cacheControl,
    contentDisposition: options.contentDisposition ?? stat.contentDisposition,
    contentEncoding: options.contentEncoding ?? stat.contentEncoding,
    contentLanguage: options.contentLanguage ?? stat.contentLanguage,
    metadata: options.metadata ?? stat.metadata,
  }
}

/** A copy that carries the bytes through this process, of one version of the source. */
export async function copyThroughStream(source: Driver, from: string, target: Driver, to: string, options: WriteOptions): Promise<void> {
  const { stat, body } = await source.read(from, { signal: options.signal })
  const visibility = options.visibility ?? (target.visibility === undefined ? undefined : stat.visibility)
  await target.write(to, streamContent(body, stat.size), { ...keptOptions(stat, options), visibility })
}

/** True when the file at the path is no longer the one that `before` describes. */
export function changed(before: FileStat, after: FileStat): boolean {
  if (before.etag !== undefined && after.etag !== undefined) return before.etag !== after.etag
  return before.size !== after.size || before.lastModified.getTime() !== after.lastModified.getTime()
}

/**
 * A move where the store cannot rename: copy, then delete the source, but only if it is still the file that was copied.
 * @throws PreconditionFailedError when the source changed meanwhile; both files are kept
 */
export async function moveByCopy(driver: Driver, from: string, to: string, options: WriteOptions): Promise<void> {
  const before = await driver.stat(from, { signal: options.signal })
  if (from === to) {
    if (options.ifAbsent) throw new FileExistsError()
    return
  }
  await driver.copy(from, to, options)
  await deleteUnchanged(driver, from, before, options)
}

/** The second half of a move. @throws PreconditionFailedError when the file is not the one that was copied; it is kept */
export async function deleteUnchanged(driver: Driver, path: string, before: FileStat, { signal }: CallOptions): Promise<void> {
  const after = await driver.stat(path, { signal })
  if (changed(before, after)) {
    throw new PreconditionFailedError('the source changed while it was being moved: it was kept, and the copy is at the target')
  }
  const [failure] = await driver.delete([path], { signal })
  if (failure !== undefined) throw failure.error
}

/** Every entry of a directory, page after page, in order. */
export async function* listAll(driver: Driver, directory: string, options: Omit<ListOptions, 'cursor'>): AsyncGenerator<Entry, undefined> {
  let cursor: string | undefined
  do {
    const page: Page = await driver.list(directory, { ...options, cursor })
    yield* page.entries
    cursor = page.cursor
  } while (cursor !== undefined)
}

/**
 * Deletes every file below a directory, a page at a time.
 * @returns how many files it deleted; a missing directory is fine
 * @throws PartialFailureError with what a page could not delete; later pages are not touched
 */
export async function deleteTree(driver: Driver, directory: string, { signal }: CallOptions): Promise<number> {
  let deleted = 0
  let cursor: string | undefined
  do {
    const page: Page = await driver.list(directory, { recursive: true, stat: false, cursor, signal })
    const paths = page.entries.filter((entry) => entry.type === 'file').map((entry) => entry.path)
    const failures = paths.length === 0 ? [] : await driver.delete(paths, { signal })
    if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
    deleted += paths.length
    cursor = page.cursor
  } while (cursor !== undefined)
  return deleted
}

/**
 * A page of a listing, from all paths below a directory in any order: implied directories added, sorted, cut.
 * For stores small enough to be sorted in memory. The cursor is the last entry's place in the order.
 */
export function pageOf(
  files: Iterable<Entry>,
  directory: string,
  { recursive = false, cursor, after, limit = PAGE_ENTRIES }: ListOptions,
): Page {
  const prefix = directoryPrefix(directory)
  const found = new Map<string, Entry>()
  for (const entry of files) {
    if (!entry.path.startsWith(prefix) || entry.path === directory) continue
    const names = entry.path.slice(prefix.length).split('/')
    const depths = recursive ? names.length : Math.min(names.length, 2)
    for (let depth = 1; depth < depths; depth++) {
      const path = prefix + names.slice(0, depth).join('/')
      found.set(`${path}/`, { type: 'directory', path })
    }
    if (recursive || names.length === 1) found.set(sortKey(entry), entry)
  }
  const start = laterOf(cursor, after)
  const keys = [...found.keys()].filter((key) => start === undefined || compareUtf8(key, start) > 0).sort(compareUtf8)
  const entries = keys.slice(0, limit).map((key) => found.get(key) as Entry)
  const last = entries.at(-1)
  return keys.length > entries.length && last !== undefined ? { entries, cursor: sortKey(last) } : { entries }
}

/** What a listing is ordered by: a file's path, a directory's path and a slash. */
export function sortKey(entry: Entry): string {
  return entry.type === 'file' ? entry.path : `${entry.path}/`
}

function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareUtf8(a, b) > 0 ? a : b
}

/** The options of a read without what only a body needs. */
export function statOptions({ ifMatch, versionId, signal }: ReadOptions): ReadOptions {
  return { ifMatch, versionId, signal }
}
