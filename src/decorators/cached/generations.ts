/** The generations of paths within one process: see `cache-store.ts` for what they are for. */
import type { Token } from './cache-store.ts'

interface Generation {
  version: number
  /** Writers at work, and until when they count. */
  readonly tokens: Map<Token, number>
}

export class Generations {
  readonly #paths = new Map<string, Generation>()
  readonly #now: () => number
  /** Every change of any path takes a new number, so that a generation that was forgotten never comes back as it was. */
  #changes = 0
  /** Swept at so many; more when that many are needed, so that sweeping stays rare. */
  #roomFor = MAX_GENERATIONS

  constructor(now: () => number) {
    this.#now = now
  }

  /** The version to fill on; undefined while a writer is at work. */
  prepare(path: string): string | undefined {
    const generation = this.#purged(path)
    return generation.tokens.size > 0 ? undefined : String(generation.version)
  }

  /** Whether nothing was written, and nobody is writing, since `prepare` gave this version. */
  isCurrent(path: string, version: string): boolean {
    return this.#paths.has(path) && this.prepare(path) === version
  }

  begin(path: string, token: Token, lifeMs: number): void {
    const generation = this.#purged(path)
    generation.tokens.set(token, this.#now() + lifeMs)
    generation.version = ++this.#changes
  }

  end(path: string, token: Token): void {
    const generation = this.#purged(path)
    generation.tokens.delete(token)
    generation.version = ++this.#changes
  }

  #purged(path: string): Generation {
    if (this.#paths.size >= this.#roomFor) this.#sweep()
    const generation = this.#paths.get(path) ?? { version: ++this.#changes, tokens: new Map<Token, number>() }
    this.#paths.set(path, generation)
    this.#expire(generation)
    return generation
  }

  #expire(generation: Generation): void {
    for (const [token, until] of generation.tokens) {
      if (until > this.#now()) continue
      generation.tokens.delete(token)
      generation.version = ++this.#changes
    }
  }

  /** Lets go of generations that nobody needs. Fills that are on their way to one of them will be refused. */
  #sweep(): void {
    for (const [path, generation] of this.#paths) {
      this.#expire(generation)
      if (generation.tokens.size === 0) this.#paths.delete(path)
    }
    this.#roomFor = Math.max(MAX_GENERATIONS, 2 * this.#paths.size)
  }
}

const MAX_GENERATIONS = 10_000
