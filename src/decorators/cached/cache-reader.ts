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
import type { Body, Driver, FileStat, ReadOptions, ReadResult } from '../../driver.ts'
import { FileNotFoundError, isNotFound, isStorageError } from '../../errors.ts'
import type { CacheCounts, CacheStore, Ticket } from './cache-store.ts'
import type { CacheEntry } from './entry.ts'
import { Flight } from './flight.ts'
import { type Call, isSame, SharedCalls, type Started } from './shared-calls.ts'

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

/** What a read came to. A file that is too large to be shared is its first reader's alone. */
type Outcome = { readonly flight: Flight } | { readonly entry: CacheEntry } | { readonly large: LargeFile }

interface LargeFile {
  readonly result: ReadResult
  readonly abandon: () => void
  isTaken: boolean
}

interface Absence {
  readonly ticket: Ticket
  readonly until: number
}

const NEGATIVE_MS = 2_000
/** Another process that fills is waited for so often, so long each time. */
const HINTS = 40
const HINT_MS = 25
/** Of all files that are being gathered at once; more are read without being kept. */
const MAX_GATHERED = 256 * 1024 * 1024
const MAX_ABSENT = 10_000
const UNREACHABLE: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'rate_limited'])

export class CacheReader {
  readonly #inner: Driver
  readonly #options: ReaderOptions
  readonly #reads = new SharedCalls<Outcome>()
  readonly #stats = new SharedCalls<FileStat>()
  readonly #refreshing = new Set<string>()
  /** Files that are known not to be there. */
  readonly #absent = new Map<string, Absence>()
  #gathered = 0

  constructor(inner: Driver, options: ReaderOptions) {
    this.#inner = inner
    this.#options = options
  }

  async stat(path: string, options: ReadOptions): Promise<FileStat> {
    if (options.versionId !== undefined || options.ifMatch !== undefined) return this.#inner.stat(path, options)
    options.signal?.throwIfAborted()
    const { store, metadataTtlMs, counts, now } = this.#options
    const entry = await store.get(path, 'facts')
    const age = entry === undefined ? 0 : now() - entry.storedAt
    if (entry?.stat !== undefined && age < Math.min(metadataTtlMs, entry.hardMs)) {
      counts.hits++
      if (age >= entry.softMs) this.#refresh(path, entry)
      return copyOf(entry.stat)
    }
    counts.misses++
    try {
      return copyOf(await this.#freshStat(path, entry, options.signal))
    } catch (error) {
      return copyOf(this.#substitute(entry, error).stat as FileStat)
    }
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    const { ifMatch, versionId, signal } = options
    if (versionId !== undefined) return this.#inner.read(path, options)
    signal?.throwIfAborted()
    const { store, counts, now } = this.#options
    const entry = await store.get(path, 'content')
    const fits = entry?.content !== undefined && (ifMatch === undefined || entry.stat?.etag === ifMatch)
    const age = entry === undefined ? 0 : now() - entry.storedAt
    if (fits && age < entry.hardMs) {
      counts.hits++
      if (age >= entry.softMs) this.#refresh(path, entry)
      return answer(entry, options)
    }
    counts.misses++
    return fits ? this.#revalidated(path, entry, options) : this.#missing(path, options)
  }

  /** Nobody joins a read that began before now. */
  detach(paths: Iterable<string>): void {
    for (const path of paths) {
      this.#reads.detach(path)
      this.#stats.detach(path)
      this.#absent.delete(path)
    }
  }

  detachAll(): void {
    this.#reads.detachAll()
    this.#stats.detachAll()
    this.#absent.clear()
  }

  async #freshStat(path: string, entry: CacheEntry | undefined, signal: AbortSignal | undefined): Promise<FileStat> {
    const ticket = await this.#options.store.prepare(path, 'facts')
    if (ticket === undefined) return this.#inner.stat(path, { signal })
    this.#refuseAbsent(path, ticket)
    return this.#stats.join(path, ticket, (call) => this.#learnStat(path, ticket, { entry, signal: call.signal }), signal)
  }

  async #learnStat(
    path: string,
    ticket: Ticket,
    { entry, signal }: { readonly entry: CacheEntry | undefined; readonly signal: AbortSignal },
  ): Promise<Started<FileStat>> {
    try {
      const stat = await this.#inner.stat(path, { signal })
      await this.#commit(path, { stat, content: isSameFile(stat, entry?.stat) ? entry?.content : undefined }, ticket)
      return { value: stat }
    } catch (error) {
      this.#noteAbsent(path, ticket, error)
      throw error
    }
  }

  /** A part of a file, or one version of it, is read from the disk and not kept. */
  async #missing(path: string, options: ReadOptions): Promise<ReadResult> {
    if (options.range !== undefined || options.ifMatch !== undefined) return this.#inner.read(path, options)
    const ticket = await this.#options.store.prepare(path, 'content')
    if (ticket === undefined) return this.#inner.read(path, options)
    this.#refuseAbsent(path, ticket)
    const outcome = await this.#reads.join(path, ticket, (call) => this.#fetch(path, ticket, call), options.signal)
    if ('entry' in outcome) return answer(outcome.entry, options)
    if ('flight' in outcome) {
      const body = outcome.flight.body()
      return body === undefined ? this.#inner.read(path, options) : { stat: copyOf(outcome.flight.stat), body }
    }
    if (outcome.large.isTaken) return this.#inner.read(path, options)
    outcome.large.isTaken = true
    const { result, abandon } = outcome.large
    return options.signal === undefined ? result : { ...result, body: abortable(result.body, options.signal, abandon) }
  }

  async #fetch(path: string, first: Ticket, call: Call): Promise<Started<Outcome>> {
    const { entry, ticket } = await this.#meanwhile(path, first, call.signal)
    if (entry !== undefined) return { value: { entry } }
    try {
      const result = await this.#inner.read(path, { signal: call.signal })
      if (call.signal.aborted) {
        await discard(result.body)
        throw call.signal.reason
      }
      const { size } = result.stat
      if (ticket !== undefined && size <= this.#options.maxFileSize && this.#gathered + size <= MAX_GATHERED) {
        return this.#gather(path, ticket, { result, call })
      }
      this.#release(path)
      return { value: { large: { result, abandon: call.abandon, isTaken: false } } }
    } catch (error) {
      this.#noteAbsent(path, ticket, error)
      this.#release(path)
      throw error
    }
  }

  #gather(path: string, ticket: Ticket, { result, call }: { readonly result: ReadResult; readonly call: Call }): Started<Outcome> {
    const { stat } = result
    const flight = new Flight(result, call.abandon)
    this.#gathered += stat.size
    const kept = flight.content.then((content) => this.#commit(path, { stat, content }, ticket))
    const joinable = kept
      .catch(() => {
        this.#options.counts.rejected++
        this.#release(path)
      })
      .finally(() => void (this.#gathered -= stat.size))
    return { value: { flight }, joinable }
  }

  /** What came into the store since it was asked, perhaps by another process that is waited for; else the ticket to fill on. */
  async #meanwhile(
    path: string,
    first: Ticket,
    signal: AbortSignal,
  ): Promise<{ readonly entry?: CacheEntry; readonly ticket?: Ticket | undefined }> {
    const { store, now } = this.#options
    let ticket: Ticket | undefined = first
    for (let hint = 0; ticket?.isFilled || (ticket?.isOthers && hint < HINTS); hint++) {
      if (ticket.isFilled) {
        const entry = await store.get(path, 'content')
        return entry?.content !== undefined && now() - entry.storedAt < entry.hardMs ? { entry } : { ticket }
      }
      await new Promise((resolve) => void setTimeout(resolve, HINT_MS))
      signal.throwIfAborted()
      ticket = await store.prepare(path, 'content')
    }
    return { ticket }
  }

  /** An entry past its time is asked for again by its etag, which costs no content where nothing changed. */
  async #revalidated(path: string, entry: CacheEntry, options: ReadOptions): Promise<ReadResult> {
    try {
      const stat = await this.#freshStat(path, entry, options.signal)
      return isSameFile(stat, entry.stat) ? answer({ ...entry, stat }, options) : await this.#missing(path, options)
    } catch (error) {
      return answer(this.#substitute(entry, error), options)
    }
  }

  /** The old answer where it is better than none. @throws the error where the disk did answer */
  #substitute(entry: CacheEntry | undefined, error: unknown): CacheEntry {
    const { now, staleIfErrorMs, counts } = this.#options
    if (entry?.stat === undefined || !isStorageError(error) || !UNREACHABLE.has(error.code)) throw error
    if (now() - entry.storedAt >= entry.hardMs + staleIfErrorMs) throw error
    counts.stale++
    return entry
  }

  /** Behind an answer that was given: nobody waits for it, and nobody hears of its failure. One at a time. */
  #refresh(path: string, entry: CacheEntry): void {
    if (this.#refreshing.has(path)) return
    this.#refreshing.add(path)
    this.#freshStat(path, entry, undefined)
      .catch(() => undefined)
      .finally(() => void this.#refreshing.delete(path))
  }

  async #commit(path: string, { stat, content }: Pick<CacheEntry, 'stat' | 'content'>, ticket: Ticket): Promise<void> {
    const { store, counts, ttlMs, metadataTtlMs, random, now } = this.#options
    const hardMs = (content === undefined ? metadataTtlMs : ttlMs) * (0.9 + 0.2 * random())
    const stored = await store.commit(path, { stat, content, storedAt: now(), softMs: hardMs * 0.8, hardMs }, ticket)
    counts[stored ? 'fills' : 'rejected']++
  }

  /** Nobody has to wait for this fill. Not waited for either. */
  #release(path: string): void {
    this.#options.store.release(path).catch(() => undefined)
  }

  #noteAbsent(path: string, ticket: Ticket | undefined, error: unknown): void {
    if (ticket === undefined || !isNotFound(error)) return
    if (this.#absent.size >= MAX_ABSENT) this.#absent.clear()
    this.#absent.set(path, { ticket, until: this.#options.now() + NEGATIVE_MS })
  }

  /** @throws FileNotFoundError when it was not there a moment ago, and nothing was written since */
  #refuseAbsent(path: string, ticket: Ticket): void {
    const absence = this.#absent.get(path)
    if (absence === undefined) return
    if (isSame(absence.ticket, ticket) && this.#options.now() < absence.until) {
      this.#release(path)
      throw new FileNotFoundError()
    }
    this.#absent.delete(path)
  }
}

function answer({ stat, content }: CacheEntry, { range }: ReadOptions): ReadResult {
  const facts = stat as FileStat
  const bytes = content as Uint8Array
  const { start, end } = resolveRange(range, bytes.byteLength)
  return { stat: copyOf(facts), body: bytesBody(new Uint8Array(bytes.subarray(start, end))) } // a copy: what is cached stays as it is
}

function copyOf(stat: FileStat): FileStat {
  return { ...stat, lastModified: new Date(stat.lastModified), ...(stat.metadata !== undefined && { metadata: { ...stat.metadata } }) }
}

function isSameFile(a: FileStat, b: FileStat | undefined): boolean {
  return a.etag !== undefined && a.etag === b?.etag
}

/** A body of a read that others may have begun: it ends when its own reader says so. */
function abortable(body: Body, signal: AbortSignal, abandon: () => void): Body {
  signal.addEventListener('abort', abandon, { once: true })
  const forget = (): void => signal.removeEventListener('abort', abandon)
  const { bytes } = body
  return {
    bytes: bytes && (() => bytes.call(body).finally(forget)),
    [Symbol.asyncIterator]: () => {
      const chunks = body[Symbol.asyncIterator]()
      return {
        next: async () => {
          const result = await chunks.next()
          if (result.done) forget()
          return result
        },
        return: async () => {
          forget()
          await chunks.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
