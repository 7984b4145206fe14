/**
 * One HTTP exchange: a request whose body is bytes, and the head of its answer.
 *
 *   connecting ──connectTimeoutMs──▶ sent ──socketTimeoutMs of silence──▶ answered ──socketTimeoutMs of silence──▶ closed
 *
 * An abort ends it at every stage, with the signal's reason; `closed` is called once, when its connection is free again or gone.
 * A reader that takes his time is not the store's silence. An answer that comes before the whole body was sent ends the sending.
 */
import type { Agent, ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { nodeHttp, nodeHttps } from '../../../builtins.ts'
import { asBuffer } from '../../../content.ts'
import type { Origin } from './origin.ts'
import { connectionFailure, timeoutFailure } from './failure.ts'

export interface Exchanged {
  readonly origin: Origin
  readonly method: string
  /** With the query, percent-encoded. */
  readonly target: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: Uint8Array | undefined
  /** The body waits for the store's `100 Continue`, or a second. */
  readonly expectsContinue: boolean
  readonly signal: AbortSignal | undefined
}

export interface ExchangeSettings {
  readonly agent: Agent
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
}

/** RFC 9110, 10.1.1: a client does not wait for ever; many servers never say it. At most half of the silence that is allowed. */
const CONTINUE_MS = 1_000

export class Exchange {
  readonly #exchanged: Exchanged
  readonly #settings: ExchangeSettings
  readonly #closed: () => void
  readonly #call: ClientRequest
  #answer: IncomingMessage | undefined
  #resolve: (answer: IncomingMessage) => void = () => undefined
  #reject: (reason: unknown) => void = () => undefined
  #isSent = false
  #isClosed = false
  /** When it was last silent. */
  #isUnread = false
  #owesBody: boolean
  #timer: NodeJS.Timeout | undefined

  /** @param closed called once when the connection is free again, or gone */
  constructor(exchanged: Exchanged, settings: ExchangeSettings, closed: () => void) {
    this.#exchanged = exchanged
    this.#settings = settings
    this.#closed = closed
    const { origin, method, target, headers, body } = exchanged
    const { request } = origin.isSecure ? nodeHttps() : nodeHttp()
    this.#call = request({
      agent: settings.agent,
      host: origin.hostname,
      port: origin.port,
      method,
      path: target,
      headers,
      timeout: settings.socketTimeoutMs,
    })
    this.#owesBody = body !== undefined && body.byteLength > 0
  }

  /** Sends it. @returns the answer, whatever its status, to be read or destroyed @throws Failure; the signal's reason */
  send(): Promise<IncomingMessage> {
    const call = this.#call
    const { signal, expectsContinue } = this.#exchanged
    call.on('socket', this.#connect)
    call.on('error', this.#fail)
    call.on('response', this.#receive)
    call.on('close', this.#close)
    signal?.addEventListener('abort', this.#abort, { once: true })
    if (expectsContinue && this.#owesBody) call.on('continue', this.#sendBody)
    else this.#sendBody()
    const ms = this.#settings.socketTimeoutMs
    this.#timer = setTimeout(() => this.#give(timeoutFailure('waiting for a connection of the agent', ms, false)), ms)
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  readonly #sendBody = (): void => {
    clearTimeout(this.#timer)
    const { body } = this.#exchanged
    if (this.#owesBody && body !== undefined) this.#call.end(asBuffer(body))
    else if (!this.#call.writableEnded) this.#call.end()
    this.#owesBody = false
  }

  readonly #connect = (): void => {
    const { socket } = this.#call
    if (socket === null || this.#isClosed) return
    clearTimeout(this.#timer)
    socket.on('timeout', this.#silence) // Node tells of the first silence alone
    // While it was idle it may have had the time that the server said in Keep-Alive, which Node leaves on it.
    if (socket.timeout !== this.#settings.socketTimeoutMs) socket.setTimeout(this.#settings.socketTimeoutMs)
    if (!isConnecting(socket)) {
      this.#connected()
      return
    }
    const ms = this.#settings.connectTimeoutMs
    this.#timer = setTimeout(() => this.#give(timeoutFailure('connecting', ms, false)), ms)
    socket.once(this.#exchanged.origin.isSecure ? 'secureConnect' : 'connect', this.#connected)
  }

  readonly #connected = (): void => {
    clearTimeout(this.#timer)
    this.#isSent = true
    if (this.#owesBody) this.#timer = setTimeout(this.#sendBody, Math.min(CONTINUE_MS, this.#settings.socketTimeoutMs / 2))
  }

  /** Of a connection that is silent because its answer is not read, silence is no fault; nor is it when the reader has just come back. */
  readonly #silence = (): void => {
    const ms = this.#settings.socketTimeoutMs
    const wasUnread = this.#isUnread
    this.#isUnread = this.#answer !== undefined && isUnread(this.#answer)
    if (wasUnread || this.#isUnread) this.#call.socket?.setTimeout(ms)
    else this.#give(timeoutFailure('waiting for the store', ms, this.#mayBeDone))
  }

  readonly #abort = (): void => this.#give(this.#exchanged.signal?.reason)

  readonly #fail = (error: NodeJS.ErrnoException): void => {
    this.#give(connectionFailure(error, { isSent: this.#mayBeDone, isStale: this.#answer === undefined && this.#call.reusedSocket }))
  }

  /** The store has all that it takes to begin. */
  get #mayBeDone(): boolean {
    return this.#isSent && !this.#owesBody
  }

  readonly #receive = (answer: IncomingMessage): void => {
    this.#answer = answer
    answer.on('error', ignore) // met by whoever reads it; nobody may be
    if (this.#owesBody || !this.#call.writableFinished) this.#endEarly(answer)
    this.#resolve(answer)
  }

  /**
   * What was announced and not sent cannot be left out: the connection is of no more use once the answer was read. Of a body that has
   * arrived, the word of the socket may come after the store's.
   */
  #endEarly(answer: IncomingMessage): void {
    clearTimeout(this.#timer)
    const hangUp = (): void => {
      if (!this.#call.writableFinished) this.#call.destroy()
    }
    answer.once('end', () => {
      if (this.#owesBody) hangUp()
      else if ((answer.statusCode ?? 0) >= 300) setImmediate(hangUp)
    })
  }

  readonly #close = (): void => {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#call.socket?.off('timeout', this.#silence)
    if (this.#answer === undefined) this.#reject(connectionFailure({}, { isSent: this.#mayBeDone }))
    this.#exchanged.signal?.removeEventListener('abort', this.#abort)
    this.#closed()
  }

  /** Ends it: before there is an answer for whoever waits for one, afterwards for whoever reads it. */
  #give(reason: unknown): void {
    if (this.#answer === undefined) this.#reject(reason)
    else this.#answer.destroy(reason as Error)
    this.#call.destroy()
    if (this.#call.socket === null) this.#close() // The agent may never come to give it one.
  }
}

/** Something is there that nobody takes, or nobody wants anything. An iterator that waits looks paused as well. */
function isUnread(answer: IncomingMessage): boolean {
  return answer.readableLength > 0 || (answer.isPaused() && answer.listenerCount('readable') === 0)
}

function isConnecting(socket: Socket): boolean {
  return socket.connecting || (socket as TLSSocket & { readonly secureConnecting?: boolean }).secureConnecting === true
}

const ignore = (): void => undefined
