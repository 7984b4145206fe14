/**
 * For how long the free connections of an agent have been idle. The store may have closed one meanwhile: what is sent into it is lost
 * without a word, and nobody knows whether it had been read.
 */
import type { Agent } from 'node:http'
import type { Socket } from 'node:net'

export class Idleness {
  readonly #now: () => number
  readonly #since = new WeakMap<object, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Tells from now on. */
  watch<Watched extends Agent>(agent: Watched): Watched {
    agent.on('free', (socket: Socket) => void this.#since.set(socket, this.#now()))
    return agent
  }

  /** Milliseconds, of the connection that the next request gets: 0 for a new one, Infinity where it is not known. */
  of(agent: Agent): number {
    let longest = 0
    for (const name in agent.freeSockets) {
      const next = agent.freeSockets[name]?.at(-1)
      if (next !== undefined) longest = Math.max(longest, this.#now() - (this.#since.get(next) ?? Number.NEGATIVE_INFINITY))
    }
    return longest
  }
}

/** Closes the connections that are free, so that the next request gets a new one. */
export function closeFree(agent: Agent): void {
  for (const name in agent.freeSockets) for (const socket of agent.freeSockets[name] ?? []) socket.destroy()
}
