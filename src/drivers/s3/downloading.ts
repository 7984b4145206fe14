/**
 * Reading a file: facts and body in one request, of one version. What follows it, for a large body or after a broken connection,
 * asks for the same version by its etag.
 */
import { bytesBody, wrongLength } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type { Body, Range, ReadOptions, ReadResult } from '../../driver.ts'
import { IntegrityError, InvalidArgumentError, isStorageError, UnavailableError } from '../../errors.ts'
import { codeOf } from './conditions.ts'
import { statOf } from './facts.ts'
import { checkKey } from './keys.ts'
import { ObjectBody } from './object-body.ts'
import type { ObjectResponse } from './requests.ts'
import { translated } from './s3-errors.ts'
import type { S3Store } from './store.ts'

/** @throws InvalidArgumentError for a range that begins past the end; PreconditionFailedError for another version than `ifMatch` */
export async function readObject(store: S3Store, path: string, options: ReadOptions): Promise<ReadResult> {
  const key = checkKey(path)
  const { range, ifMatch, versionId, signal } = options
  signal?.throwIfAborted()
  let answer: ObjectResponse
  try {
    answer = await store.requests.get(key, { ifMatch, versionId, range: headerOf(range), eager: true, signal })
  } catch (error) {
    if (!isStorageError(error) || codeOf(error) !== 'InvalidRange') throw error
    return readNothing(store, path, options)
  }
  try {
    const { start, end, size } = extentOf(answer, range)
    const body = answer.bytes === undefined ? bodyOf(store, answer, { key, start, end, options }) : bytesBody(answer.bytes)
    return { stat: statOf(path, answer, size), body }
  } catch (error) {
    answer.stream.destroy()
    throw error
  }
}

/** An empty file has no byte that a range could name, so the store refuses those that are nothing of it. */
async function readNothing(store: S3Store, path: string, { range, ifMatch, versionId, signal }: ReadOptions): Promise<ReadResult> {
  const head = await store.head(checkKey(path), { ifMatch, versionId, signal })
  const { start, end } = resolveRange(range, head.contentLength)
  if (start !== end) throw new UnavailableError(`the store refused bytes ${start} to ${end} of ${head.contentLength}`)
  return { stat: statOf(path, head, head.contentLength), body: bytesBody(new Uint8Array()) }
}

/** The Range header; the whole file needs none. @throws InvalidArgumentError for a suffix of no bytes */
function headerOf(range: Range | undefined): string | undefined {
  if (range === undefined) return undefined
  if (range.suffix !== undefined) {
    if (range.suffix <= 0) throw new InvalidArgumentError('a suffix range needs at least one byte')
    return `bytes=-${range.suffix}`
  }
  const { start, end } = range
  if (end === undefined) return start === 0 ? undefined : `bytes=${start}-`
  return `bytes=${start}-${end - 1}`
}

/** Where the answer's bytes are in the file. */
function extentOf({ contentRange, contentLength }: ObjectResponse, range: Range | undefined): { start: number; end: number; size: number } {
  const [, start, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []
  if (start !== undefined) {
    const asked = resolveRange(range, Number(size))
    if (asked.start !== Number(start) || asked.end !== Number(last) + 1) throw otherBytes()
    return { ...asked, size: Number(size) }
  }
  const wanted = resolveRange(range, contentLength)
  if (wanted.start === 0 && wanted.end === contentLength) return { ...wanted, size: contentLength }
  throw new UnavailableError('the store does not answer with ranges: something between it and this process takes them out', {
    retryable: false,
  })
}

function otherBytes(): UnavailableError {
  return new UnavailableError('the store sent other bytes than it was asked for')
}

interface Slice {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly options: ReadOptions
}

function bodyOf(store: S3Store, answer: ObjectResponse, { key, start, end, options }: Slice): Body {
  const { settings, requests } = store
  const { versionId, signal } = options
  const { etag } = answer
  const fetch = async (from: number, to: number, signal: AbortSignal): Promise<ObjectResponse['stream']> => {
    const slice = await requests.get(key, { range: `bytes=${from}-${to - 1}`, ifMatch: etag, versionId, signal })
    const isOther = slice.contentRange !== undefined && !slice.contentRange.startsWith(`bytes ${from}-`)
    if (slice.contentLength === to - from && !isOther) return slice.stream
    slice.stream.destroy()
    throw isOther ? otherBytes() : wrongLength(answer.contentLength, to - from)
  }
  return new ObjectBody(answer, {
    start,
    end,
    signal,
    fetch: etag === undefined && versionId === undefined ? undefined : fetch,
    connections: Math.floor(settings.maxSockets / 2),
    // The SDK compares the checksum after the last byte: what fails then is the content, and not the connection.
    failed: (error, whole) =>
      whole && end > start && !isStorageError(error)
        ? new IntegrityError('the content does not have the checksum that the store sent with it', { cause: error })
        : translated(error, settings.bucket),
  })
}
