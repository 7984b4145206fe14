/**
 * A stream as chunks of one size, each in a buffer of our own, with the next one read ahead while the last is sent. Two buffers take
 * turns, so memory is bounded by twice the size of a chunk, however long the stream is.
 */
import { abortable } from '../../abortable.ts'
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'

export interface UploadChunk {
  readonly bytes: Uint8Array
  readonly last: boolean
}

const SMALLEST = 64 * 1024

/** Cuts a source into chunks. A chunk is good until the one after the next is asked for. */
export class Chunker {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #size: number
  readonly #signal: AbortSignal | undefined
  readonly #spare: Buffer[] = []
  /** What was read and did not fit. */
  #rest: Uint8Array | undefined
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>, size: number, signal: AbortSignal | undefined) {
    this.#source = source[Symbol.asyncIterator]()
    this.#size = size
    this.#signal = signal
  }

  /** The next chunk: whole, but for the last, which may be empty. It waits until it knows whether another one follows. */
  async next(): Promise<UploadChunk> {
    let buffer = this.#spare.pop() ?? Buffer.allocUnsafe(Math.min(SMALLEST, this.#size))
    let length = 0
    for (;;) {
      const piece = this.#rest ?? (await this.#read())
      this.#rest = undefined
      if (piece === undefined) return { bytes: buffer.subarray(0, length), last: true }
      if (length === this.#size && piece.byteLength > 0) {
        this.#rest = piece
        return { bytes: buffer, last: false }
      }
      const taken = Math.min(piece.byteLength, this.#size - length)
      if (length + taken > buffer.byteLength) buffer = grown(buffer, length, Math.min(this.#size, Math.max(length + taken, 4 * length)))
      buffer.set(taken === piece.byteLength ? piece : piece.subarray(0, taken), length)
      length += taken
      if (taken < piece.byteLength) this.#rest = piece.subarray(taken)
    }
  }

  /** Gives a chunk's buffer back, to be filled again. */
  release({ bytes }: UploadChunk): void {
    if (bytes.byteLength === this.#size) this.#spare.push(bytes as Buffer)
  }

  /** Lets the source go, whether it was read to its end or not. Does not wait for one that never answers. */
  stop(): void {
    if (this.#ended) return
    this.#ended = true
    this.#source.return?.().catch(() => undefined)
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined
    const { done, value } = await abortable(this.#source.next(), this.#signal)
    if (!done) {
      inviteCollection(value.byteLength, OF_SOCKETS)
      return value
    }
    this.#ended = true
    return undefined
  }
}

function grown(buffer: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size)
  larger.set(buffer.subarray(0, length))
  return larger
}
