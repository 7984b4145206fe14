/**
 * Entries in Redis, for every process that shares it. A hit is one round trip. With `memory` a process keeps entries of its own in
 * front (see `local-tier.ts`). What a Redis held before it was started again, or before another took its place, is not used: it may
 * lack the last writes.
 *
 *   {prefix:hash}:g   generation of a path    {prefix:hash}:f   its facts    {prefix:hash}:c   facts and content    prefix:{epoch}   that of all
 */
import type * as Ioredis from 'ioredis'
import { nodeCrypto } from '../../builtins.ts'
import { UnavailableError } from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import { type CacheCounts, type CacheStore, type Ticket, type Token, versionOf, type Wanted } from './cache-store.ts'
import { type CacheEntry, decodeEntry, encodeEntry } from './entry.ts'
import { LocalTier } from './local-tier.ts'
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
/** How long a fill is waited for by other processes. */
const LOCK_MS = 5_000

export class RedisStore implements CacheStore {
  readonly #options: RedisStoreOptions
  readonly #local: LocalTier | undefined
  /** Who fills: this store, among those of all processes. */
  readonly #owner = nodeCrypto().randomUUID()
  #connecting: Promise<Redis> | undefined
  #isClosed = false
  /** Which life of which server the connection leads to. */
  #run: Promise<string> = Promise.resolve('')
  #forget: () => void = () => undefined

  constructor(options: RedisStoreOptions) {
    this.#options = options
    if (options.memoryBytes > 0) this.#local = new LocalTier(options.memoryBytes, () => void options.counts.evictions++)
  }

  async open(): Promise<void> {
    await this.#redis()
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    const local = this.#local?.get(path)
    if (local !== undefined && (wanted === 'facts' || local.content !== undefined)) return local
    const watch = this.#local?.watch(path)
    try {
      const redis = await this.#redis()
      const [epoch, bytes] = await getBoth(redis, this.#epochKey(), this.#keys(path)[wanted])
      const found = epoch === null || bytes === null ? undefined : decodeEntry(bytes, await this.#epochOf(epoch))
      if (found !== undefined && watch !== undefined) this.#local?.store(path, found, watch)
      return found
    } finally {
      if (watch !== undefined) this.#local?.unwatch(path, watch)
    }
  }

  async prepare(path: string, wanted: Wanted): Promise<Ticket | undefined> {
    const redis = await this.#redis()
    const kept = GENERATION_MS + this.#options.keptMs
    const { generation, content } = this.#keys(path)
    const lock = wanted === 'content' ? [this.#owner, LOCK_MS] : []
    const [all, own] = (await Promise.all([
      redis.eval(PREPARE, 1, this.#epochKey(), seed(), kept),
      redis.eval(PREPARE, 2, generation, content, seed(), kept, ...lock),
    ])) as readonly (readonly [version: string, isOthers: number, isFilled: number] | null)[]
    if (!all || !own) return undefined
    const [version, isOthers, isFilled] = own
    return { epoch: await this.#epochOf(all[0]), version, isOthers: isOthers === 1, isFilled: isFilled === 1 }
  }

  async commit(path: string, entry: CacheEntry, { version, epoch }: Ticket): Promise<boolean> {
    const redis = await this.#redis()
    const { generation, facts, content } = this.#keys(path)
    const parts = [
      encodeEntry({ ...entry, content: undefined }, epoch),
      ...(entry.content === undefined ? [] : [encodeEntry(entry, epoch)]),
    ]
    const file = versionOf(entry.stat)
    return (await redis.eval(COMMIT, 3, generation, facts, content, version, file, this.#options.keptMs, ...parts)) === 1
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
      await redis.eval(BEGIN, 3, generation, facts, content, seed(), token, lifeMs, GENERATION_MS, this.#channel(), path)
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
    const kept = GENERATION_MS + this.#options.keptMs
    await redis.eval(BEGIN, 1, this.#epochKey(), seed(), token, lifeMs, kept, this.#channel(), '')
  }

  async endAll(token: Token): Promise<void> {
    this.#local?.clear()
    const redis = await this.#redis()
    await redis.eval(END, 1, this.#epochKey(), seed(), token, GENERATION_MS + this.#options.keptMs, this.#channel(), '')
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#local?.close()
    this.#forget()
    const connecting = this.#connecting
    if (connecting === undefined || this.#options.client !== undefined) return
    await connecting.then((redis) => redis.disconnect()).catch(() => undefined)
  }

  #redis(): Promise<Redis> {
    if (this.#isClosed) return Promise.reject(new UnavailableError('the cache is closed'))
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return this.#connecting
  }

  async #connect(): Promise<Redis> {
    const { client, url } = this.#options
    const redis = client === undefined ? await makeClient(url) : (client as Redis)
    const learn = (): void => {
      this.#run = runOf(redis)
    }
    redis.on('ready', learn)
    this.#forget = () => void redis.off('ready', learn)
    if (redis.status === 'ready') learn()
    if (redis.status === 'wait') await connected(redis)
    if (this.#isClosed) {
      if (client === undefined) redis.disconnect()
      throw new UnavailableError('the cache is closed')
    }
    this.#local?.listen(redis, this.#channel())
    return redis
  }

  /** An entry is good as long as nobody cleared the cache, on the server that it was stored on. Asked after that server has answered. */
  async #epochOf(version: string): Promise<string> {
    return `${version}.${await this.#run}`
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

/** A client that fails at once while there is no connection, and connects again by itself. */
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
  return redis
}

async function connected(redis: Redis): Promise<void> {
  try {
    await redis.connect()
  } catch (cause) {
    redis.disconnect()
    throw new UnavailableError('Redis cannot be reached', { cause })
  }
}

/** The epoch and an entry, in one packet where one server has both. */
async function getBoth(redis: Redis, epochKey: string, key: string): Promise<readonly [epoch: string | null, bytes: Buffer | null]> {
  if (redis.isCluster) return Promise.all([redis.hget(epochKey, 'v'), redis.getBuffer(key)])
  const replies = (await redis.pipeline().hget(epochKey, 'v').getBuffer(key).exec()) ?? []
  const [[, epoch] = [], [, bytes] = []] = replies
  const failure = replies.find(([error]) => error !== null)?.[0]
  if (failure) throw failure
  return [epoch as string | null, bytes as Buffer | null]
}

/** A name of the server's own, new whenever it starts; none where it does not tell, or where there are several. */
async function runOf(redis: Redis): Promise<string> {
  if (redis.isCluster) return ''
  const facts = await redis.info('server').catch(() => '')
  return /^run_id:(\w+)/m.exec(facts)?.[1] ?? ''
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
