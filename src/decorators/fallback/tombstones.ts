/**
 * What was deleted from a disk whose fallbacks are only read: an empty file on the primary for each path, in a directory of its own.
 *
 *   photos/a.jpg ──▶ stowage-tombstones/photos/a.jpg/deleted
 *
 * The path is a directory there, so that a file and a directory may both have had the name, and no name gets too long.
 */
import { bytesContent } from '../../content.ts'
import type { CallOptions, Driver } from '../../driver.ts'
import { InvalidPathError, isNotFound } from '../../errors.ts'
import { compareUtf8 } from '../../path.ts'

export const TOMBSTONES = 'stowage-tombstones'
const NAME = 'deleted'

export class Tombstones {
  readonly #primary: Driver

  constructor(primary: Driver) {
    this.#primary = primary
  }

  async has(path: string, { signal }: CallOptions): Promise<boolean> {
    return exists(this.#primary, tombstoneOf(path), { signal })
  }

  async add(path: string, { signal }: CallOptions): Promise<void> {
    await this.#primary.write(tombstoneOf(path), bytesContent(new Uint8Array()), { signal })
  }

  /** Which of these paths are deleted: one listing of the stretch that they lie in. */
  async among(paths: readonly string[], { signal }: CallOptions): Promise<ReadonlySet<string>> {
    const wanted = new Map(paths.map((path) => [tombstoneOf(path), path]))
    const sorted = [...wanted.keys()].sort(compareUtf8)
    const [first, last] = [sorted[0], sorted.at(-1)]
    const found = new Set<string>()
    if (first === undefined || last === undefined) return found
    let cursor: string | undefined
    do {
      // What comes before a key with its last character cut off is that key itself, at the soonest.
      const page = await this.#primary.list(TOMBSTONES, { recursive: true, stat: false, after: first.slice(0, -1), cursor, signal })
      for (const { path } of page.entries) {
        const deleted = wanted.get(path)
        if (deleted !== undefined) found.add(deleted)
      }
      const reached = page.entries.at(-1)?.path
      cursor = reached !== undefined && compareUtf8(reached, last) >= 0 ? undefined : page.cursor
    } while (cursor !== undefined)
    return found
  }
}

export async function exists(driver: Driver, path: string, { signal }: CallOptions): Promise<boolean> {
  return driver.stat(path, { signal }).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false
      throw error
    },
  )
}

/** @throws InvalidPathError for a path that is kept for tombstones */
export function checkPath(path: string): string {
  if (path === TOMBSTONES || path.startsWith(`${TOMBSTONES}/`)) {
    throw new InvalidPathError(`"${TOMBSTONES}" is where a disk with fallbacks remembers what was deleted: choose another name`)
  }
  return path
}

function tombstoneOf(path: string): string {
  return `${TOMBSTONES}/${path}/${NAME}`
}
