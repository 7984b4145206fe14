/** What administration works with, and what it says of a request. Without the SDK's types: users can reach these files. */
import type { CallOptions } from '../../driver.ts'
import type { Operation } from '../../errors.ts'
import type { S3Connection } from './client.ts'
import type { S3Settings } from './settings.ts'

export interface S3Access {
  readonly connection: S3Connection
  readonly settings: S3Settings
}

export interface AskOptions extends CallOptions {
  readonly operation: Operation
  readonly path?: string | undefined
  /** Default: the disk's own. */
  readonly bucket?: string | undefined
}
