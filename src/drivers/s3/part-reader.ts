/** Cuts a stream into parts: chunks of whatever size go in, buffers that are full come out. */
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'

const FIRST_BYTES = 64 * 1024

export class PartReader {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array | undefined
  #waiting = false
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  /** Up to `limit` bytes, in a buffer that grows as they come: most streams are short. @param size how many are expected */
  async first(limit: number, size: number | undefined, signal: AbortSignal | undefined): Promise<Uint8Array> {
    let buffer = Buffer.allocUnsafeSlow(Math.min(limit, size ?? FIRST_BYTES))
    let filled = await this.fill(buffer, signal)
    while (filled === buffer.byteLength && filled < limit && (await this.more(signal))) {
      const larger = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(filled * 4, FIRST_BYTES)))
      larger.set(buffer)
      buffer = larger
      filled += await this.fill(buffer.subarray(filled), signal)
    }
    return buffer.subarray(0, filled)
  }

  /** Copies what comes into the buffer until it is full or the stream ends. @returns how many bytes it got */
  async fill(buffer: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    let filled = 0
    while (filled < buffer.byteLength && (await this.more(signal))) {
      const chunk = this.#rest as Uint8Array
      const taken = Math.min(chunk.byteLength, buffer.byteLength - filled)
      buffer.set(taken === chunk.byteLength ? chunk : chunk.subarray(0, taken), filled)
      filled += taken
      this.#rest = taken === chunk.byteLength ? undefined : chunk.subarray(taken)
    }
    return filled
  }

  /** Whether there is another byte. Rejects with the signal's reason as soon as it aborts, even if the source never goes on. */
  async more(signal: AbortSignal | undefined): Promise<boolean> {
    while (this.#rest === undefined && !this.#ended) {
      signal?.throwIfAborted()
      const { done, value } = await this.#next(signal)
      if (done === true) this.#ended = true
      else if (value.byteLength > 0) this.#rest = value
      if (this.#rest !== undefined) inviteCollection(this.#rest.byteLength, OF_SOCKETS)
    }
    return this.#rest !== undefined
  }

  /** Gives the source up. One that is being waited for is not waited for any longer. */
  async release(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const returned = Promise.resolve(this.#iterator.return?.()).catch(() => undefined)
    if (!this.#waiting) await returned
  }

  #next(signal: AbortSignal | undefined): Promise<IteratorResult<Uint8Array>> {
    if (signal === undefined) return this.#iterator.next()
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting = true
      const settle = (): void => {
        this.#waiting = false
        signal.removeEventListener('abort', abort)
      }
      this.#iterator.next().then(
        (result) => {
          settle()
          resolve(result)
        },
        (error: unknown) => {
          settle()
          reject(error)
        },
      )
    })
  }
}
