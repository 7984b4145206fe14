/**
 * One HTTP exchange: a request whose body is bytes, and its answer.
 *
 *   connecting ──connectTimeoutMs──▶ sent ──socketTimeoutMs of silence──▶ answered ──socketTimeoutMs of silence──▶ closed
 *
 * An abort ends it at every stage, with the signal's reason; `closed` is called once, when its connection is free again or gone.
 * A reader that takes his time is not the store's silence. An answer that comes before the whole body was sent ends the sending.
 */
import { InvalidArgumentError } from '../../../errors.ts'
import { type Answer, ArrivingAnswer, type Source } from './answer.ts'
import type { AnswerHead } from './answer-parser.ts'
import type { Connection, Occupant } from './connection.ts'
import type { Connections } from './connections.ts'
import { connectionFailure, isFailure, timeoutFailure } from './failure.ts'
import { type Headers, textOf } from './object-headers.ts'
import type { Origin } from './origin.ts'

export interface Exchanged {
  readonly origin: Origin
  readonly method: string
  /** With the query, percent-encoded. */
  readonly target: string
  readonly headers: Headers
  readonly body: Uint8Array | undefined
  /** The body waits for the store's `100 Continue`, or a second. */
  readonly expectsContinue: boolean
  readonly signal: AbortSignal | undefined
}

export interface ExchangeSettings {
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
}

export interface Exchanging {
  /** @returns the answer, whatever its status, to be read or destroyed @throws Failure; the signal's reason */
  send(): Promise<Answer>
}

/** RFC 9110, 10.1.1: a client does not wait for ever; many servers never say it. At most half of the silence that is allowed. */
export function continueMs({ socketTimeoutMs }: ExchangeSettings): number {
  return Math.min(1_000, socketTimeoutMs / 2)
}

export class Exchange implements Exchanging, Occupant, Source {
  readonly #exchanged: Exchanged
  readonly #connections: Connections
  readonly #closed: () => void
  readonly #head: string
  #connection: Connection | undefined
  #answer: ArrivingAnswer | undefined
  #resolve: (answer: Answer) => void = ignore
  #reject: (reason: unknown) => void = ignore
  #isSent = false
  #isClosed = false
  #isKept = false
  /** Since the store was last heard of. */
  #wasUnread = false
  #owesBody: boolean
  #timer: NodeJS.Timeout | undefined

  /** @throws InvalidArgumentError for a header that HTTP cannot carry */
  constructor(exchanged: Exchanged, connections: Connections, closed: () => void) {
    this.#exchanged = exchanged
    this.#connections = connections
    this.#closed = closed
    this.#head = headOf(exchanged)
    this.#owesBody = exchanged.body !== undefined && exchanged.body.byteLength > 0
  }

  send(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      try {
        this.#begin()
      } catch (error) {
        this.#hangUp()
        // What Node says of options that it cannot use: nothing was sent.
        reject(typeof error === 'object' && error !== null && 'code' in error ? connectionFailure(error) : error)
      }
    })
  }

  #begin(): void {
    const { origin, method, signal } = this.#exchanged
    const connection = this.#connections.take(origin)
    this.#connection = connection
    connection.occupy(this, method === 'HEAD')
    signal?.addEventListener('abort', this.#abort, { once: true })
    if (connection.isOpen) {
      this.connected()
      return
    }
    const ms = this.#connections.settings.connectTimeoutMs
    this.#timer = setTimeout(() => this.#give(timeoutFailure('connecting', ms, false)), ms)
  }

  connected(): void {
    clearTimeout(this.#timer)
    this.#isSent = true
    const { body, expectsContinue } = this.#exchanged
    if (this.#owesBody && expectsContinue) {
      this.#connection?.write(this.#head, undefined)
      this.#timer = setTimeout(this.#sendBody, continueMs(this.#connections.settings))
      return
    }
    this.#connection?.write(this.#head, this.#owesBody ? body : undefined)
    this.#owesBody = false
  }

  continued(): void {
    this.#sendBody()
  }

  answered(head: AnswerHead): void {
    clearTimeout(this.#timer)
    this.#isKept = head.isKept
    const answer = new ArrivingAnswer(head, this)
    this.#answer = answer
    this.#resolve(answer)
  }

  data(piece: Uint8Array): void {
    this.#wasUnread = false
    this.#answer?.push(piece)
  }

  ended(): void {
    const answer = this.#answer
    this.#rest()
    answer?.finish('whole')
  }

  broken(error: unknown): void {
    const { isReused = false, hasBegun = false } = this.#connection ?? {}
    const isSent = this.#mayBeDone
    const failure = isFailure(error) ? error : connectionFailure(error ?? {}, { isSent, isStale: isReused && !hasBegun })
    this.#leave()
    this.#tell(failure)
  }

  /** Of a connection that is silent because its answer is not read, silence is no fault; nor is it when the reader has just come back. */
  silent(): void {
    const isUnread = this.#answer?.isUnread === true
    if (isUnread || this.#wasUnread) {
      this.#wasUnread = isUnread
      this.#connection?.awaitSilence()
    } else this.#give(timeoutFailure('waiting for the store', this.#connections.settings.socketTimeoutMs, this.#mayBeDone))
  }

  pause(): void {
    if (!this.#isClosed) this.#connection?.pause()
  }

  resume(): void {
    if (!this.#isClosed && this.#connection?.resume() === true) this.#wasUnread = true
  }

  drop(): void {
    this.#give(undefined)
  }

  keep(piece: Uint8Array): Uint8Array {
    return (this.#connection as Connection).keep(piece)
  }

  readonly #sendBody = (): void => {
    clearTimeout(this.#timer)
    if (!this.#owesBody) return
    this.#owesBody = false
    this.#connection?.write('', this.#exchanged.body)
  }

  /** The store has all that it takes to begin. */
  get #mayBeDone(): boolean {
    return this.#isSent && !this.#owesBody
  }

  /**
   * The answer is whole. What was announced and not sent cannot be left out: then the connection is of no more use. Of a body that has
   * arrived, the word of the socket may come after the store's.
   */
  #rest(): void {
    const connection = this.#connection as Connection
    if (!this.#isKept || this.#owesBody) this.#hangUp()
    else if (connection.isSent) this.#release()
    else if ((this.#answer?.status ?? 0) < 300) connection.whenSent(() => this.#release())
    else setImmediate(() => (connection.isSent ? this.#release() : this.#hangUp()))
  }

  #release(): void {
    if (this.#isClosed) return
    const keepAlive = textOf(this.#answer?.headers ?? {}, 'keep-alive')
    if (this.#connections.give(this.#connection as Connection, this.#exchanged.origin, keepAlive)) {
      this.#close()
      this.#closed()
    } else this.#hangUp()
  }

  #hangUp(): void {
    if (this.#isClosed) return
    this.#connection?.destroy()
    this.#leave()
  }

  /** The place is free when the socket is no more: there are never more of them than places. */
  #leave(): void {
    if (this.#isClosed) return
    this.#close()
    if (this.#connection === undefined) this.#closed()
    else this.#connection.whenGone(this.#closed)
  }

  readonly #abort = (): void => this.#give(this.#exchanged.signal?.reason)

  /** Ends it: for whoever waits for an answer, or whoever reads it. */
  #give(reason: unknown): void {
    if (this.#isClosed) return
    this.#hangUp()
    this.#tell(reason)
  }

  #tell(failure: unknown): void {
    if (this.#answer === undefined) this.#reject(failure)
    else this.#answer.finish({ failure })
  }

  #close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#exchanged.signal?.removeEventListener('abort', this.#abort)
  }
}

/** What no value of a header and no target may have in it: it would end the line, or not arrive. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNFIT = /[^\t\x20-\x7e\x80-\xff]/

function headOf({ method, target, headers }: Exchanged): string {
  let head = `${method} ${target} HTTP/1.1\r\n`
  for (const name in headers) {
    const value = headers[name] as string
    if (UNFIT.test(value)) throw new InvalidArgumentError(`the header "${name}" has a character that HTTP cannot carry`)
    head += `${name}: ${value}\r\n`
  }
  if (!/^\/[\x21-\x7e]*$/.test(target)) throw new InvalidArgumentError('the address has a character that HTTP cannot carry')
  return `${head}\r\n`
}

const ignore = (): void => undefined
