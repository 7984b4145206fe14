/**
 * A store that may be slow or gone, so that nobody notices: every call has a budget, and after some failures in a row none is made
 * for a while. What was written meanwhile is remembered and told to the store before anything is read from it again; if it is too
 * much to remember, everything is declared old.
 *
 *   closed ──5 failures──▶ open (reads are misses, writes are remembered) ──10 s──▶ one attempt: replay ──▶ closed
 */
import { nodeCrypto } from '../../builtins.ts'
import { UnavailableError } from '../../errors.ts'
import type { CacheCounts, CacheStore, Ticket, Token, Wanted } from './cache-store.ts'
import type { CacheEntry } from './entry.ts'

const BUDGET_MS = 100
const FAILURES = 5
const OPEN_MS = 10_000
const MAX_REMEMBERED = 10_000

export interface GuardOptions {
  readonly counts: CacheCounts
  readonly now: () => number
  readonly budgetMs?: number | undefined
  readonly openMs?: number | undefined
}

export class GuardedStore implements CacheStore {
  readonly #store: CacheStore
  readonly #options: GuardOptions
  /** Writes that the store does not know of yet: their paths and tokens. */
  readonly #owed = new Map<string, Token>()
  #owesAll = false
  #failures = 0
  #openUntil = 0
  #replaying: Promise<boolean> | undefined

  constructor(store: CacheStore, options: GuardOptions) {
    this.#store = store
    this.#options = options
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    return (await this.#isUsable()) ? this.#attempt(() => this.#store.get(path, wanted)) : undefined
  }

  async prepare(path: string): Promise<Ticket | undefined> {
    return (await this.#isUsable()) ? this.#attempt(() => this.#store.prepare(path)) : undefined
  }

  async commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean> {
    return (await this.#isUsable()) && (await this.#attempt(() => this.#store.commit(path, entry, ticket))) === true
  }

  async release(path: string): Promise<void> {
    if (await this.#isUsable()) await this.#attempt(() => this.#store.release(path))
  }

  async begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    if ((await this.#isUsable()) && (await this.#told(() => this.#store.begin(paths, token, lifeMs), paths))) return
    this.#owe(paths, token)
  }

  async end(paths: readonly string[], token: Token): Promise<void> {
    const isOwed = this.#owesAll || paths.some((path) => this.#owed.has(path))
    if (!isOwed && this.#isClosed() && (await this.#told(() => this.#store.end(paths, token), paths))) return
    this.#owe(paths, token)
  }

  async beginAll(token: Token, lifeMs: number): Promise<void> {
    if ((await this.#isUsable()) && (await this.#told(() => this.#store.beginAll(token, lifeMs), []))) return
    this.#owesAll = true
  }

  async endAll(token: Token): Promise<void> {
    if (!this.#owesAll && this.#isClosed() && (await this.#told(() => this.#store.endAll(token), []))) return
    this.#owesAll = true
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #isClosed(): boolean {
    return this.#options.now() >= this.#openUntil
  }

  /** Whether the store may be asked: it answers, and knows of everything that was written. */
  async #isUsable(): Promise<boolean> {
    if (!this.#isClosed()) return false
    if (this.#owed.size === 0 && !this.#owesAll) return true
    this.#replaying ??= this.#replay().finally(() => {
      this.#replaying = undefined
    })
    return this.#replaying
  }

  async #replay(): Promise<boolean> {
    if (this.#owesAll) {
      const token = nodeCrypto().randomUUID()
      if (!(await this.#told(() => this.#store.endAll(token), []))) return false
      this.#owesAll = false
      this.#owed.clear()
    }
    for (const [path, token] of this.#owed) {
      if (!(await this.#told(() => this.#store.end([path], token), [path]))) return false
      if (this.#owed.get(path) === token) this.#owed.delete(path) // unless it was written again meanwhile
    }
    return true
  }

  #owe(paths: readonly string[], token: Token): void {
    for (const path of paths) this.#owed.set(path, token)
    if (this.#owed.size <= MAX_REMEMBERED) return
    this.#owed.clear()
    this.#owesAll = true
  }

  /** @returns whether the store has heard it, as far as is known */
  async #told(call: () => Promise<void>, paths: readonly string[]): Promise<boolean> {
    const budget = 1 + Math.floor(paths.length / 1_000)
    return (await this.#attempt(async () => (await call(), true), budget)) === true
  }

  /** The answer in time, or undefined. */
  async #attempt<T>(call: () => Promise<T>, budgets = 1): Promise<T | undefined> {
    const { budgetMs = BUDGET_MS, openMs = OPEN_MS, counts, now } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new UnavailableError('the cache takes too long')), budgetMs * budgets)
    })
    try {
      const answer = await Promise.race([call(), late])
      this.#failures = 0
      return answer
    } catch {
      counts.errors++
      this.#failures++
      if (this.#failures >= FAILURES) {
        this.#openUntil = now() + openMs
        this.#failures = FAILURES - 1 // the next failure opens it again at once
      }
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }
}
