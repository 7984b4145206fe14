/** Entries by path, bounded in bytes and in number; the one that was used longest ago goes first. */
import { type CacheEntry, entryBytes } from './entry.ts'

const MAX_ENTRIES = 100_000

export class Lru {
  readonly #entries = new Map<string, CacheEntry>()
  readonly #maxBytes: number
  readonly #evicted: () => void
  #bytes = 0

  constructor(maxBytes: number, evicted: () => void) {
    this.#maxBytes = maxBytes
    this.#evicted = evicted
  }

  get(path: string): CacheEntry | undefined {
    const entry = this.#entries.get(path)
    if (entry === undefined) return undefined
    this.#entries.delete(path)
    this.#entries.set(path, entry)
    return entry
  }

  /** Without counting as a use. */
  peek(path: string): CacheEntry | undefined {
    return this.#entries.get(path)
  }

  set(path: string, entry: CacheEntry): void {
    this.delete(path)
    const bytes = entryBytes(entry)
    if (bytes > this.#maxBytes) return
    this.#entries.set(path, { ...entry, content: owned(entry.content) })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= MAX_ENTRIES) return
      this.delete(oldest)
      this.#evicted()
    }
  }

  delete(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    this.#bytes -= entryBytes(entry)
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}

/** In memory of its own: a view would keep all that it is a part of. */
function owned(content: Uint8Array | undefined): Uint8Array | undefined {
  return content === undefined || content.byteLength === content.buffer.byteLength ? content : new Uint8Array(content)
}
