/** Deleting: one request for a file, one for each 256 of many. Snapshots go along; files that are missing are none the worse. */
import type * as Sdk from '@azure/storage-blob'
import type { DeleteFailure, DeleteOptions } from '../../driver.ts'
import { isNotFound, isStorageError, type StorageError, toStorageError } from '../../errors.ts'
import { errorOfAnswer } from './azure-errors.ts'
import type { AzureConnection, Opened } from './client.ts'
import { blobOf } from './ranges.ts'

/** Blob Batch, REST API: subrequests in one. */
const BATCH = 256
/** Fewer than these are deleted one by one: a batch is a larger request, and costs as much. */
const FEW = 4

/** A blob to delete, and the path to tell where it cannot be. */
export interface Doomed {
  readonly path: string
  readonly key: string
}

export async function deleteBlobs(
  connection: AzureConnection,
  blobs: readonly Doomed[],
  options: DeleteOptions,
): Promise<readonly DeleteFailure[]> {
  if (blobs.length < FEW || options.versionId !== undefined) {
    const failures = await Promise.all(blobs.map((blob) => deleteBlob(connection, blob, options)))
    return failures.flat()
  }
  const failures: DeleteFailure[] = []
  for (let start = 0; start < blobs.length; start += BATCH) {
    options.signal?.throwIfAborted()
    failures.push(...(await deleteBatch(connection, blobs.slice(start, start + BATCH), options.signal)))
  }
  return failures
}

async function deleteBlob(
  connection: AzureConnection,
  { path, key }: Doomed,
  { versionId, signal }: DeleteOptions,
): Promise<DeleteFailure[]> {
  try {
    await connection.ask(signal, ({ container }) =>
      blobOf(container, key, versionId).delete({
        ...(versionId === undefined && { deleteSnapshots: 'include' as const }),
        ...(signal !== undefined && { abortSignal: signal }),
      }),
    )
    return []
  } catch (error) {
    signal?.throwIfAborted()
    if (isNotFound(error)) return []
    if (isStorageError(error) && isOfAll(error)) throw error
    return [{ path, error: toStorageError(error) }]
  }
}

async function deleteBatch(
  connection: AzureConnection,
  blobs: readonly Doomed[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const { subResponses } = await connection.ask(signal, ({ container }: Opened) => {
    const urls = blobs.map(({ key }) => container.getBlobClient(key).url)
    return container.getBlobBatchClient().deleteBlobs(urls, container.credential as Sdk.AnonymousCredential, {
      deleteSnapshots: 'include',
      ...(signal !== undefined && { abortSignal: signal }),
    })
  })
  const failures: DeleteFailure[] = []
  for (const [index, { status, errorCode }] of subResponses.entries()) {
    if (status < 300) continue
    const error = errorOfAnswer(status, errorCode, connection.settings.container)
    if (isOfAll(error)) throw error
    if (error.code !== 'not_found') failures.push({ path: (blobs[index] as Doomed).path, error })
  }
  return failures
}

/** A missing container and refused credentials are no single file's fault. */
function isOfAll({ code }: StorageError): boolean {
  return code === 'configuration' || code === 'unauthenticated'
}
