/**
 * New headers for files that stay as they are: what a rotated key asks for. A key that became known to others asks for more: read and
 * write those files, so that they get new file keys.
 */
import { streamContent } from '../../content.ts'
import { keptOptions, pagesOf } from '../../derive.ts'
import type { CallOptions, Driver, WriteOptions } from '../../driver.ts'
import { IntegrityError, isNotFound, PartialFailureError, type PathFailure, toStorageError } from '../../errors.ts'
import { after, peek } from './bodies.ts'
import type { FileFormat, RewrapOptions } from './file-format.ts'

export interface RewrapResult {
  readonly rewrapped: number
  /** Files whose header was the primary key's already. */
  readonly unchanged: number
}

export interface Rewrapper {
  readonly inner: Driver
  readonly format: () => Promise<FileFormat>
  /** Reads and writes a file anew, where a format has no other way. */
  readonly reencrypt: (path: string, options: CallOptions) => Promise<void>
}

const CONCURRENCY = 4

/** A file, or every file of a directory. @throws PartialFailureError with the files that were left as they are */
export async function rewrapTree(rewrapper: Rewrapper, path: string, options: CallOptions): Promise<RewrapResult> {
  const counts = { rewrapped: 0, unchanged: 0 }
  const failures: PathFailure[] = []
  const rewrap = async (file: string): Promise<void> => {
    try {
      counts[(await rewrapFile(rewrapper, file, options)) ? 'rewrapped' : 'unchanged']++
    } catch (error) {
      options.signal?.throwIfAborted()
      failures.push({ path: file, error: toStorageError(error) })
    }
  }
  if (path !== '' && (await isFile(rewrapper.inner, path, options))) {
    counts[(await rewrapFile(rewrapper, path, options)) ? 'rewrapped' : 'unchanged']++
    return counts
  }
  for await (const entries of pagesOf(rewrapper.inner, path, { recursive: true, stat: false, signal: options.signal })) {
    const files = entries.filter(({ type }) => type === 'file').map((entry) => entry.path)
    const next = files.values()
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (const file of next) await rewrap(file)
      }),
    )
  }
  if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
  return counts
}

async function isFile(inner: Driver, path: string, { signal }: CallOptions): Promise<boolean> {
  try {
    await inner.stat(path, { signal })
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** @returns false when the header was the primary key's already */
async function rewrapFile(rewrapper: Rewrapper, path: string, options: CallOptions): Promise<boolean> {
  const { rewrap } = await rewrapper.format()
  if (rewrap !== undefined) return writeRewrapped(rewrapper.inner, rewrap, { from: path, to: path, onlyOld: true, options })
  await rewrapper.reencrypt(path, options)
  return true
}

export interface RewrapWrite extends RewrapOptions {
  /** Those of a copy, when it is one: for the store, not for users. */
  readonly options: WriteOptions
}

/** Writes a file under another header, its payload byte for byte. @returns false when nothing had to be written */
export async function writeRewrapped(inner: Driver, rewrap: NonNullable<FileFormat['rewrap']>, target: RewrapWrite): Promise<boolean> {
  const { from, to, onlyOld, options } = target
  const { stat, body } = await inner.read(from, { signal: options.signal })
  let header: ReturnType<typeof rewrap> = 'more'
  const peeked = await peek(body, (head) => {
    header = head.byteLength === 0 ? 'more' : rewrap(head, { from, to, onlyOld })
    return header !== 'more'
  })
  const outcome = header as ReturnType<typeof rewrap> // assigned in the callback
  if (outcome === 'unchanged' || outcome === 'more') {
    await peeked.release()
    if (outcome === 'more') throw new IntegrityError('the file is not encrypted, or was cut within its header')
    return false
  }
  const { head, oldBytes } = outcome
  const size = stat.size - oldBytes + head.byteLength
  const isSame = from === to
  await inner.write(to, streamContent(prefixed(head, after(peeked.whole, oldBytes)), size), {
    ...keptOptions(stat, options),
    ...(inner.visibility !== undefined && { visibility: options.visibility ?? stat.visibility }),
    ...(isSame && inner.supports.ifMatch && { ifMatch: stat.etag }),
  })
  return true
}

async function* prefixed(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  yield head
  yield* rest
}
