/** What carries the requests of a disk: connections that are kept for the next request while they are idle. */
import { Connection, type ConnectionSettings, type Pool } from './connection.ts'
import { type Exchanged, Exchange, type Exchanging, type ExchangeSettings } from './exchange.ts'
import type { Origin } from './origin.ts'

export interface Carrier {
  /** @param closed called once, when the connection is free again or gone */
  exchange(exchanged: Exchanged, closed: () => void): Exchanging
  /** Milliseconds for which the connection was idle that the next request gets: 0 for a new one, Infinity where it is not known. */
  idleMs(origin: Origin): number
  /** Closes those that are idle, where they are the disk's own. */
  closeIdle(): void
  /** Closes all that are the disk's own; requests under way fail. */
  close(): void
}

export interface ConnectionsSettings extends ConnectionSettings, ExchangeSettings {
  readonly maxSockets: number
}

/** Stores close connections that are idle; ours close first, so that a request seldom meets that moment. */
const IDLE_MS = 15_000
/** The store that says when it closes is believed, less what its word takes to arrive. */
const NOTICE_MS = 1_000

export class Connections implements Carrier, Pool {
  readonly settings: ConnectionsSettings
  readonly #now: () => number
  readonly #all = new Set<Connection>()
  /** By place; the last one was used last, and is used next: the others become idle for good. */
  readonly #idle = new Map<string, Connection[]>()
  readonly #sessions = new Map<string, Buffer>()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(settings: ConnectionsSettings, now: () => number) {
    this.settings = settings
    this.#now = now
  }

  exchange(exchanged: Exchanged, closed: () => void): Exchanging {
    return new Exchange(exchanged, this, closed)
  }

  /** One that is idle, or a new one. */
  take(origin: Origin): Connection {
    const idle = this.#idle.get(placeOf(origin))
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) if (!connection.isBroken) return connection
    if (this.#all.size >= this.settings.maxSockets) this.#closeOldest()
    const connection = new Connection(origin, this.settings, this)
    this.#all.add(connection)
    return connection
  }

  /** @param keepAlive what the store has said of it @returns false for one that is not worth keeping */
  give(connection: Connection, origin: Origin, keepAlive: string | undefined): boolean {
    const idleMs = keepAlive === undefined ? IDLE_MS : idleMsOf(keepAlive)
    if (idleMs <= 0 || !this.#all.has(connection)) return false
    connection.vacate()
    connection.idleSince = this.#now()
    connection.idleUntil = performance.now() + idleMs
    const place = placeOf(origin)
    const idle = this.#idle.get(place)
    if (idle === undefined) this.#idle.set(place, [connection])
    else idle.push(connection)
    if (connection.idleUntil < this.#timerAt) this.#sweepAt(connection.idleUntil)
    return true
  }

  idleMs(origin: Origin): number {
    const next = this.#idle.get(placeOf(origin))?.findLast(({ isBroken }) => !isBroken)
    return next === undefined ? 0 : this.#now() - next.idleSince
  }

  closeIdle(): void {
    for (const idle of this.#idle.values()) for (const connection of idle.splice(0)) connection.destroy()
  }

  close(): void {
    for (const connection of this.#all) connection.breakOff()
    this.#all.clear()
    this.#idle.clear()
  }

  sessionOf(origin: Origin): Buffer | undefined {
    return this.#sessions.get(placeOf(origin))
  }

  keepSession(origin: Origin, session: Buffer | undefined): void {
    if (session === undefined) this.#sessions.delete(placeOf(origin))
    else this.#sessions.set(placeOf(origin), session)
  }

  forget(connection: Connection, origin: Origin): void {
    this.#all.delete(connection)
    const place = placeOf(origin)
    const idle = this.#idle.get(place)?.filter((each) => each !== connection)
    if (idle === undefined || idle.length === 0) this.#idle.delete(place)
    else this.#idle.set(place, idle)
  }

  /** Of another place: for this one there was none. */
  #closeOldest(): void {
    for (const idle of this.#idle.values()) {
      const connection = idle.shift()
      if (connection === undefined) continue
      connection.destroy()
      return
    }
  }

  #sweepAt(at: number): void {
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(this.#sweep, Math.max(0, at - performance.now()))
    this.#timer.unref()
  }

  /** Closes those whose time is over. */
  readonly #sweep = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const [place, idle] of this.#idle) {
      const kept: Connection[] = []
      for (const connection of idle) {
        if (connection.idleUntil <= now) connection.destroy()
        else {
          kept.push(connection)
          next = Math.min(next, connection.idleUntil)
        }
      }
      this.#idle.set(place, kept)
    }
    if (next !== Number.POSITIVE_INFINITY) this.#sweepAt(next)
  }
}

function placeOf({ isSecure, hostname, port }: Origin): string {
  return `${isSecure ? 's' : ''}:${hostname}:${port ?? ''}`
}

/** Of `Keep-Alive: timeout=<seconds>`. */
function idleMsOf(keepAlive: string): number {
  const seconds = /(?:^|[,;\s])timeout=(\d+)/i.exec(keepAlive)?.[1]
  return seconds === undefined ? IDLE_MS : Math.min(IDLE_MS, Number(seconds) * 1_000 - NOTICE_MS)
}
