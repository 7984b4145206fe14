/** What the tests of the kit assert with. Errors are compared by code and place, never by message. */
import type { Disk } from '../../disk.ts'
import type { Entry } from '../../driver.ts'
import { type ErrorCode, isStorageError, type Operation } from '../../errors.ts'
import { AssertionError, bytesOf, describeDifference, sameBytes } from '../compare.ts'
import { expect } from './globals.ts'
import { DISK_NAME, type Subject } from './subject.ts'

/** What a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>, what = 'the call'): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new AssertionError(`Expected ${what} to reject, but it resolved.`)
}

/** The promise rejects with this code, and the error says where it happened. */
export async function expectError(
  promise: Promise<unknown>,
  code: ErrorCode,
  place: { readonly operation?: Operation; readonly path?: string } = {},
  what: string = code,
): Promise<void> {
  const error = await rejectionOf(promise, `${what} (${JSON.stringify(place)})`)
  if (!isStorageError(error)) throw new AssertionError(`Expected ${what}: a StorageError, not ${String(error)}`)
  const actual = {
    code: error.code,
    disk: error.disk,
    ...('operation' in place && { operation: error.operation }),
    ...('path' in place && { path: error.path }),
  }
  try {
    expect(actual).toEqual({ code, disk: DISK_NAME, ...place })
  } catch (difference) {
    throw Object.assign(difference as Error, { cause: error }) // what the error really was
  }
}

/** The call leaves the store as it was. */
export async function expectUnchanged(subject: Subject, call: () => Promise<unknown>): Promise<void> {
  const before = await stateOf(subject.seed)
  await call()
  expect(await stateOf(subject.seed)).toEqual(before)
}

/** Everything that a listing says of a disk. */
async function stateOf(disk: Disk): Promise<readonly string[]> {
  return (await entriesOf(disk)).map((entry) =>
    entry.type === 'directory' ? `${entry.path}/` : [entry.path, entry.size, entry.etag, entry.lastModified?.toISOString()].join(' '),
  )
}

export async function entriesOf(disk: Disk, directory = '', options: Parameters<Disk['list']>[1] = { recursive: true }): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of disk.list(directory, options)) entries.push(entry)
  return entries
}

/** Paths in the order of a listing, a directory with a slash at its end. */
export async function listed(disk: Disk, directory?: string, options?: Parameters<Disk['list']>[1]): Promise<string[]> {
  return (await entriesOf(disk, directory, options)).map(placeOf)
}

export function placeOf({ type, path }: Entry): string {
  return type === 'directory' ? `${path}/` : path
}

export function expectBytes(actual: Uint8Array, wanted: string | Uint8Array, what = 'the content'): void {
  const expected = bytesOf(wanted)
  if (!sameBytes(actual, expected)) throw new AssertionError(`Expected other bytes of ${what}.\n${describeDifference(expected, actual)}`)
}

/** The file holds exactly this. */
export async function expectFile(disk: Disk, path: string, wanted: string | Uint8Array): Promise<void> {
  expectBytes(await disk.get(path), wanted, JSON.stringify(path))
}

/** The disk has these files, and no others. */
export async function expectFiles(disk: Disk, files: Readonly<Record<string, string>>): Promise<void> {
  const actual: Record<string, string> = {}
  for (const path of await disk.allFiles()) actual[path] = await disk.text(path)
  expect(actual).toEqual(files)
}

/** Nothing lies in the store but the files of its disk. */
export async function expectNoLeftovers({ store }: Subject): Promise<void> {
  if (store.leftovers !== undefined) expect(await store.leftovers()).toEqual([])
}

/** Bytes of no pattern that a mistake could hit by chance, the same for the same arguments (xorshift32, Marsaglia 2003). */
export function bytesFor(size: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = seed * 2_654_435_761 || 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return Buffer.from(words.buffer, 0, size)
}

/** Everything that a stream or a body gives. */
export async function drained(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Puts many small files, some at a time; each holds its path. */
export async function putAll(disk: Disk, paths: Iterable<string>): Promise<void> {
  const all = [...paths]
  for (let start = 0; start < all.length; start += 50) {
    await Promise.all(all.slice(start, start + 50).map((path) => disk.put(path, path)))
  }
}

/** The code of an error of ours; else the error itself, as text. */
export function codeOf(error: unknown): string {
  return isStorageError(error) ? error.code : String(error)
}
