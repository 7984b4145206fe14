/** A connection that is logged in: commands one after the other, transfers, and whether it still lives. Paths in commands are absolute, so that what was done on it before does not matter. */
import type * as BasicFtp from 'basic-ftp'
import type { Control, Reply } from './control.ts'
import type { DataRoute } from './data-connection.ts'
import { isRefused } from './ftp-errors.ts'
import { type Dialect, type LoggedIn, logIn } from './login.ts'
import type { FtpSettings } from './settings.ts'
import { beginTransfer, type Transfer, type TransferOptions } from './transfer.ts'

const QUIT_MS = 1_000
const PING_MS = 5_000
/** Refusals that are about a name, or about a command that the server does not have; not those about the login or the server's state. */
const NOT_THERE = [500, 501, 502, 504, 550, 553]
const NOTHING = 450 // how some servers list an empty directory

export class Session {
  readonly dialect: Dialect
  /** Reads what LIST sends, in whichever format. */
  readonly parseList: BasicFtp.RawListParser
  idleSince = 0
  /** Which of the pool's lives it belongs to: after a `close` the ones from before are not used again. */
  generation = 0
  readonly #control: Control
  readonly #route: DataRoute
  readonly #root: string

  private constructor({ client, control, dialect, home }: LoggedIn, { root, passiveHost }: FtpSettings) {
    this.dialect = dialect
    this.parseList = client.parseList
    this.#control = control
    this.#route = { control, context: client.ftp, passiveHost, passive: undefined }
    const base = root.absolute || home === '/' ? '' : home.replace(/\/+$/, '')
    this.#root = root.path === '' ? base : `${base}/${root.path}`
  }

  static async open(ftp: typeof BasicFtp, settings: FtpSettings, signal?: AbortSignal): Promise<Session> {
    return new Session(await logIn(ftp, settings, signal), settings)
  }

  get closed(): boolean {
    return this.#control.closed
  }

  /** What the server calls a path of the disk. */
  keyOf(path: string): string {
    return path === '' ? this.#root || '/' : `${this.#root}/${path}`
  }

  /** @throws RefusedError for a reply of 400 or above */
  command(command: string, signal?: AbortSignal): Promise<Reply> {
    return this.#control.command(command, signal)
  }

  /** The reply, or undefined when the server says that there is no such thing; other refusals are errors. */
  async ask(command: string, signal?: AbortSignal): Promise<Reply | undefined> {
    try {
      return await this.#control.command(command, signal)
    } catch (error) {
      if (isRefused(error, ...NOT_THERE)) return undefined
      throw error
    }
  }

  /** Everything that a command sends, or undefined when the server says that there is no such thing. */
  async receive(command: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    const transfer = await this.transfer(command, { signal }).catch((error: unknown) => {
      if (isRefused(error, NOTHING)) return 'nothing'
      if (isRefused(error, ...NOT_THERE)) return undefined
      throw error
    })
    if (transfer === undefined || transfer === 'nothing') return transfer && Buffer.alloc(0)
    const chunks: Uint8Array[] = []
    try {
      for (let chunk = await transfer.read(); chunk !== undefined; chunk = await transfer.read()) chunks.push(chunk)
    } catch (error) {
      transfer.destroy()
      throw error
    }
    return Buffer.concat(chunks)
  }

  transfer(command: string, options: TransferOptions): Promise<Transfer> {
    return beginTransfer(this.#route, command, options)
  }

  /** Whether the server still answers. */
  async ping(): Promise<boolean> {
    if (this.closed) return false
    const reply = await this.#control.ask('NOOP', { timeoutMs: PING_MS }).catch(() => undefined)
    const alive = reply !== undefined && reply.code < 400
    if (!alive) this.close()
    return alive
  }

  /** While nobody uses it, it does not keep the process alive. */
  rest(): void {
    this.idleSince = Date.now()
    this.#control.socket.unref()
  }

  wake(): void {
    this.#control.socket.ref()
  }

  /** Ends the connection now. */
  close(): void {
    this.#control.close()
  }

  /** Takes leave of the server, and waits for its reply for a moment. */
  async quit(): Promise<void> {
    if (!this.closed) await this.#control.ask('QUIT', { timeoutMs: QUIT_MS }).catch(() => undefined)
    this.close()
  }
}
