/**
 * The only place that judges and normalises a path.
 *
 * A path is `/`-separated and relative to its disk. Leading, trailing and doubled slashes and `.` segments fold away, `a/../b` is `b`.
 * Refused, with InvalidPathError: a `..` that would leave the root, backslashes, control characters (C0, DEL, C1) and lone surrogates.
 * Everything else that is Unicode is kept to the byte: no case folding, no normalisation form.
 */
import { InvalidPathError, quote } from './errors.ts'

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const FORBIDDEN = /[\\\u0000-\u001f\u007f-\u009f]/
const FOLDABLE = /^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/

/** The normal form of a path; the root is `''`. @throws InvalidPathError */
export function normalizePath(path: string): string {
  if (typeof path !== 'string') throw new InvalidPathError(`a path must be a string, not ${path === null ? 'null' : typeof path}`)
  if (FORBIDDEN.test(path)) throw new InvalidPathError(forbiddenReason(path), { path })
  if (!path.isWellFormed()) throw new InvalidPathError('a path must be well-formed Unicode: it has a lone surrogate', { path })
  return FOLDABLE.test(path) ? fold(path) : path
}

/** The normal form of a path that has to name a file. @throws InvalidPathError also for the root */
export function normalizeFilePath(path: string): string {
  const normal = normalizePath(path)
  if (normal === '') throw new InvalidPathError('a path must name a file: this is the root of the disk', { path })
  return normal
}

function fold(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) throw new InvalidPathError('the path leaves the root of the disk', { path })
  }
  return segments.join('/')
}

function forbiddenReason(path: string): string {
  if (path.includes('\\')) return 'a path has "/" between its segments, and no backslash'
  if (path.includes('\0')) return 'a path must not contain NUL'
  return 'a path must not contain control characters'
}

/** One segment, such as a file's name. @throws InvalidPathError when it is empty, `.`, `..`, or has a slash */
export function checkSegment(name: string): string {
  if (typeof name !== 'string' || name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw new InvalidPathError(`a name is one segment of a path: ${quote(String(name))} is not`)
  }
  return normalizePath(name)
}

/** Joins normal paths; an empty one adds nothing. */
export function joinPath(directory: string, name: string): string {
  if (directory === '') return name
  return name === '' ? directory : `${directory}/${name}`
}

/** The directory a path is in; `''` at the root. */
export function dirname(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

/** The last segment of a path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The extension with its dot, lower case; `''` without one. Names that begin with a dot have none. */
export function extname(path: string): string {
  const name = basename(path)
  const dot = name.lastIndexOf('.')
  return dot <= 0 || dot === name.length - 1 ? '' : name.slice(dot).toLowerCase()
}

/** What every path inside a directory begins with: its path and a slash; `''` for the root. */
export function directoryPrefix(directory: string): string {
  return directory === '' ? '' : `${directory}/`
}

/** Every directory above a path, nearest first, without the root: `a/b/c` → `a/b`, `a`. */
export function parentsOf(path: string): string[] {
  const parents: string[] = []
  for (let parent = dirname(path); parent !== ''; parent = dirname(parent)) parents.push(parent)
  return parents
}

/** A path as part of a URL: every segment percent-encoded, RFC 3986 unreserved characters kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeSegment).join('/')
}

/** One segment of a URL, percent-encoded: a slash too. */
// encodeURIComponent leaves ! ' ( ) * alone; they are reserved in RFC 3986 and some signers and proxies encode them.
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/**
 * Orders by UTF-8 bytes, which is the order of every object store. JavaScript's `<` orders by UTF-16 units and differs where
 * a character beyond U+FFFF meets one from U+E000 on: surrogates sort below those, their UTF-8 sorts above.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return utf8Rank(x) - utf8Rank(y)
  }
  return a.length - b.length
}

/** Moves surrogates above the rest of the BMP, as UTF-8 has them. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
