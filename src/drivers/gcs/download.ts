/**
 * Reading: the facts and the bytes of one generation.
 *
 *   GET o/name            ──▶ facts ─╮
 *   GET o/name?alt=media  ──▶ bytes ─┴─ of the same generation, else once more
 *
 * The API does not send metadata along with bytes, so there are two requests, at the same time. Bytes come as they are stored, also
 * those of files with a content encoding. Whole files are compared with their crc32c; a connection that is lost on the way is taken
 * up where it ended, in the same generation.
 */
import type { IncomingMessage } from 'node:http'
import { toContent, wrongLength } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import { createDigest } from '../../digest.ts'
import type { Body, Range, ReadOptions, ReadResult } from '../../driver.ts'
import { IntegrityError, isStorageError, UnavailableError } from '../../errors.ts'
import { type ApiCall, type GcsApi, objectPath } from './api.ts'
import { GcsFailure, networkFailure, translate } from './gcs-errors.ts'
import { headerOf } from './http.ts'
import { conditionOf, factsQuery, type ObjectResource, statOf } from './objects.ts'
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'

/** So often a file may be replaced between its facts and its bytes. */
const ATTEMPTS = 10

/** A file being read. */
interface Reading {
  readonly api: GcsApi
  readonly name: string
  readonly generation: string | undefined
  readonly start: number
  readonly end: number
  /** In base64, when the whole file is read. */
  readonly crc32c: string | undefined
  readonly signal: AbortSignal | undefined
}

export async function read(api: GcsApi, name: string, options: ReadOptions): Promise<ReadResult> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const opened = await open(api, name, options)
    if (opened === undefined) continue
    const { resource, answer } = opened
    const stat = statOf(name, resource)
    if (answer === undefined) {
      resolveRange(options.range, stat.size)
      return { stat, body: new ObjectBody(readingOf(api, resource, { start: 0, end: 0 }, options.signal), undefined) }
    }
    const range = resolveRange(options.range, stat.size)
    return { stat, body: new ObjectBody(readingOf(api, resource, range, options.signal), answer) }
  }
  throw new UnavailableError('the file is replaced faster than it can be read: try again')
}

function readingOf(
  api: GcsApi,
  { name, generation, size, crc32c }: ObjectResource,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): Reading {
  const whole = start === 0 && end === Number(size)
  return { api, name, generation, start, end, crc32c: whole ? crc32c : undefined, signal }
}

/** Facts and bytes of one generation; no bytes when the range has none; undefined when the file was replaced in between. */
async function open(
  api: GcsApi,
  name: string,
  options: ReadOptions,
): Promise<{ readonly resource: ObjectResource; readonly answer: IncomingMessage | undefined } | undefined> {
  const call = callOf(api, name, options)
  const opening = openMedia(api, call, options.range)
  opening.catch(() => undefined)
  let resource: ObjectResource
  try {
    resource = await api.json<ObjectResource>({ ...call, query: { ...call.query, ...factsQuery(!api.settings.uniformAccess) } })
  } catch (error) {
    void opening.then((answer) => answer?.destroy()).catch(() => undefined)
    throw error
  }
  const answer = await opening
  if (answer === undefined) return { resource, answer }
  const generation = headerOf(answer, 'x-goog-generation')
  if (generation === undefined || generation === resource.generation) return { resource, answer }
  answer.destroy()
  return undefined
}

function callOf(api: GcsApi, name: string, { ifMatch, versionId, signal }: ReadOptions): ApiCall {
  const { condition, query } = conditionOf({ ifMatch })
  const path = objectPath(api.settings.bucket, name)
  return { path, query: { ...query, generation: versionId }, condition, repeatable: 'idempotent', signal }
}

/** The answer with the bytes; undefined when the range has none. */
async function openMedia(api: GcsApi, call: ApiCall, range: Range | undefined): Promise<IncomingMessage | undefined> {
  const header = rangeHeader(range)
  // Without `gzip` here the store would unpack what is stored packed, and no length or range would fit.
  const headers = { 'accept-encoding': 'gzip', ...(header !== undefined && { range: header }) }
  const media: ApiCall = { ...call, query: { ...call.query, alt: 'media' }, headers }
  return api.translated(media, async () => {
    try {
      return await api.repeated(media, () => api.exchange(media))
    } catch (error) {
      if (error instanceof GcsFailure && error.status === 416) return undefined
      throw error
    }
  })
}

function rangeHeader(range: Range | undefined): string | undefined {
  if (range === undefined) return undefined
  if (range.suffix !== undefined) return `bytes=-${range.suffix}`
  const { start, end } = range
  if (start === 0 && end === undefined) return undefined
  return `bytes=${start}-${end === undefined ? '' : end - 1}`
}

/** The bytes, read once. Ending its iterator, before the first chunk or later, closes the connection. */
class ObjectBody implements Body {
  readonly #reading: Reading
  #answer: IncomingMessage | undefined

  constructor(reading: Reading, answer: IncomingMessage | undefined) {
    this.#reading = reading
    this.#answer = answer
  }

  /** All of it, in one buffer. */
  readonly bytes = async (): Promise<Uint8Array> => {
    const { start, end } = this.#reading
    const all = Buffer.allocUnsafeSlow(end - start)
    let length = 0
    for await (const chunk of this) {
      all.set(chunk, length)
      length += chunk.byteLength
    }
    return all
  };

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    const answer = this.#answer
    this.#answer = undefined
    const chunks = chunksOf(this.#reading, answer)
    return {
      next: () => chunks.next(),
      return: async () => {
        answer?.destroy() // a generator that was never started runs nothing when it is ended
        return chunks.return(undefined)
      },
    }
  }
}

async function* chunksOf(reading: Reading, first: IncomingMessage | undefined): AsyncGenerator<Uint8Array, undefined> {
  const { start, end, crc32c, signal } = reading
  if (first === undefined) return undefined
  const digest = createDigest('crc32c')
  let answer = first
  let offset = start
  let from = start - 1
  try {
    while (offset < end || answer === first) {
      try {
        // As they come: the answer's own iterator would join what has gathered, a copy of every byte.
        for await (const chunk of toContent(answer).stream()) {
          offset += chunk.byteLength
          if (offset > end) throw wrongLength(offset - start, end - start)
          if (crc32c !== undefined) digest.update(chunk)
          inviteCollection(chunk.byteLength, OF_SOCKETS)
          yield chunk
        }
        if (offset >= end) break
      } catch (error) {
        signal?.throwIfAborted()
        if (!isCut(error)) throw translate(isStorageError(error) ? error : networkFailure(error))
      }
      answer.destroy()
      if (offset === from) throw wrongLength(offset - start, end - start) // twice without a byte
      from = offset
      answer = await resumed(reading, offset)
    }
    if (crc32c !== undefined && digest.digest('base64') !== crc32c)
      throw new IntegrityError('other bytes arrived than the store has (crc32c): read the file again')
  } finally {
    answer.destroy()
  }
  return undefined
}

/** A connection that ended before its time. */
function isCut(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'EPIPE' || code === 'ETIMEDOUT'
}

/** The same generation from where the connection ended. @throws UnavailableError when it cannot be had */
async function resumed({ api, name, generation, start, end, signal }: Reading, offset: number): Promise<IncomingMessage> {
  const { retries } = await api.connection()
  const lost = wrongLength(offset - start, end - start)
  if (retries === 0 || generation === undefined) throw lost
  const call = { ...callOf(api, name, { versionId: generation, signal }), condition: undefined }
  const answer = await openMedia(api, call, { start: offset, end }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw translate(error) instanceof UnavailableError ? error : lost
  })
  if (answer === undefined || answer.statusCode !== (offset === 0 && start === 0 && end === 0 ? 200 : 206)) {
    answer?.destroy()
    throw lost
  }
  return answer
}
