/**
 * Blocks of one upload on their way to the store, a few at a time.
 *
 *   blocks ──▶ at most PARALLEL in flight ──▶ staged (nobody sees them) ──▶ the list of their ids, to be committed
 *
 * When one fails no further is read, those in flight are aborted and waited for, and the first failure is thrown. What was staged
 * is then forgotten, where that can be done without touching anybody else's.
 */
import type * as Sdk from '@azure/storage-blob'
import { nodeCrypto } from '../../builtins.ts'
import { codeOf } from './azure-errors.ts'
import { type Block, blockId } from './blocks.ts'
import { md5Of } from './checksums.ts'
import type { AzureConnection } from './client.ts'

const PARALLEL = 4

/** Puts one block, under the id of its number. */
export type StageBlock = (block: Block, index: number, signal: AbortSignal) => Promise<void>

/** One upload of blocks to one blob. */
export class Staging {
  readonly id: string = nodeCrypto().randomUUID()
  readonly #connection: AzureConnection
  readonly #key: string

  constructor(connection: AzureConnection, key: string) {
    this.#connection = connection
    this.#key = key
  }

  /** @returns the ids of the blocks, in order, those before `from` among them */
  async stage(blocks: AsyncIterator<Block, undefined>, signal: AbortSignal | undefined, from = 0): Promise<string[]> {
    const count = await inParallel(blocks, signal, (block, index, abortSignal) => this.put(block, from + index, abortSignal))
    return Array.from({ length: from + count }, (_, index) => blockId(this.id, index))
  }

  async put({ bytes }: Block, index: number, signal: AbortSignal | undefined): Promise<void> {
    const md5 = md5Of(bytes)
    await this.#connection.ask(signal, ({ container }) =>
      container.getBlockBlobClient(this.#key).stageBlock(blockId(this.id, index), bytes, bytes.byteLength, {
        ...(md5 !== undefined && { transactionalContentMD5: md5 }),
        ...(signal !== undefined && { abortSignal: signal }),
      }),
    )
  }

  /**
   * Removes a blob that has nothing but the blocks of this upload. Of a blob that is there, and of one to which others are uploading,
   * Azure removes the blocks a week later, or with the next write. Never rejects: it follows a failure that is told instead.
   */
  async forget(): Promise<void> {
    try {
      await this.#connection.ask(undefined, async ({ once }) => {
        const blob = once.getBlockBlobClient(this.#key)
        const { uncommittedBlocks = [] } = await blob.getBlockList('uncommitted')
        const prefix = blockId(this.id, 0).slice(0, 48) // base64 of the upload's id
        if (uncommittedBlocks.length > 0 && uncommittedBlocks.every(({ name }) => name.startsWith(prefix))) await deleteUncommitted(blob)
      })
    } catch {
      // It stays for a week then.
    }
  }
}

/** Older than any blob: what was committed fails the condition, so that only blobs that were never committed are deleted. */
const BEFORE_AZURE = new Date(Date.UTC(2001, 0, 1))

/** Removes a blob that has only uncommitted blocks. @returns false when it is a real one, which stays */
export async function deleteUncommitted(blob: Sdk.BlobClient): Promise<boolean> {
  try {
    await blob.delete({ conditions: { ifUnmodifiedSince: BEFORE_AZURE } })
    return true
  } catch (error) {
    if (codeOf(error) === 'ConditionNotMet') return false
    throw error
  }
}

/** @returns how many blocks there were */
export async function inParallel(
  blocks: AsyncIterator<Block, undefined>,
  signal: AbortSignal | undefined,
  put: StageBlock,
): Promise<number> {
  const flight = new Flight(put, signal)
  try {
    for (;;) {
      await flight.room()
      const { done, value } = await flight.unlessFailed(blocks.next())
      if (done === true) break
      flight.start(value)
    }
    return await flight.landed()
  } catch (error) {
    void Promise.resolve(blocks.return?.()).catch(() => undefined) // it may be waiting for its source, which is not waited for
    await flight.abort(error)
    throw error
  } finally {
    flight.close()
  }
}

/** The blocks that are on their way. The first failure, or an abort, is everybody's. */
class Flight {
  readonly #put: StageBlock
  readonly #signal: AbortSignal | undefined
  readonly #failure = Promise.withResolvers<never>()
  readonly #stopped = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #count = 0

  constructor(put: StageBlock, signal: AbortSignal | undefined) {
    this.#put = put
    this.#signal = signal
    this.#failure.promise.catch(() => undefined)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  readonly #onAbort = (): void => this.#fail(this.#signal?.reason)

  start(block: Block): void {
    const running = this.#put(block, this.#count++, this.#stopped.signal)
      .then(block.release, (error: unknown) => this.#fail(error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Settles when another block may start. */
  async room(): Promise<void> {
    while (this.#running.size >= PARALLEL) await this.unlessFailed(Promise.race(this.#running))
  }

  unlessFailed<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failure.promise])
  }

  async landed(): Promise<number> {
    while (this.#running.size > 0) await this.unlessFailed(Promise.all(this.#running))
    if (this.#stopped.signal.aborted) await this.#failure.promise
    return this.#count
  }

  async abort(reason: unknown): Promise<void> {
    this.#fail(reason)
    await Promise.allSettled(this.#running)
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  #fail(error: unknown): void {
    this.#failure.reject(error)
    this.#stopped.abort(error)
  }
}
