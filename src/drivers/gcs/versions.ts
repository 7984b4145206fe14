/** The versions of a file, the newest first: generations, which a bucket with versioning (or soft delete) keeps. */
import type { CallOptions } from '../../driver.ts'
import type { GcsApi } from './api.ts'
import { listNames } from './multipart.ts'
import { nameOf } from './objects.ts'

export interface GcsVersion {
  /** What `stat`, `get` and `delete` take. */
  readonly versionId: string
  /** The file as it is now. */
  readonly isLatest: boolean
  /** In bytes. */
  readonly size: number
  readonly lastModified: Date
  readonly etag: string
  readonly storageClass: string | undefined
}

export async function* versions(api: GcsApi, path: string, { signal }: CallOptions): AsyncGenerator<GcsVersion, void, undefined> {
  const name = nameOf(path)
  const found = await listNames(api, name, { endOffset: `${name}\u0001`, versions: true, signal })
  const own = found
    .filter((resource) => resource.name === name)
    .toSorted((a, b) => (BigInt(a.generation ?? 0) < BigInt(b.generation ?? 0) ? 1 : -1))
  for (const { size, updated, generation = '', storageClass, timeDeleted } of own) {
    const isLatest = timeDeleted === undefined
    yield { versionId: generation, isLatest, size: Number(size), lastModified: new Date(updated ?? 0), etag: generation, storageClass }
  }
}
