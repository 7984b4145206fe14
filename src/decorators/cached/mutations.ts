/** Writes beside a cache: announced before, and told after, whatever came of them. */
import { nodeCrypto } from '../../builtins.ts'
import type { CacheReader } from './cache-reader.ts'
import type { CacheStore, Token } from './cache-store.ts'

/** How long a writer counts without a sign of life. */
const TOKEN_MS = 10 * 60_000

export class Mutations {
  readonly #store: CacheStore
  readonly #reader: CacheReader

  constructor(store: CacheStore, reader: CacheReader) {
    this.#store = store
    this.#reader = reader
  }

  of<T>(paths: readonly string[], run: () => Promise<T>): Promise<T> {
    const store = this.#store
    return announced(run, {
      detach: () => this.#reader.detach(paths),
      begin: (token) => store.begin(paths, token, TOKEN_MS),
      end: (token) => store.end(paths, token),
    })
  }

  ofAll<T>(run: () => Promise<T>): Promise<T> {
    const store = this.#store
    return announced(run, {
      detach: () => this.#reader.detachAll(),
      begin: (token) => store.beginAll(token, TOKEN_MS),
      end: (token) => store.endAll(token),
    })
  }

  /** A write that others make, some time until then. */
  begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    this.#reader.detach(paths)
    return this.#store.begin(paths, token, lifeMs)
  }
}

interface Announcement {
  readonly detach: () => void
  readonly begin: (token: Token) => Promise<void>
  readonly end: (token: Token) => Promise<void>
}

async function announced<T>(run: () => Promise<T>, { detach, begin, end }: Announcement): Promise<T> {
  const token = nodeCrypto().randomUUID()
  const renewal = setInterval(() => void begin(token).catch(() => undefined), TOKEN_MS / 2)
  renewal.unref()
  try {
    detach()
    await begin(token)
    return await run()
  } finally {
    clearInterval(renewal)
    detach()
    await end(token)
  }
}
