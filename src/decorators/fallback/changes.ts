/** What a disk with fallbacks does to files: all of it on the primary. */
import { copyThroughStream, moveByCopy } from '../../derive.ts'
import type { CallOptions, Content, DeleteFailure, DeleteOptions, Driver, WriteOptions, WriteResult } from '../../driver.ts'
import { FileExistsError, toStorageError } from '../../errors.ts'
import { find, promote, visibleBehind } from './finding.ts'
import { exists } from './tombstones.ts'
import type { Union } from './union-listing.ts'

/** Files that are looked for behind at once. */
const AT_ONCE = 16

export async function write(union: Union, path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
  await checkAbsent(union, path, options)
  return union.primary.write(path, content, await conditionsOf(union, path, options))
}

/** A file that can be seen on a fallback is there. @throws FileExistsError */
export async function checkAbsent(union: Union, path: string, { ifAbsent, signal }: WriteOptions): Promise<void> {
  if (ifAbsent === true && (await visibleBehind(union, path, { signal })) !== undefined) throw new FileExistsError()
}

/** The etag of a file that only a fallback has stands for the primary's having none. */
async function conditionsOf(union: Union, path: string, options: WriteOptions): Promise<WriteOptions> {
  const { ifMatch, signal } = options
  if (ifMatch === undefined || (await exists(union.primary, path, { signal }))) return options
  const found = await visibleBehind(union, path, { signal })
  return found?.stat.etag === ifMatch ? { ...options, ifMatch: undefined, ifAbsent: true } : options
}

/** Sees to it that a file which a fallback has is on the primary; one that nobody has stays absent. */
export async function bring(union: Union, path: string, { signal }: CallOptions): Promise<void> {
  if (await exists(union.primary, path, { signal })) return
  const found = await visibleBehind(union, path, { signal })
  if (found !== undefined) await promote(union, path, found, { signal })
}

/** First the tombstone, then the file: what fails in between leaves the file there, and never brings back an older one. */
export async function remove(union: Union, paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
  const { signal } = options
  signal?.throwIfAborted()
  if (options.versionId !== undefined) return union.primary.delete(paths, options)
  const buried = await union.tombstones.among(paths, { signal })
  const failures: DeleteFailure[] = []
  const next = paths.filter((path) => !buried.has(path)).values()
  const bury = async (): Promise<void> => {
    for (const path of next) {
      try {
        if ((await visibleBehind(union, path, { signal })) !== undefined) await union.tombstones.add(path, { signal })
      } catch (error) {
        signal?.throwIfAborted()
        failures.push({ path, error: toStorageError(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, bury))
  const failed = new Set(failures.map(({ path }) => path))
  const rest = paths.filter((path) => !failed.has(path))
  return rest.length === 0 ? failures : [...failures, ...(await union.primary.delete(rest, options))]
}

export async function copy(union: Union, from: string, to: string, options: WriteOptions): Promise<void> {
  const { signal } = options
  const found = await find(union, from, { signal })
  if (options.ifAbsent === true && from === to) throw new FileExistsError()
  if (from === to) return
  await checkAbsent(union, to, options)
  if (found.driver === union.primary) await union.primary.copy(from, to, options)
  else await copyThroughStream(found.driver, from, union.primary, to, options)
}

export interface Move {
  readonly from: string
  readonly to: string
  readonly options: WriteOptions
}

/** The primary's own where no fallback has the source: then nothing can come back. */
export async function move(driver: Driver, union: Union, { from, to, options }: Move): Promise<void> {
  const { signal } = options
  if (from !== to && (await visibleBehind(union, from, { signal })) === undefined) {
    await checkAbsent(union, to, options)
    return union.primary.move(from, to, options)
  }
  return moveByCopy(driver, from, to, options)
}
