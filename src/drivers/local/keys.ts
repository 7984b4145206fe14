/**
 * Which paths the local disk takes as names of files: judged before any I/O, by every method.
 *
 * Refused, beyond what path.ts refuses: segments that begin with `.stowage` (the disk's own files: temporary ones, sidecars, locks),
 * segments of more than 255 bytes, paths longer than the system takes, and on Windows the names that Windows reads differently.
 */
import { InvalidPathError } from '../../errors.ts'
import { normalizeFilePath, normalizePath } from '../../path.ts'

/** What the names of the disk's own files begin with. */
export const HIDDEN_PREFIX = '.stowage'

const MAX_SEGMENT_BYTES = 255 // NAME_MAX of every file system in use
const MAX_PATH_BYTES = process.platform === 'darwin' ? 1_023 : 4_095 // PATH_MAX less the NUL; libuv lifts the limit of Windows
const OWN_NAME_BYTES = 96 // temporary files stand beside their targets, and their paths have to fit too

// Case-insensitive systems would find our files under other spellings.
const HIDDEN = process.platform === 'linux' ? /(?:^|\/)\.stowage/ : /(?:^|\/)\.stowage/i
// Streams (`a:b`), devices, and trailing dots and spaces, which Windows cuts off.
const NOT_ON_WINDOWS = /[<>:"|?*]|[. ](?:\/|$)|(?:^|\/)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.[^/]*)?(?:\/|$)/i

/** Checks the path of a file. @throws InvalidPathError */
export function checkFilePath(path: string, root: string): void {
  normalizeFilePath(path)
  checkPath(path, root)
}

/** Checks the path of a file or a directory; the root is `''`. @throws InvalidPathError */
export function checkPath(path: string, root: string): void {
  if (normalizePath(path) !== path) throw new InvalidPathError('a driver takes normal paths only', { path })
  if (HIDDEN.test(path)) throw new InvalidPathError('names that begin with ".stowage" belong to the disk itself', { path })
  if (process.platform === 'win32' && NOT_ON_WINDOWS.test(path)) {
    throw new InvalidPathError('Windows does not take this name', { path })
  }
  // No character takes more than three bytes per UTF-16 unit.
  if (path.length * 3 > MAX_SEGMENT_BYTES) checkLengths(path, root)
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNNAMEABLE = /[\\\u0000-\u001f\u007f-\u009f]/

/** True for a name on the file system that no path of a disk can have. */
export function isUnnameable(name: string): boolean {
  return UNNAMEABLE.test(name)
}

function checkLengths(path: string, root: string): void {
  const segments = path.split('/')
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)) {
    throw new InvalidPathError(`a file system takes at most ${MAX_SEGMENT_BYTES} bytes between slashes`, { path })
  }
  const directory = Buffer.byteLength(path) - Buffer.byteLength(segments.at(-1) as string)
  const longest = Buffer.byteLength(root) + 1 + Math.max(Buffer.byteLength(path), directory + OWN_NAME_BYTES)
  if (process.platform !== 'win32' && longest > MAX_PATH_BYTES) {
    throw new InvalidPathError(`the path is too long: with the root it has more than ${MAX_PATH_BYTES} bytes`, { path })
  }
}
