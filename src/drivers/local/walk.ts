/**
 * A directory tree in order, one `readdir` per directory, depth first: the order of the names with a slash after a directory's is
 * then the order of the whole listing. What is held is one sorted array of names for each directory on the way to the present one.
 *
 *   frames:  ''  ['a.txt', 'b/', 'c']      next: 'c'
 *            'b/'  ['x', 'y/']             next: 'x'  →  'b/x'
 */
import type { Dirent } from 'node:fs'
import { compareUtf8, directoryPrefix, joinPath } from '../../path.ts'
import type { Root } from './containment.ts'
import { HIDDEN_PREFIX, isUnnameable } from './keys.ts'
import { errnoOf, isMissing, LinkError } from './local-errors.ts'
import { exists, readdir, realpath } from './local-files.ts'
import { sweepNames } from './sweep.ts'

/** What a directory holds, sorted by UTF-8 bytes; a directory's name ends in a slash. */
interface Frame {
  /** The directory's path and a slash; `''` for the root. */
  readonly prefix: string
  /** Its real path, where links are followed: so that a link to a directory above ends the descent. */
  readonly real: string | undefined
  readonly names: readonly string[]
  next: number
}

/** The walk through one listing. */
export class Walk {
  readonly #root: Root
  readonly #recursive: boolean
  readonly #frames: Frame[] = []
  /** What the next directory holds, read while the names of the present one are taken. */
  #ahead: { readonly directory: string; readonly names: Promise<string[]> } | undefined

  private constructor(root: Root, recursive: boolean) {
    this.#root = root
    this.#recursive = recursive
  }

  /** @param start the listing begins after this place in the order; `''` for the beginning */
  static async begin(
    root: Root,
    directory: string,
    { recursive, start }: { readonly recursive: boolean; readonly start: string },
  ): Promise<Walk> {
    const walk = new Walk(root, recursive)
    await walk.#enter(directoryPrefix(directory), start)
    return walk
  }

  /** The next places in the order, at most `limit`: a file's path, or a directory's with a slash at its end. */
  async take(limit: number): Promise<string[]> {
    const places: string[] = []
    for (let frame = this.#frames.at(-1); frame !== undefined && places.length < limit; frame = this.#frames.at(-1)) {
      const name = frame.names[frame.next++]
      if (name === undefined) {
        this.#frames.pop()
        continue
      }
      const place = frame.prefix + name
      places.push(place)
      if (!this.#recursive || !name.endsWith('/')) continue
      await this.#enter(place, '')
      this.#readAhead()
    }
    return places
  }

  #readAhead(): void {
    const directory = this.#nextDirectory()
    if (directory === undefined || directory === this.#ahead?.directory) return
    const names = namesIn(this.#root, directory)
    names.catch(() => undefined) // it fails when its turn comes, if it comes
    this.#ahead = { directory, names }
  }

  #nextDirectory(): string | undefined {
    for (const { prefix, names, next } of this.#frames.toReversed()) {
      for (let index = next; index < names.length; index++) {
        const name = names[index] as string
        if (name.endsWith('/')) return prefix + name.slice(0, -1)
      }
    }
    return undefined
  }

  #namesIn(directory: string): Promise<string[]> {
    const ahead = this.#ahead
    if (ahead?.directory !== directory) return namesIn(this.#root, directory)
    this.#ahead = undefined
    return ahead.names
  }

  /** True when nothing is left. */
  get ended(): boolean {
    return this.#frames.every((frame) => frame.next >= frame.names.length)
  }

  async #enter(prefix: string, start: string): Promise<void> {
    const directory = prefix.slice(0, -1)
    const real = this.#root.links === 'follow' ? await this.#realOf(directory) : undefined
    if (real !== undefined && this.#frames.some((frame) => frame.real === real)) return
    const names = await this.#namesIn(directory)
    const frame: Frame = { prefix, real, names, next: 0 }
    this.#frames.push(frame)
    if (start === '') return
    frame.next = names.findIndex((name) => compareUtf8(prefix + name, start) > 0)
    if (frame.next === -1) frame.next = names.length
    const before = names[frame.next - 1]
    if (this.#recursive && before?.endsWith('/') && start.startsWith(prefix + before)) await this.#enter(prefix + before, start)
  }

  async #realOf(directory: string): Promise<string | undefined> {
    try {
      return await realpath(this.#root.at(directory))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}

/** The names in a directory, in order; none when it is missing, or a file. */
async function namesIn(root: Root, directory: string): Promise<string[]> {
  try {
    const key = await root.resolve(directory)
    return await root.within(key, async (at) => {
      const found = await readdir(`${at}/.`)
      return sorted(await listable(root, { at, directory }, found))
    })
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

async function listable(root: Root, place: Place, found: readonly Dirent[]): Promise<string[]> {
  const names: string[] = []
  const hidden: string[] = []
  for (const entry of found) {
    const { name } = entry
    if (name.startsWith(HIDDEN_PREFIX)) hidden.push(name)
    else if (UNUSUAL.test(name) && !(await hasPath(place.at, name))) continue
    else if (entry.isFile()) names.push(name)
    else if (entry.isDirectory()) names.push(`${name}/`)
    else if (entry.isSymbolicLink()) names.push(...(await linkedName(root, place, name)))
  }
  if (hidden.length > 0) {
    const all = found.map((entry) => entry.name)
    await sweepNames(place.at, hidden, all)
  }
  return names
}

/** What has to be looked at more closely; one test for the many names that need not. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNUSUAL = /[\\\u0000-\u001f\u007f-\u009f\ufffd]/

/** Whether a path can name this. A name that is not UTF-8 is read with U+FFFD in it, and nothing is there under the name so read. */
async function hasPath(at: string, name: string): Promise<boolean> {
  return !isUnnameable(name) && exists(`${at}/${name}`)
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

const SURROGATE = /[\ud800-\udfff]/

/** In the order of UTF-8 bytes, which is that of JavaScript unless there are characters beyond U+FFFF. */
function sorted(names: string[]): string[] {
  return names.some((name) => SURROGATE.test(name)) ? names.sort(compareUtf8) : names.sort()
}
