/**
 * Writing: one Put Blob where that is enough, else staged blocks and a commit.
 *
 *   in memory, up to 32 MiB ─────────────┐
 *   a stream that ends within 5 MiB ─────┴▶ Put Blob                           atomic; blocks of others are discarded by it
 *   everything else ──▶ Put Block × n ──▶ Put Block List (conditions, headers) atomic; nobody sees blocks before
 *
 * Uploads to one blob share its uncommitted blocks, and whoever commits discards those of the others. An upload that lost its
 * blocks so begins anew if its content can be read again, and else fails: it never commits a mixture.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Sdk from '@azure/storage-blob'
import type { Content, WriteOptions, WriteResult } from '../../driver.ts'
import { FileExistsError, isStorageError, PreconditionFailedError, type StorageError, UnavailableError } from '../../errors.ts'
import { codeOf } from './azure-errors.ts'
import { type Block, blocksOf } from './blocks.ts'
import { md5Of, newMd5 } from './checksums.ts'
import type { AzureConnection, Opened } from './client.ts'
import { type BlobOptions, blobOptions, quoted } from './facts.ts'
import { Staging } from './staging.ts'

/** In memory already, so that one request has no disadvantage but that it cannot go on where it broke off. */
const SINGLE_BYTES = 32 * 1024 * 1024
const UPLOADS = 5

/** Where a file is written. */
export interface Target {
  readonly path: string
  readonly key: string
}

/** Makes a block blob of one of another type, so that blocks can replace it. @returns the etag that it has then */
export type MakeBlockBlob = (target: Target, options: WriteOptions) => Promise<string | undefined>

export class Uploads {
  readonly #connection: AzureConnection
  readonly #makeBlockBlob: MakeBlockBlob

  constructor(connection: AzureConnection, makeBlockBlob: MakeBlockBlob) {
    this.#connection = connection
    this.#makeBlockBlob = makeBlockBlob
  }

  async write(target: Target, content: Content, options: WriteOptions): Promise<WriteResult> {
    const blob = await blobOptions(target.path, options, this.#connection.settings.tier)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#writeOnce(target, content, { blob, options })
      } catch (error) {
        if (!(error instanceof BlocksLostError)) throw asCondition(error, options)
        await this.#refuseIfLost(target, options)
        if (!content.replayable || attempt === UPLOADS) throw lostToOthers(error)
        await sleep(Math.random() * 100 * 2 ** attempt, undefined, { signal: options.signal }).catch(() => options.signal?.throwIfAborted())
      }
    }
  }

  async #writeOnce(target: Target, content: Content, { blob, options }: Prepared): Promise<WriteResult> {
    const { bytes } = content
    if (bytes !== undefined && bytes.byteLength <= SINGLE_BYTES) return this.#putBlob(target, asBuffer(bytes), { blob, options })
    const blocks = blocksOf(content)
    try {
      const first = await blocks.next()
      options.signal?.throwIfAborted()
      if (first.done === true) return await this.#putBlob(target, Buffer.alloc(0), { blob, options })
      const second = await blocks.next()
      options.signal?.throwIfAborted()
      if (second.done === true) return await this.#putBlob(target, first.value.bytes, { blob, options })
      return await this.#stageAll(target, joined([first.value, second.value], blocks), { blob, options })
    } finally {
      void blocks.return(undefined).catch(() => undefined)
    }
  }

  async #putBlob({ key }: Target, bytes: Buffer, { blob, options }: Prepared): Promise<WriteResult> {
    const { signal } = options
    const md5 = md5Of(bytes)
    const answer = await this.decide(options, (container) =>
      container.getBlockBlobClient(key).upload(bytes, bytes.byteLength, {
        ...blob,
        // Azure computes the MD5 of what arrives, compares it with this one, and keeps it.
        blobHTTPHeaders: { ...blob.blobHTTPHeaders, ...(md5 !== undefined && { blobContentMD5: md5 }) },
        ...(signal !== undefined && { abortSignal: signal }),
      }),
    )
    return resultOf(bytes.byteLength, answer)
  }

  async #stageAll(target: Target, blocks: AsyncGenerator<Block, undefined>, { blob, options }: Prepared): Promise<WriteResult> {
    const staging = new Staging(this.#connection, target.key)
    try {
      let size = 0
      const md5 = newMd5()
      const seen = counting(blocks, (bytes) => {
        size += bytes.byteLength
        md5?.update(bytes)
      })
      const { ids, blob: adapted } = await this.#staged(staging, target, { blocks: seen, blob, options })
      // Of a blob of blocks Azure computes none: this one is kept, for whoever reads the whole.
      const blobHTTPHeaders = { ...blob.blobHTTPHeaders, ...(md5 !== undefined && { blobContentMD5: md5.digest() }) }
      const answer = await this.commit(target, ids, { blob: { ...adapted, blobHTTPHeaders }, options })
      return resultOf(size, answer)
    } catch (error) {
      await staging.forget()
      throw error
    }
  }

  /** The first block goes alone: what stands in the way of all of them is found out with it. */
  async #staged(
    staging: Staging,
    target: Target,
    { blocks, blob, options }: Source,
  ): Promise<{ readonly ids: string[]; readonly blob: BlobOptions }> {
    const { signal } = options
    const first = await blocks.next()
    if (first.done === true) return { ids: [], blob }
    let adapted = blob
    try {
      await staging.put(first.value, 0, signal)
    } catch (error) {
      if (codeOf(error) !== 'InvalidBlobType') throw error
      if (options.ifAbsent) throw new FileExistsError()
      const etag = await this.#makeBlockBlob(target, options)
      if (options.ifMatch !== undefined && etag !== undefined) adapted = { ...blob, conditions: { ifMatch: etag } }
      await staging.put(first.value, 0, signal)
    }
    first.value.release()
    return { ids: await staging.stage(blocks, signal, 1), blob: adapted }
  }

  /** Makes the blob of its blocks. @throws BlocksLostError when somebody else has discarded some */
  async commit({ key }: Target, ids: string[], { blob, options }: Prepared): Promise<Sdk.BlockBlobCommitBlockListResponse> {
    const { signal } = options
    try {
      return await this.decide(options, (container) =>
        container.getBlockBlobClient(key).commitBlockList(ids, { ...blob, ...(signal !== undefined && { abortSignal: signal }) }),
      )
    } catch (error) {
      if (codeOf(error) === 'InvalidBlockList') throw new BlocksLostError(error)
      throw error
    }
  }

  /**
   * Makes the request that decides. A condition must not be judged twice: after an answer that got lost, the second request would
   * find the first one's result. So it is repeated only when the store says that it did nothing, or was not reached at all.
   */
  async decide<T>({ ifAbsent, ifMatch, signal }: WriteOptions, request: (container: Sdk.ContainerClient) => Promise<T>): Promise<T> {
    const isConditional = ifAbsent === true || ifMatch !== undefined
    if (!isConditional) return this.#connection.ask(signal, ({ container }: Opened) => request(container))
    return this.onlyOnce(signal, request)
  }

  /** Repeats a request only when the store did nothing: it was busy, or could not be reached. */
  async onlyOnce<T>(signal: AbortSignal | undefined, request: (container: Sdk.ContainerClient) => Promise<T>): Promise<T> {
    const { retries } = this.#connection.settings
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#connection.ask(signal, ({ once }) => request(once))
      } catch (error) {
        if (!DID_NOTHING.has(codeOf(error)) || attempt >= retries) throw error
        await sleep(Math.random() * 300 * 2 ** attempt, undefined, { signal }).catch(() => signal?.throwIfAborted())
      }
    }
  }

  /** A lost condition explains lost blocks: who made the file first is told so. */
  async #refuseIfLost({ key }: Target, { ifAbsent, ifMatch, signal }: WriteOptions): Promise<void> {
    if (ifMatch !== undefined) throw new PreconditionFailedError()
    if (ifAbsent !== true) return
    if (await this.#connection.ask(signal, ({ container }) => container.getBlobClient(key).exists())) throw new FileExistsError()
  }
}

interface Prepared {
  readonly blob: BlobOptions
  readonly options: WriteOptions
}

interface Source extends Prepared {
  readonly blocks: AsyncGenerator<Block, undefined>
}

const DID_NOTHING: ReadonlySet<string> = new Set(['ServerBusy', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

/** Blocks that were staged are not there any more: another upload to the same blob was committed. */
export class BlocksLostError extends Error {
  constructor(cause: unknown) {
    super('blocks of this upload were discarded', { cause })
  }
}

export function lostToOthers({ cause }: BlocksLostError): StorageError {
  return new UnavailableError('another write to the same file came first, and the store discarded what was uploaded: write again', {
    cause,
  })
}

/** With `ifMatch` a file that is missing is a lost condition. */
function asCondition(error: unknown, { ifMatch }: WriteOptions): unknown {
  const missing = ifMatch !== undefined && isStorageError(error) && error.code === 'not_found'
  return missing ? new PreconditionFailedError(undefined, { cause: error.cause }) : error
}

function resultOf(size: number, { etag, versionId }: { etag?: string; versionId?: string }): WriteResult {
  return { size, ...(etag !== undefined && { etag: quoted(etag) }), ...(versionId !== undefined && { versionId }) }
}

async function* joined(first: readonly Block[], rest: AsyncGenerator<Block, undefined>): AsyncGenerator<Block, undefined> {
  yield* first
  yield* rest
}

async function* counting(blocks: AsyncGenerator<Block, undefined>, count: (bytes: Uint8Array) => void): AsyncGenerator<Block, undefined> {
  for await (const block of blocks) {
    count(block.bytes)
    yield block
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
