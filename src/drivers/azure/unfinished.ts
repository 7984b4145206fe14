/** Uploads that were begun and never committed, as users meet them. */
import type { CallOptions } from '../../driver.ts'

export interface AzurePruneOptions extends CallOptions {
  /** A point in time, or seconds ago: younger uploads may be under way. */
  readonly olderThan: Date | number
  /** Only uploads of files whose names begin so. Default: those of the whole container. */
  readonly prefix?: string | undefined
}

export interface AzurePruneResult {
  /** How many were removed. */
  readonly aborted: number
  readonly uploads: readonly UnfinishedUpload[]
}

export interface UnfinishedUpload {
  readonly path: string
  /** When its first block came. */
  readonly started: Date
}
