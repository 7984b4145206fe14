/**
 * `storage.objects.list`: names in the order of their UTF-8 bytes, items and prefixes counted together, pages that go on after the last
 * name even where objects came and went in between.
 */
import { allow, bucketOf, type Call, type Handler, type Names, ok, type Reply, showing } from './call.ts'
import { GcsError, invalid, notImplemented } from './errors.ts'
import { matchesGlob } from './glob.ts'
import { compareNames, type Json, type ObjectTable, type StoredObject } from './model.ts'
import { flag, whole } from './preconditions.ts'
import { isUniform, objectResource } from './resources.ts'

const MAX_RESULTS = 1000

interface Wanted {
  readonly prefix: string
  readonly delimiter: string
  readonly startOffset: string | null
  readonly endOffset: string | null
  readonly glob: string | null
  readonly isTrailingIncluded: boolean
  readonly hasVersions: boolean
  readonly limit: number
  readonly after: PageToken | undefined
}

/** Where the page before ended: a name, or everything below a prefix; and the generation, in listings of versions. */
interface PageToken {
  readonly name: string
  readonly isPrefix: boolean
  readonly generation: number
}

interface Page {
  readonly items: StoredObject[]
  readonly prefixes: string[]
  next: PageToken | undefined
}

export const listObjects: Handler = (call: Call, names: Names): Reply => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.objects.list')
  for (const unplayed of ['softDeleted', 'filter', 'includeFoldersAsPrefixes']) {
    if (call.query.has(unplayed) && call.query.get(unplayed) !== 'false') throw notImplemented(`${unplayed} of objects.list`)
  }
  const { items, prefixes, next } = pageOf(bucket.objects, wantedOf(call))
  const view = showing(call)
  const shown = isUniform(bucket) ? { ...view, projection: 'noAcl' as const } : view
  const found: Json = {
    kind: 'storage#objects',
    ...(next === undefined ? {} : { nextPageToken: encodeToken(next) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(items.length === 0 ? {} : { items: items.map((object) => objectResource(object, shown)) }),
  }
  return ok(found)
}

function wantedOf({ query }: Call): Wanted {
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    startOffset: query.get('startOffset'),
    endOffset: query.get('endOffset'),
    glob: query.get('matchGlob'),
    isTrailingIncluded: flag(query, 'includeTrailingDelimiter'),
    hasVersions: flag(query, 'versions'),
    limit: limitOf(query),
    after: decodeToken(query.get('pageToken')),
  }
}

/** @throws 400 for less than none */
export function limitOf(query: URLSearchParams): number {
  const given = whole(query, 'maxResults') ?? MAX_RESULTS
  if (given < 0)
    throw new GcsError(400, {
      reason: 'invalidParameter',
      message: `Invalid value '${given}'. Values must be within the range: [0, 2147483647]`,
    })
  return given === 0 ? MAX_RESULTS : Math.min(given, MAX_RESULTS)
}

function pageOf(table: ObjectTable, wanted: Wanted): Page {
  const page: Page = { items: [], prefixes: [], next: undefined }
  let last: PageToken | undefined
  for (const name of candidates(table, wanted)) {
    const folder = folderOf(name, wanted)
    const versions = wanted.hasVersions ? table.versions(name) : [table.live(name)]
    for (const version of versions) {
      if (version === undefined || isListed(version, wanted.after)) continue
      const isNewFolder = folder !== undefined && page.prefixes.at(-1) !== folder
      const isItem = folder === undefined || (wanted.isTrailingIncluded && name === folder)
      const isFull = page.items.length + page.prefixes.length >= wanted.limit
      if (isFull && (isNewFolder || isItem)) return { ...page, next: last }
      if (isNewFolder) page.prefixes.push(folder)
      if (isItem) page.items.push(version)
      last = { name: folder ?? name, isPrefix: folder !== undefined, generation: version.generation }
    }
  }
  return page
}

/** The names that the listing is about, from where the page before ended. */
function* candidates(table: ObjectTable, { prefix, startOffset, endOffset, glob, after }: Wanted): Generator<string> {
  const names = table.names()
  const floor = [prefix, startOffset ?? '', after?.name ?? ''].sort(compareNames).at(-1) ?? ''
  for (let at = firstNotBefore(names, floor); at < names.length; at++) {
    const name = names[at] ?? ''
    if (!name.startsWith(prefix)) return
    if (endOffset !== null && endOffset !== '' && compareNames(name, endOffset) >= 0) return
    if (after?.isPrefix === true && name.startsWith(after.name)) continue
    if (glob !== null && glob !== '' && !matchesGlob(name, glob)) continue
    yield name
  }
}

function firstNotBefore(names: readonly string[], floor: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (compareNames(names[middle] ?? '', floor) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function isListed({ name, generation }: StoredObject, after: PageToken | undefined): boolean {
  return after !== undefined && !after.isPrefix && name === after.name && generation <= after.generation
}

function folderOf(name: string, { prefix, delimiter }: Wanted): string | undefined {
  if (delimiter === '') return undefined
  const at = name.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : name.slice(0, at + delimiter.length)
}

function encodeToken(token: PageToken): string {
  return Buffer.from(JSON.stringify([token.name, token.isPrefix, token.generation])).toString('base64url')
}

/** @throws 400 */
function decodeToken(text: string | null): PageToken | undefined {
  if (text === null || text === '') return undefined
  try {
    const [name, isPrefix, generation] = JSON.parse(Buffer.from(text, 'base64url').toString()) as readonly [string, boolean, number]
    if (typeof name === 'string' && typeof generation === 'number') return { name, isPrefix, generation }
  } catch {
    // Said below.
  }
  throw invalid('Invalid Value')
}
