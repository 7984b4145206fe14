/** What a disk with fallbacks tells: of the disk that has the file. */
import { deleteTree } from '../../derive.ts'
import type {
  DirectoryAbility,
  Driver,
  FileStat,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  VisibilityAbility,
} from '../../driver.ts'
import { isNotFound, UnsupportedError } from '../../errors.ts'
import { bring } from './changes.ts'
import { find, findBehind, promote } from './finding.ts'
import { TOMBSTONES } from './tombstones.ts'
import { hasFiles, type Union } from './union-listing.ts'

export async function stat(union: Union, path: string, options: ReadOptions): Promise<FileStat> {
  try {
    return await union.primary.stat(path, options)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  const found = await findBehind(union, path, options)
  return options.ifMatch === undefined ? found.stat : found.driver.stat(path, options)
}

export async function read(
  union: Union,
  path: string,
  options: ReadOptions,
  { promotes }: { readonly promotes: boolean },
): Promise<ReadResult> {
  try {
    return await union.primary.read(path, options)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  const found = await findBehind(union, path, options)
  const isWhole = options.range === undefined && options.ifMatch === undefined
  if (promotes && isWhole && (await isPromoted(union, path, { driver: found.driver, options }))) return union.primary.read(path, options)
  return found.driver.read(path, options)
}

/** A promotion that fails is no reason not to read. */
async function isPromoted(
  union: Union,
  path: string,
  { driver, options }: { readonly driver: Driver; readonly options: ReadOptions },
): Promise<boolean> {
  try {
    return await promote(union, path, { driver }, options)
  } catch {
    options.signal?.throwIfAborted()
    return false
  }
}

export function visibilityOf(union: Union, primary: VisibilityAbility): VisibilityAbility {
  return {
    get: async (path, options) => {
      const { driver } = await find(union, path, options)
      return driver.visibility === undefined ? 'private' : driver.visibility.get(path, options)
    },
    set: async (path, visibility, options) => {
      await bring(union, path, options)
      await primary.set(path, visibility, options)
    },
  }
}

export function directoriesOf(union: Union, primary: DirectoryAbility, driver: () => Driver): DirectoryAbility {
  return {
    exists: async (path, options) => (await primary.exists(path, options)) || hasFiles(union, path, options),
    create: (path, options) => primary.create(path, options),
    delete: async (path, options) => {
      const deleted = await deleteTree(driver(), path, options)
      if (path !== '') await primary.delete(path, options)
      else for (const directory of await topDirectories(union.primary, options.signal)) await primary.delete(directory, options)
      return deleted
    },
  }
}

/** Those of the root, but for the one that remembers what was deleted. */
async function topDirectories(primary: Driver, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const { entries } = await primary.list('', { stat: false, signal })
  return entries.filter(({ type, path }) => type === 'directory' && path !== TOMBSTONES).map(({ path }) => path)
}

/** The primary's, for a file that is nowhere. */
export async function publicUrlOf(union: Union, path: string): Promise<string> {
  const holder = await holderOf(union, path)
  if (holder.publicUrl === undefined) throw new UnsupportedError('the disk that has the file has no public URLs')
  return holder.publicUrl(path)
}

/** Uploads go to the primary. */
export async function signWith(union: Union, path: string, options: SignOptions): Promise<SignedRequest> {
  const holder = options.method === 'PUT' ? union.primary : await holderOf(union, path)
  if (holder.signUrl === undefined) throw new UnsupportedError('the disk that has the file signs no URLs')
  return holder.signUrl(path, options)
}

async function holderOf(union: Union, path: string): Promise<Driver> {
  try {
    return (await find(union, path, {})).driver
  } catch (error) {
    if (isNotFound(error)) return union.primary
    throw error
  }
}
