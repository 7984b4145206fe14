/**
 * A connection to a store, over which one request after the other goes. It reads into memory of its own, which is lent to whoever takes
 * the bytes at once, and given away, or copied, to whoever keeps them.
 *
 * `node:http` does the same for three times the processor time of a small request (docs/performance.md), most of it in streams and
 * events that nobody here listens to.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { type AnswerEvents, AnswerParser } from './answer-parser.ts'
import { connectionFailure } from './failure.ts'
import { openSocket } from './open-socket.ts'
import type { Origin } from './origin.ts'

/** The request that is under way. */
export interface Occupant extends AnswerEvents {
  connected(): void
  /** Nothing came or went for the time that the connection was given. It is asked once each time. */
  silent(): void
  /** The connection is gone. @param error undefined where the store has closed it */
  broken(error: unknown): void
}

export interface ConnectionSettings {
  readonly socketTimeoutMs: number
  readonly tls: ConnectionOptions | undefined
}

/** Where connections belong. */
export interface Pool {
  /** Of the last connection to the same place, so that the next one is secured in one round trip less. */
  sessionOf(origin: Origin): Buffer | undefined
  keepSession(origin: Origin, session: Buffer | undefined): void
  /** Its socket is no more. */
  forget(connection: Connection, origin: Origin): void
}

/**
 * The most that one read brings, and the head of its answer. Twice what Node's streams read at once: a large download takes a fifth less
 * processor time. Whatever is read eagerly (lean-requests.ts) comes at once.
 */
const SLAB_BYTES = 132 * 1024
/** Up to here, copying the body behind the head takes less than handing the kernel two pieces. */
const JOINED_BYTES = 32 * 1024
/** Of a body, into TLS, which takes whatever it gets at once, and tells nothing until all has left: a slow network would look silent. */
export const PIECE_BYTES: number = 256 * 1024

export class Connection {
  readonly #socket: Socket
  readonly #parser: AnswerParser
  readonly #socketTimeoutMs: number
  readonly #isSecure: boolean
  #occupant: Occupant | undefined
  #slab: Buffer | undefined
  #isOpen = false
  #isPaused = false
  #isGone = false
  #wasSilent = false
  /** Writes that have not left this process. */
  #unsent = 0
  #whenSent: (() => void) | undefined
  #whenGone: (() => void) | undefined
  #error: unknown
  /** An answer was read over it before. */
  isReused = false
  /** Something of the answer to the present request has come. */
  hasBegun = false
  /** In milliseconds of the pool's clock. */
  idleSince = 0
  /** When it is closed unless it is used again, by `performance.now`. */
  idleUntil = 0

  /** Begins to connect. @throws what Node says of options that are none */
  constructor(origin: Origin, { socketTimeoutMs, tls }: ConnectionSettings, pool: Pool) {
    this.#socketTimeoutMs = socketTimeoutMs
    this.#isSecure = origin.isSecure
    this.#parser = new AnswerParser({
      continued: () => this.#occupant?.continued(),
      answered: (head) => this.#occupant?.answered(head),
      data: (piece) => this.#occupant?.data(piece),
      ended: () => this.#occupant?.ended(),
    })
    const onread = { buffer: () => (this.#slab ??= Buffer.allocUnsafeSlow(SLAB_BYTES)), callback: this.#read }
    this.#socket = openSocket(origin, { tls, session: pool.sessionOf(origin), onread })
    this.#socket.setTimeout(socketTimeoutMs)
    this.#socket
      .once(origin.isSecure ? 'secureConnect' : 'connect', this.#opened)
      .on('session', (session: Buffer) => pool.keepSession(origin, session))
      .on('timeout', this.#silent)
      .on('error', (error) => {
        if (!this.#isOpen) pool.keepSession(origin, undefined)
        this.#end(error)
      })
      .on('end', () => this.#end(undefined))
      .on('close', () => {
        this.#end(this.#error)
        this.#isGone = true
        pool.forget(this, origin)
        this.#whenGone?.()
      })
  }

  /** Connected, and secured. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Of no more use. */
  get isBroken(): boolean {
    return this.#socket.destroyed
  }

  /** Everything that was written has left this process. */
  get isSent(): boolean {
    return this.#unsent === 0
  }

  /** Begins a request. @param isHead its answer has no body */
  occupy(occupant: Occupant, isHead: boolean): void {
    this.#occupant = occupant
    this.hasBegun = false
    this.#parser.begin(isHead)
    if (this.isReused) this.#socket.ref()
    if (this.#wasSilent) this.awaitSilence()
  }

  /** Ends it. The connection is idle, and keeps no process alive. */
  vacate(): void {
    this.#occupant = undefined
    this.resume() // so that the store's farewell is heard
    this.isReused = true
    this.#socket.unref()
  }

  /** @param head in Latin-1 @param body not to be changed before it is sent */
  write(head: string, body: Uint8Array | undefined): void {
    this.#unsent++
    if (body === undefined) this.#socket.write(head, 'latin1', this.#sent)
    else if (body.byteLength <= JOINED_BYTES) {
      const joined = Buffer.allocUnsafe(head.length + body.byteLength)
      joined.write(head, 'latin1')
      joined.set(body, head.length)
      this.#socket.write(joined, this.#sent)
    } else {
      this.#socket.cork()
      if (head !== '') this.#socket.write(Buffer.from(head, 'latin1'))
      if (this.#isSecure) this.#writePieces(body, 0)
      else this.#socket.write(body, this.#sent)
      this.#socket.uncork()
    }
  }

  /** One after the other has left this process. */
  #writePieces(body: Uint8Array, from: number): void {
    const end = Math.min(from + PIECE_BYTES, body.byteLength)
    this.#socket.write(body.subarray(from, end), (error) => {
      if (error || end === body.byteLength) this.#sent()
      else this.#writePieces(body, end)
    })
  }

  /** Calls back, once, when everything that was written has left this process, or cannot any more. */
  whenSent(then: () => void): void {
    this.#whenSent = then
  }

  /** Calls back, once, when the socket is no more. */
  whenGone(then: () => void): void {
    if (this.#isGone) then()
    else this.#whenGone = then
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  /** @returns whether it was paused */
  resume(): boolean {
    if (!this.#isPaused) return false
    this.#isPaused = false
    this.#socket.resume()
    return true
  }

  /** Waits as long as before for the next sign of life. */
  awaitSilence(): void {
    this.#wasSilent = false
    this.#socket.setTimeout(this.#socketTimeoutMs)
  }

  /** A piece of what was read, for whoever keeps it: alone in its memory, which may be handed on to other threads. */
  keep(piece: Uint8Array): Uint8Array {
    if (piece.byteLength > SLAB_BYTES / 2 && piece.buffer === this.#slab?.buffer) {
      this.#slab = undefined
      return piece
    }
    const copy = Buffer.allocUnsafeSlow(piece.byteLength)
    copy.set(piece)
    return copy
  }

  /** The request that is under way is not told. */
  destroy(): void {
    this.#occupant = undefined
    this.#socket.destroy()
  }

  /** The request that is under way fails. */
  breakOff(): void {
    this.#end(connectionFailure({ code: 'ECONNRESET', message: 'the connection was closed' }))
  }

  readonly #opened = (): void => {
    this.#isOpen = true
    this.#occupant?.connected()
  }

  readonly #read = (length: number, slab: Uint8Array): boolean => {
    try {
      // Without a request there is no answer: what comes is of nobody.
      if (this.#occupant === undefined) this.#socket.destroy()
      else {
        this.hasBegun = true
        if (!this.#parser.write((slab as Buffer).subarray(0, length))) this.#socket.destroy()
      }
    } catch (error) {
      this.#end(error)
    }
    return true
  }

  readonly #sent = (): void => {
    if (--this.#unsent > 0) return
    const then = this.#whenSent
    this.#whenSent = undefined
    then?.()
  }

  readonly #silent = (): void => {
    this.#wasSilent = true
    this.#occupant?.silent()
  }

  #end(error: unknown): void {
    this.#error ??= error
    const occupant = this.#occupant
    if (occupant !== undefined && (error !== undefined || !this.#parser.close())) {
      this.#occupant = undefined
      occupant.broken(error)
    }
    this.#socket.destroy()
  }
}
