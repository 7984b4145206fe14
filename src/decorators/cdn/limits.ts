/** What a provider documents it takes, counted here so that it is not asked for more. */
import type { PurgeTarget } from './purge-target.ts'

/** Counts what is used up. Times are milliseconds. */
export interface Meter {
  /** What can be used at once at most. */
  readonly capacity: number
  /** How long until so much can be used; 0: now. Forever for more than the capacity. */
  waitMs(amount: number, now: number): number
  take(amount: number, now: number): void
}

export interface PurgeLimit {
  readonly meter: Meter
  /** What a request with these targets uses up. */
  readonly cost: (targets: readonly PurgeTarget[]) => number
}

export function countFiles(targets: readonly PurgeTarget[]): number {
  return targets.reduce((sum, { type }) => sum + Number(type === 'file'), 0)
}

/** Directories, and everything. */
export function countWildcards(targets: readonly PurgeTarget[]): number {
  return targets.length - countFiles(targets)
}

/** Holds `capacity`, and gains so much a second until it is full. */
export class TokenBucket implements Meter {
  readonly capacity: number
  readonly #perMs: number
  #level: number
  #at = 0

  constructor(capacity: number, perSecond: number) {
    this.capacity = capacity
    this.#perMs = perSecond / 1_000
    this.#level = capacity
  }

  waitMs(amount: number, now: number): number {
    if (amount > this.capacity) return Number.POSITIVE_INFINITY
    return Math.max(0, Math.ceil((amount - this.#levelAt(now)) / this.#perMs))
  }

  take(amount: number, now: number): void {
    this.#level = this.#levelAt(now) - amount
    this.#at = now
  }

  #levelAt(now: number): number {
    return Math.min(this.capacity, this.#level + Math.max(0, now - this.#at) * this.#perMs)
  }
}

/** Never more than `capacity` in any stretch of `windowMs`, wherever the provider's window begins. */
export class SlidingWindow implements Meter {
  readonly capacity: number
  readonly #windowMs: number
  #used: readonly { readonly at: number; readonly amount: number }[] = []

  constructor(capacity: number, windowMs: number) {
    this.capacity = capacity
    this.#windowMs = windowMs
  }

  waitMs(amount: number, now: number): number {
    const used = this.#usedAt(now)
    let free = this.capacity - used.reduce((sum, one) => sum + one.amount, 0)
    if (free >= amount) return 0
    for (const one of used) {
      free += one.amount
      if (free >= amount) return Math.max(1, one.at + this.#windowMs - now)
    }
    return Number.POSITIVE_INFINITY
  }

  take(amount: number, now: number): void {
    if (amount > 0) this.#used = [...this.#usedAt(now), { at: now, amount }]
  }

  #usedAt(now: number): readonly { readonly at: number; readonly amount: number }[] {
    return this.#used.filter(({ at }) => at + this.#windowMs > now)
  }
}
