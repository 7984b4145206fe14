/**
 * A slice of one version of a file, as it comes over one connection: when that breaks, another one goes on at the next byte, under
 * `If-Match`, so that no two versions are ever mixed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isStorageError } from '../../errors.ts'
import type { ByteStream } from './byte-stream.ts'
import { ResponseChunks } from './response-chunks.ts'

/** Asks for bytes of the file: `end` is exclusive. */
export type FetchSlice = (start: number, end: number, signal: AbortSignal) => Promise<ByteStream>

const ATTEMPTS = 5 // in a row without a byte between
const BASE_WAIT_MS = 50

export class FileSlice {
  readonly #fetch: FetchSlice | undefined
  #controller: AbortController | undefined
  #position: number
  #end: number
  #answer: ResponseChunks | undefined
  #answerEnd: number
  #greedy = false
  #connecting: Promise<void> | undefined
  #failures = 0
  #failure: unknown

  /**
   * @param fetch undefined where the file cannot be asked for again: it has no etag
   * @param first the answer that is there already
   */
  constructor(fetch: FetchSlice | undefined, { start, end }: { readonly start: number; readonly end: number }, first?: ByteStream) {
    this.#fetch = fetch
    this.#position = start
    this.#end = end
    this.#answerEnd = end
    this.#answer = first && new ResponseChunks(first)
  }

  /** The next byte to take. */
  get position(): number {
    return this.#position
  }

  get end(): number {
    return this.#end
  }

  /** Bytes that were read ahead; undefined before there is an answer. */
  get ahead(): number | undefined {
    return this.#answer?.buffered
  }

  /** Takes what is there now. */
  take(): Uint8Array | undefined {
    const chunk = this.#answer?.take()
    if (chunk === undefined) return undefined
    this.#failures = 0
    const rest = this.#end - this.#position
    const wanted = chunk.byteLength <= rest ? chunk : chunk.subarray(0, rest)
    this.#position += wanted.byteLength
    if (this.#position === this.#end && this.#answerEnd > this.#end) this.#hangUp()
    return wanted
  }

  /** True when every byte was taken and the answer has said that it was whole. */
  get done(): boolean {
    if (this.#position < this.#end) return false
    return this.#answer === undefined || (this.#answer.drained && this.#answer.failure === undefined)
  }

  /** Leaves the rest to others. */
  cut(end: number): void {
    this.#end = end
  }

  /** Reads all of it ahead, as fast as the network gives. */
  begin(): void {
    this.#greedy = true
    if (this.#answer === undefined) this.#connecting ??= this.#connect()
    else this.#answer.begin(this.#end - this.#position)
  }

  /** Resolves when there is something to take, or the slice is done. @throws what it cannot recover from */
  async wait(): Promise<void> {
    for (;;) {
      // oxlint-disable-next-line only-throw-error -- also the reason of a signal, which may be anything
      if (this.#failure !== undefined) throw this.#failure
      if (this.done) return
      if (this.#answer === undefined) {
        await (this.#connecting ??= this.#connect())
        continue
      }
      await this.#answer.wait()
      if (!this.#answer.drained || this.done) return
      if (this.#failure === undefined) await this.#recover(this.#answer.failure)
    }
  }

  /** Gives back the socket. @param reason what `wait` rejects with from now on */
  destroy(reason: unknown): void {
    this.#failure ??= reason
    this.#controller?.abort(reason)
    this.#answer?.destroy(reason)
  }

  #hangUp(): void {
    this.#answer?.destroy()
    this.#answer = undefined
  }

  async #connect(): Promise<void> {
    const { signal } = (this.#controller ??= new AbortController())
    try {
      const stream = await (this.#fetch as FetchSlice)(this.#position, this.#end, signal)
      this.#answer = new ResponseChunks(stream)
      this.#answerEnd = this.#end
      if (signal.aborted) this.#answer.destroy(signal.reason)
      else if (this.#greedy) this.#answer.begin(this.#end - this.#position)
    } catch (error) {
      this.#failure ??= error
    } finally {
      this.#connecting = undefined
    }
  }

  /** Goes on at the next byte, after what may pass. */
  async #recover(failure: unknown): Promise<void> {
    const passes = !isStorageError(failure) || failure.retryable
    if (this.#position === this.#end || this.#fetch === undefined || !passes || ++this.#failures >= ATTEMPTS) {
      this.#failure ??= failure ?? new Error('the answer ended early')
      return
    }
    this.#hangUp()
    if (this.#failures === 1) return
    const { signal } = (this.#controller ??= new AbortController())
    await sleep(Math.random() * BASE_WAIT_MS * 2 ** this.#failures, undefined, { signal }).catch(() => undefined) // `wait` looks why
  }
}
