/**
 * Reads through the cache.
 *
 *   age < soft       the entry
 *   soft … hard      the entry, and one refresh behind it
 *   hard …           asked again by its etag; the entry itself only while the disk cannot answer, for `staleIfError`
 *   none             one read of the disk for all who ask meanwhile, gathered on the way if it is small enough
 *
 * Whoever joins a read that is under way has made sure that nothing was written since it began.
 */
import { bytesBody, discard } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type { Driver, FileStat, ReadOptions, ReadResult } from '../../driver.ts'
import { FileNotFoundError, isNotFound, isStorageError } from '../../errors.ts'
import type { CacheCounts, CacheStore, Ticket } from './cache-store.ts'
import type { CacheEntry } from './entry.ts'
import { Flight } from './flight.ts'

export interface ReaderOptions {
  readonly store: CacheStore
  readonly counts: CacheCounts
  readonly ttlMs: number
  readonly metadataTtlMs: number
  readonly maxFileSize: number
  readonly staleIfErrorMs: number
  readonly now: () => number
  readonly random: () => number
}

/** A read under way, or what it came to: a file that is too large to be shared is its first reader's alone. */
type Shared = { readonly flight: Flight } | { readonly large: ReadResult }

interface Joinable<T> {
  readonly ticket: Ticket
  readonly result: Promise<T>
}

const NEGATIVE_MS = 2_000
/** How long another process is waited for. */
const HINT_MS = 1_000
const UNREACHABLE: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'rate_limited'])

export class CacheReader {
  readonly #inner: Driver
  readonly #options: ReaderOptions
  readonly #flights = new Map<string, Joinable<Shared>>()
  readonly #stats = new Map<string, Joinable<FileStat>>()
  /** Files that are known not to be there. */
  readonly #absent = new Map<string, Joinable<number>>()

  constructor(inner: Driver, options: ReaderOptions) {
    this.#inner = inner
    this.#options = options
  }

  async stat(path: string, options: ReadOptions): Promise<FileStat> {
    if (options.versionId !== undefined || options.ifMatch !== undefined) return this.#inner.stat(path, options)
    options.signal?.throwIfAborted()
    const entry = await this.#options.store.get(path, 'facts')
    const age = entry === undefined ? Number.POSITIVE_INFINITY : this.#options.now() - entry.storedAt
    const { metadataTtlMs, counts } = this.#options
    if (entry?.stat !== undefined && age < Math.min(metadataTtlMs, entry.hardMs)) {
      counts.hits++
      if (age >= entry.softMs) this.#refresh(path, entry)
      return copyOf(entry.stat)
    }
    counts.misses++
    return raced(this.#freshStat(path, entry), options.signal)
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    const { range, ifMatch, versionId, signal } = options
    if (versionId !== undefined) return this.#inner.read(path, options)
    signal?.throwIfAborted()
    const { counts, now } = this.#options
    const entry = await this.#options.store.get(path, 'content')
    const fits = entry?.content !== undefined && (ifMatch === undefined || entry.stat?.etag === ifMatch)
    const age = entry === undefined ? 0 : now() - entry.storedAt
    if (fits && age < entry.hardMs) {
      counts.hits++
      if (age >= entry.softMs) this.#refresh(path, entry)
      return answer(entry, options)
    }
    counts.misses++
    if (fits) return this.#revalidated(path, entry, options)
    if (range !== undefined || ifMatch !== undefined) return this.#inner.read(path, options)
    return this.#fetch(path, options)
  }

  /** Nobody joins a read that began before now. */
  detach(paths: Iterable<string>): void {
    for (const path of paths) {
      this.#flights.delete(path)
      this.#stats.delete(path)
      this.#absent.delete(path)
    }
  }

  detachAll(): void {
    this.#flights.clear()
    this.#stats.clear()
    this.#absent.clear()
  }

  async #freshStat(path: string, entry: CacheEntry | undefined): Promise<FileStat> {
    const ticket = await this.#options.store.prepare(path)
    if (ticket === undefined) return this.#inner.stat(path, {})
    const absent = this.#absent.get(path)
    if (absent !== undefined && isSame(absent.ticket, ticket) && (await absent.result) > this.#options.now()) throw new FileNotFoundError()
    const shared = this.#stats.get(path)
    if (shared !== undefined && isSame(shared.ticket, ticket)) return copyOf(await shared.result)
    const result = this.#learnStat(path, ticket, entry)
    join(this.#stats, path, { ticket, result })
    const stat = copyOf(await result)
    leave(this.#stats, path, ticket)
    return stat
  }

  async #learnStat(path: string, ticket: Ticket, entry: CacheEntry | undefined): Promise<FileStat> {
    try {
      const stat = await this.#inner.stat(path, {})
      await this.#commit(path, { stat, content: undefined }, ticket)
      return stat
    } catch (error) {
      if (isNotFound(error)) this.#absent.set(path, { ticket, result: Promise.resolve(this.#options.now() + NEGATIVE_MS) })
      if (this.#absent.size > MAX_ABSENT) this.#absent.clear()
      if (entry?.stat !== undefined && this.#maySubstitute(entry, error)) return entry.stat
      throw error
    }
  }

  async #fetch(path: string, options: ReadOptions): Promise<ReadResult> {
    const { store } = this.#options
    const ticket = await store.prepare(path)
    if (ticket === undefined) return this.#inner.read(path, options)
    const shared = this.#flights.get(path)
    if (shared !== undefined && isSame(shared.ticket, ticket)) {
      const outcome = await raced(shared.result, options.signal)
      return 'flight' in outcome ? { stat: copyOf(outcome.flight.stat), body: outcome.flight.body() } : this.#inner.read(path, options)
    }
    const hinted = ticket.isOthers ? await this.#hinted(path, options) : undefined
    if (hinted !== undefined) return hinted
    const result = this.#start(path, ticket)
    join(this.#flights, path, { ticket, result })
    const outcome = await raced(result, options.signal).catch((error: unknown) => {
      result.then((late) => ('large' in late ? discard(late.large.body) : undefined)).catch(() => undefined)
      throw error
    })
    return 'flight' in outcome ? { stat: copyOf(outcome.flight.stat), body: outcome.flight.body() } : outcome.large
  }

  async #start(path: string, ticket: Ticket): Promise<Shared> {
    const controller = new AbortController()
    const result = await this.#inner.read(path, { signal: controller.signal }).catch(async (error: unknown) => {
      await this.#options.store.release(path)
      throw error
    })
    if (result.stat.size > this.#options.maxFileSize) {
      leave(this.#flights, path, ticket)
      await this.#options.store.release(path)
      return { large: result }
    }
    const flight = new Flight(result, () => controller.abort())
    const filled = flight.content.then((content) => this.#commit(path, { stat: flight.stat, content }, ticket))
    const giveUp = (): Promise<void> => {
      this.#options.counts.rejected++
      return this.#options.store.release(path)
    }
    filled
      .catch(giveUp)
      .finally(() => leave(this.#flights, path, ticket))
      .catch(() => undefined)
    return { flight }
  }

  /** What another process puts into the cache meanwhile. */
  async #hinted(path: string, options: ReadOptions): Promise<ReadResult | undefined> {
    const { store, now, counts } = this.#options
    for (const until = now() + HINT_MS; now() < until; ) {
      await raced(new Promise((resolve) => void setTimeout(resolve, 25)), options.signal)
      const entry = await store.get(path, 'content')
      if (entry?.content === undefined) continue
      counts.hits++
      return answer(entry, options)
    }
    return undefined
  }

  /** An entry past its time is asked for again by its etag, which costs no content where nothing changed. */
  async #revalidated(path: string, entry: CacheEntry, options: ReadOptions): Promise<ReadResult> {
    try {
      const ticket = await this.#options.store.prepare(path)
      const stat = await this.#inner.stat(path, { signal: options.signal })
      if (stat.etag === undefined || stat.etag !== entry.stat?.etag) {
        return options.range === undefined && options.ifMatch === undefined
          ? await this.#fetch(path, options)
          : await this.#inner.read(path, options)
      }
      const renewed = { stat, content: entry.content }
      if (ticket !== undefined) await this.#commit(path, renewed, ticket)
      return answer({ ...entry, ...renewed }, options)
    } catch (error) {
      if (this.#maySubstitute(entry, error)) return answer(entry, options)
      throw error
    }
  }

  /** Whether an old answer is better than none: never where the disk did answer. */
  #maySubstitute(entry: CacheEntry, error: unknown): boolean {
    const { now, staleIfErrorMs, counts } = this.#options
    if (!isStorageError(error) || !UNREACHABLE.has(error.code)) return false
    if (now() - entry.storedAt >= entry.hardMs + staleIfErrorMs) return false
    counts.stale++
    return true
  }

  /** Behind an answer that was given: nobody waits for it, and nobody hears of its failure. */
  #refresh(path: string, entry: CacheEntry): void {
    const renew = async (): Promise<void> => {
      const ticket = await this.#options.store.prepare(path)
      if (ticket === undefined || ticket.isOthers) return
      const stat = await this.#inner.stat(path, {})
      if (stat.etag !== undefined && stat.etag === entry.stat?.etag) await this.#commit(path, { stat, content: entry.content }, ticket)
      else await this.#commit(path, { stat, content: undefined }, ticket)
    }
    renew().catch(() => undefined)
  }

  async #commit(path: string, { stat, content }: Pick<CacheEntry, 'stat' | 'content'>, ticket: Ticket): Promise<void> {
    const { store, counts, ttlMs, metadataTtlMs, random, now } = this.#options
    const hardMs = (content === undefined ? metadataTtlMs : ttlMs) * (0.9 + 0.2 * random())
    const stored = await store.commit(path, { stat, content, storedAt: now(), softMs: hardMs * 0.8, hardMs }, ticket)
    counts[stored ? 'fills' : 'rejected']++
  }
}

const MAX_ABSENT = 10_000

function answer({ stat, content }: CacheEntry, { range }: ReadOptions): ReadResult {
  const facts = stat as FileStat
  const bytes = content as Uint8Array
  const { start, end } = resolveRange(range, bytes.byteLength)
  return { stat: copyOf(facts), body: bytesBody(new Uint8Array(bytes.subarray(start, end))) } // a copy: what is cached stays as it is
}

function copyOf(stat: FileStat): FileStat {
  return { ...stat, lastModified: new Date(stat.lastModified), ...(stat.metadata !== undefined && { metadata: { ...stat.metadata } }) }
}

function isSame(a: Ticket, b: Ticket): boolean {
  return a.version === b.version && a.epoch === b.epoch
}

/** Lets others join, until it fails. */
function join<T>(shared: Map<string, Joinable<T>>, path: string, joinable: Joinable<T>): void {
  shared.set(path, joinable)
  joinable.result.catch(() => leave(shared, path, joinable.ticket))
}

function leave(shared: Map<string, Joinable<unknown>>, path: string, ticket: Ticket): void {
  if (shared.get(path)?.ticket === ticket) shared.delete(path)
}

/** The result, unless the signal is faster; whatever is under way goes on for others. */
function raced<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
