/** Buckets as users of an S3 disk see them: the shape that all stores share, and what only S3 has. What is behind them the first call loads. */
import type { BucketEntry, BucketInfo, Buckets, BucketSetting, BucketVersioning, CallOptions } from '../../driver.ts'
import { lazySetting } from '../../lazy-abilities.ts'
import type { Lazy } from '../../lazy.ts'
import type { S3BucketEncryption } from './bucket-settings.ts'
import type { S3LifecycleRule } from './lifecycle.ts'

export interface S3CreateBucketOptions extends CallOptions {
  /** Default: that of the disk. */
  readonly region?: string | undefined
  /** Needs object ownership other than `BucketOwnerEnforced`. Default: none is sent. */
  readonly acl?: 'private' | 'public-read' | 'public-read-write' | 'authenticated-read' | undefined
  /** Default: the store's; Amazon's is `BucketOwnerEnforced`, which switches ACLs off. */
  readonly objectOwnership?: 'BucketOwnerEnforced' | 'BucketOwnerPreferred' | 'ObjectWriter' | undefined
  /** Versions can be locked against deletion; switches versioning on. Default: false. */
  readonly objectLock?: boolean | undefined
}

export interface S3BucketInfo extends BucketInfo {
  readonly encryption?: S3BucketEncryption | undefined
  readonly objectOwnership?: string | undefined
  /** Whether versions can be locked. */
  readonly objectLock?: boolean | undefined
}

/** Administration of buckets. Every name defaults to the disk's own bucket. */
export interface S3Buckets extends Buckets {
  /** @throws FileExistsError when there is one. Amazon's us-east-1 says nothing when it is one's own */
  create(name?: string, options?: S3CreateBucketOptions): Promise<void>
  /** Those that the credentials own, by name. */
  list(options?: CallOptions): Promise<readonly BucketEntry[]>
  /** False only when there is none: one that others own is there. @throws UnauthenticatedError for wrong credentials */
  exists(name?: string, options?: CallOptions): Promise<boolean>
  /** @throws ConfigurationError when there is none */
  info(name?: string, options?: CallOptions): Promise<S3BucketInfo>
  /** An absent one is fine. `force` empties it first: every version, every delete marker, every open upload. */
  delete(name?: string, options?: CallOptions & { readonly force?: boolean | undefined }): Promise<void>
  readonly encryption: BucketSetting<S3BucketEncryption | undefined>
  readonly versioning: BucketSetting<BucketVersioning>
  readonly lifecycle: BucketSetting<readonly S3LifecycleRule[]>
}

export function lazyBuckets(administration: Lazy<{ readonly buckets: S3Buckets }>): S3Buckets {
  return {
    create: (name, options) => administration.use(({ buckets }) => buckets.create(name, options)),
    list: (options) => administration.use(({ buckets }) => buckets.list(options)),
    exists: (name, options) => administration.use(({ buckets }) => buckets.exists(name, options)),
    info: (name, options) => administration.use(({ buckets }) => buckets.info(name, options)),
    delete: (name, options) => administration.use(({ buckets }) => buckets.delete(name, options)),
    encryption: lazySetting(administration, ({ buckets }) => buckets.encryption),
    versioning: lazySetting(administration, ({ buckets }) => buckets.versioning),
    lifecycle: lazySetting(administration, ({ buckets }) => buckets.lifecycle),
  }
}
