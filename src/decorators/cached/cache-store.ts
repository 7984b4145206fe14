/**
 * Where a cache keeps its entries, and how it never keeps an old one. What is written here is the protocol; the stores speak it.
 *
 *   mutate   begin: own token into the path's generation, version up, entry gone  →  the disk's write  →  end: token out, version up, entry gone
 *   fill     prepare: the version, unless a writer is at work  →  the disk's read  →  commit: only if the version is the same and nobody writes
 *
 * A writer that dies leaves its token, which keeps the path out of the cache until it expires; purging it moves the version on.
 * `end` follows also on a write that failed, because it may have happened. The whole namespace has a generation of its own, the
 * epoch: entries of another one are none.
 */
import type { FileStat } from '../../driver.ts'
import type { CacheEntry } from './entry.ts'

/** What a fill was allowed on. */
export interface Ticket {
  readonly version: string
  readonly epoch: string
  /** Another process is reading the same content for the cache: a hint. */
  readonly isOthers: boolean
  /** The store has the content by now: a hint. */
  readonly isFilled: boolean
}

/** A write under way. */
export type Token = string

/** Facts are had without the content, where that costs less. */
export type Wanted = 'facts' | 'content'

export interface CacheStore {
  /** Gets ready, once; what is ready already costs nothing. */
  open(): Promise<void>
  /** One round trip. */
  get(path: string, wanted: Wanted): Promise<CacheEntry | undefined>
  /** Undefined while a writer is at work: what is read now may be old already. For content it tells others, until `commit` or `release`. */
  prepare(path: string, wanted: Wanted): Promise<Ticket | undefined>
  /** Facts alone keep the content of the same version. @returns false when it was refused, because something was written meanwhile */
  commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean>
  /** Says that a fill was given up: nobody needs to wait for it. */
  release(path: string): Promise<void>
  /** @param lifeMs how long the token counts if `end` never comes */
  begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void>
  end(paths: readonly string[], token: Token): Promise<void>
  /** As `begin` and `end`, for every path at once. */
  beginAll(token: Token, lifeMs: number): Promise<void>
  endAll(token: Token): Promise<void>
  close(): Promise<void>
}

/** Tells one version of a file from another as well as its disk can. */
export function versionOf(stat: FileStat | undefined): string {
  return stat === undefined ? '' : (stat.etag ?? `${stat.size} ${stat.lastModified.getTime()}`)
}

/** What happened, since the driver was made. */
export interface CacheCounts {
  hits: number
  misses: number
  fills: number
  /** Fills that were given up or refused. */
  rejected: number
  evictions: number
  /** Calls of the store that failed or took too long. */
  errors: number
  /** Answers past their time, because the disk could not answer. */
  stale: number
}
