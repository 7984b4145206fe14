/**
 * A directory tree in order, one listing per directory, depth first: the order of the names with a slash after a directory's is then
 * the order of the whole. What is held is what the directories on the way to the present one hold.
 *
 *   frames:  ''  ['a.txt', 'b/', 'c']      next: 'c'
 *            'b/'  ['x', 'y/']             next: 'x'  →  'b/x'
 */
import type { CallOptions } from '../../driver.ts'
import { PermissionDeniedError } from '../../errors.ts'
import { basename, compareUtf8, directoryPrefix } from '../../path.ts'
import type { Fact } from './facts.ts'
import { isHidden, parentKey } from './keys.ts'
import { kindOf } from './look.ts'
import { readDirectory } from './read-directory.ts'
import type { Session } from './session.ts'

/** What is at one place: a file's path, or a directory's with a slash at its end. */
export interface Found {
  readonly place: string
  readonly fact: Fact
}

interface Frame {
  /** The directory's path and a slash; `''` for the root. */
  readonly prefix: string
  /** Sorted by UTF-8 bytes, a directory's name with its slash. */
  readonly names: readonly { readonly name: string; readonly fact: Fact }[]
  next: number
}

export class Walk {
  readonly #recursive: boolean
  readonly #frames: Frame[] = []

  private constructor(recursive: boolean) {
    this.#recursive = recursive
  }

  /** @param start the listing begins after this place in the order; `''` for the beginning */
  static async begin(
    session: Session,
    directory: string,
    { recursive, start, signal }: CallOptions & { readonly recursive: boolean; readonly start: string },
  ): Promise<Walk> {
    const walk = new Walk(recursive)
    if (!(await walk.#enter(session, directoryPrefix(directory), { start, signal })))
      await requireNoDirectory(session, directory, { signal })
    return walk
  }

  /** The next in the order, at most `limit`. */
  async take(session: Session, limit: number, options: CallOptions): Promise<Found[]> {
    const found: Found[] = []
    for (let frame = this.#frames.at(-1); frame !== undefined && found.length < limit; frame = this.#frames.at(-1)) {
      const next = frame.names[frame.next++]
      if (next === undefined) {
        this.#frames.pop()
        continue
      }
      const place = frame.prefix + next.name
      found.push({ place, fact: next.fact })
      if (this.#recursive && place.endsWith('/')) await this.#enter(session, place, { start: '', ...options })
    }
    return found
  }

  /** True when nothing is left. */
  get ended(): boolean {
    return this.#frames.every((frame) => frame.next >= frame.names.length)
  }

  /** @returns whether there is such a directory */
  async #enter(session: Session, prefix: string, { start, signal }: CallOptions & { readonly start: string }): Promise<boolean> {
    signal?.throwIfAborted()
    const facts = await readDirectory(session, session.keyOf(prefix.slice(0, -1)), { signal })
    if (facts === undefined) return false
    const names = facts
      .filter(({ name, type }) => type !== 'other' && !isHidden(name))
      .map((fact) => ({ name: fact.type === 'directory' ? `${fact.name}/` : fact.name, fact }))
      .sort((a, b) => compareUtf8(a.name, b.name))
    const frame: Frame = { prefix, names, next: 0 }
    this.#frames.push(frame)
    if (start === '') return true
    frame.next = names.findIndex(({ name }) => compareUtf8(prefix + name, start) > 0)
    if (frame.next === -1) frame.next = names.length
    const before = names[frame.next - 1]?.name
    if (this.#recursive && before?.endsWith('/') && start.startsWith(prefix + before)) {
      await this.#enter(session, prefix + before, { start, signal })
    }
    return true
  }
}

/** A missing directory lists nothing; one that is there and closed to us is another thing. */
async function requireNoDirectory(session: Session, directory: string, options: CallOptions): Promise<void> {
  const key = session.keyOf(directory)
  const seen = session.dialect.facts
    ? (await kindOf(session, key, options)) === 'directory'
    : directory !== '' && (await readDirectory(session, parentKey(key), options))?.some(isNamed(basename(key)))
  if (seen) throw new PermissionDeniedError('the server does not let us see what the directory holds')
}

function isNamed(wanted: string): (fact: Fact) => boolean {
  return ({ name, type }) => type === 'directory' && name === wanted
}
