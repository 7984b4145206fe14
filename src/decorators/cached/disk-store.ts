/**
 * Contents on another disk, one file each, below `stowage-cache/` in names that follow from paths; facts in this process's memory.
 *
 * Every fill puts a mark of its own into its file, and the file counts only while this process remembers the mark: one that came
 * late, or was left by a crash, is never taken for the newest. Files of an earlier process, or of another one, are good for what
 * their disk says is unchanged: they are asked for again by their etag.
 */
import { nodeCrypto } from '../../builtins.ts'
import { bytesContent, collect } from '../../content.ts'
import { pagesOf } from '../../derive.ts'
import type { Driver, FileEntry } from '../../driver.ts'
import { isNotFound } from '../../errors.ts'
import { type CacheCounts, type CacheStore, type Ticket, type Token, versionOf, type Wanted } from './cache-store.ts'
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

/** A file of the store. */
interface Kept {
  readonly bytes: number
  /** Of the fill that was committed; none before this process has committed one. */
  readonly mark: string | undefined
}

/** Facts are small. */
const FACTS_BYTES = 16 * 1024 * 1024
const MAX_FILES = 100_000
const FOLDER = 'stowage-cache'

export class DiskStore implements CacheStore {
  readonly #options: DiskStoreOptions
  readonly #folder: string
  /** Facts, and the generations of everything. */
  readonly #memory: MemoryStore
  /** What is known of the files, the one used longest ago first. */
  readonly #files = new Map<string, Kept>()
  /** Marks of this process begin with it. */
  readonly #life = nodeCrypto().randomUUID()
  #fills = 0
  #bytes = 0
  #opening: Promise<void> | undefined

  constructor(options: DiskStoreOptions) {
    this.#options = options
    this.#folder = `${FOLDER}/${options.identity}`
    this.#memory = new MemoryStore({ maxBytes: FACTS_BYTES, counts: options.counts, now: options.now })
  }

  /** Finds the files that are there, those of an earlier process. */
  open(): Promise<void> {
    this.#opening ??= this.#find().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    const facts = await this.#memory.get(path, wanted)
    if (wanted === 'facts') return facts
    const file = this.#fileOf(path)
    const before = this.#files.get(file)
    if (before === undefined) return facts
    const entry = await this.#read(path, file)
    if (this.#files.get(file) !== before) return facts // written, or filled again, meanwhile
    if (entry === undefined) {
      await this.#forget([file])
      return facts
    }
    this.#files.delete(file)
    this.#files.set(file, before) // used last
    if (facts !== undefined && facts.storedAt > entry.storedAt && versionOf(facts.stat) !== versionOf(entry.stat)) return facts
    return before.mark === undefined ? { ...entry, softMs: 0, hardMs: 0 } : entry
  }

  async prepare(path: string, wanted: Wanted): Promise<Ticket | undefined> {
    const ticket = await this.#memory.prepare(path, wanted)
    return ticket && { ...ticket, isFilled: this.#files.get(this.#fileOf(path))?.mark !== undefined }
  }

  async commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean> {
    if (entry.content === undefined) return this.#memory.commit(path, entry, ticket)
    const mark = `${this.#life}.${++this.#fills}`
    const bytes = encodeEntry(entry, mark)
    if (bytes.byteLength > this.#options.maxBytes) return false
    const file = this.#fileOf(path)
    await this.#options.driver.write(file, bytesContent(bytes), {})
    if (this.#memory.store(path, { ...entry, content: undefined }, ticket)) {
      this.#keep(file, { bytes: bytes.byteLength, mark })
      await this.#makeRoom()
      return true
    }
    if (!this.#files.has(file)) await this.#options.driver.delete([file], {})
    return false
  }

  async release(): Promise<void> {
    // Fills of one process are shared before they get here.
  }

  async begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    await Promise.all([this.#memory.begin(paths, token, lifeMs), this.#forget(paths.map((path) => this.#fileOf(path)))])
  }

  async end(paths: readonly string[], token: Token): Promise<void> {
    await this.#forget(paths.map((path) => this.#fileOf(path)))
    await this.#memory.end(paths, token)
  }

  async beginAll(token: Token, lifeMs: number): Promise<void> {
    await Promise.all([this.#memory.beginAll(token, lifeMs), this.#forget([...this.#files.keys()])])
  }

  async endAll(token: Token): Promise<void> {
    await this.#forget([...this.#files.keys()])
    await this.#memory.endAll(token)
  }

  async close(): Promise<void> {
    this.#files.clear()
    await this.#memory.close()
  }

  async #find(): Promise<void> {
    const found: FileEntry[] = []
    for await (const entries of pagesOf(this.#options.driver, this.#folder, { recursive: true })) {
      for (const entry of entries) if (entry.type === 'file') found.push(entry)
    }
    found.sort((a, b) => (a.lastModified?.getTime() ?? 0) - (b.lastModified?.getTime() ?? 0))
    for (const { path, size = 0 } of found) this.#keep(path, { bytes: size, mark: undefined })
    await this.#makeRoom()
  }

  /** The entry in the file, if it is the one that counts. */
  async #read(path: string, file: string): Promise<CacheEntry | undefined> {
    try {
      const { stat, body } = await this.#options.driver.read(file, {})
      const entry = decodeEntry(await collect(body, { expected: stat.size }), undefined)
      const mark = this.#files.get(file)?.mark
      if (entry?.stat?.path !== path) return undefined
      return mark === undefined || entry.epoch === mark ? entry : undefined
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #keep(file: string, kept: Kept): void {
    this.#bytes += kept.bytes - (this.#files.get(file)?.bytes ?? 0)
    this.#files.delete(file)
    this.#files.set(file, kept)
  }

  async #makeRoom(): Promise<void> {
    const oldest: string[] = []
    let bytes = this.#bytes
    for (const [file, kept] of this.#files) {
      if (bytes <= this.#options.maxBytes && this.#files.size - oldest.length <= MAX_FILES) break
      oldest.push(file)
      bytes -= kept.bytes
    }
    this.#options.counts.evictions += oldest.length
    await this.#forget(oldest)
  }

  /** From now on the files count for nothing, also if they cannot be deleted. */
  async #forget(files: readonly string[]): Promise<void> {
    const known = files.filter((file) => this.#files.has(file))
    for (const file of known) {
      this.#bytes -= this.#files.get(file)?.bytes ?? 0
      this.#files.delete(file)
    }
    if (known.length === 0) return
    const [failure] = await this.#options.driver.delete(known, {})
    if (failure !== undefined) throw failure.error
  }

  #fileOf(path: string): string {
    const hash = nodeCrypto().createHash('sha256').update(path).digest('hex')
    return `${this.#folder}/${hash.slice(0, 2)}/${hash.slice(2)}`
  }
}
