/** What reads through a cache and tells it of changes, loaded by the first operation, and the store that the configuration names. */
import type { Driver } from '../../driver.ts'
import { CacheReader } from './cache-reader.ts'
import type { CacheCounts, CacheStore } from './cache-store.ts'
import type { CachedOptions } from './cached.ts'
import { identityOf } from './identity.ts'
import { Mutations } from './mutations.ts'
import { openStore } from './open-store.ts'

export interface CachedOperations {
  readonly reader: CacheReader
  readonly mutations: Mutations
  readonly store: CacheStore
}

/** @param counts is written to */
export function cachedOperations(inner: Driver, options: CachedOptions, counts: CacheCounts): CachedOperations {
  const { ttl = 3_600, metadataTtl = ttl, staleIfError = 0, now = Date.now, random = Math.random } = options
  const keptMs = Math.ceil((Math.max(ttl, metadataTtl) * 1.1 + staleIfError) * 1_000) + 1
  const { store, maxFileSize } = openStore(options.store, { counts, now, keptMs, identity: identityOf(inner) })
  const limits = { ttlMs: ttl * 1_000, metadataTtlMs: metadataTtl * 1_000, staleIfErrorMs: staleIfError * 1_000 }
  const reader = new CacheReader(inner, { store, counts, ...limits, maxFileSize: options.maxFileSize ?? maxFileSize, now, random })
  return { reader, mutations: new Mutations(store, reader), store }
}
