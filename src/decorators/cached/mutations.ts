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

  async of<T>(paths: readonly string[], run: () => Promise<T>): Promise<T> {
    const token = nodeCrypto().randomUUID()
    const renewal = setInterval(() => void this.#store.begin(paths, token, TOKEN_MS).catch(() => undefined), TOKEN_MS / 2)
    renewal.unref()
    try {
      await this.begin(paths, token, TOKEN_MS)
      return await run()
    } finally {
      clearInterval(renewal)
      this.#reader.detach(paths)
      await this.#store.end(paths, token)
    }
  }

  async ofAll<T>(run: () => Promise<T>): Promise<T> {
    const token = nodeCrypto().randomUUID()
    try {
      this.#reader.detachAll()
      await this.#store.beginAll(token, TOKEN_MS)
      return await run()
    } finally {
      this.#reader.detachAll()
      await this.#store.endAll(token)
    }
  }

  begin(paths: readonly string[], token: Token, lifeMs: number): Promise<void> {
    this.#reader.detach(paths)
    return this.#store.begin(paths, token, lifeMs)
  }
}
