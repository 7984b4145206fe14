/** Deleting many files: a request for each thousand, some of them side by side, and an error for each file that stayed. */
import type { DeleteFailure, DeleteOptions } from '../../driver.ts'
import { isNotFound, isStorageError } from '../../errors.ts'
import { checkKey } from './keys.ts'
import type { S3Store } from './store.ts'

const MAX_KEYS = 1_000 // S3 API reference, DeleteObjects
const CONCURRENCY = 4
/** What XML 1.0 cannot carry, not even escaped. Paths have no control characters. */
const NOT_IN_XML = /[\ufffe\uffff]/

/** @throws when a request failed as a whole; the others are waited for */
export async function deleteObjects(store: S3Store, paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
  const keys = [...new Set(paths.map(checkKey))]
  options.signal?.throwIfAborted()
  const [only] = keys
  if (only === undefined) return []
  if (keys.length === 1) return deleteOne(store, only, options)
  const requests = requestsFor(keys)
  const failures: (readonly DeleteFailure[])[] = requests.map(() => [])
  const pending = requests.entries()
  const work = async (): Promise<void> => {
    for (const [index, request] of pending) {
      failures[index] = await (typeof request === 'string' ? deleteOne(store, request, options) : deleteBatch(store, request, options))
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: Math.min(CONCURRENCY, requests.length) }, work))
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
  return failures.flat()
}

/** Thousands, and by themselves the keys that the body of such a request cannot name. */
function requestsFor(keys: readonly string[]): readonly (string | readonly string[])[] {
  const named = keys.filter((key) => !NOT_IN_XML.test(key))
  const batches = Array.from({ length: Math.ceil(named.length / MAX_KEYS) }, (_, index) =>
    named.slice(index * MAX_KEYS, (index + 1) * MAX_KEYS),
  )
  return [...batches, ...keys.filter((key) => NOT_IN_XML.test(key))]
}

async function deleteBatch({ requests }: S3Store, keys: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
  const failures = await requests.deleteMany(keys, options)
  return failures.map(({ key, error }) => ({ path: key, error }))
}

async function deleteOne(store: S3Store, key: string, options: DeleteOptions): Promise<readonly DeleteFailure[]> {
  try {
    await store.requests.delete(key, options)
    return []
  } catch (error) {
    if (isNotFound(error)) return []
    if (!isStorageError(error) || OF_THE_DISK.has(error.code)) throw error
    return [{ path: key, error }]
  }
}

/** What no file is to blame for. */
const OF_THE_DISK: ReadonlySet<string> = new Set(['configuration', 'unauthenticated'])
