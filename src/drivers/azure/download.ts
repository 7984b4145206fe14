/**
 * Reading: facts and body in one request.
 *
 *   GET, Range: bytes=0-8388607 ──▶ 206, Content-Range: bytes 0-…/size      a small file is whole; the rest of a large one follows
 *
 * Azure knows no range that counts from the end, so such a one asks for the size first. An empty file has no range at all.
 */
import type * as Sdk from '@azure/storage-blob'
import { bytesBody } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type { FileStat, ReadOptions, ReadResult } from '../../driver.ts'
import { isStorageError, UnavailableError } from '../../errors.ts'
import { codeOf } from './azure-errors.ts'
import { BlobBody, FIRST_BYTES } from './body.ts'
import type { AzureConnection } from './client.ts'
import { quoted, statOf } from './facts.ts'
import { blobOf, bodyOf, destroy, type Span } from './ranges.ts'

/** A blob, and what a disk calls it. */
export interface Source {
  readonly path: string
  readonly key: string
}

/** What HEAD tells of a blob. */
export async function propertiesOf(connection: AzureConnection, key: string, options: ReadOptions): Promise<Sdk.BlobGetPropertiesResponse> {
  const { ifMatch, versionId, signal } = options
  return connection.ask(signal, ({ container }) =>
    blobOf(container, key, versionId).getProperties({
      ...(ifMatch !== undefined && { conditions: { ifMatch } }),
      ...(signal !== undefined && { abortSignal: signal }),
    }),
  )
}

export async function statBlob(connection: AzureConnection, { path, key }: Source, options: ReadOptions): Promise<FileStat> {
  const properties = await propertiesOf(connection, key, options)
  return statOf(path, properties.contentLength ?? 0, properties)
}

export async function readBlob(connection: AzureConnection, source: Source, options: ReadOptions): Promise<ReadResult> {
  const { range } = options
  if (range?.suffix !== undefined) {
    const stat = await statBlob(connection, source, options)
    const span = resolveRange(range, stat.size)
    if (span.start === span.end) return { stat, body: bytesBody(new Uint8Array()) }
    return readFrom(connection, source, { ...options, range: span, ...(stat.etag !== undefined && { ifMatch: stat.etag }) })
  }
  try {
    return await readFrom(connection, source, options)
  } catch (error) {
    if (!isStorageError(error) || codeOf(error) !== 'InvalidRange') throw error
    const stat = await statBlob(connection, source, options)
    const span = resolveRange(range, stat.size) // where the range is wrong, this says so
    if (span.start === span.end) return { stat, body: bytesBody(new Uint8Array()) }
    throw new UnavailableError('the file grew while it was being read', { cause: error.cause })
  }
}

async function readFrom(connection: AzureConnection, { path, key }: Source, options: ReadOptions): Promise<ReadResult> {
  const { range, ifMatch, versionId, signal } = options
  const start = range?.start ?? 0
  const count = Math.min(FIRST_BYTES, (range?.end ?? Number.POSITIVE_INFINITY) - start)
  const answer = await connection.ask(signal, ({ container }) =>
    blobOf(container, key, versionId).download(start, count, {
      maxRetryRequests: 0, // the SDK's own would not see a connection that is cut
      ...(ifMatch !== undefined && { conditions: { ifMatch } }),
      ...(signal !== undefined && { abortSignal: signal }),
    }),
  )
  const stream = bodyOf(answer)
  try {
    const { size, first } = spanOf(answer, start)
    const stat = statOf(path, size, answer)
    const span: Span = resolveRange(range, size)
    const isWhole = span.start === 0 && span.end === size
    const md5 = isWhole ? (answer.blobContentMD5 ?? (answer.contentRange === undefined ? answer.contentMD5 : undefined)) : undefined
    const version = { connection, key, etag: quoted(answer.etag as string), versionId }
    return { stat, body: new BlobBody(version, span, { beginning: { stream, end: first.end, md5 }, signal }) }
  } catch (error) {
    destroy(stream)
    throw error
  }
}

/** What the answer holds, and how large the whole is. */
function spanOf(
  { contentRange, contentLength = 0 }: Sdk.BlobDownloadResponseParsed,
  start: number,
): { readonly size: number; readonly first: Span } {
  const size = Number(/\/(\d+)$/.exec(contentRange ?? '')?.[1] ?? contentLength)
  return { size, first: { start, end: Math.min(size, start + contentLength) } }
}
