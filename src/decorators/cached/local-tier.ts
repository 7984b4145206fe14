/**
 * Entries in this process's memory in front of Redis. Others' writes reach them by published messages, which may get lost: after
 * every reconnect all entries go, and none is used unless Redis has answered on the same connection a moment ago.
 */
import type * as Ioredis from 'ioredis'
import type { CacheEntry } from './entry.ts'
import { Lru } from './lru.ts'

type Redis = Ioredis.Redis

const PING_MS = 500
/** How far an entry may be behind what others wrote. */
const LEASE_MS = 1_500

/** A read of Redis on its way: what is published before it arrives makes it old. */
export interface Watch {
  isOld: boolean
}

export class LocalTier {
  readonly #entries: Lru
  readonly #watched = new Map<string, Set<Watch>>()
  #subscriber: Redis | undefined
  #isConnected = false
  #heardAt = 0
  #pings: NodeJS.Timeout | undefined

  constructor(maxBytes: number, evicted: () => void) {
    this.#entries = new Lru(maxBytes, evicted)
  }

  get(path: string): CacheEntry | undefined {
    return this.#isConnected && performance.now() - this.#heardAt < LEASE_MS ? this.#entries.get(path) : undefined
  }

  watch(path: string): Watch {
    const watch = { isOld: !this.#isConnected }
    const watches = this.#watched.get(path) ?? new Set()
    this.#watched.set(path, watches.add(watch))
    return watch
  }

  unwatch(path: string, watch: Watch): void {
    const watches = this.#watched.get(path)
    watches?.delete(watch)
    if (watches?.size === 0) this.#watched.delete(path)
  }

  /** Keeps what was read under this watch, unless it is old by now. */
  store(path: string, entry: CacheEntry, watch: Watch): void {
    if (!watch.isOld && this.#isConnected) this.#entries.set(path, entry)
  }

  drop(path: string): void {
    this.#entries.delete(path)
    for (const watch of this.#watched.get(path) ?? []) watch.isOld = true
  }

  clear(): void {
    this.#entries.clear()
    for (const watches of this.#watched.values()) for (const watch of watches) watch.isOld = true
  }

  /** Listens on a connection of its own. A client that cannot be connected now is used as soon as it can. */
  listen(redis: Redis, channel: string): void {
    const subscriber = redis.duplicate()
    this.#subscriber = subscriber
    subscriber.on('error', () => undefined) // the cache's own calls tell
    subscriber.on('message', (_channel: string, path: string) => (path === '' ? this.clear() : this.drop(path)))
    subscriber.on('close', () => this.#lost())
    subscriber.on('ready', () => {
      this.#lost()
      subscriber.subscribe(channel).then(
        () => this.#found(subscriber),
        () => undefined,
      )
    })
    if (subscriber.status === 'wait') subscriber.connect().catch(() => undefined)
  }

  close(): void {
    this.#lost()
    this.#subscriber?.disconnect()
    this.#subscriber = undefined
  }

  #lost(): void {
    clearInterval(this.#pings)
    this.#isConnected = false
    this.clear()
  }

  #found(subscriber: Redis): void {
    if (subscriber !== this.#subscriber || subscriber.status !== 'ready') return
    this.clear()
    this.#isConnected = true
    this.#heardAt = performance.now()
    clearInterval(this.#pings)
    this.#pings = setInterval(() => void this.#ping(subscriber), PING_MS)
    this.#pings.unref()
  }

  /** Messages that were published before the answer have come before it. */
  async #ping(subscriber: Redis): Promise<void> {
    const sentAt = performance.now()
    try {
      await subscriber.ping()
      if (this.#isConnected) this.#heardAt = sentAt
    } catch {
      // Without an answer the lease runs out.
    }
  }
}
