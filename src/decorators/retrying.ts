/**
 * `retrying(options)`: calls that failed for a moment are made again, if making them twice cannot do harm.
 *
 *   stat read list delete, asking for visibility and directories  ─▶ again after every error that is `retryable`
 *   write copy, unconditional, of replayable content              ─▶ the same
 *   write copy with ifAbsent or ifMatch; move without             ─▶ again only when nothing was sent (below)
 *   everything else (append, multipart, …)                        ─▶ once
 *
 * Nothing was sent when the store turned the request away (`rate_limited`), or when a cause of the error is a connection that was
 * never made. That speaks for the last request alone, so a driver below must not retry on its own. A conditional move is made once:
 * where it is a copy and a delete, a second try would find the first one's copy.
 *
 * Waits are full jitter: random between 0 and baseDelayMs × 2ⁿ, at most maxDelayMs (AWS Architecture Blog, "Exponential Backoff And
 * Jitter"). An abort ends the wait at once. Only the call is repeated: a body that breaks while it is read is the reader's to resume.
 */
import { setTimeout as timer } from 'node:timers/promises'
import type { CallOptions, Content, Decorator, DeleteFailure, DeleteOptions, Driver, WriteOptions } from '../driver.ts'
import { ConfigurationError, isStorageError, quote, type StorageError } from '../errors.ts'

export interface RetryingOptions {
  /** How often a call is made, the first time included. Default: 4. Numbers may be numeric strings, as from `env`. */
  readonly attempts?: number | string | undefined
  /** Default: 100. */
  readonly baseDelayMs?: number | string | undefined
  /** Default: 5,000. */
  readonly maxDelayMs?: number | string | undefined
  /** From 0 to less than 1. */
  readonly random?: (() => number) | undefined
  /** May reject when the signal aborts; the wait ends then in any case. */
  readonly sleep?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined
}

type Sleep = NonNullable<RetryingOptions['sleep']>

const wait: Sleep = (ms, signal) => timer(ms, undefined, signal && { signal })

/** Makes a call, and makes it again as long as `again` says so of its error. */
type Repeat = <T>(call: () => Promise<T>, options: CallOptions, again: (error: StorageError) => boolean) => Promise<T>

/** @param options `true` for the defaults, or the number of attempts @throws ConfigurationError for numbers that make no sense */
export function retrying(options: true | number | string | RetryingOptions = true): Decorator {
  const repeat = repeating(typeof options === 'object' ? options : options === true ? {} : { attempts: options })
  return (inner): Driver => {
    const { visibility, directories } = inner
    return {
      kind: 'retrying',
      name: `retrying(${inner.name})`,
      inner: [inner],
      supports: inner.supports,
      visibility: visibility && {
        get: (path, options) => repeat(() => visibility.get(path, options), options, isTransient),
        set: (path, value, options) => visibility.set(path, value, options),
      },
      directories: directories && {
        exists: (path, options) => repeat(() => directories.exists(path, options), options, isTransient),
        create: (path, options) => directories.create(path, options),
        delete: (path, options) => directories.delete(path, options),
      },
      multipart: inner.multipart, // `complete` may have been done though it failed, and the uploader knows best which parts it wants again
      append: inner.append?.bind(inner), // a second try would add the content twice
      publicUrl: inner.publicUrl?.bind(inner),
      signUrl: inner.signUrl?.bind(inner),
      stat: (path, options) => repeat(() => inner.stat(path, options), options, isTransient),
      read: (path, options) => repeat(() => inner.read(path, options), options, isTransient),
      write: (path, content, options) => repeat(() => inner.write(path, content, options), options, writeAgain(content, options)),
      delete: (paths, options) => deleteAgain(inner, repeat, paths, options),
      list: (directory, options) => repeat(() => inner.list(directory, options), options, isTransient),
      copy: (from, to, options) => repeat(() => inner.copy(from, to, options), options, isConditional(options) ? isUnsent : isTransient),
      move: (from, to, options) => repeat(() => inner.move(from, to, options), options, isConditional(options) ? never : isUnsent),
      locate: (path) => inner.locate(path),
      close: () => Promise.resolve(), // It has opened nothing.
    }
  }
}

function repeating({ attempts = 4, baseDelayMs = 100, maxDelayMs = 5_000, random = Math.random, sleep = wait }: RetryingOptions): Repeat {
  const calls = numberOf('attempts', attempts, 1)
  const base = numberOf('baseDelayMs', baseDelayMs, 0)
  const max = Math.min(numberOf('maxDelayMs', maxDelayMs, 0), 2_147_483_647) // Node fires longer timers at once
  return async (call, { signal }, again) => {
    for (let done = 0; ; done++) {
      try {
        return await call()
      } catch (error) {
        if (done + 1 >= calls || !isStorageError(error) || !again(error)) throw error
        await pause(random() * Math.min(max, base * 2 ** Math.min(done, 40)), signal, sleep)
      }
    }
  }
}

/** @throws the reason of the signal as soon as it aborts */
async function pause(ms: number, signal: AbortSignal | undefined, sleep: Sleep): Promise<void> {
  signal?.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([aborted, sleep(ms, signal)])
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Asks again only for the paths that may do better. Those that failed for good stay failed. */
async function deleteAgain(
  inner: Driver,
  repeat: Repeat,
  paths: readonly string[],
  options: DeleteOptions,
): Promise<readonly DeleteFailure[]> {
  const failed: DeleteFailure[] = []
  let open: readonly DeleteFailure[] = []
  const attempt = async (): Promise<void> => {
    const failures = await inner.delete(open.length === 0 ? paths : open.map((failure) => failure.path), options)
    failed.push(...failures.filter(({ error }) => !isTransient(error)))
    open = failures.filter(({ error }) => isTransient(error))
    if (open[0] !== undefined) throw open[0].error
  }
  try {
    await repeat(attempt, options, isTransient)
  } catch (error) {
    // What an earlier answer said of each path says more than that the last request failed as a whole.
    if (open.length === 0 || options.signal?.aborted || !isStorageError(error)) throw error
  }
  return [...failed, ...open]
}

const isTransient = (error: StorageError): boolean => error.retryable
const never = (): boolean => false

function isConditional({ ifAbsent, ifMatch }: WriteOptions): boolean {
  return Boolean(ifAbsent) || ifMatch !== undefined
}

function writeAgain(content: Content, options: WriteOptions): (error: StorageError) => boolean {
  if (!content.replayable) return never
  return isConditional(options) ? isUnsent : isTransient
}

/** Codes and system calls (`connect ETIMEDOUT`) of errors that come before there is a connection. */
const UNCONNECTED: ReadonlySet<unknown> = new Set('ECONNREFUSED ENOTFOUND EAI_AGAIN UND_ERR_CONNECT_TIMEOUT connect getaddrinfo'.split(' '))

/** The request did not reach the store, or the store refused to begin with it. */
function isUnsent(error: StorageError): boolean {
  if (!error.retryable) return false
  if (error.code === 'rate_limited') return true
  let cause = error.cause
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth++) {
    const { code, syscall, cause: deeper } = cause as { code?: unknown; syscall?: unknown; cause?: unknown }
    if (UNCONNECTED.has(code) || UNCONNECTED.has(syscall)) return true
    cause = deeper
  }
  return false
}

/** @param least 0 for a time, 1 for a count, which is whole */
function numberOf(name: string, value: number | string, least: 0 | 1): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && number >= least && (least === 1 ? Number.isSafeInteger(number) : Number.isFinite(number))) return number
  throw new ConfigurationError(`${name} must be a ${least === 1 ? 'positive whole number' : 'number from 0'}, not ${quote(String(value))}`)
}
