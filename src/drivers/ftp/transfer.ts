/**
 * One transfer over a data connection. It is over when both connections say so: the bytes have ended, and the server has replied.
 *
 * Whatever breaks it (the data connection, a refusal, an abort, silence) reaches whoever waits, also for a source that never goes on.
 * `abandon` gives up a transfer in the middle and keeps the control connection, if the server comes along within a moment.
 */
import type { Socket } from 'node:net'
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'
import { type Begun, type Control, type Reply } from './control.ts'
import { type DataConnection, type DataRoute, openData } from './data-connection.ts'
import { isRefused, LostError } from './ftp-errors.ts'

/** How long a server may take to notice that a transfer was given up. */
const SETTLE_MS = 2_000
/** So much has to pass within the time that the server may keep silent. */
const SLICE_BYTES = 64 * 1024
/** How many times as long the server may take for what the system still holds at the end of an upload. */
const FLUSHES = 4
/** After the data connection broke: how long the server may take to say why. */
const REASON_MS = 1_000

export interface TransferOptions {
  /** The byte to begin with. */
  readonly restart?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Begins a transfer. @throws RefusedError, LostError, TimeoutError, the signal's reason */
export async function beginTransfer(route: DataRoute, command: string, { restart = 0, signal }: TransferOptions): Promise<Transfer> {
  const data = await openData(route, signal)
  try {
    if (restart > 0) await route.control.command(`REST ${restart}`, signal)
    const begun = route.control.begin(command)
    // A server that has heard of an upload makes the file: it can be deleted only once that is done.
    await route.control.bounded(() => begun.started, { signal, graceMs: SETTLE_MS })
    await route.control.bounded(() => data.secured, { signal: signal?.aborted ? undefined : signal })
    return new Transfer(route.control, data, { begun, signal })
  } catch (error) {
    data.socket.destroy()
    throw error
  }
}

export class Transfer {
  readonly #control: Control
  readonly #socket: Socket
  readonly #ended: Promise<Reply>
  readonly #forget: () => void
  #chunks: AsyncIterator<Uint8Array> | undefined
  #broken: { readonly error: unknown } | undefined
  #tell: ((error: unknown) => void) | undefined
  #over = false

  constructor(control: Control, { socket }: DataConnection, { begun, signal }: { begun: Begun; signal: AbortSignal | undefined }) {
    this.#control = control
    this.#socket = socket
    this.#ended = begun.ended
    const abort = (): void => {
      this.#break(signal?.reason)
      this.#control.close()
      socket.destroy()
    }
    signal?.addEventListener('abort', abort, { once: true })
    this.#forget = () => signal?.removeEventListener('abort', abort)
    socket.once('close', () => this.#closedEarly())
    begun.ended.catch((error: unknown) => this.#break(error))
    if (signal?.aborted) abort()
  }

  /** The next bytes; undefined at the end, when the server has said that it was the end. */
  async read(): Promise<Uint8Array | undefined> {
    this.#chunks ??= this.#socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]()
    const chunks = this.#chunks
    const { done, value } = await this.#control.bounded(() => this.#unlessAborted(chunks.next()))
    if (!done) {
      inviteCollection(value.byteLength, OF_SOCKETS)
      return value
    }
    await this.complete()
    return undefined
  }

  /** Waits until the bytes are on their way. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken.error
    inviteCollection(chunk.byteLength, OF_SOCKETS)
    for (let start = 0; start < chunk.byteLength; start += SLICE_BYTES) {
      if (this.#socket.write(chunk.subarray(start, start + SLICE_BYTES))) continue
      await this.#control.bounded(() => this.unlessBroken(new Promise((resolve) => this.#socket.once('drain', resolve))))
    }
  }

  /** Says that these were all bytes. @throws RefusedError when the server did not take them */
  async end(): Promise<void> {
    this.#socket.resume() // sees the end of the connection, and TLS its tickets
    this.#socket.end()
    await this.complete(FLUSHES * this.#control.responseTimeoutMs)
  }

  async complete(timeoutMs?: number): Promise<void> {
    await this.#control.bounded(() => this.#ended, { timeoutMs })
    this.#finish()
  }

  /** The promise's result, unless the transfer breaks before. */
  unlessBroken<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tell = reject // one at a time: a race against a promise that lives long would keep every chunk alive
      if (this.#broken !== undefined) reject(this.#broken.error)
      promise.then(resolve, reject)
    })
  }

  /** Gives up. Never rejects; the control connection is closed unless it is known to be in step again. */
  async abandon({ gently = false }: { gently?: boolean } = {}): Promise<void> {
    if (this.#over) return
    if (gently) this.#socket.resume().end()
    else this.#socket.destroy()
    const ended = this.#ended.catch((error: unknown) => {
      if (!isRefused(error)) throw error
    })
    try {
      await this.#control.bounded(() => ended, { timeoutMs: SETTLE_MS })
      const { code } = await this.#control.ask('NOOP', { timeoutMs: SETTLE_MS })
      if (code !== 200) this.#control.close() // that was the reply to something else
    } catch {
      this.#control.close()
    }
    this.#finish()
  }

  /** Ends both connections now. */
  destroy(): void {
    this.#control.close()
    this.#finish()
  }

  #finish(): void {
    this.#over = true
    this.#forget()
    this.#socket.destroy()
  }

  #break(error: unknown): void {
    if (this.#over || this.#broken !== undefined) return
    this.#broken = { error }
    this.#tell?.(error)
  }

  /** Of a reader: what was sent before the connection broke is still good, and its end tells. */
  async #unlessAborted(next: Promise<IteratorResult<Uint8Array>>): Promise<IteratorResult<Uint8Array>> {
    try {
      return await next
    } catch (error) {
      if (this.#broken !== undefined) throw this.#broken.error
      throw new LostError(error)
    }
  }

  #closedEarly(): void {
    if (this.#over) return
    const failure = this.#socket.errored ?? undefined
    const timer = setTimeout(() => this.#break(new LostError(failure)), REASON_MS)
    const stop = (): void => clearTimeout(timer)
    this.#ended.then(stop, stop)
  }
}
