/**
 * The bytes of one answer, from a place in the file on: chunks as the socket gives them, never joined.
 *
 * Nothing is read before somebody asks, and then a little ahead of the reader, or as far as was said. What is destroyed gives back its
 * socket.
 */
import type { ByteSink, ByteStream } from './byte-stream.ts'

/** So much is read ahead where nobody wants more at once. */
const AHEAD_BYTES = 256 * 1024

export class ResponseChunks implements ByteSink {
  readonly #stream: ByteStream
  #chunks: Uint8Array[] = []
  #buffered = 0
  #ahead = AHEAD_BYTES
  #isPaused = false
  #begun = false
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(stream: ByteStream) {
    this.#stream = stream
  }

  /** True when no more will come, and all that came was taken. */
  get drained(): boolean {
    return this.#ended && this.#chunks.length === 0
  }

  /** Why no more will come; undefined for an answer that was whole. */
  get failure(): unknown {
    return this.#failure
  }

  /** Bytes that are there. */
  get buffered(): number {
    return this.#buffered
  }

  /** What is there now. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    this.#buffered -= chunk.byteLength
    if (this.#isPaused && this.#buffered < this.#ahead) this.#resume()
    return chunk
  }

  /** Begins to read; resolves when there is something to take, or nothing more to wait for. */
  async wait(): Promise<void> {
    this.begin()
    if (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => void (this.#wake = resolve))
  }

  /** @param ahead so many bytes may wait for the reader */
  begin(ahead: number = AHEAD_BYTES): void {
    this.#ahead = Math.max(this.#ahead, ahead)
    if (this.#begun) {
      if (this.#isPaused && this.#buffered < this.#ahead) this.#resume()
      return
    }
    this.#begun = true
    this.#stream.read(this)
  }

  /** No more is wanted. Without a reason, what came so far can still be taken. */
  destroy(reason?: unknown): void {
    if (reason !== undefined) {
      this.#failure ??= reason
      this.#chunks = []
    }
    this.#end()
    this.#stream.destroy()
  }

  data(piece: Uint8Array): void {
    this.#chunks.push(piece)
    this.#buffered += piece.byteLength
    // An answer that is all wanted is not stopped before its end, so that its connection is free.
    if (this.#buffered > this.#ahead && !this.#isPaused) {
      this.#isPaused = true
      this.#stream.pause()
    }
    this.#wakeUp()
  }

  end(): void {
    this.#end()
  }

  fail(reason: unknown): void {
    if (!this.#ended) this.#failure ??= reason
    this.#end()
  }

  #end(): void {
    this.#ended = true
    this.#wakeUp()
  }

  #resume(): void {
    this.#isPaused = false
    this.#stream.resume()
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
