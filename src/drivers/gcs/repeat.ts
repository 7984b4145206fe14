/** Requests that failed for a passing reason are sent again: exponential waits with full jitter, as Google asks its clients to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing, isUnsent } from './gcs-errors.ts'

/**
 * What may be sent twice: `idempotent`, whatever happened; `conditional`, only what was certainly not carried out, because the
 * second would fail by what the first did.
 */
export type Repeatable = 'idempotent' | 'conditional'

const BASE_MS = 200
const MAX_MS = 16_000

export interface RepeatOptions {
  readonly retries: number
  readonly repeatable: Repeatable
  readonly signal?: AbortSignal | undefined
}

/** @throws what the last attempt threw; the signal's reason */
export async function repeated<T>(options: RepeatOptions, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      options.signal?.throwIfAborted()
      const passing = options.repeatable === 'idempotent' ? isPassing(error) : isUnsent(error)
      if (!passing || failures >= options.retries) throw error
      await pause(failures, options.signal)
    }
  }
}

/** Waits before the next attempt. @throws the signal's reason */
export async function pause(failures: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(Math.random() * Math.min(MAX_MS, BASE_MS * 2 ** failures), undefined, signal && { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
