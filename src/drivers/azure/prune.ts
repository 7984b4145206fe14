/**
 * Uploads that were begun and never committed: blobs without a committed version, which no reader and no listing of a disk sees.
 * Azure removes them a week after their last block. This removes them now.
 */
import type * as Sdk from '@azure/storage-blob'
import { InvalidArgumentError } from '../../errors.ts'
import { codeOf } from './azure-errors.ts'
import type { AzureConnection } from './client.ts'
import { quoted } from './facts.ts'
import { pathOf } from './keys.ts'
import { deleteUncommitted } from './staging.ts'
import type { AzurePruneOptions, AzurePruneResult, UnfinishedUpload } from './unfinished.ts'

export async function pruneUncommitted(
  connection: AzureConnection,
  { olderThan, prefix = '', signal }: AzurePruneOptions,
): Promise<AzurePruneResult> {
  const before = timeOf(olderThan)
  return connection.ask(signal, async ({ container, once }) => {
    const uploads: UnfinishedUpload[] = []
    const options = { prefix, includeUncommitedBlobs: true, ...(signal !== undefined && { abortSignal: signal }) }
    for await (const { name, properties } of container.listBlobsFlat(options)) {
      signal?.throwIfAborted()
      const started = properties.lastModified ?? properties.createdOn ?? new Date(0)
      const isCandidate = (properties.contentLength ?? 0) === 0 && properties.blobType === 'BlockBlob' && started < before
      if (isCandidate && (await removeUncommitted(once.getBlockBlobClient(name)))) uploads.push({ path: pathOf(name) ?? name, started })
    }
    return { aborted: uploads.length, uploads }
  })
}

function timeOf(olderThan: unknown): Date {
  if (typeof olderThan === 'number' && olderThan >= 0) return new Date(Date.now() - olderThan * 1_000)
  const isDate = Object.prototype.toString.call(olderThan) === '[object Date]'
  if (isDate && !Number.isNaN((olderThan as Date).getTime())) return olderThan as Date
  throw new InvalidArgumentError('"olderThan" is a date, or a number of seconds ago')
}

/** @returns false for a blob that is a file, if an empty one */
async function removeUncommitted(blob: Sdk.BlockBlobClient): Promise<boolean> {
  if (await blob.exists()) return false
  if (await deleteUncommitted(blob)) return true
  // A service that judges the condition by the time of the first block: an empty version is made and deleted at once.
  try {
    const { etag } = await blob.commitBlockList([], { conditions: { ifNoneMatch: '*' } })
    await blob.delete({ conditions: { ifMatch: quoted(etag ?? '') } })
    return true
  } catch (error) {
    if (codeOf(error) === 'BlobAlreadyExists' || codeOf(error) === 'ConditionNotMet') return false
    throw error
  }
}
