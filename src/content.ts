/**
 * Anything a user can put → Content; a Body → bytes, or a Readable.
 *
 *   string, bytes, ArrayBuffer ──▶ bytes in memory, replayable          a string is one chunk, never iterated
 *   Blob, File, array          ──▶ stream, replayable
 *   Node or web stream, iterable ▶ stream, once
 *
 * Nothing here buffers a whole body but `collect`, whose callers asked for it.
 */
import { finished, Readable } from 'node:stream'
import { isAnyArrayBuffer } from 'node:util/types'
import { createDigest } from './digest.ts'
import type { Body, Checksum, Content } from './driver.ts'
import { IntegrityError, InvalidArgumentError, QuotaExceededError, quote, UnavailableError } from './errors.ts'

/** One piece of a stream or an iterable. Strings are UTF-8. */
export type Chunk = string | Uint8Array | ArrayBufferLike | ArrayBufferView

/** Everything a file can be written from. */
export type Contents = Chunk | Blob | Readable | ReadableStream | Iterable<Chunk> | AsyncIterable<Chunk>

/** Streams hand out and take about this much at a time: the size at which local streams are fastest. */
export const CHUNK_BYTES: number = 1024 * 1024

/** The one shape below the seam. @throws InvalidArgumentError for what cannot be written, and for a stream that was read before */
export function toContent(contents: Contents): Content {
  const bytes = toBytes(contents)
  if (bytes !== undefined) return bytesContent(bytes)
  if (isBlob(contents)) return { size: contents.size, replayable: true, bytes: undefined, stream: () => webChunks(contents.stream()) }
  if (isNodeStream(contents)) return onceContent(nodeChunks(checkUnread(contents)))
  if (isWebStream(contents)) {
    if (contents.locked) throw new InvalidArgumentError('the stream is locked: somebody else is reading it')
    if (Readable.isDisturbed(contents as never))
      throw new InvalidArgumentError('the stream was read or cancelled already: pass a fresh one')
    return onceContent(webChunks(contents))
  }
  if (Array.isArray(contents)) return { size: undefined, replayable: true, bytes: undefined, stream: () => iterableChunks(contents) }
  if (isIterable(contents)) return onceContent(iterableChunks(contents))
  throw new InvalidArgumentError(`cannot write ${describeValue(contents)}: pass a string, bytes, a Blob, a stream or an iterable of chunks`)
}

/** Content that is in memory already. */
export function bytesContent(bytes: Uint8Array): Content {
  return { size: bytes.byteLength, replayable: true, bytes, stream: () => oneChunk(bytes) }
}

/** Content that can be read once. */
export function streamContent(source: AsyncIterable<Uint8Array>, size?: number): Content {
  return { ...onceContent(source), size }
}

/** The same content, seen through a transform that keeps its length or not. */
export function mapContent(
  content: Content,
  size: number | undefined,
  transform: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): Content {
  return { size, replayable: content.replayable, bytes: undefined, stream: () => transform(content.stream()) }
}

/** Tells how many bytes were taken. Bytes in memory are handed out in slices, so that there is progress to tell. */
export function withProgress(content: Content, onProgress: (progress: { loaded: number; total?: number }) => void): Content {
  const total = content.size
  return mapContent(content, total, async function* (source) {
    let loaded = 0
    for await (const chunk of source) {
      for (let start = 0; start < chunk.byteLength; start += CHUNK_BYTES) {
        const slice = chunk.subarray(start, start + CHUNK_BYTES)
        yield slice
        loaded += slice.byteLength
        onProgress(total === undefined ? { loaded } : { loaded, total })
      }
    }
    if (loaded === 0) onProgress(total === undefined ? { loaded } : { loaded, total })
  })
}

/** Fails with IntegrityError, before the end of the stream, when the content does not hash to what was promised. */
export function withChecksum(content: Content, checksum: Checksum): Content {
  if (content.bytes !== undefined) {
    const digest = createDigest(checksum.algorithm)
    digest.update(content.bytes)
    checkDigest(digest.digest('hex'), checksum)
    return content
  }
  return mapContent(content, content.size, async function* (source) {
    const digest = createDigest(checksum.algorithm)
    for await (const chunk of source) {
      digest.update(chunk)
      yield chunk
    }
    checkDigest(digest.digest('hex'), checksum)
  })
}

function checkDigest(actual: string, { algorithm, value }: Checksum): void {
  if (actual !== value) throw new IntegrityError(`the content's ${algorithm} is ${actual}, not ${quote(value)}: nothing was written`)
}

/** The whole content in memory. For drivers whose stores take no streams, and for small files. */
export async function contentBytes(content: Content, signal?: AbortSignal): Promise<Uint8Array> {
  if (content.bytes !== undefined) return content.bytes
  const chunks: Uint8Array[] = []
  for await (const chunk of content.stream()) {
    signal?.throwIfAborted()
    chunks.push(chunk)
  }
  signal?.throwIfAborted()
  return Buffer.concat(chunks)
}

/**
 * A whole body in memory, in a buffer of the caller's own.
 * @param expected its length, when known: the buffer is then made once, and a body of another length is an error
 * @throws QuotaExceededError as soon as more than `maxBytes` came; UnavailableError when the body ended early
 */
export async function collect(
  body: Body,
  { expected, maxBytes = Number.POSITIVE_INFINITY }: { expected?: number | undefined; maxBytes?: number | undefined } = {},
): Promise<Buffer> {
  if (expected !== undefined && expected > maxBytes) {
    await discard(body)
    throw tooLarge(maxBytes)
  }
  if (body.bytes !== undefined) return checkedLength(asBuffer(await body.bytes()), expected, maxBytes)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.byteLength
    if (length > maxBytes) throw tooLarge(maxBytes)
    if (expected !== undefined && length > expected) throw wrongLength(length, expected)
    chunks.push(chunk)
  }
  return checkedLength(chunks.length === 1 ? asBuffer(chunks[0] as Uint8Array) : Buffer.concat(chunks, length), expected, maxBytes)
}

function checkedLength(bytes: Buffer, expected: number | undefined, maxBytes: number): Buffer {
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes)
  if (expected !== undefined && bytes.byteLength !== expected) throw wrongLength(bytes.byteLength, expected)
  return bytes
}

function tooLarge(maxBytes: number): QuotaExceededError {
  return new QuotaExceededError(`the file is larger than maxBytes (${maxBytes}): read it with readStream, or raise maxBytes`)
}

/** The body is not as long as its stat says: a connection that was cut, or a file that changed under the reader. */
export function wrongLength(received: number, expected: number): UnavailableError {
  return new UnavailableError(`the body has ${received} bytes instead of ${expected}: the connection was cut or the file changed`)
}

/** A body that fails when it ends early or goes on too long, so that whoever writes it leaves the old file. */
export async function* wholeBody(body: Body, expected: number): AsyncGenerator<Uint8Array, undefined> {
  let received = 0
  for await (const chunk of body) {
    received += chunk.byteLength
    if (received > expected) throw wrongLength(received, expected)
    yield chunk
  }
  if (received !== expected) throw wrongLength(received, expected)
}

/** A view on bytes as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Gives a body back unread, so that its descriptor or socket is free again. Never rejects. */
export async function discard(body: Body): Promise<void> {
  try {
    await body[Symbol.asyncIterator]().return?.()
  } catch {
    // Nobody wants the bytes, so nobody wants to know why they could not be had.
  }
}

/** Keeps a Node stream that fails before it is read from ending the process: the failure is met when it is read. */
export function holdErrors(contents: unknown): void {
  if (isNodeStream(contents)) contents.on('error', () => undefined)
}

/** Destroys a source that will not be read after all, so that it does not stay open. */
export function abandon(contents: unknown): void {
  if (isNodeStream(contents)) contents.destroy()
  else if (isWebStream(contents) && !contents.locked) contents.cancel().catch(() => undefined)
}

/** A body as a Node stream. Destroying it, before or after the first byte, gives the body back. */
export function toReadable(body: Body): Readable {
  return Readable.from(body, { objectMode: false, highWaterMark: CHUNK_BYTES })
}

/** A body that is in memory already. It hands out the very bytes: pass a copy of what must not change. */
export function bytesBody(bytes: Uint8Array): Body {
  return { bytes: () => Promise.resolve(bytes), [Symbol.asyncIterator]: () => oneChunk(bytes)[Symbol.asyncIterator]() }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (bytes.byteLength > 0) yield bytes
}

function onceContent(source: AsyncIterable<Uint8Array>): Content {
  let taken = false
  return {
    size: undefined,
    replayable: false,
    bytes: undefined,
    stream: () => {
      if (taken)
        throw new InvalidArgumentError('the stream was read already and cannot be read again: pass bytes or a Blob to allow retries')
      taken = true
      return source
    },
  }
}

function checkUnread(stream: Readable): Readable {
  if (stream.errored) throw new InvalidArgumentError(`the stream has failed already: ${stream.errored.message}`, { cause: stream.errored })
  if (typeof stream.read !== 'function')
    throw new InvalidArgumentError('cannot write a stream that is only written to: pass one to read from')
  if (stream.destroyed || stream.readableEnded || stream.readableDidRead || !stream.readable) {
    throw new InvalidArgumentError('the stream was read already: pass a fresh one')
  }
  return stream
}

/**
 * The chunks of a Node stream as they come. Not by its own iterator, which joins what has gathered meanwhile into one buffer:
 * a copy of every byte. A stream that is left before its end is destroyed.
 */
async function* nodeChunks(stream: Readable): AsyncGenerator<Uint8Array, undefined> {
  const gathered: unknown[] = []
  let ended = false
  let failure: Error | null | undefined
  let wake = (): void => undefined
  const forget = finished(stream, { writable: false }, (error) => {
    failure = error
    ended = true
    wake()
  })
  const take = (chunk: unknown): void => {
    gathered.push(chunk)
    stream.pause()
    wake()
  }
  stream.on('data', take)
  try {
    for (;;) {
      while (gathered.length > 0) {
        const chunk = gathered.shift()
        yield typeof chunk === 'string' ? Buffer.from(chunk, stream.readableEncoding ?? 'utf8') : chunkBytes(chunk)
      }
      if (failure) throw failure
      if (ended) return
      stream.resume()
      if (gathered.length === 0 && !ended) await new Promise<void>((resolve) => void (wake = resolve))
    }
  } finally {
    forget()
    stream.off('data', take)
    if (!ended) stream.destroy()
  }
}

async function* webChunks(stream: ReadableStream): AsyncGenerator<Uint8Array, undefined> {
  const reader = stream.getReader()
  let ended = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      ended = done
      if (done) return
      yield chunkBytes(value)
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined)
  }
}

async function* iterableChunks(source: Iterable<Chunk> | AsyncIterable<Chunk>): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of source) yield chunkBytes(chunk)
}

function chunkBytes(chunk: unknown): Uint8Array {
  const bytes = toBytes(chunk)
  if (bytes === undefined)
    throw new InvalidArgumentError(`cannot write a chunk that is ${describeValue(chunk)}: chunks are strings or bytes`)
  return bytes
}

function toBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  if (ArrayBuffer.isView(value)) return asBuffer(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  if (isAnyArrayBuffer(value)) return new Uint8Array(value)
  return undefined
}

// Shapes and not classes: values come from other realms and from other implementations of the same standard.

/** A Blob or a File, from whatever implementation. */
export function isBlob(value: unknown): value is Blob {
  return has(value, 'stream', 'function') && has(value, 'arrayBuffer', 'function') && has(value, 'size', 'number')
}

function isNodeStream(value: unknown): value is Readable {
  return has(value, 'pipe', 'function') && has(value, 'on', 'function') && has(value, 'destroy', 'function')
}

function isWebStream(value: unknown): value is ReadableStream {
  return has(value, 'getReader', 'function')
}

/** True for what iterates but is not a string. */
export function isIterable(value: unknown): value is Iterable<never> | AsyncIterable<never> {
  return has(value, Symbol.asyncIterator, 'function') || has(value, Symbol.iterator, 'function')
}

function has(value: unknown, key: string | symbol, type: 'function' | 'number'): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string | symbol, unknown>)[key] === type
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  return value.constructor?.name === undefined || value.constructor.name === 'Object' ? 'a plain object' : `a ${value.constructor.name}`
}
