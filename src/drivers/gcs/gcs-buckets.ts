/** Buckets as users of a Google Cloud Storage disk see them. What is behind them the first call loads. */
import type { BucketEncryption, Buckets, BucketSetting, BucketVersioning, CallOptions, LifecycleRule } from '../../driver.ts'
import { lazySetting } from '../../lazy-abilities.ts'
import type { Lazy } from '../../lazy.ts'

export interface GcsCreateBucketOptions extends CallOptions {
  /** `EU`, `europe-west3`, … Default: `US`. */
  readonly region?: string | undefined
}

export interface GcsBuckets extends Buckets {
  /** With uniform access and the storage class that the disk is configured with. @throws FileExistsError when there is one, of whomever */
  create(name?: string, options?: GcsCreateBucketOptions): Promise<void>
  readonly encryption: BucketSetting<BucketEncryption | undefined>
  readonly versioning: BucketSetting<BucketVersioning>
  readonly lifecycle: BucketSetting<readonly LifecycleRule[]>
}

export function lazyBuckets(operations: Lazy<{ readonly buckets: GcsBuckets }>): GcsBuckets {
  return {
    create: (name, options) => operations.use(({ buckets }) => buckets.create(name, options)),
    list: (options) => operations.use(({ buckets }) => buckets.list(options)),
    exists: (name, options) => operations.use(({ buckets }) => buckets.exists(name, options)),
    info: (name, options) => operations.use(({ buckets }) => buckets.info(name, options)),
    delete: (name, options) => operations.use(({ buckets }) => buckets.delete(name, options)),
    encryption: lazySetting(operations, ({ buckets }) => buckets.encryption),
    versioning: lazySetting(operations, ({ buckets }) => buckets.versioning),
    lifecycle: lazySetting(operations, ({ buckets }) => buckets.lifecycle),
  }
}
