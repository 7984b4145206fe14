/**
 * Turns for a bounded number of connections: who came first is served first, so that a large upload never starves a small request.
 * Where nothing is given back for too long, those who wait are told what holds the others; a queue that moves may be as long as it likes.
 */
import { UnavailableError } from '../../../errors.ts'

interface Waiter {
  readonly resolve: () => void
}

export class Slots {
  readonly #limit: number
  readonly #maxWaitMs: number
  /** In the order they came. */
  readonly #waiters = new Set<Waiter>()
  #taken = 0
  /** When whoever waited longest had his turn. */
  #movedAt = Number.NEGATIVE_INFINITY

  /** @param maxWaitMs without a turn for anybody, after which a waiting request gives up */
  constructor(limit: number, maxWaitMs: number) {
    this.#limit = limit
    this.#maxWaitMs = maxWaitMs
  }

  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Takes a slot, at once where the answer is undefined. @throws UnavailableError; the signal's reason */
  take(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#taken < this.#limit) {
      this.#taken++
      return undefined
    }
    return this.#wait(signal)
  }

  /** Gives a slot back: to whoever waits longest. */
  give(): void {
    const [next] = this.#waiters
    if (next === undefined) {
      this.#taken--
      return
    }
    this.#waiters.delete(next)
    this.#movedAt = performance.now()
    next.resolve()
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: () => {
          settle()
          resolve()
        },
      }
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
        this.#waiters.delete(waiter)
      }
      const aborted = (): void => {
        settle()
        reject(signal?.reason)
      }
      const giveUp = (): void => {
        const restMs = this.#movedAt + this.#maxWaitMs - performance.now()
        if (restMs > 0) {
          timer = setTimeout(giveUp, restMs)
          return
        }
        settle()
        reject(busy(this.#limit, this.#maxWaitMs))
      }
      let timer = setTimeout(giveUp, this.#maxWaitMs)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }
}

function busy(limit: number, waitedMs: number): UnavailableError {
  return new UnavailableError(
    `all ${limit} connections were in use for ${waitedMs} ms: read streams to their end or destroy them, or raise "maxSockets"`,
  )
}
