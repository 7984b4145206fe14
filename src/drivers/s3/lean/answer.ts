/**
 * An answer whose body comes over a connection of ours. What comes before there is a reader, or while he pauses, is kept, and stops the
 * connection when it is more than what came with the head.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ByteSink, ByteStream } from '../byte-stream.ts'
import type { AnswerHead } from './answer-parser.ts'

export interface Answer extends ByteStream {
  readonly status: number
  /** By names in lower case. */
  readonly headers: IncomingHttpHeaders
}

/** What brings the body. */
export interface Source {
  pause(): void
  resume(): void
  /** Nobody wants the rest. */
  drop(): void
  /** The piece in memory that nobody writes to any more. */
  keep(piece: Uint8Array): Uint8Array
}

type Ending = { readonly failure: unknown } | 'whole'

export class ArrivingAnswer implements Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly #source: Source
  #sink: ByteSink | undefined
  #kept: Uint8Array[] | undefined
  #ending: Ending | undefined
  #isPaused = false
  #isOver = false

  constructor({ status, headers }: AnswerHead, source: Source) {
    this.status = status
    this.headers = headers
    this.#source = source
  }

  /** Something is there that nobody takes, or nobody wants anything. */
  get isUnread(): boolean {
    return this.#sink === undefined || this.#isPaused
  }

  read(sink: ByteSink): void {
    this.#sink = sink
    if (typeof this.#ending === 'object') this.#tell()
    else this.#release()
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    if (this.#ending === undefined) this.#source.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#release()
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#kept = undefined
    if (this.#ending === undefined) this.#source.drop()
  }

  /** From the connection. */
  push(piece: Uint8Array): void {
    if (this.#isOver) return
    const sink = this.#sink
    if (sink !== undefined && !this.#isPaused) {
      sink.data(sink.borrows === true ? piece : this.#source.keep(piece))
      return
    }
    const kept = this.#source.keep(piece)
    if (this.#kept === undefined) {
      // Who has just been given the answer reads it before more can come: to stop the socket and set it going takes as long as all else.
      this.#kept = [kept]
      return
    }
    this.#kept.push(kept)
    this.#source.pause()
  }

  /** From the connection: no more comes. */
  finish(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    if (this.#sink === undefined) return
    // A failure is told at once, before what is still to be taken: nobody needs the beginning of that.
    if (ending !== 'whole' || !this.#isPaused) this.#tell()
  }

  /** What was kept, then what follows. The reader may pause or give up midway. */
  #release(): void {
    const kept = this.#kept
    if (kept !== undefined) {
      for (let piece = kept.shift(); piece !== undefined; piece = kept.shift()) {
        this.#sink?.data(piece)
        if (this.#isPaused || this.#isOver) return
      }
      this.#kept = undefined
    }
    if (this.#ending === undefined) this.#source.resume()
    else this.#tell()
  }

  #tell(): void {
    const ending = this.#ending
    if (this.#isOver || ending === undefined) return
    this.#isOver = true
    this.#kept = undefined
    if (ending === 'whole') this.#sink?.end()
    else this.#sink?.fail(ending.failure)
  }
}
