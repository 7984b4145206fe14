/**
 * One listing over several disks: each name once, in order, the primary's where it has it. What was deleted is not shown, and neither
 * is a directory that only fallbacks have when nothing in it is left. The cursor is the last place that was looked at.
 */
import { laterOf, PAGE_ENTRIES, sortKey } from '../../derive.ts'
import type { CallOptions, Driver, Entry, ListOptions, Page } from '../../driver.ts'
import { compareUtf8 } from '../../path.ts'
import { TOMBSTONES, type Tombstones } from './tombstones.ts'

export interface Union {
  readonly primary: Driver
  readonly fallbacks: readonly Driver[]
  readonly tombstones: Tombstones
}

/** Directories that are looked into at once. */
const AT_ONCE = 8

export async function listUnion(union: Union, directory: string, options: ListOptions): Promise<Page> {
  const { limit = PAGE_ENTRIES, after, cursor, ...rest } = options
  const start = laterOf(after, cursor)
  const pages = await Promise.all(
    [union.primary, ...union.fallbacks].map((driver) => driver.list(directory, { ...rest, after: start, limit })),
  )
  const merged = merge(pages, limit)
  const own = new Set(pages[0]?.entries.map(sortKey))
  const visible = await visibleOf(union, merged.entries, { own, signal: options.signal })
  return merged.cursor === undefined ? { entries: visible } : { entries: visible, cursor: merged.cursor }
}

/** The first entries of all pages, up to where every page that goes on has been seen. */
function merge(pages: readonly Page[], limit: number): Page {
  const ends = pages.flatMap(({ entries, cursor }) => (cursor === undefined ? [] : [endOf(entries, cursor)]))
  const end = ends.sort(compareUtf8)[0]
  const byKey = new Map<string, Entry>()
  for (const { entries } of pages) for (const entry of entries) if (!byKey.has(sortKey(entry))) byKey.set(sortKey(entry), entry)
  const keys = [...byKey.keys()].filter((key) => end === undefined || compareUtf8(key, end) <= 0).sort(compareUtf8)
  const taken = keys.slice(0, limit)
  const entries = taken.map((key) => byKey.get(key) as Entry)
  const last = keys.length > limit ? taken.at(-1) : end
  return last === undefined ? { entries } : { entries, cursor: last }
}

/** How far a page that goes on has come. */
function endOf(entries: readonly Entry[], cursor: string): string {
  const last = entries.at(-1)
  return last === undefined ? cursor : sortKey(last)
}

interface Seen extends CallOptions {
  /** What the primary listed. */
  readonly own: ReadonlySet<string>
}

async function visibleOf(union: Union, entries: readonly Entry[], { own, signal }: Seen): Promise<readonly Entry[]> {
  const others = entries.filter((entry) => !own.has(sortKey(entry)))
  const deleted = await union.tombstones.among(
    others.filter(({ type }) => type === 'file').map(({ path }) => path),
    { signal },
  )
  const empty = new Set<string>()
  const next = others.filter(({ type }) => type === 'directory').values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const { path } of next) if (!(await hasFiles(union, path, { signal }))) empty.add(path)
    }),
  )
  return entries.filter((entry) => {
    if (entry.path === TOMBSTONES || entry.path.startsWith(`${TOMBSTONES}/`)) return false
    if (own.has(sortKey(entry))) return true
    return entry.type === 'file' ? !deleted.has(entry.path) : !empty.has(entry.path)
  })
}

/** Whether a fallback has a file in this directory that was not deleted, or the directory itself and nothing in it. */
export async function hasFiles({ fallbacks, tombstones }: Union, directory: string, { signal }: CallOptions): Promise<boolean> {
  for (const fallback of fallbacks) {
    let sawFile = false
    let cursor: string | undefined
    do {
      const page: Page = await fallback.list(directory, { recursive: true, stat: false, cursor, signal })
      const files = page.entries.filter(({ type }) => type === 'file').map(({ path }) => path)
      sawFile ||= files.length > 0
      if ((await tombstones.among(files, { signal })).size < files.length) return true
      cursor = page.cursor
    } while (cursor !== undefined)
    if (!sawFile && (await fallback.directories?.exists(directory, { signal })) === true) return true
  }
  return false
}
