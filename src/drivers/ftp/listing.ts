/**
 * Pages of a walk. The cursor is the place of a page's last entry in the order, so a listing can be resumed by anybody at any time,
 * at the price of listing again the directories on the way to that place.
 *
 * A few walks that are likely to go on are kept between their pages, because listing a directory of many thousand names anew for each
 * page would not end. They are forgotten after half a minute.
 */
import { PAGE_ENTRIES } from '../../derive.ts'
import type { CallOptions, Entry, ListOptions, Page } from '../../driver.ts'
import { compareUtf8 } from '../../path.ts'
import { modifiedOf, sizeOf } from './look.ts'
import type { Session } from './session.ts'
import { type Found, Walk } from './walk.ts'

const MAX_KEPT = 8
const KEPT_MS = 30_000

interface Kept {
  readonly walk: Walk
  readonly timer: NodeJS.Timeout
}

export class Listing {
  readonly #kept = new Map<string, Kept>()

  async page(session: Session, directory: string, options: ListOptions): Promise<Page> {
    const { recursive = false, cursor, after, stat = true, limit = PAGE_ENTRIES, signal } = options
    const start = laterOf(cursor, after)
    const walk = this.#resume(keyOf(directory, recursive, start)) ?? (await Walk.begin(session, directory, { recursive, start, signal }))
    for (;;) {
      const found = await walk.take(session, limit, { signal })
      const entries = stat ? await withFacts(session, found, { signal }) : found.map(entryAt)
      const last = found.at(-1)
      if (last === undefined || walk.ended) return { entries }
      if (entries.length === 0) continue // every file of the page was deleted meanwhile
      this.#keep(keyOf(directory, recursive, last.place), walk)
      return { entries, cursor: last.place }
    }
  }

  /** Forgets the walks that were kept. */
  close(): void {
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
    this.#kept.clear()
  }

  #resume(key: string): Walk | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    clearTimeout(kept.timer)
    this.#kept.delete(key)
    return kept.walk
  }

  #keep(key: string, walk: Walk): void {
    this.#resume(key)
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined && this.#kept.size >= MAX_KEPT) this.#resume(oldest)
    const timer = setTimeout(() => this.#kept.delete(key), KEPT_MS)
    timer.unref()
    this.#kept.set(key, { walk, timer })
  }
}

/** Size and date of every file. What the listing did not say is asked for, file by file; a file that is gone is left out. */
async function withFacts(session: Session, found: readonly Found[], { signal }: CallOptions): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const { place, fact } of found) {
    if (fact.type === 'directory') {
      entries.push({ type: 'directory', path: place.slice(0, -1) })
      continue
    }
    signal?.throwIfAborted()
    const key = session.keyOf(place)
    const lastModified = fact.modified ?? (await modifiedOf(session, key, { signal }))
    const size = fact.size ?? (await sizeOf(session, key, { signal }))
    if (size === undefined) continue
    entries.push({ type: 'file', path: place, size, ...(lastModified !== undefined && { lastModified }) })
  }
  return entries
}

/** What the listing itself has said. */
function entryAt({ place, fact: { type, size, modified } }: Found): Entry {
  if (type === 'directory') return { type, path: place.slice(0, -1) }
  return { type: 'file', path: place, ...(size !== undefined && { size }), ...(modified !== undefined && { lastModified: modified }) }
}

function keyOf(directory: string, recursive: boolean, place: string): string {
  return `${recursive ? 'r' : 'f'}\0${directory}\0${place}`
}

/** The later of two places in the order. */
function laterOf(a = '', b = ''): string {
  return compareUtf8(a, b) > 0 ? a : b
}
