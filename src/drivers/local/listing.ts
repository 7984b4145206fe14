/**
 * Pages of a walk. The cursor is the place of a page's last entry in the order, so a listing can be resumed by anybody at any time,
 * at the price of reading again the directories on the way to that place.
 *
 * A few walks that are likely to go on are kept between their pages, because reading a directory of a million names for each
 * thousand of them would not end. They are forgotten after half a minute.
 */
import type { BigIntStats } from 'node:fs'
import { PAGE_ENTRIES } from '../../derive.ts'
import type { Entry, FileEntry, ListOptions, Page } from '../../driver.ts'
import { basename, compareUtf8, dirname } from '../../path.ts'
import type { Root } from './containment.ts'
import { etagOf, lastModifiedOf } from './facts.ts'
import { isMissing, LinkError } from './local-errors.ts'
import { lstatEach } from './local-files.ts'
import { Walk } from './walk.ts'

/** Entries per page where nobody says, when each has its facts: what lives at once decides how much memory V8 takes. */
const FULL_PAGE_ENTRIES = 200
const MAX_KEPT = 8
const KEPT_MS = 30_000

interface Kept {
  readonly walk: Walk
  readonly timer: NodeJS.Timeout
}

export class Listing {
  readonly #root: Root
  readonly #kept = new Map<string, Kept>()

  constructor(root: Root) {
    this.#root = root
  }

  async page(directory: string, options: ListOptions): Promise<Page> {
    const { recursive = false, cursor, after, stat = true, signal } = options
    const limit = options.limit ?? (stat ? FULL_PAGE_ENTRIES : PAGE_ENTRIES)
    const start = laterOf(cursor, after)
    const walk = this.#resume(keyOf(directory, recursive, start)) ?? (await Walk.begin(this.#root, directory, { recursive, start }))
    for (;;) {
      signal?.throwIfAborted()
      const places = await walk.take(limit)
      const entries = stat ? await this.#withFacts(places) : places.map(entryAt)
      const last = places.at(-1)
      if (last === undefined || walk.ended) return { entries }
      if (entries.length === 0) continue // every file of the page was deleted meanwhile
      this.#keep(keyOf(directory, recursive, last), walk)
      return { entries, cursor: last }
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

  /** Size, date and etag of every file, a directory at a time; without the files that were deleted meanwhile. */
  async #withFacts(places: readonly string[]): Promise<Entry[]> {
    const entries: (Entry | undefined)[] = places.map(entryAt)
    for (let first = 0; first < places.length; ) {
      const directory = dirname((entries[first] as Entry).path)
      let end = first + 1
      while (end < places.length && dirname((entries[end] as Entry).path) === directory) end++
      await this.#addFacts(directory, entries, { first, end })
      first = end
    }
    return entries.filter((entry) => entry !== undefined)
  }

  async #addFacts(
    directory: string,
    entries: (Entry | undefined)[],
    { first, end }: { readonly first: number; readonly end: number },
  ): Promise<void> {
    const files = entries.slice(first, end).filter((entry) => entry?.type === 'file')
    const found = new Map<string, Entry>()
    try {
      const key = await this.#root.resolve(directory)
      await this.#root.within(key, async (at) => {
        const links: string[] = []
        const names = files.map((file) => basename(file.path))
        await lstatEach(at, names, (index, stats) => {
          const { path } = files[index] as FileEntry
          if (stats?.isSymbolicLink()) links.push(path)
          else if (stats?.isFile()) found.set(path, withFacts(path, stats))
        })
        if (this.#root.links === 'follow') for (const path of links) await this.#addLinked(path, found)
      })
    } catch (error) {
      if (!isMissing(error) && !(error instanceof LinkError && !error.refused)) throw error
    }
    for (let index = first; index < end; index++) {
      const entry = entries[index] as Entry
      if (entry.type === 'file') entries[index] = found.get(entry.path)
    }
  }

  /** What a link that is followed leads to. */
  async #addLinked(path: string, found: Map<string, Entry>): Promise<void> {
    try {
      const stats = await this.#root.stat(await this.#root.resolve(path))
      if (stats.isFile()) found.set(path, withFacts(path, stats))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
}

function withFacts(path: string, stats: BigIntStats): FileEntry {
  return { type: 'file', path, size: Number(stats.size), lastModified: lastModifiedOf(stats), etag: etagOf(stats) }
}

function entryAt(place: string): Entry {
  return place.endsWith('/') ? { type: 'directory', path: place.slice(0, -1) } : { type: 'file', path: place }
}

function keyOf(directory: string, recursive: boolean, place: string): string {
  return `${recursive ? 'r' : 'f'}\0${directory}\0${place}`
}

/** The later of two places in the order. */
function laterOf(a = '', b = ''): string {
  return compareUtf8(a, b) > 0 ? a : b
}
