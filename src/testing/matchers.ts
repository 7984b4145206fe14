/**
 * Matchers for any disk, real or fake: `expect.extend(matchers)`, then `await expect(disk).toHaveFile('a.txt', 'content')`.
 * They ask the disk, so they are awaited; a FakeDisk's own assertions need not be.
 */
import type { Filesystem } from '../disk.ts'
import type { Visibility } from '../driver.ts'
import { bytesOf, describeDifference, listPaths, sameBytes } from './compare.ts'

/** What Jest and Vitest want of a matcher. */
export interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
}

/** A type and no interface, because `expect.extend` takes what has an index. */
export type DiskMatchers = {
  /** A file is there; with `content`, of exactly that. */
  toHaveFile(disk: Filesystem, path: string, content?: string | Uint8Array): Promise<MatcherResult>
  /** A directory is there. */
  toHaveDirectory(disk: Filesystem, path: string): Promise<MatcherResult>
  toHaveVisibility(disk: Filesystem, path: string, visibility: Visibility): Promise<MatcherResult>
  toHaveContentType(disk: Filesystem, path: string, contentType: string): Promise<MatcherResult>
}

/** What the matchers are on `expect(disk)`. Each is awaited, or its failure is lost. */
export interface DiskAssertions {
  /** A file is there; with `content`, of exactly that. */
  toHaveFile(path: string, content?: string | Uint8Array): Promise<void>
  /** A directory is there. */
  toHaveDirectory(path: string): Promise<void>
  toHaveVisibility(path: string, visibility: Visibility): Promise<void>
  toHaveContentType(path: string, contentType: string): Promise<void>
}

// `expect` of @jest/globals. Who has no Jest has no such module, and must compile all the same: hence the comment that the compiler reads.
/** @ts-ignore -- of an optional package */
declare module 'expect' {
  interface Matchers<R> extends DiskAssertions {}
}

// The global `expect` of @types/jest, and Vitest's, whose assertions have what Chai's have. Without them these are nobody's.
declare global {
  namespace jest {
    interface Matchers<R> extends DiskAssertions {}
  }
  namespace Chai {
    interface Assertion extends DiskAssertions {}
  }
}

export const matchers: DiskMatchers = {
  async toHaveFile(disk, path, content) {
    const actual = await disk.getOrNull(path)
    if (actual === null) {
      const paths = await disk.allFiles()
      return result(false, () => `Expected disk "${disk.name}" to have the file "${path}", but there is:\n${listPaths(paths)}`)
    }
    const wanted = content === undefined ? undefined : bytesOf(content)
    if (wanted === undefined || sameBytes(actual, wanted)) {
      return result(
        true,
        () => `Expected disk "${disk.name}" not to have the file "${path}"${wanted === undefined ? '' : ' with this content'}.`,
      )
    }
    return result(false, () => `Expected "${path}" on disk "${disk.name}" to hold other content.\n${describeDifference(wanted, actual)}`)
  },

  async toHaveDirectory(disk, path) {
    const pass = await disk.directoryExists(path)
    return result(pass, () => `Expected disk "${disk.name}" ${pass ? 'not ' : ''}to have the directory "${path}".`)
  },

  async toHaveVisibility(disk, path, visibility) {
    const actual = await disk.visibility(path)
    const pass = actual === visibility
    return result(pass, () => `Expected "${path}" on disk "${disk.name}" ${pass ? 'not ' : ''}to be ${visibility}, it is ${actual}.`)
  },

  async toHaveContentType(disk, path, contentType) {
    const actual = await disk.mimeType(path)
    const pass = actual === contentType
    return result(
      pass,
      () => `Expected "${path}" on disk "${disk.name}" ${pass ? 'not ' : ''}to be of type "${contentType}", it is ${actual ?? 'of none'}.`,
    )
  },
}

function result(pass: boolean, message: () => string): MatcherResult {
  return { pass, message }
}
