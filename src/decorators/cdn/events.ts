/** What happened to purges. Events have paths and errors, and neither addresses nor keys. */
import type { StorageError } from '../../errors.ts'
import type { PurgeTarget } from './purge-target.ts'

export type CdnEvent =
  /** The provider has taken them. `repeat`: for the second time, after the network's delay. */
  | { readonly type: 'purged'; readonly targets: readonly PurgeTarget[]; readonly repeat: boolean }
  /** An attempt failed, and will be repeated: nothing is lost. */
  | {
      readonly type: 'purge-failed'
      readonly targets: readonly PurgeTarget[]
      readonly error: StorageError
      readonly attempt: number
      /** Milliseconds until the next. */
      readonly retryInMs: number
    }
  /** The disk was closed before the provider took them. They are still in a queue that outlives the process. */
  | { readonly type: 'purge-abandoned'; readonly targets: readonly PurgeTarget[] }
  /** The queue could not be read or written. The purges of this process are made all the same. */
  | { readonly type: 'queue-failed'; readonly error: unknown }

export type CdnListener = (event: CdnEvent) => void

/** Who listens. Where nobody does, the first failure is a warning of the process. */
export class CdnEvents {
  readonly #listeners = new Set<CdnListener>()
  #hasWarned = false

  /** @returns what ends it */
  add(listener: CdnListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  emit(event: CdnEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        process.emitWarning(`a listener of CDN events failed: ${String(error)}`) // It must not keep purges from being made.
      }
    }
    if (event.type === 'purged') this.#hasWarned = false
    else if (this.#listeners.size === 0) this.#warn(event)
  }

  #warn(event: Exclude<CdnEvent, { type: 'purged' }>): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    process.emitWarning(WARNINGS[event.type](event as never), { type: 'StowageWarning', code: 'STOWAGE_CDN_PURGE' })
  }
}

const WARNINGS: { readonly [Type in Exclude<CdnEvent['type'], 'purged'>]: (event: Extract<CdnEvent, { type: Type }>) => string } = {
  'purge-failed': ({ error }) => `a purge failed and will be repeated: ${error.reason}`,
  'purge-abandoned': ({ targets }) => `the disk was closed before ${targets.length} purges were made`,
  'queue-failed': () => 'the queue of purges could not be reached: purges are remembered by this process only',
}
