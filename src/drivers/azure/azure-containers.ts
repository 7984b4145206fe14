/** What `disk.layer('azure')?.buckets` can do: containers, as far as Azure has for them what buckets are. */
import type { Buckets, CallOptions } from '../../driver.ts'

/** Who may read a container without credentials: nobody, whoever knows a blob's name, or everybody, listings included. */
export type PublicAccess = 'none' | 'blob' | 'container'

export interface AzureContainers extends Buckets {
  /** Of the account, by its administrators: not of a container. */
  readonly encryption: undefined
  readonly versioning: undefined
  readonly lifecycle: undefined
  /** The only visibility that Azure has: of a whole container. An account may forbid all but `none`. */
  readonly publicAccess: {
    get(name?: string, options?: CallOptions): Promise<PublicAccess>
    set(access: PublicAccess, name?: string, options?: CallOptions): Promise<void>
  }
}
