/**
 * Requests over connections that an agent of the user makes, through a proxy say: by `node:http`, for which agents are made. As an
 * exchange over a connection of ours (exchange.ts) in all that can be seen from outside.
 */
import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { nodeHttp, nodeHttps } from '../../../builtins.ts'
import { asBuffer } from '../../../content.ts'
import { ReadableBytes } from '../byte-stream.ts'
import type { Answer } from './answer.ts'
import { PIECE_BYTES } from './connection.ts'
import type { Carrier } from './connections.ts'
import { continueMs, type Exchanged, type Exchanging, type ExchangeSettings } from './exchange.ts'
import { connectionFailure, timeoutFailure } from './failure.ts'
import type { Headers } from './object-headers.ts'

export class AgentConnections implements Carrier {
  readonly #agent: Agent
  readonly #settings: ExchangeSettings
  readonly #underWay = new Set<AgentExchange>()

  constructor(agent: Agent, settings: ExchangeSettings) {
    this.#agent = agent
    this.#settings = settings
  }

  exchange(exchanged: Exchanged, closed: () => void): Exchanging {
    try {
      const exchange = new AgentExchange(exchanged, { ...this.#settings, agent: this.#agent }, () => {
        this.#underWay.delete(exchange)
        closed()
      })
      this.#underWay.add(exchange)
      return exchange
    } catch (error) {
      // oxlint-disable-next-line only-throw-error -- in the shape that all failures have; translated before it leaves
      throw connectionFailure(error as NodeJS.ErrnoException) // Of the agent: nothing was sent.
    }
  }

  /** Nobody tells for how long one was idle. */
  idleMs(): number {
    for (const name in this.#agent.freeSockets) return Number.POSITIVE_INFINITY
    return 0
  }

  closeIdle(): void {}

  /** Ends what is under way. Connections that are idle are the agent's. */
  close(): void {
    for (const exchange of this.#underWay) exchange.breakOff()
  }
}

interface AgentSettings extends ExchangeSettings {
  readonly agent: Agent
}

class MessageAnswer extends ReadableBytes implements Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders

  constructor(message: IncomingMessage) {
    super(message)
    this.status = message.statusCode ?? 0
    this.headers = message.headers
  }
}

class AgentExchange implements Exchanging {
  readonly #exchanged: Exchanged
  readonly #settings: AgentSettings
  readonly #closed: () => void
  readonly #call: ClientRequest
  #answer: MessageAnswer | undefined
  #resolve: (answer: Answer) => void = () => undefined
  #reject: (reason: unknown) => void = () => undefined
  #isSent = false
  #isClosed = false
  #owesBody: boolean
  #timer: NodeJS.Timeout | undefined

  constructor(exchanged: Exchanged, settings: AgentSettings, closed: () => void) {
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
      headers: flat(headers),
      timeout: settings.socketTimeoutMs,
    })
    this.#owesBody = body !== undefined && body.byteLength > 0
  }

  send(): Promise<Answer> {
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

  breakOff(): void {
    this.#give(connectionFailure({ code: 'ECONNRESET', message: 'the connection was closed' }))
  }

  readonly #sendBody = (): void => {
    clearTimeout(this.#timer)
    const { body } = this.#exchanged
    if (this.#owesBody && body !== undefined) this.#write(asBuffer(body), this.#exchanged.origin.isSecure ? PIECE_BYTES : body.byteLength)
    else if (!this.#call.writableEnded) this.#call.end()
    this.#owesBody = false
  }

  /** One piece after the other has left this process. */
  #write(body: Buffer, pieceBytes: number): void {
    if (body.byteLength <= pieceBytes) {
      this.#call.end(body)
      return
    }
    this.#call.write(body.subarray(0, pieceBytes), (error) => {
      if (!error && !this.#isClosed) this.#write(body.subarray(pieceBytes), pieceBytes)
    })
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
    if (this.#owesBody) this.#timer = setTimeout(this.#sendBody, continueMs(this.#settings))
  }

  /** Of a connection that is silent because its answer is not read, silence is no fault; nor is it when the reader has just come back. */
  readonly #silence = (): void => {
    const ms = this.#settings.socketTimeoutMs
    const answer = this.#answer
    if (answer !== undefined && (answer.isUnread || answer.wasUnread)) {
      answer.wasUnread = answer.isUnread
      this.#call.socket?.setTimeout(ms)
    } else this.#give(timeoutFailure('waiting for the store', ms, this.#mayBeDone))
  }

  readonly #abort = (): void => this.#give(this.#exchanged.signal?.reason)

  readonly #fail = (error: NodeJS.ErrnoException): void => {
    this.#give(connectionFailure(error, { isSent: this.#mayBeDone, isStale: this.#answer === undefined && this.#call.reusedSocket }))
  }

  /** The store has all that it takes to begin. */
  get #mayBeDone(): boolean {
    return this.#isSent && !this.#owesBody
  }

  readonly #receive = (message: IncomingMessage): void => {
    const answer = new MessageAnswer(message)
    this.#answer = answer
    if (this.#owesBody || !this.#call.writableFinished) this.#endEarly(message)
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
    else this.#answer.breakOff(reason)
    this.#call.destroy()
    if (this.#call.socket === null) this.#close() // The agent may never come to give it one.
  }
}

function isConnecting(socket: Socket): boolean {
  return socket.connecting || (socket as TLSSocket & { readonly secureConnecting?: boolean }).secureConnecting === true
}

function flat(headers: Headers): string[] {
  const list: string[] = []
  for (const name in headers) list.push(name, headers[name] as string)
  return list
}
