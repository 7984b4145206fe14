/**
 * A directory tree in order, one `readdir` per directory, depth first: the order of the names with a slash after a directory's is
 * then the order of the whole listing. What is held is one sorted array of names for each directory on the way to the present one.
 *
 *   frames:  ''  ['a.txt', 'b/', 'c']      next: 'c'
 *            'b/'  ['x', 'y/']             next: 'x'  →  'b/x'
 */
import { compareUtf8, directoryPrefix } from '../../path.ts'
import type { Root } from './containment.ts'
import { namesIn } from './directory-names.ts'
import { isMissing } from './local-errors.ts'
import { realpath } from './local-files.ts'

/** What a directory holds, sorted by UTF-8 bytes; a directory's name ends in a slash. */
interface Frame {
  /** The directory's path and a slash; `''` for the root. */
  readonly prefix: string
  /** Its real path, where links are followed: so that a link to a directory above ends the descent. */
  readonly real: string | undefined
  readonly names: readonly string[]
  next: number
}

/** Small directories read ahead; of others one, because what is held ahead lives long enough to make the heap grow. */
const MOST_AHEAD = 4
const SMALL_NAMES = 100
/** Names looked through for directories, anew for each directory that is entered. */
const MOST_SEARCHED = 2_000

/** The walk through one listing. */
export class Walk {
  readonly #root: Root
  readonly #recursive: boolean
  readonly #frames: Frame[] = []
  /** What the next directories hold, read while the names of the present one are taken. */
  readonly #ahead = new Map<string, Promise<string[]>>()

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
    const held = this.#frames.at(-1)?.names.length ?? 0
    for (const directory of this.#nextDirectories(held > SMALL_NAMES ? 1 : MOST_AHEAD)) {
      if (this.#ahead.has(directory)) continue
      const names = namesIn(this.#root, directory)
      names.catch(() => undefined) // it fails when its turn comes, if it comes
      this.#ahead.set(directory, names)
    }
  }

  #nextDirectories(most: number): string[] {
    const directories: string[] = []
    for (const { prefix, names, next } of this.#frames.toReversed()) {
      const end = Math.min(names.length, next + MOST_SEARCHED)
      for (let index = next; index < end && directories.length < most; index++) {
        const name = names[index] as string
        if (name.endsWith('/')) directories.push(prefix + name.slice(0, -1))
      }
    }
    return directories
  }

  #namesIn(directory: string): Promise<string[]> {
    const ahead = this.#ahead.get(directory)
    this.#ahead.delete(directory)
    return ahead ?? namesIn(this.#root, directory)
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
