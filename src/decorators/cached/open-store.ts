/** The store that a configuration names, guarded where it may fail, and what it holds by default. */
import type { Driver } from '../../driver.ts'
import type { CacheCounts, CacheStore } from './cache-store.ts'
import { DiskStore } from './disk-store.ts'
import { GuardedStore } from './guarded-store.ts'
import { MemoryStore } from './memory-store.ts'
import { RedisStore } from './redis-store.ts'

/** Sizes are bytes. */
export type CacheStoreOptions =
  | { readonly driver: 'memory'; readonly maxBytes?: number | undefined }
  | {
      readonly driver: 'redis'
      readonly url?: string | undefined
      /** An ioredis client, in place of `url`. It is not closed. */
      readonly client?: object | undefined
      /** What keys begin with. Disks that share it share entries: give each disk its own. Default: made from where the files lie. */
      readonly prefix?: string | undefined
      /** Of this process's own memory in front of Redis: other processes' writes then arrive a moment later. Default: 0, none. */
      readonly memory?: number | undefined
      /** Milliseconds that a call of Redis may take before the disk is asked in its place. Default: 100. */
      readonly budgetMs?: number | undefined
    }
  | { readonly driver: 'disk'; readonly disk: Driver | { readonly driver: Driver }; readonly maxBytes?: number | undefined }

export interface StoreContext {
  readonly counts: CacheCounts
  readonly now: () => number
  /** How long an entry is kept at most, in milliseconds. */
  readonly keptMs: number
  /** Tells the files of one disk from those of another that uses the same store. */
  readonly identity: string
}

export interface OpenedStore {
  readonly store: CacheStore
  /** Bytes of the largest file that is kept, where nobody says. */
  readonly maxFileSize: number
}

const KIB = 1024
const MIB = 1024 * KIB
/** A disk may take a while. */
const DISK_BUDGET_MS = 5_000

export function openStore(options: CacheStoreOptions = { driver: 'memory' }, context: StoreContext): OpenedStore {
  const { counts, now, keptMs, identity } = context
  if (options.driver === 'memory')
    return { store: new MemoryStore({ maxBytes: options.maxBytes ?? 64 * MIB, counts, now }), maxFileSize: MIB }
  if (options.driver === 'redis') {
    const { url, client, prefix = `stowage:${identity}`, memory: memoryBytes = 0, budgetMs } = options
    const store = new RedisStore({ url, client, prefix, memoryBytes, keptMs, counts })
    return { store: new GuardedStore(store, { counts, now, budgetMs }), maxFileSize: 256 * KIB }
  }
  const driver = 'driver' in options.disk ? options.disk.driver : options.disk
  const store = new DiskStore({ driver, maxBytes: options.maxBytes ?? 1024 * MIB, counts, now, identity })
  return { store: new GuardedStore(store, { counts, now, budgetMs: DISK_BUDGET_MS }), maxFileSize: 64 * MIB }
}
