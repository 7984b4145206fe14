/**
 * The versions of a file, the newest first. A delete is a version too, without bytes: a delete marker.
 *
 *   for await (const { versionId, isLatest, deleted } of disk.layer('s3')!.versions('a.txt')) …
 *
 * In a bucket that never had versioning a file has one version, whose id is `null`. Memory is bounded by a page of 1,000.
 */
import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3'
import type { CallOptions } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import { normalizeFilePath } from '../../path.ts'
import type { AskOptions, S3Access } from './access.ts'
import { ask } from './ask.ts'
import { checkKey } from './keys.ts'
import { unescaped } from './notations.ts'

export interface S3Version {
  /** What `stat`, `get` and `delete` take. */
  readonly versionId: string
  readonly isLatest: boolean
  /** A delete marker: the file was deleted here. */
  readonly deleted: boolean
  /** In bytes; 0 of a delete marker. */
  readonly size: number
  readonly lastModified: Date | undefined
  readonly etag: string | undefined
  readonly storageClass: string | undefined
}

/** @throws UnsupportedError, at the first step, where the store has no versions */
export async function* versions(access: S3Access, path: string, { signal }: CallOptions = {}): AsyncGenerator<S3Version, void, undefined> {
  if (!access.settings.features.versions) throw new UnsupportedError(`${access.settings.name} has no versions`)
  const key = checkKey(normalizeFilePath(path))
  for await (const page of objectPages(access, { operation: 'list', path, signal, prefix: key })) {
    for (const { key: found, versionId = 'null', ...version } of page) {
      if (found === key) yield { versionId, ...version }
      else if (!found.startsWith(key)) return
    }
    // The file's own versions come before those of longer names, so a page that ends with another file has them all.
    if (page.some(({ key: found }) => found !== key)) return
  }
}

interface ObjectVersion extends Omit<S3Version, 'versionId'> {
  readonly key: string
  /** Undefined where the store has no versions. */
  readonly versionId: string | undefined
}

/** Everything below a prefix, by key, and of one key the newest first. */
export async function* objectPages(
  access: S3Access,
  { prefix, bucket = access.settings.bucket, ...call }: AskOptions & { readonly prefix: string },
): AsyncGenerator<readonly ObjectVersion[], void, undefined> {
  const pages = access.settings.features.versions ? versionPages : keyPages
  yield* pages(access, { ...call, bucket, prefix })
}

type PageOptions = AskOptions & { readonly prefix: string; readonly bucket: string }

async function* versionPages(
  access: S3Access,
  { prefix, bucket, ...call }: PageOptions,
): AsyncGenerator<readonly ObjectVersion[], void, undefined> {
  let markers: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined = {}
  while (markers !== undefined) {
    const input = { Bucket: bucket, Prefix: prefix, EncodingType: 'url' as const, ...markers }
    const output: ListObjectVersionsCommandOutput = await ask(
      access,
      ({ client, sdk }, http) => client.send(new sdk.ListObjectVersionsCommand(input), http),
      {
        ...call,
        bucket,
      },
    )
    const decode = output.EncodingType === 'url' ? unescaped : (text: string): string => text
    const found = [
      ...(output.Versions ?? []).map((version) => ({ ...version, deleted: false })),
      ...(output.DeleteMarkers ?? []).map((marker) => ({ ...marker, deleted: true, Size: 0, ETag: undefined, StorageClass: undefined })),
    ]
    yield found
      .map(
        (version): ObjectVersion => ({
          key: decode(version.Key ?? ''),
          versionId: version.VersionId,
          isLatest: version.IsLatest ?? false,
          deleted: version.deleted,
          size: version.Size ?? 0,
          lastModified: version.LastModified,
          etag: version.ETag,
          storageClass: version.StorageClass,
        }),
      )
      .toSorted(newestFirst)
    markers =
      output.IsTruncated === true
        ? { KeyMarker: decode(output.NextKeyMarker ?? ''), VersionIdMarker: output.NextVersionIdMarker }
        : undefined
  }
}

/** Versions and delete markers come as two lists: of one key they are put together again by their dates. */
function newestFirst(a: ObjectVersion, b: ObjectVersion): number {
  if (a.key !== b.key) return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))
  if (a.isLatest !== b.isLatest) return a.isLatest ? -1 : 1
  return (b.lastModified?.getTime() ?? 0) - (a.lastModified?.getTime() ?? 0)
}

async function* keyPages(
  access: S3Access,
  { prefix, bucket, ...call }: PageOptions,
): AsyncGenerator<readonly ObjectVersion[], void, undefined> {
  let after: string | undefined
  do {
    const input = { Bucket: bucket, Prefix: prefix, EncodingType: 'url' as const, ...(after !== undefined && { StartAfter: after }) }
    const output = await ask(access, ({ client, sdk }, http) => client.send(new sdk.ListObjectsV2Command(input), http), { ...call, bucket })
    const decode = output.EncodingType === 'url' ? unescaped : (text: string): string => text
    const page = (output.Contents ?? []).map(
      ({ Key = '', Size = 0, LastModified, ETag, StorageClass }): ObjectVersion => ({
        key: decode(Key),
        versionId: undefined,
        isLatest: true,
        deleted: false,
        size: Size,
        lastModified: LastModified,
        etag: ETag,
        storageClass: StorageClass,
      }),
    )
    yield page
    after = output.IsTruncated === true ? page.at(-1)?.key : undefined
  } while (after !== undefined)
}
