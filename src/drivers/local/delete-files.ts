/** Deleting files: many at once, a directory at a time, each with its sidecar. Directories, and links that are skipped, stay. */
import type { DeleteFailure } from '../../driver.ts'
import { toStorageError } from '../../errors.ts'
import { basename, dirname } from '../../path.ts'
import type { Root } from './containment.ts'
import { removeLeftSidecar } from './copy-move.ts'
import { isMissing, LinkError, toLocalError } from './local-errors.ts'
import { lstatOrMissing, unlink } from './local-files.ts'
import { exclusively } from './lock.ts'
import { eachOf } from './pool.ts'
import { isMarked } from './sidecar.ts'

/** Absent files are fine. @returns what could not be deleted. @throws the signal's reason; what was deleted before stays so */
export async function deleteFiles(root: Root, paths: readonly string[], signal: AbortSignal | undefined): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = []
  for (const [directory, group] of Map.groupBy(paths, dirname)) {
    const failed = (path: string, error: unknown): void => void failures.push({ path, error: toStorageError(toLocalError(error, 'write')) })
    try {
      const key = await root.resolve(directory)
      await root.within(key, (at) => deleteEach(root, at, group, { signal, failed }))
    } catch (error) {
      signal?.throwIfAborted()
      if (isMissing(error) || (error instanceof LinkError && !error.refused)) continue
      for (const path of group) failed(path, error)
    }
  }
  return failures
}

interface DeleteRun {
  readonly signal: AbortSignal | undefined
  readonly failed: (path: string, error: unknown) => void
}

function deleteEach(root: Root, at: string, paths: readonly string[], { signal, failed }: DeleteRun): Promise<void> {
  return eachOf(paths, async (path) => {
    signal?.throwIfAborted()
    try {
      await exclusively(root.realAt(path), () => deleteFile(root, at, basename(path)))
    } catch (error) {
      failed(path, error)
    }
  })
}

/** Deletes a file in a directory that is held; a link only where links are followed, and never what it leads to. */
export async function deleteFile(root: Root, at: string, name: string): Promise<void> {
  const stats = await lstatOrMissing(`${at}/${name}`)
  if (stats?.isSymbolicLink() && root.links === 'error') throw new LinkError(true)
  if (stats === undefined || !(stats.isFile() || (stats.isSymbolicLink() && root.links === 'follow'))) return
  try {
    await unlink(`${at}/${name}`)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  if (isMarked(stats)) await removeLeftSidecar(at, name)
}
