/**
 * The body of an answer as it comes: pieces in order, and then one end or one failure. Less than a Readable, whose bookkeeping would
 * cost as much as a small request.
 */
import type { Readable } from 'node:stream'

export interface ByteStream {
  /** Begins, once. What has come already may be told before this returns. */
  read(sink: ByteSink): void
  /** What has left the network may still come. */
  pause(): void
  resume(): void
  /** No more is wanted: the sink hears nothing any more, and the connection is given back. */
  destroy(): void
}

/** Whoever reads. None of these may throw. */
export interface ByteSink {
  /** The pieces are only lent: their memory is written again when `data` has returned. Otherwise they are the sink's to keep. */
  readonly borrows?: boolean | undefined
  data(piece: Uint8Array): void
  end(): void
  /** It was cut, aborted, or silent for too long. */
  fail(reason: unknown): void
}

/** Of a stream of Node, which is destroyed with it. Failures before it is read are kept for the reader. */
export class ReadableBytes implements ByteStream {
  readonly #stream: Readable
  #sink: ByteSink | undefined
  #failure: { readonly reason: unknown } | undefined
  #isOver = false
  #isPaused = false
  /** Whoever reads has come back from a rest. For whoever watches the network, who puts it back. */
  wasUnread = false

  constructor(stream: Readable) {
    this.#stream = stream
    stream.on('error', this.#fail)
    stream.on('close', this.#close)
  }

  /** Nobody wants anything: nobody reads yet, or whoever does rests. */
  get isUnread(): boolean {
    return this.#sink === undefined || this.#isPaused
  }

  read(sink: ByteSink): void {
    if (this.#failure !== undefined) {
      sink.fail(this.#failure.reason)
      return
    }
    this.#sink = sink
    this.#stream.on('data', this.#give)
    this.#stream.on('end', this.#end)
  }

  pause(): void {
    this.#isPaused = true
    this.#stream.pause()
  }

  resume(): void {
    this.wasUnread ||= this.#isPaused
    this.#isPaused = false
    this.#stream.resume()
  }

  destroy(): void {
    this.#isOver = true
    this.#stream.off('data', this.#give)
    this.#stream.destroy()
  }

  /** Ends with a failure, whatever that is. */
  breakOff(reason: unknown): void {
    this.#fail(reason)
    this.#stream.destroy()
  }

  readonly #give = (piece: Uint8Array): void => this.#sink?.data(piece)

  readonly #end = (): void => {
    if (this.#isOver) return
    this.#isOver = true
    this.#sink?.end()
  }

  readonly #fail = (reason: unknown): void => {
    if (this.#isOver) return
    this.#isOver = true
    this.#failure = { reason }
    this.#sink?.fail(reason)
  }

  /** What closes without having ended was cut. */
  readonly #close = (): void => this.#fail(this.#stream.errored ?? Object.assign(new Error('the answer was cut'), { code: 'ECONNRESET' }))
}
