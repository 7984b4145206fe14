/**
 * Uploads that were begun and never committed: blobs without a committed version, which no reader and no listing of a disk sees.
 * Azure removes them a week after their last block. This removes them now.
 */
import type * as Sdk from '@azure/storage-blob'
import { codeOf } from './azure-errors.ts'
import type { AzureConnection } from './client.ts'
import { quoted } from './facts.ts'
import { deleteUncommitted } from './staging.ts'

export interface Prune {
  /** Names of blobs begin with this. */
  readonly prefix: string
  /** Begun before this moment. */
  readonly before: Date
  readonly signal: AbortSignal | undefined
}

/** @returns how many uploads it removed */
export async function pruneUncommitted(connection: AzureConnection, { prefix, before, signal }: Prune): Promise<number> {
  return connection.ask(signal, async ({ container, once }) => {
    let removed = 0
    const options = { prefix, includeUncommitedBlobs: true, ...(signal !== undefined && { abortSignal: signal }) }
    for await (const { name, properties } of container.listBlobsFlat(options)) {
      signal?.throwIfAborted()
      const begun = properties.lastModified ?? properties.createdOn ?? new Date(0)
      const isCandidate = (properties.contentLength ?? 0) === 0 && properties.blobType === 'BlockBlob' && begun < before
      if (isCandidate && (await removeUncommitted(once.getBlockBlobClient(name)))) removed++
    }
    return removed
  })
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
