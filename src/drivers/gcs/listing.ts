/**
 * Listing: a page of a directory, in the order of UTF-8 bytes, which is the store's own.
 *
 *   objects.list ──▶ items and prefixes ──▶ + directories that names imply ──▶ − reserved names, − names that are no paths ──▶ Page
 *
 * A cursor is the place of the last entry, not the store's token: it stays good while files come and go. An object whose name ends
 * in a slash is how consoles make a folder: it is shown as a directory.
 */
import { PAGE_ENTRIES, sortKey } from '../../derive.ts'
import type { Entry, FileEntry, ListOptions, Page } from '../../driver.ts'
import { compareUtf8, directoryPrefix, normalizePath } from '../../path.ts'
import { bucketPath, type GcsApi } from './api.ts'
import { type ObjectResource, RESERVED } from './objects.ts'

interface ObjectList {
  readonly items?: readonly ObjectResource[]
  readonly prefixes?: readonly string[]
  readonly nextPageToken?: string
}

/** Cloud Storage documentation, "Objects: list": pages have at most so many. */
const MAX_RESULTS = 1_000

export async function list(api: GcsApi, directory: string, options: ListOptions): Promise<Page> {
  const { recursive = false, limit = PAGE_ENTRIES } = options
  const listing: Listing = { prefix: directoryPrefix(directory), recursive, start: later(options.cursor, options.after) }
  const entries: Entry[] = []
  for (let from = listing.start, token: string | undefined; ; ) {
    const page = await fetchPage(api, listing, { from, token, count: limit - entries.length, options })
    for (const entry of entriesOf(page, listing, entries.at(-1))) {
      const last = entries.at(-1)
      if (entries.length === limit && last !== undefined) return { entries, cursor: sortKey(last) }
      entries.push(entry)
    }
    token = page.nextPageToken
    if (token === undefined) return { entries }
    const last = entries.at(-1)
    if (entries.length >= limit && last !== undefined) return { entries, cursor: sortKey(last) }
    from = listing.start
  }
}

interface Listing {
  readonly prefix: string
  readonly recursive: boolean
  /** Only places after this one. */
  readonly start: string
}

interface PageRequest {
  readonly from: string
  readonly token: string | undefined
  readonly count: number
  readonly options: ListOptions
}

function fetchPage(api: GcsApi, listing: Listing, { from, token, count, options }: PageRequest): Promise<ObjectList> {
  const { prefix, recursive } = listing
  const facts = options.stat === false ? 'items(name)' : 'items(name,size,updated,generation)'
  const startOffset = offsetAfter(from, listing)
  return api.json<ObjectList>({
    path: `${bucketPath(api.settings.bucket)}/o`,
    query: {
      fields: `${facts}${recursive ? '' : ',prefixes'},nextPageToken`,
      maxResults: Math.min(MAX_RESULTS, count),
      prefix: prefix === '' ? undefined : prefix,
      delimiter: recursive ? undefined : '/',
      startOffset: startOffset === '' ? undefined : startOffset,
      pageToken: token,
    },
    missing: 'bucket',
    signal: options.signal,
  })
}

/** The first name that may come after a place. No path has a control character, so nothing that counts is before U+0001. */
function offsetAfter(place: string, { prefix, recursive }: Listing): string {
  if (place === '' || compareUtf8(place, prefix) <= 0) return ''
  const slash = recursive ? -1 : place.indexOf('/', prefix.length)
  // Past all that is in the directory: "0" is the character after the slash.
  return slash !== -1 && place.startsWith(prefix) ? `${place.slice(0, slash)}0` : `${place}\u0001`
}

/** What a page of the store says, as entries after `previous`. */
function* entriesOf(page: ObjectList, listing: Listing, previous: Entry | undefined): Generator<Entry, undefined> {
  let place = previous === undefined ? listing.start : later(sortKey(previous), listing.start)
  for (const { name, item } of namesOf(page)) {
    if (name.startsWith(RESERVED)) continue
    for (const directory of directoriesIn(name, listing)) {
      if (compareUtf8(directory, place) <= 0 || !isPath(directory.slice(0, -1))) continue
      place = directory
      yield { type: 'directory', path: directory.slice(0, -1) }
    }
    if (item === undefined || name.endsWith('/') || compareUtf8(name, place) <= 0 || !isPath(name)) continue
    place = name
    yield fileEntry(item)
  }
}

/** Items and prefixes in one order: each is sorted by itself. */
function namesOf({ items = [], prefixes = [] }: ObjectList): readonly { readonly name: string; readonly item?: ObjectResource }[] {
  const files = items.map((item) => ({ name: item.name, item }))
  if (prefixes.length === 0) return files
  return [...files, ...prefixes.map((name) => ({ name }))].sort((a, b) => compareUtf8(a.name, b.name))
}

/** Every directory below the listing's that the name is in, with its slash; without recursion, the first. */
function directoriesIn(name: string, { prefix, recursive }: Listing): readonly string[] {
  const directories: string[] = []
  for (let slash = name.indexOf('/', prefix.length); slash !== -1; slash = recursive ? name.indexOf('/', slash + 1) : -1)
    directories.push(name.slice(0, slash + 1))
  return directories
}

function fileEntry({ name, size, updated, generation }: ObjectResource): FileEntry {
  return {
    type: 'file',
    path: name,
    ...(size !== undefined && { size: Number(size) }),
    ...(updated !== undefined && { lastModified: new Date(updated) }),
    ...(generation !== undefined && { etag: generation }),
  }
}

/** Names that no path says, such as `a//b`, cannot be asked for, so they are not shown. */
function isPath(path: string): boolean {
  try {
    return path !== '' && normalizePath(path) === path
  } catch {
    return false
  }
}

function later(a = '', b = ''): string {
  return compareUtf8(a, b) > 0 ? a : b
}
