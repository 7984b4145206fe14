/** What is seldom asked of a store, over the SDK: its buckets, the ACLs and versions of files, uploads that nobody completed. */
import type { CallOptions } from '../../driver.ts'
import type { S3Access } from './access.ts'
import { AclRequests } from './acl.ts'
import { BucketRequests } from './buckets.ts'
import { type PruneOptions, type PruneResult, pruneIncompleteUploads } from './prune.ts'
import type { S3ObjectAcls } from './s3-acl.ts'
import type { S3Buckets } from './s3-buckets.ts'
import { type S3Version, versions } from './versions.ts'

export interface S3Administration {
  readonly buckets: S3Buckets
  readonly acl: S3ObjectAcls
  versions(path: string, options: CallOptions): AsyncIterable<S3Version>
  pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult>
}

export function administrationOf(access: S3Access): S3Administration {
  const { connection, settings } = access
  return {
    buckets: new BucketRequests(connection, settings),
    acl: new AclRequests(connection, settings),
    versions: (path, options) => versions(access, path, options),
    pruneIncompleteUploads: (options) => pruneIncompleteUploads(access, options),
  }
}
