/** What `disk.layer('azure')?.buckets` can do: containers, as far as Azure has for them what buckets are. What is behind them the first call loads. */
import type { Buckets, BucketSetting } from '../../driver.ts'
import { lazySetting } from '../../lazy-abilities.ts'
import type { Lazy } from '../../lazy.ts'

/** Who may read a container without credentials: nobody, whoever knows a blob's name, or everybody, listings included. */
export type PublicAccess = 'none' | 'blob' | 'container'

export interface AzureContainers extends Buckets {
  /** Of the account, by its administrators: not of a container. */
  readonly encryption: undefined
  readonly versioning: undefined
  readonly lifecycle: undefined
  /** The only visibility that Azure has: of a whole container. An account may forbid all but `none`. */
  readonly publicAccess: BucketSetting<PublicAccess>
}

export function lazyContainers(operations: Lazy<{ readonly buckets: AzureContainers }>): AzureContainers {
  return {
    create: (name, options) => operations.use(({ buckets }) => buckets.create(name, options)),
    list: (options) => operations.use(({ buckets }) => buckets.list(options)),
    exists: (name, options) => operations.use(({ buckets }) => buckets.exists(name, options)),
    info: (name, options) => operations.use(({ buckets }) => buckets.info(name, options)),
    delete: (name, options) => operations.use(({ buckets }) => buckets.delete(name, options)),
    encryption: undefined,
    versioning: undefined,
    lifecycle: undefined,
    publicAccess: lazySetting(operations, ({ buckets }) => buckets.publicAccess),
  }
}
