/** What a CDN disk is made with, and its defaults. */
import { ConfigurationError } from '../../errors.ts'
import type { DispatcherOptions } from './dispatcher.ts'
import type { CdnEvents, CdnListener } from './events.ts'
import type { CdnProvider } from './providers.ts'
import { impatient, memoryQueue, type PurgeQueue } from './purge-queue.ts'

export interface CdnOptions {
  /** The network's address; files are below it. */
  readonly url: string
  /** Who signs and purges. Default: nobody. */
  readonly provider?: CdnProvider | undefined
  /** Whether changes wait for their purge, or there is none. Default: `background`. */
  readonly purge?: 'background' | 'await' | false | undefined
  /** Seconds after which a change is purged once more; false: never. Default: 10. */
  readonly repurgeAfter?: number | false | undefined
  /** Where purges are kept until they are made. Default: memory. */
  readonly queue?: PurgeQueue | undefined
  /** Told of every purge, and every failure. */
  readonly on?: CdnListener | undefined
  /** Milliseconds that purges are gathered. Default: 250; 25 with `await`. */
  readonly batchMs?: number | undefined
  /** Between attempts, which never end. Default: 1,000 and 300,000. */
  readonly retry?: { readonly baseDelayMs?: number | undefined; readonly maxDelayMs?: number | undefined } | undefined
  /** Milliseconds of one request to the provider. Default: 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** Milliseconds that closing waits for purges. Default: 5,000. */
  readonly closeTimeoutMs?: number | undefined
  readonly now?: (() => Date) | undefined
  readonly random?: (() => number) | undefined
}

/** A change waits for a queue no longer. */
const QUEUE_TIMEOUT_MS = 2_000

/** @throws ConfigurationError for numbers that are none */
export function dispatcherOptions(options: CdnOptions, events: CdnEvents): DispatcherOptions {
  const { purge = 'background', repurgeAfter = 10, retry = {}, random = Math.random } = options
  const { batchMs = purge === 'await' ? 25 : 250, requestTimeoutMs = 10_000 } = options
  const { baseDelayMs = 1_000, maxDelayMs = 300_000 } = retry
  const repeatMs = repurgeAfter === false || repurgeAfter === 0 ? undefined : repurgeAfter * 1_000
  const numbers = {
    repurgeAfter: repeatMs ?? 0,
    batchMs,
    requestTimeoutMs,
    'retry.baseDelayMs': baseDelayMs,
    'retry.maxDelayMs': maxDelayMs,
  }
  for (const [name, value] of Object.entries(numbers)) {
    if (!(Number.isFinite(value) && value >= 0)) throw new ConfigurationError(`"${name}" must be a number that is not negative`)
  }
  const queue = options.queue === undefined ? memoryQueue() : impatient(options.queue, QUEUE_TIMEOUT_MS)
  return {
    queue,
    events,
    batchMs,
    repeatMs,
    retry: { baseDelayMs, maxDelayMs },
    timeoutMs: requestTimeoutMs,
    random,
  }
}
