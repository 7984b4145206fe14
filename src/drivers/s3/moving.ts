/**
 * A move: a copy, and then a delete of the very file that was copied.
 *
 * Stores that judge conditions of deletes (Amazon, newer Ceph) are asked to delete only that etag. Others ignore it: what is written
 * there between the last look at the source and its delete, one request apart, is lost.
 */
import { changed, sourceChanged } from '../../derive.ts'
import type { CallOptions, FileStat, WriteOptions } from '../../driver.ts'
import { FileExistsError, isNotFound, isStorageError } from '../../errors.ts'
import { copyObject } from './copying.ts'
import { statOf } from './facts.ts'
import { checkKey } from './keys.ts'
import type { S3Store } from './store.ts'

/** @throws PreconditionFailedError when the source changed meanwhile; both files are kept */
export async function moveObject(store: S3Store, from: string, to: string, options: WriteOptions): Promise<void> {
  const { ifAbsent, signal } = options
  checkKey(to)
  const before = await describe(store, checkKey(from), options)
  if (from === to) {
    if (ifAbsent === true) throw new FileExistsError()
    return
  }
  await copyObject(store, from, to, options)
  if (changed(before, await describe(store, from, options))) throw sourceChanged()
  await deleteCopied(store, from, { etag: before.etag, signal })
}

async function describe(store: S3Store, key: string, { signal }: CallOptions): Promise<FileStat> {
  const head = await store.head(key, { signal })
  return statOf(key, head, head.contentLength)
}

/** One that is gone already is fine: somebody else was faster, or an answer was lost. */
async function deleteCopied(
  { requests, settings }: S3Store,
  key: string,
  { etag, signal }: CallOptions & { readonly etag: string | undefined },
): Promise<void> {
  const ifMatch = settings.features.ifMatch ? etag : undefined
  try {
    await requests.delete(key, { ifMatch, signal })
  } catch (error) {
    if (isNotFound(error)) return
    if (ifMatch === undefined || !isStorageError(error)) throw error
    if (error.code === 'precondition_failed') throw sourceChanged()
    if (error.code !== 'unsupported') throw error
    await requests.delete(key, { signal })
  }
}
