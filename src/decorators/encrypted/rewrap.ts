/**
 * New headers for files that stay as they are: what a rotated key asks for. A key that became known to others asks for more: read and
 * write those files, so that they get new file keys.
 */
import { mapContent, streamContent, wholeBody } from '../../content.ts'
import { changed, keptOptions, pagesOf } from '../../derive.ts'
import type { CallOptions, Content, Driver, FileStat, WriteOptions } from '../../driver.ts'
import { IntegrityError, isNotFound, PartialFailureError, type PathFailure, PreconditionFailedError, toStorageError } from '../../errors.ts'
import { after, peek } from './bodies.ts'
import type { FileFormat, RewrapOptions as HeaderOptions } from './file-format.ts'

export interface RewrapResult {
  readonly rewrapped: number
  /** Files whose header was the primary key's already. */
  readonly unchanged: number
}

export interface RewrapOptions extends CallOptions {
  /** Also files that are under the primary key already: after another recipient was set in `recovery`. Default: false. */
  readonly all?: boolean | undefined
  /** With `bind`: also files that are bound to nothing yet, which somebody may have put where they are. Default: false. */
  readonly unbound?: boolean | undefined
}

export interface Rewrapper {
  readonly inner: Driver
  readonly format: () => Promise<FileFormat>
  /** Whether the file is not encrypted, and may be read as it is. */
  readonly isPlain: (path: string, options: CallOptions) => Promise<boolean>
  /** Reads and writes a file anew, where a format has no other way. */
  readonly reencrypt: (path: string, options: CallOptions) => Promise<void>
}

const CONCURRENCY = 4

/** A file, or every file of a directory. @throws PartialFailureError with the files that were left as they are */
export async function rewrapTree(rewrapper: Rewrapper, path: string, options: RewrapOptions): Promise<RewrapResult> {
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
async function rewrapFile(rewrapper: Rewrapper, path: string, { signal, all = false, unbound }: RewrapOptions): Promise<boolean> {
  const { rewrap } = await rewrapper.format()
  if (rewrap !== undefined && !(await rewrapper.isPlain(path, { signal }))) {
    return writeRewrapped(rewrapper.inner, rewrap, { from: path, to: path, onlyOld: !all, unbound, options: { signal } })
  }
  await rewrapper.reencrypt(path, { signal })
  return true
}

export interface RewrapWrite extends HeaderOptions {
  /** Those of a copy, when it is one: for the store, not for users. */
  readonly options: WriteOptions
}

/** Writes a file under another header, its payload byte for byte. @returns false when nothing had to be written */
export async function writeRewrapped(inner: Driver, rewrap: NonNullable<FileFormat['rewrap']>, target: RewrapWrite): Promise<boolean> {
  const { from, to, options, ...headerOptions } = target
  const { stat, body } = await inner.read(from, { signal: options.signal })
  let header: ReturnType<typeof rewrap> = 'more'
  const peeked = await peek(wholeBody(body, stat.size), (head) => {
    header = head.byteLength === 0 ? 'more' : rewrap(head, { from, to, ...headerOptions })
    return header !== 'more'
  })
  const outcome = header as ReturnType<typeof rewrap> // assigned in the callback
  if (outcome === 'unchanged' || outcome === 'more') {
    await peeked.release()
    if (outcome === 'more') throw new IntegrityError('the file is not encrypted, or was cut within its header')
    return false
  }
  const { head, oldBytes } = outcome
  const content = streamContent(prefixed(head, after(peeked.whole, oldBytes)), stat.size - oldBytes + head.byteLength)
  const isSame = from === to
  try {
    await inner.write(to, isSame ? guarded(inner, stat, content, options) : content, {
      ...keptOptions(stat, options),
      ...(await inPlace(inner, stat, options)),
      ...(!isSame && { storageClass: options.storageClass, ifMatch: options.ifMatch }),
    })
  } finally {
    await peeked.release()
  }
  return true
}

/** What a file keeps when it is written anew in its own place, and the condition that it is still the same one. */
export async function inPlace(inner: Driver, stat: FileStat, { visibility, signal }: WriteOptions): Promise<WriteOptions> {
  const kept =
    inner.visibility === undefined ? undefined : (visibility ?? stat.visibility ?? (await inner.visibility.get(stat.path, { signal })))
  return { visibility: kept, storageClass: stat.storageClass, ifMatch: inner.supports.ifMatch ? stat.etag : undefined }
}

/** Content that fails at its end when the file it came from is another one meanwhile: for stores that cannot judge that themselves. */
export function guarded(inner: Driver, before: FileStat, content: Content, { signal }: CallOptions): Content {
  if (inner.supports.ifMatch && before.etag !== undefined) return content
  return mapContent(content, content.size, async function* (source) {
    yield* source
    if (changed(before, await inner.stat(before.path, { signal }))) {
      throw new PreconditionFailedError('the file changed while it was written under another key: the newer one stays')
    }
  })
}

async function* prefixed(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  yield head
  yield* rest
}
