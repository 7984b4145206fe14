/** Which paths of the primary are the journal's, and no files of the disk. */
import { InvalidPathError } from '../../errors.ts'

export const JOURNAL = 'stowage-journal'

/** @throws InvalidPathError for a path that is kept for the journal */
export function checkPath(path: string): string {
  if (!isJournal(path)) return path
  throw new InvalidPathError(`"${JOURNAL}" is where a mirrored disk keeps what its mirrors wait for: choose another name`)
}

export function isJournal(path: string): boolean {
  return path === JOURNAL || path.startsWith(`${JOURNAL}/`)
}
