/** Empties a bucket: every version, delete marker and open upload in it. What is written meanwhile may stay. */
import type { CallOptions } from '../../driver.ts'
import { PartialFailureError, type PathFailure } from '../../errors.ts'
import type { S3Access } from './access.ts'
import { ask } from './ask.ts'
import { abortUploads, openUploads } from './prune.ts'
import { errorOfCode } from './s3-errors.ts'
import { objectPages } from './versions.ts'

/** @throws PartialFailureError for versions that are locked, and the like */
export async function emptyBucket(access: S3Access, bucket: string, { signal }: CallOptions): Promise<void> {
  const call = { operation: 'buckets', bucket, signal } as const
  const failures: PathFailure[] = []
  for await (const uploads of openUploads(access, { ...call, prefix: '' })) failures.push(...(await abortUploads(access, uploads, call)))
  for await (const page of objectPages(access, { ...call, prefix: '' })) {
    if (page.length === 0) continue
    const Objects = page.map(({ key, versionId }) => ({ Key: key, ...(versionId !== undefined && { VersionId: versionId }) }))
    const { Errors = [] } = await ask(
      access,
      ({ client, sdk }, http) => client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Quiet: true, Objects } }), http),
      call,
    )
    for (const { Key = '', Code = 'InternalError', Message } of Errors) failures.push({ path: Key, error: errorOfCode(Code, Message) })
  }
  if (failures.length > 0) throw new PartialFailureError(undefined, { operation: 'buckets', driver: access.settings.name, failures })
}
