/** A path is its key. What S3 cannot name is refused before any I/O. */
import { InvalidPathError } from '../../errors.ts'

const MAX_KEY_BYTES = 1_024 // S3 user guide, "Naming Amazon S3 objects"

/** @throws InvalidPathError for a key that is too long */
export function checkKey(path: string): string {
  // A UTF-16 unit is at most three bytes: most paths need not be counted.
  if (path.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(path) > MAX_KEY_BYTES) {
    throw new InvalidPathError(`a key of S3 has at most ${MAX_KEY_BYTES} bytes in UTF-8: this one has ${Buffer.byteLength(path)}`)
  }
  return path
}
