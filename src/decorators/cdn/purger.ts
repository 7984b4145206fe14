/** What purges at a provider, and what it says when it did not. */
import {
  ConfigurationError,
  type ErrorContext,
  InvalidArgumentError,
  PermissionDeniedError,
  RateLimitedError,
  type StorageError,
  UnauthenticatedError,
  UnavailableError,
} from '../../errors.ts'
import type { PurgeLimit } from './limits.ts'
import type { PurgeTarget } from './purge-target.ts'

export interface Purger {
  /** The provider, as a person reads it. */
  readonly name: string
  /** Whether it purges all below a directory. */
  readonly takesPrefixes: boolean
  /** Whether it purges everything. */
  readonly takesAll: boolean
  /** Targets of one request; of several types only where `mixes`. */
  readonly maxTargets: number
  readonly mixes: boolean
  /** Requests at once. */
  readonly concurrency: number
  readonly limits: readonly PurgeLimit[]
  /**
   * Resolves once the provider has taken the purge. The reference is the same for every attempt of the same targets.
   * @throws StorageError, of which `refusalOf` knows more
   */
  purge(targets: readonly PurgeTarget[], reference: string, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** What a purger knows of its errors beyond what they say. Errors have neither requests nor headers in them. */
export interface Refusal {
  /** Something in these targets was refused: others may pass. */
  readonly ofTargets: boolean
  /** How long the provider asked to be left alone. */
  readonly retryAfterMs: number | undefined
}

const refusals = new WeakMap<StorageError, Refusal>()

/** The error, with what is known of it. */
export function refused(error: StorageError, retryAfter?: number): StorageError {
  refusals.set(error, { ofTargets: error.code === 'invalid_argument', retryAfterMs: retryAfter })
  return error
}

export function refusalOf(error: StorageError): Refusal {
  return refusals.get(error) ?? { ofTargets: false, retryAfterMs: undefined }
}

/** Of a status that is not a success. */
export function statusError(provider: string, status: number, retryAfter: string | null | undefined): StorageError {
  const makeError = STATUSES[status] ?? (status >= 500 || status < 400 ? unavailable : invalid)
  const cause = Object.assign(new Error(`status ${status}`), { status })
  return refused(makeError(`${provider} answered a purge with status ${status}`, { cause }), retryAfterMs(retryAfter))
}

const unavailable = (message: string, context: ErrorContext): StorageError => new UnavailableError(message, context)
const invalid = (message: string, context: ErrorContext): StorageError => new InvalidArgumentError(message, context)

const STATUSES: Readonly<Record<number, (message: string, context: ErrorContext) => StorageError>> = {
  401: (message, context) => new UnauthenticatedError(message, context),
  403: (message, context) => new PermissionDeniedError(message, context),
  404: (message, context) => new ConfigurationError(message, context),
  408: unavailable,
  425: unavailable,
  429: (message, context) => new RateLimitedError(message, context),
}

const MAX_RETRY_AFTER_MS = 15 * 60_000

/** Of a `Retry-After` header: seconds, or a date. */
export function retryAfterMs(header: string | null | undefined, now: number = Date.now()): number | undefined {
  if (header === null || header === undefined || header.trim() === '') return undefined
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : undefined
}
