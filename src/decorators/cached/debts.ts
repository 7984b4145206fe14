/** What a store has not been told yet: writes that began or ended while it did not answer. Bounded: too many become one, of every path. */
import { nodeCrypto } from '../../builtins.ts'
import type { Token } from './cache-store.ts'

export interface Debt {
  /** Undefined: every path. */
  readonly path: string | undefined
  readonly token: Token
  /** Until when the write counts; 0: it has ended. */
  readonly until: number
}

const MAX_PATHS = 10_000

export class Debts {
  readonly #paths = new Map<string | undefined, Map<Token, number>>()

  get size(): number {
    return this.#paths.size
  }

  add(paths: readonly (string | undefined)[], token: Token, until: number): void {
    for (const path of paths) this.#paths.set(path, (this.#paths.get(path) ?? new Map<Token, number>()).set(token, until))
    if (this.#paths.size <= MAX_PATHS) return
    const all = this.#paths.get(undefined) ?? new Map<Token, number>()
    this.#paths.clear()
    this.#paths.set(undefined, all.set(nodeCrypto().randomUUID(), 0))
  }

  /** The store knows of it by now. */
  remove(paths: readonly (string | undefined)[], token: Token): void {
    for (const path of paths) {
      const tokens = this.#paths.get(path)
      tokens?.delete(token)
      if (tokens?.size === 0) this.#paths.delete(path)
    }
  }

  /** Some debt, every path's first. */
  next(): Debt | undefined {
    const path = this.#paths.has(undefined) ? undefined : this.#paths.keys().next().value
    for (const [token, until] of this.#paths.get(path) ?? []) return { path, token, until }
    return undefined
  }

  /** Whether this is still what the store has to be told. */
  has({ path, token, until }: Debt): boolean {
    return this.#paths.get(path)?.get(token) === until
  }
}
