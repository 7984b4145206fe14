/**
 * Contents on another disk, one file each, below `.cache` names that follow from paths; facts in this process's memory. The files
 * belong to one process: what it wrote in an earlier life is found again, what others write is not seen.
 */
import { nodeCrypto } from '../../builtins.ts'
import { bytesContent, collect } from '../../content.ts'
import { pagesOf } from '../../derive.ts'
import type { Driver } from '../../driver.ts'
import { isNotFound } from '../../errors.ts'
import type { CacheCounts, CacheStore, Ticket, Token, Wanted } from './cache-store.ts'
import { type CacheEntry, decodeEntry, encodeEntry } from './entry.ts'
import { MemoryStore } from './memory-store.ts'

export interface DiskStoreOptions {
  readonly driver: Driver
  readonly maxBytes: number
  readonly counts: CacheCounts
  readonly now: () => number
  /** Tells the files of one disk from those of another that uses the same store. */
  readonly identity: string
}

/** Facts are small. */
const FACTS_BYTES = 16 * 1024 * 1024
const EPOCH = 'disk'
const FOLDER = 'stowage-cache'

export class DiskStore implements CacheStore {
  readonly #options: DiskStoreOptions
  /** Facts, and the generations of everything. */
  readonly #memory: MemoryStore
  /** Sizes of the files, the one used longest ago first. */
  #files: Map<string, number> | undefined
  #bytes = 0

  constructor(options: DiskStoreOptions) {
    this.#options = options
    this.#memory = new MemoryStore({ maxBytes: FACTS_BYTES, counts: options.counts, now: options.now })
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    const facts = await this.#memory.get(path)
    if (wanted === 'facts') return facts
    const ticket = await this.#memory.prepare(path)
    if (ticket === undefined) return facts
    const file = this.#fileOf(path)
    try {
      const { stat, body } = await this.#options.driver.read(file, {})
      const entry = decodeEntry(await collect(body, { expected: stat.size }), EPOCH)
      if (entry === undefined || entry.stat?.path !== path) await this.#remove([file])
      else if (await this.#isCurrent(path, ticket)) {
        this.#touch(file)
        return newer(facts, entry)
      }
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    return facts
  }

  prepare(path: string): Promise<Ticket | undefined> {
    return this.#memory.prepare(path)
  }

  async commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean> {
    const { content, ...facts } = entry
    if (content === undefined) return this.#memory.commit(path, entry, ticket)
    const file = this.#fileOf(path)
    const bytes = encodeEntry(entry, EPOCH)
    if (bytes.byteLength > this.#options.maxBytes) return false
    await this.#options.driver.write(file, bytesContent(bytes), {})
    await this.#count(file, bytes.byteLength)
    if (await this.#memory.commit(path, { ...facts, content: undefined }, ticket)) return true
    await this.#remove([file])
    return false
  }

  async release(): Promise<void> {
    // Fills of one process are shared before they get here.
  }

  async begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    await this.#memory.begin(paths, token, lifeMs)
    await this.#remove(paths.map((path) => this.#fileOf(path)))
  }

  async end(paths: readonly string[], token: Token): Promise<void> {
    // A fill that was committed meanwhile has seen the token; only what it wrote before that has to go.
    await this.#remove(paths.map((path) => this.#fileOf(path)))
    await this.#memory.end(paths, token)
  }

  async beginAll(token: Token, lifeMs: number): Promise<void> {
    await this.#memory.beginAll(token, lifeMs)
    await this.#removeAll()
  }

  async endAll(token: Token): Promise<void> {
    await this.#removeAll()
    await this.#memory.endAll(token)
  }

  close(): Promise<void> {
    return this.#memory.close()
  }

  async #isCurrent(path: string, { version, epoch }: Ticket): Promise<boolean> {
    const now = await this.#memory.prepare(path)
    return now?.version === version && now.epoch === epoch
  }

  async #count(file: string, bytes: number): Promise<void> {
    const files = await this.#index()
    this.#bytes += bytes - (files.get(file) ?? 0)
    files.delete(file)
    files.set(file, bytes)
    const oldest: string[] = []
    for (const [name, size] of files) {
      if (this.#bytes <= this.#options.maxBytes) break
      oldest.push(name)
      files.delete(name)
      this.#bytes -= size
      this.#options.counts.evictions++
    }
    if (oldest.length > 0) await this.#options.driver.delete(oldest, {})
  }

  #touch(file: string): void {
    const bytes = this.#files?.get(file)
    if (bytes === undefined) return
    this.#files?.delete(file)
    this.#files?.set(file, bytes)
  }

  async #remove(files: readonly string[]): Promise<void> {
    const [failure] = await this.#options.driver.delete(files, {})
    if (failure !== undefined) throw failure.error
    for (const file of files) {
      this.#bytes -= this.#files?.get(file) ?? 0
      this.#files?.delete(file)
    }
  }

  #fileOf(path: string): string {
    const hash = nodeCrypto().createHash('sha256').update(`${this.#options.identity} ${path}`).digest('hex')
    return `${FOLDER}/${hash.slice(0, 2)}/${hash.slice(2)}`
  }

  async #removeAll(): Promise<void> {
    await this.#remove([...(await this.#index()).keys()])
  }

  /** The files that are there, at the first use: also those of an earlier process. */
  async #index(): Promise<Map<string, number>> {
    if (this.#files !== undefined) return this.#files
    const files = new Map<string, number>()
    for await (const entries of pagesOf(this.#options.driver, FOLDER, { recursive: true })) {
      for (const entry of entries) if (entry.type === 'file') files.set(entry.path, entry.size ?? 0)
    }
    this.#files ??= files
    this.#bytes = [...this.#files.values()].reduce((sum, size) => sum + size, 0)
    return this.#files
  }
}

function newer(facts: CacheEntry | undefined, entry: CacheEntry): CacheEntry {
  return facts !== undefined && facts.storedAt > entry.storedAt && facts.stat?.etag !== entry.stat?.etag ? facts : entry
}
