/** Entries in this process's memory. Other processes' writes are seen when an entry's time is over, not before. */
import { type CacheCounts, type CacheStore, type Ticket, type Token, versionOf, type Wanted } from './cache-store.ts'
import type { CacheEntry } from './entry.ts'
import { Generations } from './generations.ts'
import { Lru } from './lru.ts'

const ALL = '' // no path of a file

export interface MemoryStoreOptions {
  readonly maxBytes: number
  readonly counts: CacheCounts
  readonly now: () => number
}

export class MemoryStore implements CacheStore {
  readonly #entries: Lru
  readonly #generations: Generations

  constructor({ maxBytes, counts, now }: MemoryStoreOptions) {
    this.#entries = new Lru(maxBytes, () => void counts.evictions++)
    this.#generations = new Generations(now)
  }

  async open(): Promise<void> {
    // There is nothing to open.
  }

  async get(path: string, _wanted: Wanted): Promise<CacheEntry | undefined> {
    return this.#entries.get(path)
  }

  async prepare(path: string, _wanted: Wanted): Promise<Ticket | undefined> {
    const epoch = this.#generations.prepare(ALL)
    const version = this.#generations.prepare(path)
    if (epoch === undefined || version === undefined) return undefined
    return { version, epoch, isOthers: false, isFilled: this.#entries.peek(path)?.content !== undefined }
  }

  async commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean> {
    return this.store(path, entry, ticket)
  }

  /** `commit`, in this turn of the event loop. */
  store(path: string, entry: CacheEntry, { version, epoch }: Ticket): boolean {
    if (!this.#generations.isCurrent(path, version) || !this.#generations.isCurrent(ALL, epoch)) return false
    this.#entries.set(path, entry.content === undefined ? withKnownContent(entry, this.#entries.peek(path)) : entry)
    return true
  }

  async release(): Promise<void> {
    // Fills of one process are shared before they get here.
  }

  async begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    for (const path of paths) {
      this.#generations.begin(path, token, lifeMs)
      this.#entries.delete(path)
    }
  }

  async end(paths: readonly string[], token: Token): Promise<void> {
    for (const path of paths) {
      this.#generations.end(path, token)
      this.#entries.delete(path)
    }
  }

  async beginAll(token: Token, lifeMs: number): Promise<void> {
    this.#generations.begin(ALL, token, lifeMs)
    this.#entries.clear()
  }

  async endAll(token: Token): Promise<void> {
    this.#generations.end(ALL, token)
    this.#entries.clear()
  }

  async close(): Promise<void> {
    this.#entries.clear()
  }
}

/** New facts of the same version: its content is as new as they are, and stays as long as content does. */
function withKnownContent(facts: CacheEntry, known: CacheEntry | undefined): CacheEntry {
  if (known?.content === undefined || versionOf(known.stat) !== versionOf(facts.stat)) return facts
  return { ...known, stat: facts.stat, storedAt: facts.stat?.etag === undefined ? known.storedAt : facts.storedAt }
}
