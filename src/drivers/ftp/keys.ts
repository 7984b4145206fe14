/**
 * Which paths an FTP disk takes, judged before any I/O, by every method; and the disk's own names beside them.
 *
 *   .stowage-tmp-<milliseconds>-<unique>      content on its way to a name;  <milliseconds>: since 1970, in base 36
 *
 * Refused, beyond what path.ts refuses: segments that begin with `.stowage`, and what the file systems below cannot name.
 */
import { nodeCrypto } from '../../builtins.ts'
import { InvalidPathError } from '../../errors.ts'
import { dirname, joinPath, normalizeFilePath, normalizePath } from '../../path.ts'

const HIDDEN_PREFIX = '.stowage'
const HIDDEN = /(?:^|\/)\.stowage/i // case-insensitive servers would find our files under other spellings
const TEMP = /^\.stowage-tmp-([0-9a-z]+)-[0-9a-f]+$/
const MAX_SEGMENT_BYTES = 255 // NAME_MAX of every file system in use
/** Servers read lines of 4,096 bytes, and paths of so many are what Linux takes; less the command and a temporary file's name. */
const MAX_KEY_BYTES = 4_000

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNNAMEABLE = /[\\/\u0000-\u001f\u007f-\u009f]/

/** Checks the path of a file. @throws InvalidPathError */
export function checkFilePath(path: string, root: string): void {
  normalizeFilePath(path)
  checkPath(path, root)
}

/** Checks the path of a file or a directory; the root is `''`. @throws InvalidPathError */
export function checkPath(path: string, root: string): void {
  if (normalizePath(path) !== path) throw new InvalidPathError('a driver takes normal paths only', { path })
  if (HIDDEN.test(path)) throw new InvalidPathError('names that begin with ".stowage" belong to the disk itself', { path })
  if (path.length * 3 <= MAX_SEGMENT_BYTES) return // no character takes more than three bytes per UTF-16 unit
  if (path.split('/').some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)) {
    throw new InvalidPathError(`a file system takes at most ${MAX_SEGMENT_BYTES} bytes between slashes`, { path })
  }
  if (Buffer.byteLength(root) + 2 + Buffer.byteLength(path) > MAX_KEY_BYTES) {
    throw new InvalidPathError(`the path is too long: with the root it has more than ${MAX_KEY_BYTES} bytes`, { path })
  }
}

/** A name on the server that is no path of the disk: one of the disk's own, or one that no path can have. */
export function isHidden(name: string): boolean {
  return HIDDEN.test(name) || UNNAMEABLE.test(name) || name === '' || name === '.' || name === '..'
}

/** A name beside the key that nobody else uses: not derived from the key's, which may be as long as a name can be. */
export function tempKey(key: string, now: number = Date.now()): string {
  return joinKey(dirname(key), `${HIDDEN_PREFIX}-tmp-${now.toString(36)}-${nodeCrypto().randomBytes(8).toString('hex')}`)
}

/** When the temporary file of this name was begun, in milliseconds since 1970; undefined for other names. */
export function tempTimeOf(name: string): number | undefined {
  const [, time] = TEMP.exec(name) ?? []
  return time === undefined ? undefined : Number.parseInt(time, 36)
}

/** The key of a name in a directory, whose key is `/` for the root of the server. */
export function joinKey(directory: string, name: string): string {
  return directory === '' || directory === '/' ? `/${name}` : joinPath(directory, name)
}

/** The directory that a key is in. */
export function parentKey(key: string): string {
  return dirname(key) || '/'
}
