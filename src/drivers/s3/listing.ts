/**
 * Listing a directory, in pages of the store's own order, which is that of UTF-8 bytes.
 *
 *   cursor = the key that the last page ended with: the next one asks for what comes after it (`StartAfter`), so pages neither
 *            skip nor repeat while files come and go
 *
 * While a caller works on a page, the next one is already asked for: see read-ahead.ts. A key that no path can name, such as `a//b`,
 * is not listed: no method could reach it.
 */
import { laterOf, pageOf } from '../../derive.ts'
import type { Entry, ListOptions, Page } from '../../driver.ts'
import { UnavailableError } from '../../errors.ts'
import { compareUtf8, directoryPrefix, normalizePath } from '../../path.ts'
import type { KeyPage, ListedObject } from './requests.ts'
import type { S3Store } from './store.ts'

const MAX_KEYS = 1_000 // S3 API reference, ListObjectsV2
/** Above every key that begins with what stands before it, but for those that begin with this themselves. */
const LAST = '\u{10ffff}'

/** How a page follows another one. */
export interface PageLink {
  /** What was asked for ahead of time (`askAhead`). */
  readonly answer?: Promise<KeyPage> | undefined
  /** Called with what this page says of the next, before it is ready; the last call counts. */
  readonly onToken?: ((token: string) => void) | undefined
}

/** What `askAhead` goes by: what the page before said of where the next one begins, or the key that it ended with. */
export interface Ahead extends Pick<PageLink, 'onToken'> {
  readonly token?: string | undefined
}

/** Asks for the next page, before the one before has to be ready. */
export function askAhead(store: S3Store, directory: string, options: ListOptions, { token, onToken }: Ahead): Promise<KeyPage> {
  const { recursive = false, cursor, signal } = options
  const prefix = directoryPrefix(directory)
  const after = token === undefined ? startAfter(cursor, prefix, recursive) : undefined
  return store.requests.list({ prefix, delimited: !recursive, after, token, limit: MAX_KEYS, onToken, signal })
}

export async function listObjects(store: S3Store, directory: string, options: ListOptions, link: PageLink = {}): Promise<Page> {
  const { recursive = false, limit = Number.POSITIVE_INFINITY, signal } = options // without one, a page is what the store makes it
  const prefix = directoryPrefix(directory)
  const entries: Entry[] = []
  let place = laterOf(options.cursor, options.after)
  let { answer: asked } = link
  for (;;) {
    asked ??= store.requests.list({
      prefix,
      delimited: !recursive,
      after: startAfter(place, prefix, recursive),
      // Of what is asked for first some may be what was listed already.
      limit: Math.min(MAX_KEYS, limit - entries.length + 1),
      onToken: link.onToken,
      signal,
    })
    const answer = await asked
    asked = undefined
    const page = entriesOf(answer, directory, { ...options, cursor: undefined, after: place, limit: limit - entries.length })
    entries.push(...page.entries)
    if (page.cursor !== undefined) return { entries, cursor: page.cursor }
    if (!answer.truncated) return { entries }
    const last = lastOf(answer)
    if (last === undefined) throw stuck()
    const before = place
    place = laterOf(place, last)
    if (place === before) throw stuck()
    const full = options.limit === undefined ? entries.length > 0 : entries.length >= limit
    if (full) return { entries, cursor: place ?? last }
  }
}

/** To stop there would be to say that there is no more. */
function stuck(): UnavailableError {
  return new UnavailableError('the store says that its listing goes on, and does not go on with it', {
    retryable: false,
  })
}

/** Where the store has to begin: past a whole directory, when that is what was listed last. */
function startAfter(place: string | undefined, prefix: string, recursive: boolean): string | undefined {
  if (place === undefined || compareUtf8(place, prefix) < 0) return undefined
  const inside = recursive ? -1 : place.indexOf('/', prefix.length)
  return inside === -1 ? place : `${place.slice(0, inside + 1)}${LAST}`
}

function entriesOf({ objects, prefixes }: KeyPage, directory: string, options: ListOptions): Page {
  const facts = new Map<string, ListedObject>()
  for (const object of objects) if (isPath(object.key)) facts.set(object.key, object)
  const keys = [...facts.keys(), ...prefixes.filter(isPath)]
  const sorted = prefixes.length === 0 ? keys : keys.sort(compareUtf8)
  return pageOf(sorted, directory, options, (path) => {
    const { size, lastModified, etag } = facts.get(path) as ListedObject
    return { type: 'file', path, size, lastModified, etag }
  })
}

/** A key that is a normal path, or one with a slash at its end: the marker of a directory. */
function isPath(key: string): boolean {
  const path = key.endsWith('/') ? key.slice(0, -1) : key
  try {
    return path !== '' && normalizePath(path) === path
  } catch {
    return false
  }
}

function lastOf({ objects, prefixes }: KeyPage): string | undefined {
  return laterOf(objects.at(-1)?.key, prefixes.at(-1))
}
