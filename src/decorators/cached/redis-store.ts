/**
 * Entries in Redis, for every process that shares it. A hit is one round trip. With `memory` a process keeps entries of its own in
 * front, which others' writes reach by a published message: a moment later, and all at once after every reconnect, because messages
 * get lost.
 *
 *   {prefix:hash}:g   generation of a path    {prefix:hash}:f   its facts    {prefix:hash}:c   facts and content    prefix:{epoch}   that of all
 */
import type * as Ioredis from 'ioredis'
import { nodeCrypto } from '../../builtins.ts'
import { UnavailableError } from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import type { CacheCounts, CacheStore, Ticket, Token, Wanted } from './cache-store.ts'
import { type CacheEntry, decodeEntry, encodeEntry } from './entry.ts'
import { Lru } from './lru.ts'
import { BEGIN, COMMIT, END, PREPARE, RELEASE } from './redis-scripts.ts'

export interface RedisStoreOptions {
  readonly url?: string | undefined
  /** An ioredis client that was made elsewhere. It is not closed. */
  readonly client?: object | undefined
  readonly prefix: string
  /** How long an entry is kept at most, in milliseconds. */
  readonly keptMs: number
  /** Bytes of this process's own memory in front; 0: none. */
  readonly memoryBytes: number
  readonly counts: CacheCounts
}

type Redis = Ioredis.Redis

/** Generations outlive the longest fill, and the epoch every entry. */
const GENERATION_MS = 15 * 60_000
const LOCK_MS = 5_000

export class RedisStore implements CacheStore {
  readonly #options: RedisStoreOptions
  readonly #local: LocalTier | undefined
  /** Who fills: this store, among those of all processes. */
  readonly #owner = nodeCrypto().randomUUID()
  #connecting: Promise<Redis> | undefined

  constructor(options: RedisStoreOptions) {
    this.#options = options
    if (options.memoryBytes > 0) this.#local = new LocalTier(options.memoryBytes, () => void options.counts.evictions++)
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    const local = this.#local?.get(path)
    if (local !== undefined && (wanted === 'facts' || local.content !== undefined)) return local
    const redis = await this.#redis()
    const seen = this.#local?.watch(path)
    const [epoch, bytes] = await Promise.all([redis.hget(this.#epochKey(), 'v'), redis.getBuffer(this.#keys(path)[wanted])])
    const found = decodeEntry(bytes, epoch ?? '')
    this.#local?.store(path, found, seen)
    return found
  }

  async prepare(path: string): Promise<Ticket | undefined> {
    const redis = await this.#redis()
    const kept = GENERATION_MS + this.#options.keptMs
    const lockFor = (key: string): Promise<unknown> => redis.eval(PREPARE, 1, key, seed(), kept, this.#owner, LOCK_MS)
    const [all, own] = (await Promise.all([lockFor(this.#epochKey()), lockFor(this.#keys(path).generation)])) as readonly (
      | [string, number]
      | null
    )[]
    if (!all || !own) return undefined
    return { epoch: all[0], version: own[0], isOthers: own[1] === 1 }
  }

  async commit(path: string, entry: CacheEntry, { version, epoch }: Ticket): Promise<boolean> {
    const redis = await this.#redis()
    const { generation, facts, content } = this.#keys(path)
    const parts = [
      encodeEntry({ ...entry, content: undefined }, epoch),
      ...(entry.content === undefined ? [] : [encodeEntry(entry, epoch)]),
    ]
    const etag = entry.stat?.etag ?? ''
    return (await redis.eval(COMMIT, 3, generation, facts, content, version, etag, this.#options.keptMs, ...parts)) === 1
  }

  async release(path: string): Promise<void> {
    const redis = await this.#redis()
    await redis.eval(RELEASE, 1, this.#keys(path).generation, this.#owner)
  }

  async begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    for (const path of paths) this.#local?.drop(path)
    const redis = await this.#redis()
    await eachOf(paths, async (path) => {
      const { generation, facts, content } = this.#keys(path)
      await redis.eval(BEGIN, 3, generation, facts, content, seed(), token, lifeMs, GENERATION_MS)
    })
  }

  async end(paths: readonly string[], token: Token): Promise<void> {
    for (const path of paths) this.#local?.drop(path)
    const redis = await this.#redis()
    await eachOf(paths, async (path) => {
      const { generation, facts, content } = this.#keys(path)
      await redis.eval(END, 3, generation, facts, content, seed(), token, GENERATION_MS, this.#channel(), path)
    })
  }

  async beginAll(token: Token, lifeMs: number): Promise<void> {
    this.#local?.clear()
    const redis = await this.#redis()
    await redis.eval(BEGIN, 1, this.#epochKey(), seed(), token, lifeMs, GENERATION_MS + this.#options.keptMs)
  }

  async endAll(token: Token): Promise<void> {
    this.#local?.clear()
    const redis = await this.#redis()
    await redis.eval(END, 1, this.#epochKey(), seed(), token, GENERATION_MS + this.#options.keptMs, this.#channel(), '')
  }

  async close(): Promise<void> {
    const connecting = this.#connecting
    this.#connecting = undefined
    await this.#local?.close()
    if (connecting === undefined || this.#options.client !== undefined) return
    await connecting.then((redis) => redis.disconnect()).catch(() => undefined)
  }

  #redis(): Promise<Redis> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return this.#connecting
  }

  async #connect(): Promise<Redis> {
    const { client, url } = this.#options
    const redis = client === undefined ? await makeClient(url) : (client as Redis)
    await this.#local?.listen(redis, this.#channel())
    return redis
  }

  #keys(path: string): { readonly generation: string; readonly facts: string; readonly content: string } {
    const hash = nodeCrypto().createHash('sha256').update(path).digest('base64url').slice(0, 32)
    const tag = `{${this.#options.prefix}:${hash}}`
    return { generation: `${tag}:g`, facts: `${tag}:f`, content: `${tag}:c` }
  }

  #epochKey(): string {
    return `${this.#options.prefix}:{epoch}`
  }

  #channel(): string {
    return `${this.#options.prefix}:changes`
  }
}

/** What a published message has not reached yet is told apart by watching the path while its entry is on the way. */
class LocalTier {
  readonly #entries: Lru
  readonly #watched = new Map<string, Set<{ isOld: boolean }>>()
  #subscriber: Redis | undefined
  #isConnected = false

  constructor(maxBytes: number, evicted: () => void) {
    this.#entries = new Lru(maxBytes, evicted)
  }

  get(path: string): CacheEntry | undefined {
    return this.#isConnected ? this.#entries.get(path) : undefined
  }

  watch(path: string): { isOld: boolean } {
    const watch = { isOld: !this.#isConnected }
    const watches = this.#watched.get(path) ?? new Set()
    this.#watched.set(path, watches.add(watch))
    return watch
  }

  store(path: string, entry: CacheEntry | undefined, watch: { isOld: boolean } | undefined): void {
    const watches = this.#watched.get(path)
    if (watch === undefined || watches === undefined) return
    watches.delete(watch)
    if (watches.size === 0) this.#watched.delete(path)
    if (entry !== undefined && !watch.isOld && this.#isConnected) this.#entries.set(path, entry)
  }

  drop(path: string): void {
    this.#entries.delete(path)
    for (const watch of this.#watched.get(path) ?? []) watch.isOld = true
  }

  clear(): void {
    this.#entries.clear()
    for (const watches of this.#watched.values()) for (const watch of watches) watch.isOld = true
  }

  async listen(redis: Redis, channel: string): Promise<void> {
    const subscriber = redis.duplicate()
    subscriber.on('error', () => undefined) // the cache's own calls tell
    subscriber.on('message', (_channel: string, path: string) => (path === '' ? this.clear() : this.drop(path)))
    const lost = (): void => {
      this.#isConnected = false
      this.clear()
    }
    subscriber.on('close', lost)
    subscriber.on('ready', () => {
      lost()
      subscriber.subscribe(channel).then(
        () => {
          this.clear()
          this.#isConnected = true
        },
        () => undefined,
      )
    })
    this.#subscriber = subscriber
  }

  async close(): Promise<void> {
    this.clear()
    this.#isConnected = false
    this.#subscriber?.disconnect()
  }
}

async function makeClient(url: string | undefined): Promise<Redis> {
  const { Redis: Client } = await importPeer<typeof Ioredis>('ioredis')
  const redis = new Client(url ?? 'redis://127.0.0.1:6379', {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    lazyConnect: true,
  })
  redis.on('error', () => undefined) // each call tells
  await redis.connect().catch((cause: unknown) => {
    redis.disconnect()
    throw new UnavailableError('Redis cannot be reached', { cause })
  })
  return redis
}

/** A beginning for a generation that none had before. */
function seed(): number {
  return nodeCrypto().randomInt(2 ** 47)
}

const AT_ONCE = 64

async function eachOf(paths: readonly string[], run: (path: string) => Promise<void>): Promise<void> {
  const next = paths.values()
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, paths.length) }, async () => {
      for (const path of next) await run(path)
    }),
  )
}
