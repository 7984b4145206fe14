/**
 * Adding to the end of a file.
 *
 *   append blob ──▶ Append Block                          one request, and the service keeps the order of several who append
 *   no file     ──▶ made as an append blob, If-None-Match: *
 *   block blob  ──▶ its blocks ‖ new blocks, committed under If-Match; without blocks of ours (a Put Blob) it is rewritten
 *
 * So a file that begins with an append stays cheap to append to. A file that was put is appended to without sending its bytes
 * again where it is large, which is where that matters.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesContent, streamContent, wholeBody } from '../../content.ts'
import { keptOptions } from '../../derive.ts'
import type { Content, FileStat, WriteOptions } from '../../driver.ts'
import { isNotFound, isStorageError, UnavailableError } from '../../errors.ts'
import { codeOf } from './azure-errors.ts'
import { makeBlockBlob, tagsOf } from './block-blob.ts'
import { blockId, blocksOf } from './blocks.ts'
import type { AzureConnection } from './client.ts'
import { propertiesOf, readBlob } from './download.ts'
import { blobOptions, statOf } from './facts.ts'
import { tierOf } from './settings.ts'
import { Staging } from './staging.ts'
import { BlocksLostError, type Target, type Uploads } from './upload.ts'

/** Append Block, REST API: 100 MiB, or 4 MiB of older versions of the service. */
const MAX_APPEND_BYTES = 100 * 1024 * 1024
const STREAM_APPEND_BYTES = 4 * 1024 * 1024
/** Each is lost to a writer that won, so somebody makes progress. */
const ATTEMPTS = 20
const MAX_WAIT_MS = 100
/** A blob has 50,000 at most: one that nears them is rewritten, which makes few of many. */
const MAX_BLOCKS = 45_000

export class Appends {
  readonly #connection: AzureConnection
  readonly #uploads: Uploads

  constructor(connection: AzureConnection, uploads: Uploads) {
    this.#connection = connection
    this.#uploads = uploads
  }

  async append(target: Target, content: Content, options: WriteOptions): Promise<void> {
    const pieces = piecesOf(content)
    try {
      const first = await pieces.next()
      options.signal?.throwIfAborted()
      if (first.done === true) return await this.#create(target, options).then(() => undefined)
      const isAppended = await this.#appendFirst(target, first.value, options)
      if (!isAppended) return await this.#extend(target, remaining(content, first.value, pieces), options)
      for await (const piece of pieces) await this.#appendBlock(target, piece, options)
    } finally {
      void pieces.return(undefined).catch(() => undefined)
    }
  }

  /** @returns false when the file is there and is no append blob */
  async #appendFirst(target: Target, piece: Buffer, options: WriteOptions): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#appendBlock(target, piece, options)
        return true
      } catch (error) {
        const code = codeOf(error)
        if (code === 'InvalidBlobType' || code === 'BlockCountExceedsLimit') return false
        if (!isNotFound(error) || attempt === ATTEMPTS) throw error
        await this.#create(target, options)
      }
    }
  }

  /** Not repeated where it may have been done already: bytes would be there twice. */
  async #appendBlock({ key }: Target, piece: Buffer, { signal }: WriteOptions): Promise<void> {
    await this.#uploads.onlyOnce(signal, (container) =>
      container.getAppendBlobClient(key).appendBlock(piece, piece.byteLength, signal === undefined ? {} : { abortSignal: signal }),
    )
  }

  /** An empty append blob, where nothing is. */
  async #create({ path, key }: Target, options: WriteOptions): Promise<void> {
    const { blobHTTPHeaders, metadata, tags } = await blobOptions(path, options, undefined) // append blobs have no tiers of their own
    try {
      await this.#connection.ask(options.signal, ({ container }) =>
        container.getAppendBlobClient(key).create({
          blobHTTPHeaders,
          ...(metadata !== undefined && { metadata }),
          ...(tags !== undefined && { tags }),
          conditions: { ifNoneMatch: '*' },
        }),
      )
    } catch (error) {
      if (!isStorageError(error) || error.code !== 'already_exists') throw error
    }
  }

  /** Adds to a blob that cannot be appended to, over the version that was read. */
  async #extend(target: Target, content: Content, options: WriteOptions): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#extendOnce(target, content, options)
      } catch (error) {
        if (!isLostRace(error) || !content.replayable || attempt === ATTEMPTS) throw asStorageError(error)
        const wait = Math.random() * Math.min(MAX_WAIT_MS, 2 ** attempt)
        await sleep(wait, undefined, { signal: options.signal }).catch(() => options.signal?.throwIfAborted())
      }
    }
  }

  async #extendOnce(target: Target, content: Content, { signal }: WriteOptions): Promise<void> {
    const properties = await propertiesOf(this.#connection, target.key, { signal })
    if (properties.blobType !== 'BlockBlob') {
      await makeBlockBlob(this.#connection, target, { signal }) // an append blob that took all the appends it can
      return this.#extendOnce(target, content, { signal })
    }
    const stat = statOf(target.path, properties.contentLength ?? 0, properties)
    const kept = { ...keptOptions(stat, { signal }), tags: await tagsOf(this.#connection, target.key, properties), ifMatch: stat.etag }
    const blocks = await this.#blocksOf(target, stat, signal)
    if (blocks === undefined) return this.#rewrite(target, content, { stat, options: kept })
    const staging = new Staging(this.#connection, target.key)
    const added = await staging.stage(blocksOf(content), signal)
    const blob = await blobOptions(target.path, kept, tierOf(properties.accessTier ?? ''))
    await this.#uploads.commit(target, [...blocks, ...added], { blob, options: kept })
  }

  /** The ids of the blocks that the whole blob is made of; undefined where new ones could not be put behind them. */
  async #blocksOf({ key }: Target, { size, etag }: FileStat, signal: AbortSignal | undefined): Promise<string[] | undefined> {
    const { committedBlocks = [], etag: listed } = await this.#connection.ask(signal, ({ container }) =>
      container.getBlockBlobClient(key).getBlockList('committed'),
    )
    const isWhole = committedBlocks.length > 0 && committedBlocks.reduce((sum, block) => sum + Number(block.size), 0) === size
    const isLike = committedBlocks.every(({ name }) => name.length === ID_LENGTH)
    return isWhole && isLike && listed === etag && committedBlocks.length < MAX_BLOCKS ? committedBlocks.map(({ name }) => name) : undefined
  }

  async #rewrite(
    target: Target,
    content: Content,
    { stat, options }: { readonly stat: FileStat; readonly options: WriteOptions },
  ): Promise<void> {
    const { signal } = options
    const { body } = await readBlob(this.#connection, target, { ifMatch: stat.etag, signal })
    const existing = streamContent(wholeBody(body, stat.size), stat.size)
    const size = content.size === undefined ? undefined : stat.size + content.size
    await this.#uploads.write(target, streamContent(chained(existing, content), size), options)
  }
}

const ID_LENGTH = blockId('', 0).length

async function* piecesOf(content: Content): AsyncGenerator<Buffer, undefined> {
  if (content.bytes !== undefined) {
    const bytes = Buffer.from(content.bytes.buffer, content.bytes.byteOffset, content.bytes.byteLength)
    for (let start = 0; start < bytes.byteLength; start += MAX_APPEND_BYTES) yield bytes.subarray(start, start + MAX_APPEND_BYTES)
    return
  }
  let gathered: Uint8Array[] = []
  let length = 0
  for await (const chunk of content.stream()) {
    for (let start = 0; start < chunk.byteLength; ) {
      const part = chunk.subarray(start, start + STREAM_APPEND_BYTES - length)
      gathered.push(part)
      length += part.byteLength
      start += part.byteLength
      if (length < STREAM_APPEND_BYTES) continue
      yield Buffer.concat(gathered)
      gathered = []
      length = 0
    }
  }
  if (length > 0) yield Buffer.concat(gathered)
}

/** The content again, although its first piece was taken. Small contents can so be tried again, even from a stream. */
function remaining(content: Content, first: Buffer, pieces: AsyncGenerator<Buffer, undefined>): Content {
  if (content.replayable) return content
  if (first.byteLength < STREAM_APPEND_BYTES) return bytesContent(first)
  const rest = async function* (): AsyncGenerator<Uint8Array, undefined> {
    yield first
    yield* pieces
  }
  return streamContent(rest(), content.size)
}

async function* chained(...contents: readonly Content[]): AsyncGenerator<Uint8Array, undefined> {
  for (const content of contents) yield* content.stream()
}

function isLostRace(error: unknown): boolean {
  return error instanceof BlocksLostError || (isStorageError(error) && error.code === 'precondition_failed')
}

function asStorageError(error: unknown): unknown {
  if (!(error instanceof BlocksLostError)) return error
  return new UnavailableError('another write to the same file came first: append again', { cause: error.cause })
}
