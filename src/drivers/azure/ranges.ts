/**
 * One range of one version of a blob, over as many connections as break: what arrived stays, and the rest is asked for again, with
 * If-Match, so that no body ever mixes two versions.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Sdk from '@azure/storage-blob'
import { isStorageError, PreconditionFailedError, UnavailableError } from '../../errors.ts'
import { toAzureError } from './azure-errors.ts'
import type { AzureConnection } from './client.ts'

/** In bytes; the end is exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface BlobVersion {
  readonly connection: AzureConnection
  readonly key: string
  readonly etag: string
  readonly versionId: string | undefined
}

/** How often in a row a body may break without a byte more. */
const BREAKS = 4

/** Bytes as they come. @throws PreconditionFailedError when the blob was replaced meanwhile */
export async function* streamed(
  version: BlobVersion,
  span: Span,
  { signal, opened }: { readonly signal: AbortSignal; readonly opened?: NodeJS.ReadableStream | undefined },
): AsyncGenerator<Uint8Array, undefined> {
  let { start } = span
  let stream = opened
  for (let breaks = 0; start < span.end; ) {
    const before = start
    try {
      stream ??= await openSpan(version, { start, end: span.end }, signal)
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        const wanted = chunk.subarray(0, span.end - start)
        start += wanted.byteLength
        yield wanted
      }
      if (start < span.end) throw cutOff(start, span.end)
    } catch (error) {
      signal.throwIfAborted()
      if (isStorageError(error) && error.code !== 'unavailable') throw error
      breaks = start > before ? 1 : breaks + 1
      if (breaks > BREAKS) throw asBroken(error, version)
      await sleep(Math.random() * 100 * 2 ** breaks, undefined, { signal }).catch(() => signal.throwIfAborted())
    } finally {
      destroy(stream)
      stream = undefined
    }
  }
}

/** A buffer of exactly this span, filled. */
export async function fill(
  version: BlobVersion,
  span: Span,
  { into, signal }: { readonly into: Buffer; readonly signal: AbortSignal },
): Promise<void> {
  let filled = 0
  for await (const chunk of streamed(version, span, { signal })) {
    into.set(chunk, filled)
    filled += chunk.byteLength
  }
}

async function openSpan(
  { connection, key, etag, versionId }: BlobVersion,
  { start, end }: Span,
  signal: AbortSignal,
): Promise<NodeJS.ReadableStream> {
  try {
    const answer = await connection.ask(signal, ({ container }) =>
      blobOf(container, key, versionId).download(start, end - start, {
        abortSignal: signal,
        conditions: { ifMatch: etag },
        maxRetryRequests: 0,
      }),
    )
    return bodyOf(answer)
  } catch (error) {
    if (!isStorageError(error) || error.code !== 'precondition_failed') throw error
    throw new PreconditionFailedError('the file was replaced while it was being read', { cause: error.cause })
  }
}

export function blobOf(container: Sdk.ContainerClient, key: string, versionId: string | undefined): Sdk.BlobClient {
  const blob = container.getBlobClient(key)
  return versionId === undefined ? blob : blob.withVersion(versionId)
}

/** The stream of an answer. Its errors are met when it is read: until then nobody must fall over them. */
export function bodyOf(answer: Sdk.BlobDownloadResponseParsed): NodeJS.ReadableStream {
  const stream = answer.readableStreamBody as NodeJS.ReadableStream
  stream.on('error', () => undefined)
  return stream
}

export function destroy(stream: NodeJS.ReadableStream | undefined): void {
  ;(stream as { destroy?: () => void } | undefined)?.destroy?.()
}

function cutOff(start: number, end: number): UnavailableError {
  return new UnavailableError(`the connection was cut ${end - start} bytes before the end`)
}

function asBroken(error: unknown, { connection }: BlobVersion): unknown {
  const translated = toAzureError(error, connection.settings.container)
  return isStorageError(translated) ? translated : new UnavailableError('the connection broke, again and again', { cause: plain(error) })
}

function plain(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : String(error))
}
