/**
 * Paths of the disk ↔ names of blobs. A blob is named as the file, but where Azure would silently give it another name, or could
 * not list it:
 *
 *   'notes.'  ⟷  'notes. '        the service drops dots at the end of a segment; a space after them keeps them
 *   U+FFFE    ⟷  U+FDD0 'e'       what XML cannot say, behind a character that is assigned to nothing (U+FFFF 'f', U+FDD0 'd')
 *
 * A name has at most 1,024 characters and 254 segments ("Naming and referencing containers, blobs, and metadata", REST API).
 */
import { InvalidPathError, isStorageError } from '../../errors.ts'
import { normalizePath } from '../../path.ts'

const MAX_CHARACTERS = 1_024
const MAX_SEGMENTS = 254

const UNSAFE = /[\ufdd0\ufffe\uffff]|\. *(?=\/|$)/g
const ESCAPED = /\ufdd0[def]|\. +(?=\/|$)/g
const LOOKS_PLAIN = /^[^\ufdd0\ufffe\uffff.]*$/

const ESCAPES: Readonly<Record<string, string>> = { '\ufdd0': '\ufdd0d', '\ufffe': '\ufdd0e', '\uffff': '\ufdd0f' }
const UNESCAPES: Readonly<Record<string, string>> = { '\ufdd0d': '\ufdd0', '\ufdd0e': '\ufffe', '\ufdd0f': '\uffff' }

/** The blob's name. @throws InvalidPathError where it would be too long */
export function keyOf(path: string): string {
  const key = LOOKS_PLAIN.test(path) ? path : path.replace(UNSAFE, (match) => ESCAPES[match] ?? `${match} `)
  if (key.length > MAX_CHARACTERS) {
    throw new InvalidPathError(`the name of the blob would have ${key.length} characters: Azure takes ${MAX_CHARACTERS}`)
  }
  const segments = key.split('/').length
  if (segments > MAX_SEGMENTS) throw new InvalidPathError(`the path has ${segments} segments: Azure takes ${MAX_SEGMENTS}`)
  return key
}

/** What the names of all blobs in a directory begin with. */
export function prefixOf(directory: string): string {
  return directory === '' ? '' : `${keyOf(directory)}/`
}

/** The file's path; undefined for names that no path leads to, such as `a//b`, which other programs may have made. */
export function pathOf(key: string): string | undefined {
  try {
    const path = LOOKS_PLAIN.test(key) ? key : key.replace(ESCAPED, (match) => UNESCAPES[match] ?? match.slice(0, -1))
    return path !== '' && normalizePath(path) === path && keyOf(path) === key ? path : undefined
  } catch (error) {
    if (isStorageError(error)) return undefined
    throw error
  }
}

/**
 * How much of a path is certain to be ordered by the store as a listing has to be. Beyond the basic plane stores may order by
 * UTF-16 units instead of UTF-8 bytes, and an escaped dot moves the slash behind it.
 * @returns the length; undefined when the whole path is certain
 */
export function certainLength(path: string): number | undefined {
  const at = path.search(/[\ud800-\uffff]|\. *\//)
  if (at === -1) return undefined
  return path[at] === '.' ? at + 1 : at
}
