/**
 * When a request is sent again, and when it is better left: waits with full jitter, at least as long as the store asks for, and a
 * budget that all requests of a disk share, so that a store that is down is not asked four times as often as one that works.
 *
 *   wait = random(0 … 100 ms × 2^attempt), at most 20 s      AWS Architecture Blog, "Exponential Backoff And Jitter"
 *   500 tokens; a repetition costs 5, after a timeout 10     AWS SDKs reference guide, "Retry behavior", standard mode
 */

const BASE_WAIT_MS = 100
const MAX_WAIT_MS = 20_000
/** A store that asks for a longer wait is better told to the caller. */
const MAX_RETRY_AFTER_MS = 60_000

const BUDGET = { capacity: 500, repetition: 5, timeout: 10, success: 1 }

/** The budget of repetitions of one disk. */
export class RetryBudget {
  #tokens = BUDGET.capacity

  /** False when it is used up: what failed has to be told. */
  take(isTimeout: boolean): boolean {
    const cost = isTimeout ? BUDGET.timeout : BUDGET.repetition
    if (this.#tokens < cost) return false
    this.#tokens -= cost
    return true
  }

  /** After a request that went well. @param isTimeout of what it had failed with before; undefined when it never did */
  refill(isTimeout?: boolean): void {
    const amount = isTimeout === undefined ? BUDGET.success : isTimeout ? BUDGET.timeout : BUDGET.repetition
    this.#tokens = Math.min(BUDGET.capacity, this.#tokens + amount)
  }
}

export interface Pause {
  /** What the store asked for. */
  readonly atLeastMs: number
  /** From 0 to 1. */
  readonly random: number
}

/** In milliseconds. @param attempt how many there were */
export function waitOf(attempt: number, { atLeastMs, random }: Pause): number {
  return Math.max(atLeastMs, random * Math.min(MAX_WAIT_MS, BASE_WAIT_MS * 2 ** attempt))
}

/** The waits of one disk, which all end when it is closed. */
export class Pauses {
  readonly #ends = new Set<() => void>()

  /** Rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        this.#ends.delete(end)
        if (signal?.aborted) reject(signal.reason)
        else resolve()
      }
      const timer = setTimeout(end, ms)
      signal?.addEventListener('abort', end, { once: true })
      this.#ends.add(end)
    })
  }

  /** Ends every wait that is under way. */
  end(): void {
    for (const end of this.#ends) end()
  }
}

/** `Retry-After` in milliseconds: seconds or a date. Undefined when it asks for more than anybody waits. */
export function retryAfterOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
  if (Number.isNaN(ms) || ms < 0) return 0
  return ms <= MAX_RETRY_AFTER_MS ? ms : undefined
}
