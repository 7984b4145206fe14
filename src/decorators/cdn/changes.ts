/**
 * Changes of files beside a network: announced before, purged after, because what is purged first is fetched again as it was. A change
 * that failed so that nobody knows what is there is purged, too.
 */
import type { CallOptions, Driver } from '../../driver.ts'
import { isStorageError, UnavailableError } from '../../errors.ts'
import { pagesOf } from '../../derive.ts'
import type { Dispatcher } from './dispatcher.ts'
import { directoryTarget, EVERYTHING, fileTarget, type PurgeTarget } from './purge-target.ts'
import type { Purger } from './purger.ts'

/** How long a change waits for a purge to be repeated. */
const PATIENCE_MS = 3_000
/** So many files of a directory are purged one by one where there is no other way. */
const MAX_LISTED = 1_000

export class Changes {
  readonly #dispatcher: Dispatcher
  readonly #waits: boolean

  constructor(dispatcher: Dispatcher, { waits }: { readonly waits: boolean }) {
    this.#dispatcher = dispatcher
    this.#waits = waits
  }

  /** @throws UnavailableError when the change was made and, with `waits`, the purge was not */
  async of<T>(targets: readonly PurgeTarget[], options: CallOptions, run: () => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted()
    const announced = await this.#dispatcher.announce(targets, { followed: true })
    let result: T
    try {
      result = await run()
    } catch (error) {
      if (mayHaveChanged(error)) announced.go()
      else announced.cancel()
      throw error
    }
    if (!this.#waits || targets.length === 0) announced.go()
    else await settled(announced, targets.length, options)
    return result
  }

  ofFiles<T>(paths: readonly string[], options: CallOptions, run: () => Promise<T>): Promise<T> {
    return this.of(paths.map(fileTarget), options, run)
  }

  /** Purges without a change. Each is an attempt of its own. @throws UnavailableError when it was not made yet */
  async purge(targets: readonly PurgeTarget[], options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const announced = await this.#dispatcher.announce(targets, { followed: false })
    if (targets.length === 0) return announced.cancel()
    await waitFor(announced, targets.length, options).catch((error: unknown) => {
      throw toUnavailable(error, 'the CDN was not purged yet, and will be', options)
    })
  }
}

type Announced = Awaited<ReturnType<Dispatcher['announce']>>

async function settled(announced: Announced, count: number, options: CallOptions): Promise<void> {
  try {
    await waitFor(announced, count, options)
  } catch (error) {
    // Repeating the call would repeat what has been done.
    throw toUnavailable(error, 'the write stands, but the CDN was not purged of it yet, and will be', options)
  }
}

function waitFor(announced: Announced, count: number, { signal }: CallOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    const end = (then: () => void): void => {
      signal?.removeEventListener('abort', abort)
      then()
    }
    let left = count
    announced.go({
      until: Date.now() + PATIENCE_MS,
      resolve: () => {
        left -= 1
        if (left === 0) end(resolve)
      },
      reject: (error) => end(() => reject(error)),
    })
  })
}

function toUnavailable(error: unknown, message: string, { signal }: CallOptions): unknown {
  if (signal?.aborted && error === signal.reason) return error
  const reason = isStorageError(error) ? `: ${error.reason}` : ''
  return new UnavailableError(message + reason, { cause: error, retryable: false })
}

/** Whether the store may have done what failed: it did not answer, or did part of it. */
function mayHaveChanged(error: unknown): boolean {
  return !isStorageError(error) || MAY_HAVE.has(error.code)
}

const MAY_HAVE: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'unknown',
  'partial_failure',
  'rate_limited',
  'precondition_failed',
])

/** The directory, or where the provider has no word for it the files that it holds. */
export async function directoryTargets(
  driver: Driver,
  { takesPrefixes, takesAll }: Purger,
  { path, options }: { readonly path: string; readonly options: CallOptions },
): Promise<readonly PurgeTarget[]> {
  if (takesPrefixes) return [directoryTarget(path)]
  const targets: PurgeTarget[] = []
  for await (const entries of pagesOf(driver, path, { recursive: true, stat: false, signal: options.signal })) {
    for (const entry of entries) if (entry.type === 'file') targets.push(fileTarget(entry.path))
    if (takesAll && targets.length > MAX_LISTED) return [EVERYTHING]
  }
  return targets
}
