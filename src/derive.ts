/**
 * Named fallbacks that a driver calls where its store has no better way. Nothing here is inherited: a driver that does not
 * call one does not get it.
 */
import { streamContent, wholeBody } from './content.ts'
import type { CallOptions, ContentHeaders, Driver, Entry, FileStat, ListOptions, Page, Range, ReadOptions, WriteOptions } from './driver.ts'
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

/** The content headers that are set. */
export function headersOf(source: ContentHeaders): ContentHeaders {
  const headers: Record<string, string> = {}
  for (const name of CONTENT_HEADERS) if (source[name] !== undefined) headers[name] = source[name]
  return headers
}

const CONTENT_HEADERS = ['contentType', 'cacheControl', 'contentDisposition', 'contentEncoding', 'contentLanguage'] as const

/** The options of a write that keeps what its source has: content headers and metadata, but for those given. */
export function keptOptions(stat: FileStat, options: WriteOptions): WriteOptions {
  return { metadata: stat.metadata, ...headersOf(stat), ...definedOptions(options) }
}

function definedOptions(options: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** A copy that carries the bytes through this process, of one version of the source. */
export async function copyThroughStream(source: Driver, from: string, target: Driver, to: string, options: WriteOptions): Promise<void> {
  const { stat, body } = await source.read(from, { signal: options.signal })
  const visibility = options.visibility ?? (target.visibility === undefined ? undefined : stat.visibility)
  await target.write(to, streamContent(wholeBody(body, stat.size), stat.size), { ...keptOptions(stat, options), visibility })
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
  if (changed(before, after)) throw sourceChanged()
  const [failure] = await driver.delete([path], { signal })
  if (failure !== undefined) throw failure.error
}

export function sourceChanged(): PreconditionFailedError {
  return new PreconditionFailedError('the source changed while it was being moved: it was kept, and the copy is at the target')
}

/** Every page of a directory, in order. An entry at a time would cost more than the listing. */
export async function* pagesOf(
  driver: Driver,
  directory: string,
  options: Omit<ListOptions, 'cursor'>,
): AsyncGenerator<readonly Entry[], undefined> {
  let cursor: string | undefined
  do {
    options.signal?.throwIfAborted()
    const page: Page = await driver.list(directory, { ...options, cursor })
    yield page.entries
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
  for await (const entries of pagesOf(driver, directory, { recursive: true, stat: false, signal })) {
    const paths = entries.filter((entry) => entry.type === 'file').map((entry) => entry.path)
    const failures = paths.length === 0 ? [] : await driver.delete(paths, { signal })
    if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
    deleted += paths.length
  }
  return deleted
}

/**
 * A page of a listing, from every key of a store, sorted by UTF-8 bytes. A key that ends in `/` is a directory; directories
 * that are only implied by a file's key are added. The cursor is the place of the page's last entry in the order, so pages
 * neither skip nor repeat while files come and go.
 */
export function pageOf(keys: readonly string[], directory: string, options: ListOptions, fileEntry: (path: string) => Entry): Page {
  const { cursor, after, limit = PAGE_ENTRIES } = options
  const start = laterOf(cursor, after) ?? ''
  const entries: Entry[] = []
  for (const entry of entriesAfter(keys, directory, { start, recursive: options.recursive === true }, fileEntry)) {
    const last = entries.at(-1)
    if (entries.length === limit && last !== undefined) return { entries, cursor: sortKey(last) }
    entries.push(entry)
  }
  return { entries }
}

function* entriesAfter(
  keys: readonly string[],
  directory: string,
  { start, recursive }: { readonly start: string; readonly recursive: boolean },
  fileEntry: (path: string) => Entry,
): Generator<Entry, undefined> {
  const prefix = directoryPrefix(directory)
  let index = lowerBound(keys, compareUtf8(start, prefix) > 0 ? start : prefix)
  for (let previous = ''; index < keys.length; index++) {
    const key = keys[index] as string
    if (!key.startsWith(prefix)) return
    let slash = key.indexOf('/', prefix.length)
    for (; slash !== -1; slash = recursive ? key.indexOf('/', slash + 1) : -1) {
      const directoryKey = key.slice(0, slash + 1)
      const seen = previous.startsWith(directoryKey) || compareUtf8(directoryKey, start) <= 0
      if (!seen) yield { type: 'directory', path: key.slice(0, slash) }
      if (!recursive) index = lowerBound(keys, `${key.slice(0, slash)}0`, index) - 1 // '0' is the character after '/'
    }
    const hidden = key.endsWith('/') || (!recursive && key.includes('/', prefix.length)) || compareUtf8(key, start) <= 0
    if (!hidden) yield fileEntry(key)
    previous = key
  }
}

/** The index of the first key that is not below `wanted`. */
function lowerBound(keys: readonly string[], wanted: string, from = 0): number {
  let low = from
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareUtf8(keys[middle] as string, wanted) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** What a listing is ordered by: a file's path, a directory's path and a slash. */
export function sortKey(entry: Entry): string {
  return entry.type === 'file' ? entry.path : `${entry.path}/`
}

/** Of two places in a listing the one that comes later; undefined is before everything. */
export function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareUtf8(a, b) > 0 ? a : b
}

/** The options of a read without what only a body needs. */
export function statOptions({ ifMatch, versionId, signal }: ReadOptions): ReadOptions {
  return { ifMatch, versionId, signal }
}
