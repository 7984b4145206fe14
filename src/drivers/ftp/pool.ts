/**
 * The connections of a disk. `poolSize` operations work at once, the others wait in the order in which they came.
 *
 *   idle ──▶ working ──▶ idle            kept alive by NOOP for a while, then closed; they do not keep the process alive
 *               └──▶ lent to a body ──▶ idle
 *
 * A body that is being read keeps its connection, but not its place among those at work: an operation that needs one meanwhile opens
 * another, so that bodies which nobody reads on never stop the disk. Above `poolSize + 8` connections, or when the server takes no
 * more, the body that has waited longest for its reader gives its own up; it goes on at the same byte when it is read again.
 *
 * What a connection died of is done again on another, once, if it may be done twice.
 */
import type * as BasicFtp from 'basic-ftp'
import { isStorageError } from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import { isLost } from './ftp-errors.ts'
import { Session } from './session.ts'
import type { FtpSettings } from './settings.ts'

/** Connections beyond `poolSize`, for bodies. */
const EXTRA = 8
/** An idle connection that has rested for so long is asked whether it lives before it is used. */
const CHECK_AFTER_MS = 5_000
const KEEP_ALIVE_MS = 20_000
const MAX_IDLE_MS = 60_000

/** A body that has a connection. */
export interface Borrower {
  /** Nobody waits for its next bytes. */
  readonly waits: boolean
  /** Gives its connection up, now; to be gone on with later. */
  park(): void
}

export interface UseOptions {
  readonly signal?: AbortSignal | undefined
  /** Whether it may be done again on another connection. Default: always. */
  readonly repeatable?: (() => boolean) | undefined
}

/** A place among those at work, with a connection. */
export interface Lease {
  /** The connection, or another in its place once it is closed. */
  session(signal?: AbortSignal): Promise<Session>
  /** Leaves the connection to a body, which gives it back with `restore`. */
  lend(borrower: Borrower): void
}

export class Pool {
  readonly #settings: FtpSettings
  readonly #idle: Session[] = []
  readonly #borrowers = new Set<Borrower>()
  readonly #queue: (() => void)[] = []
  readonly #forRoom: (() => void)[] = []
  #working = 0
  #open = 0
  #generation = 0
  #keeper: NodeJS.Timeout | undefined
  #module: Promise<typeof BasicFtp> | undefined

  constructor(settings: FtpSettings) {
    this.#settings = settings
  }

  /** Runs an operation on a connection of its own. */
  async use<T>(act: (lease: Lease) => Promise<T>, { signal, repeatable = () => true }: UseOptions = {}): Promise<T> {
    signal?.throwIfAborted()
    await this.#place(signal)
    const held = new Held(this)
    try {
      const session = await held.session(signal)
      try {
        return await act(held)
      } catch (error) {
        if (!isLost(error) || !session.closed || !repeatable()) throw error
        this.#dropIdle() // opened before the one that died, most likely gone as well
        return await act(held)
      }
    } finally {
      held.end()
      this.#leave()
    }
  }

  /** A connection that lives. For bodies that go on, and for those who have a place. */
  async take(signal?: AbortSignal): Promise<Session> {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      session.wake()
      if (!session.closed && (Date.now() - session.idleSince < CHECK_AFTER_MS || (await session.ping()))) return session
      this.#forgetOne(session)
    }
    await this.#room(signal)
    try {
      return await this.#connect(signal)
    } catch (error) {
      this.#gone()
      throw error
    }
  }

  /** The connection of a body that has ended. A closed one is forgotten. */
  restore(session: Session, borrower?: Borrower): void {
    if (borrower !== undefined) this.#borrowers.delete(borrower)
    if (session.closed || session.generation !== this.#generation) {
      this.#forgetOne(session)
      return
    }
    session.rest()
    this.#idle.push(session)
    this.#forRoom.shift()?.()
    this.#keepAlive()
  }

  borrow(borrower: Borrower): void {
    this.#borrowers.add(borrower)
  }

  /** Closes what is idle, and what is at work as soon as it is done; bodies give up theirs. */
  async close(): Promise<void> {
    this.#generation++
    clearInterval(this.#keeper)
    this.#keeper = undefined
    for (const borrower of this.#borrowers) borrower.park()
    const idle = this.#idle.splice(0)
    this.#open -= idle.length
    await Promise.all(idle.map((session) => session.quit()))
  }

  get connections(): { readonly open: number; readonly idle: number } {
    return { open: this.#open, idle: this.#idle.length }
  }

  async #place(signal: AbortSignal | undefined): Promise<void> {
    if (this.#working < this.#settings.poolSize) this.#working++
    else await waitIn(this.#queue, signal) // who leaves hands over the place
  }

  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#working--
    else next()
  }

  /** Counts a connection that is about to be opened. */
  async #room(signal: AbortSignal | undefined): Promise<void> {
    while (this.#open >= this.#settings.poolSize + EXTRA) {
      if (this.#idle[0] !== undefined) this.#drop(this.#idle.shift() as Session)
      else if (!this.#parkOne()) await waitIn(this.#forRoom, signal)
    }
    this.#open++
  }

  async #connect(signal: AbortSignal | undefined): Promise<Session> {
    this.#module ??= importPeer<typeof BasicFtp>('basic-ftp')
    const ftp = await this.#module
    for (;;) {
      try {
        const session = await Session.open(ftp, this.#settings, signal)
        session.generation = this.#generation
        return session
      } catch (error) {
        const refused = isStorageError(error) && (error.code === 'unavailable' || error.code === 'unauthenticated')
        if (!refused || !this.#parkOne()) throw error // a server that counts its connections refuses the last one
      }
    }
  }

  #parkOne(): boolean {
    for (const borrower of this.#borrowers) {
      if (!borrower.waits) continue
      borrower.park()
      return true
    }
    return false
  }

  #dropIdle(): void {
    for (const session of this.#idle.splice(0)) this.#drop(session)
  }

  /** Closes it politely, behind everybody's back. */
  #drop(session: Session): void {
    void session.quit()
    this.#gone()
  }

  #forgetOne(session: Session): void {
    session.close()
    this.#gone()
  }

  #gone(): void {
    this.#open--
    this.#forRoom.shift()?.()
  }

  #keepAlive(): void {
    this.#keeper ??= setInterval(() => this.#tend(), KEEP_ALIVE_MS).unref()
  }

  /** Closes what nobody has needed for a while, and tells the server that the rest is alive. */
  #tend(): void {
    for (const session of this.#idle.splice(0)) {
      if (session.closed || Date.now() - session.idleSince > MAX_IDLE_MS) this.#drop(session)
      else void this.#tendOne(session)
    }
    if (this.#open > 0) return
    clearInterval(this.#keeper)
    this.#keeper = undefined
  }

  async #tendOne(session: Session): Promise<void> {
    await session.ping()
    if (session.closed || session.generation !== this.#generation) this.#forgetOne(session)
    else this.#idle.unshift(session)
  }
}

/** The connection of one operation. */
class Held implements Lease {
  readonly #pool: Pool
  #session: Session | undefined

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async session(signal?: AbortSignal): Promise<Session> {
    if (this.#session?.closed === true) this.end()
    this.#session ??= await this.#pool.take(signal)
    return this.#session
  }

  lend(borrower: Borrower): void {
    this.#pool.borrow(borrower)
    this.#session = undefined
  }

  end(): void {
    if (this.#session !== undefined) this.#pool.restore(this.#session)
    this.#session = undefined
  }
}

/** Waits for its turn, which others give by calling what is in the queue. */
function waitIn(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    const abort = (): void => {
      queue.splice(queue.indexOf(turn), 1)
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', abort, { once: true })
    queue.push(turn)
  })
}
