/**
 * A store that may be slow or gone, so that nobody notices: every call has a budget, and after some failures in a row none is made
 * for a while. What was written meanwhile is remembered, and told to the store before anything is read from it again.
 *
 *   up ──5 failures──▶ down (reads are misses, writes are remembered) ──10 s──▶ one attempt ──▶ tell what is owed ──▶ up
 */
import { isStorageError, UnavailableError } from '../../errors.ts'
import type { CacheCounts, CacheStore, Ticket, Token, Wanted } from './cache-store.ts'
import { type Debt, Debts } from './debts.ts'
import type { CacheEntry } from './entry.ts'
import { Turns } from './turns.ts'

const BUDGET_MS = 100
/** The first connection, and loading the client. */
const OPEN_BUDGET_MS = 1_000
const FAILURES = 5
const DOWN_MS = 10_000
const CLOSE_MS = 1_000
/** How soon what is owed is told, at the earliest and at the latest. */
const SOON_MS = 250
const LATER_MS = 1_000
const ALL: readonly undefined[] = [undefined]

export interface GuardOptions {
  readonly counts: CacheCounts
  readonly now: () => number
  readonly budgetMs?: number | undefined
  readonly downMs?: number | undefined
}

export class GuardedStore implements CacheStore {
  readonly #store: CacheStore
  readonly #options: GuardOptions
  readonly #debts = new Debts()
  readonly #gets = new Turns<CacheEntry | undefined>()
  readonly #prepares = new Turns<Ticket | undefined>()
  #failures = 0
  #downUntil = 0
  #isOpen = false
  #isClosed = false
  #settling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(store: CacheStore, options: GuardOptions) {
    this.#store = store
    this.#options = options
  }

  async open(): Promise<void> {
    // The first call opens the store, within its budget.
  }

  async get(path: string, wanted: Wanted): Promise<CacheEntry | undefined> {
    if (!this.#isUsable()) return undefined
    return this.#gets.ask(`${wanted} ${path}`, () => this.#attempt(() => this.#store.get(path, wanted)))
  }

  async prepare(path: string, wanted: Wanted): Promise<Ticket | undefined> {
    if (!this.#isUsable()) return undefined
    return this.#prepares.ask(`${wanted} ${path}`, () => this.#attempt(() => this.#store.prepare(path, wanted)))
  }

  async commit(path: string, entry: CacheEntry, ticket: Ticket): Promise<boolean> {
    return this.#isUsable() && (await this.#attempt(() => this.#store.commit(path, entry, ticket))) === true
  }

  async release(path: string): Promise<void> {
    if (this.#isUsable()) await this.#attempt(() => this.#store.release(path))
  }

  begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    return this.#tell(paths, token, lifeMs)
  }

  end(paths: readonly string[], token: Token): Promise<void> {
    return this.#tell(paths, token, 0)
  }

  beginAll(token: Token, lifeMs: number): Promise<void> {
    return this.#tell(ALL, token, lifeMs)
  }

  endAll(token: Token): Promise<void> {
    return this.#tell(ALL, token, 0)
  }

  /** Tells what is owed, if the store hears it within a second. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    if (this.#debts.size > 0) await within(CLOSE_MS, () => this.#settle()).catch(() => undefined)
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#store.close()
  }

  /** Whether the store may be asked: it answers, and knows of everything that was written. */
  #isUsable(): boolean {
    if (!this.#isUp()) return false
    if (this.#debts.size > 0) void this.#settle()
    return this.#debts.size === 0
  }

  #isUp(): boolean {
    return !this.#isClosed && this.#options.now() >= this.#downUntil
  }

  async #tell(paths: readonly (string | undefined)[], token: Token, lifeMs: number): Promise<void> {
    const until = lifeMs === 0 ? 0 : this.#options.now() + lifeMs
    if (this.#isUp() && (await this.#told(paths, token, lifeMs))) return this.#debts.remove(paths, token)
    this.#debts.add(paths, token, until)
    this.#settleSoon()
  }

  /** @returns whether the store has heard it, as far as is known */
  async #told(paths: readonly (string | undefined)[], token: Token, lifeMs: number): Promise<boolean> {
    const files = paths.filter((path) => path !== undefined)
    const call = async (): Promise<true> => {
      if (paths === ALL) await (lifeMs > 0 ? this.#store.beginAll(token, lifeMs) : this.#store.endAll(token))
      else await (lifeMs > 0 ? this.#store.begin(files, token, lifeMs) : this.#store.end(files, token))
      return true
    }
    return (await this.#attempt(call, 1 + Math.floor(files.length / 1_000))) === true
  }

  /** Tells what is owed, one after the other, until it is told or the store fails again. Never rejects. */
  #settle(): Promise<void> {
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined
      if (this.#debts.size > 0) this.#settleSoon()
    })
    return this.#settling
  }

  async #settleAll(): Promise<void> {
    for (let debt = this.#debts.next(); debt !== undefined && !this.#isClosed; debt = this.#debts.next()) {
      if (!(await this.#pay(debt))) return
    }
  }

  async #pay(debt: Debt): Promise<boolean> {
    const { path, token, until } = debt
    const lifeMs = Math.max(0, until - this.#options.now())
    if (!(await this.#told(path === undefined ? ALL : [path], token, lifeMs))) return false
    if (this.#debts.has(debt)) this.#debts.remove([path], token)
    else if (lifeMs > 0) this.#debts.add([path], token, 0) // it ended meanwhile, and the store may have heard that first
    return true
  }

  #settleSoon(): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    const retry = (): void => {
      if (this.#isUp()) void this.#settle()
      else this.#settleSoon()
    }
    this.#timer = setTimeout(retry, Math.min(Math.max(this.#downUntil - this.#options.now(), SOON_MS), LATER_MS))
    this.#timer.unref()
  }

  /** The answer in time, or undefined. */
  async #attempt<T>(call: () => Promise<T>, budgets = 1): Promise<T | undefined> {
    try {
      if (!this.#isOpen) await this.#open()
      const answer = await within((this.#options.budgetMs ?? BUDGET_MS) * budgets, call)
      this.#failures = 0
      return answer
    } catch (error) {
      if (isStorageError(error) && error.code === 'configuration') throw error // a package that is not installed comes by no waiting
      const { downMs = DOWN_MS, counts, now } = this.#options
      counts.errors++
      this.#failures++
      if (this.#failures >= FAILURES) {
        this.#downUntil = now() + downMs
        this.#failures = FAILURES - 1 // the next failure is enough
      }
      return undefined
    }
  }

  async #open(): Promise<void> {
    try {
      await within(OPEN_BUDGET_MS, () => this.#store.open())
      this.#isOpen = true
    } catch (error) {
      this.#failures = FAILURES // there is no hope in asking again at once
      throw error
    }
  }
}

/** @throws UnavailableError when it takes longer */
async function within<T>(ms: number, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new UnavailableError('the cache takes too long')), ms)
  })
  try {
    return await Promise.race([call(), late])
  } finally {
    clearTimeout(timer)
  }
}
