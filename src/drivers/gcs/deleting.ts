/** Deletes, some at a time: the store has no request for many that says of each whether it was done. */
import type { DeleteFailure, DeleteOptions } from '../../driver.ts'
import { FileNotFoundError, isStorageError, type StorageError } from '../../errors.ts'
import { type GcsApi, objectPath } from './api.ts'

const CONCURRENCY = 16

/** @returns the paths that could not be deleted; missing files are none. @throws ConfigurationError when the bucket is missing; UnauthenticatedError */
export async function deleteMany(api: GcsApi, paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
  const failures: DeleteFailure[] = []
  const queue = paths.values()
  const work = async (): Promise<void> => {
    for (const path of queue) {
      options.signal?.throwIfAborted()
      const error = await deleteOne(api, path, options)
      if (error !== undefined) failures.push({ path, error })
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, paths.length) }, work))
  return failures
}

/** @returns why the store does not let it go. @throws what is not the file's fault */
async function deleteOne(api: GcsApi, name: string, { versionId, signal }: DeleteOptions): Promise<StorageError | undefined> {
  try {
    await api.json({ method: 'DELETE', path: objectPath(api.settings.bucket, name), query: { generation: versionId }, signal })
    return undefined
  } catch (error) {
    if (error instanceof FileNotFoundError) return undefined
    if (isStorageError(error) && error.code !== 'configuration' && error.code !== 'unauthenticated') return error
    throw error
  }
}
