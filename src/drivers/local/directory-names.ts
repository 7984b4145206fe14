/**
 * What a directory holds, in order, as a listing shows it: files and directories that a path can name. In passing it sweeps what
 * crashed writers left there.
 */
import type { Dirent } from 'node:fs'
import { compareUtf8, joinPath } from '../../path.ts'
import type { Root } from './containment.ts'
import { HIDDEN_PREFIX, isUnnameable } from './keys.ts'
import { errnoOf, isMissing, LinkError } from './local-errors.ts'
import { exists, factsAt, openDirectory, readdir } from './local-files.ts'
import { sweepNames } from './sweep.ts'

/** The names in a directory, a directory's with a slash at its end; none when it is missing, or a file. */
export async function namesIn(root: Root, directory: string): Promise<string[]> {
  try {
    const key = await root.resolve(directory)
    return await root.within(key, (at) => collected(root, { at, directory }))
  } catch (error) {
    if (isMissing(error) || (error instanceof LinkError && !error.refused)) return []
    throw error
  }
}

interface Place {
  /** A way to the directory. */
  readonly at: string
  readonly directory: string
}

/** Sorts out what a directory holds, entry by entry. */
class Names {
  readonly files: string[] = []
  /** The disk's own files. */
  readonly hidden: string[] = []
  readonly #root: Root
  readonly #place: Place
  /** Whether JavaScript's own order is that of UTF-8: it is, unless there are characters beyond U+FFFF. */
  #plainOrder = true

  constructor(root: Root, place: Place) {
    this.#root = root
    this.#place = place
  }

  /** A promise only for what has to be looked at. */
  add(entry: Dirent): void | Promise<void> {
    const { name } = entry
    if (UNUSUAL.test(name)) return this.#addUnusual(entry)
    if (entry.isFile()) this.files.push(name)
    else if (entry.isDirectory()) this.files.push(`${name}/`)
    else if (entry.isSymbolicLink()) return this.#look(entry)
  }

  sorted(): string[] {
    return this.#plainOrder ? this.files.sort() : this.files.sort(compareUtf8)
  }

  #addUnusual(entry: Dirent): void | Promise<void> {
    if (entry.name.startsWith(HIDDEN_PREFIX)) this.hidden.push(entry.name)
    else {
      if (SURROGATE.test(entry.name)) this.#plainOrder = false
      return this.#look(entry)
    }
  }

  async #look(entry: Dirent): Promise<void> {
    if (!(await hasPath(this.#place.at, entry.name))) return
    if (entry.isSymbolicLink()) this.files.push(...(await linkedName(this.#root, this.#place, entry.name)))
    else if (entry.isFile()) this.files.push(entry.name)
    else if (entry.isDirectory()) this.files.push(`${entry.name}/`)
  }
}

/** Where a directory is larger, its entries are read a few at a time: slower, but a million of them take half the memory. */
const LARGE_BYTES = 4n * 1024n * 1024n // some 120,000 names on ext4

async function collected(root: Root, place: Place): Promise<string[]> {
  const names = new Names(root, place)
  const path = `${place.at}/.`
  if (root.inMemory && factsAt(path).size > LARGE_BYTES) {
    for await (const entry of await openDirectory(path)) await names.add(entry)
  } else {
    for (const entry of await readdir(path)) {
      const looking = names.add(entry)
      if (looking !== undefined) await looking
    }
  }
  if (names.hidden.length > 0) await sweepNames(place.at, names.hidden, names.files)
  return names.sorted()
}

/** What has to be looked at more closely; one test for the many names that need not. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNUSUAL = /^\.stowage|[\\\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufffd]/
const SURROGATE = /[\ud800-\udfff]/

/** Whether a path can name this. A name that is not UTF-8 is read with U+FFFD in it, and nothing is there under the name so read. */
async function hasPath(at: string, name: string): Promise<boolean> {
  return !isUnnameable(name) && (!name.includes('\ufffd') || (await exists(`${at}/${name}`)))
}

/** A link as what it leads to; nothing when it is skipped, leads out of the root, or nowhere. */
async function linkedName(root: Root, { directory }: Place, name: string): Promise<string[]> {
  if (root.links === 'error') throw new LinkError(true)
  if (root.links === 'skip') return []
  try {
    const stats = await root.stat(await root.resolve(joinPath(directory, name)))
    if (stats.isFile()) return [name]
    return stats.isDirectory() ? [`${name}/`] : []
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === 'ELOOP' || error instanceof LinkError) return []
    throw error
  }
}
