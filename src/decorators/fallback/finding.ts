/** Where a file is: on the primary, else on the first fallback that has it, unless it was deleted. */
import { copyThroughStream } from '../../derive.ts'
import type { CallOptions, Driver, FileStat } from '../../driver.ts'
import { FileExistsError, FileNotFoundError, isNotFound, isStorageError } from '../../errors.ts'
import type { Union } from './union-listing.ts'

/** A file and the disk that has it. */
export interface Found {
  readonly driver: Driver
  readonly stat: FileStat
}

/** Asks the primary first. Only an answer that the file is not there leads on: a primary that cannot be reached is its own error. */
export async function find(union: Union, path: string, options: CallOptions): Promise<Found> {
  try {
    return { driver: union.primary, stat: await union.primary.stat(path, { signal: options.signal }) }
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  return findBehind(union, path, options)
}

/** On a fallback. @throws FileNotFoundError also when it was deleted */
export async function findBehind({ fallbacks, tombstones }: Union, path: string, { signal }: CallOptions): Promise<Found> {
  if (await tombstones.has(path, { signal })) throw new FileNotFoundError()
  for (const driver of fallbacks) {
    try {
      return { driver, stat: await driver.stat(path, { signal }) }
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  throw new FileNotFoundError()
}

/** The file on a fallback that a delete would let through; undefined when there is none. */
export async function visibleBehind(union: Union, path: string, options: CallOptions): Promise<Found | undefined> {
  try {
    return await findBehind(union, path, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/**
 * Brings a file of a fallback to the primary. A delete that comes meanwhile wins: what was brought is taken back.
 * @returns whether the primary has the file now
 */
export async function promote(union: Union, path: string, { driver }: Pick<Found, 'driver'>, { signal }: CallOptions): Promise<boolean> {
  const { primary, tombstones } = union
  try {
    await copyThroughStream(driver, path, primary, path, { signal, ...(primary.supports.ifAbsent && { ifAbsent: true }) })
  } catch (error) {
    if (isStorageError(error) && error instanceof FileExistsError) return true
    throw error
  }
  if (!(await tombstones.has(path, { signal }))) return true
  const [failure] = await primary.delete([path], { signal })
  if (failure !== undefined) throw failure.error
  return false
}
