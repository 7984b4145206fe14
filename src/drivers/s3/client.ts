/**
 * The one door to the SDK: the package is loaded and the client made at the first request that goes through it, once, and closed if
 * it is ours.
 *
 *   S3Connection ──first use──▶ make-client.ts ──▶ { sdk, client }      (typed by sdk.ts)
 */
import type { OpenedClient } from './make-client.ts'
import type { S3Settings } from './settings.ts'

/** The SDK and the client of one disk. Its types stay inside: `api()` of sdk.ts has them. */
export class S3Connection {
  readonly #settings: S3Settings
  #opened: OpenedClient | undefined
  #opening: Promise<OpenedClient> | undefined

  constructor(settings: S3Settings) {
    this.#settings = settings
  }

  /** What was opened, if it was: the way that waits for nothing. */
  get opened(): object | undefined {
    return this.#opened
  }

  /** Loads the SDK and makes the client, the first time. @throws ConfigurationError when the package is not installed */
  open(): Promise<object> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /** Destroys the client and its connections, unless they came from elsewhere. A later use opens new ones. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    if (opened === undefined || opened !== this.#opened) return
    this.#opening = undefined
    this.#opened = undefined
    opened.release()
  }

  async #open(): Promise<OpenedClient> {
    const { openClient } = await import('./make-client.ts')
    this.#opened = await openClient(this.#settings)
    return this.#opened
  }
}
