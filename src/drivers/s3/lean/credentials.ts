/**
 * The identity that each request is signed with: there at once when it is known, renewed once however many requests need it.
 *
 *   loaded ───── used ─────┬── used, renewed in the background ──┬── renewed first; used when that fails ──┬── renewed, or an error
 *                   5 minutes before                      1 minute before                            expiration
 *
 * - Without an expiration an identity is used for good, unless the store says that it has expired.
 * - One renewal at a time. A request that is aborted while it waits leaves the renewal to the others.
 * - A renewal that fails is tried again after some seconds; a first one that fails is not remembered.
 * - What was loaded just now is used whatever it says of its end: the clock of this machine may be wrong.
 * - No error tells a part of an identity.
 */
import { abortable } from '../../../abortable.ts'
import { ConfigurationError, isStorageError, type StorageError } from '../../../errors.ts'
import { translated } from '../s3-errors.ts'
import type { S3Identity } from '../settings.ts'

/** Finds an identity. `forceRefresh`: what it remembers is not good enough. */
export type LoadIdentity = (options?: { readonly forceRefresh?: boolean }) => Promise<S3Identity>

export interface CredentialsOptions {
  /** For errors that name it. */
  readonly bucket: string
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined
}

const RENEW_BEFORE_MS = 5 * 60_000
const WAIT_BEFORE_MS = 60_000
/** Between two renewals that change nothing. */
const PAUSE_MS = 10_000

interface Known {
  readonly identity: S3Identity
  /** Infinity: never, as far as is known. */
  readonly expiresAt: number
}

export class Credentials {
  readonly #load: LoadIdentity | undefined
  readonly #bucket: string
  readonly #now: () => number
  #known: Known | undefined
  /** From then on a request begins a renewal. */
  #renewAt = Number.POSITIVE_INFINITY
  /** Until then a renewal that the store's answer asks for would change nothing. */
  #settledUntil = Number.NEGATIVE_INFINITY
  #loading: Promise<Known> | undefined

  /** @throws ConfigurationError for an identity that lacks something, or cannot be sent */
  constructor(source: S3Identity | LoadIdentity, { bucket, now = Date.now }: CredentialsOptions) {
    this.#bucket = bucket
    this.#now = now
    if (typeof source === 'function') this.#load = source
    else this.#known = knownOf(source)
  }

  /**
   * No promise when the identity is there.
   * @throws UnauthenticatedError, UnavailableError and the like, as the load fails; ConfigurationError for an identity that lacks
   * something; the signal's reason, while it waits
   */
  get(signal?: AbortSignal): S3Identity | Promise<S3Identity> {
    const known = this.#known
    if (known === undefined) return this.#loaded(signal)
    if (this.#renewAt === Number.POSITIVE_INFINITY) return known.identity
    const now = this.#now()
    if (now < this.#renewAt) return known.identity
    if (now >= known.expiresAt - WAIT_BEFORE_MS) return this.#loaded(signal)
    void this.#renew()
    return known.identity
  }

  /**
   * The store refused the identity as expired: it is renewed, if it is still the one in use.
   * @returns whether there is a different one now, so that the request is worth repeating
   */
  async expired(identity: S3Identity, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    if (this.#load === undefined) return false
    if (this.#known?.identity === identity && (this.#loading !== undefined || this.#now() >= this.#settledUntil)) {
      await abortable(this.#renew(), signal).catch(() => undefined)
      signal?.throwIfAborted()
      if (this.#known.identity === identity) this.#settledUntil = Math.max(this.#settledUntil, this.#now() + PAUSE_MS)
    }
    return this.#known !== undefined && this.#known.identity !== identity
  }

  async #loaded(signal: AbortSignal | undefined): Promise<S3Identity> {
    signal?.throwIfAborted()
    try {
      return (await abortable(this.#renew(), signal)).identity
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (this.#known !== undefined && this.#now() < this.#known.expiresAt) return this.#known.identity
      throw translated(ofOneRequest(error), this.#bucket)
    }
  }

  /** The renewal under way, or a new one. */
  #renew(): Promise<Known> {
    if (this.#loading !== undefined) return this.#loading
    const loading = this.#replace().finally(() => (this.#loading = undefined))
    loading.catch(() => undefined) // Those who wait are told; in the background nobody does.
    this.#loading = loading
    return loading
  }

  async #replace(): Promise<Known> {
    const before = this.#known
    try {
      const given = knownOf(await (before === undefined ? this.#load?.() : this.#load?.({ forceRefresh: true })))
      const kept = before !== undefined && isSame(before.identity, given.identity)
      this.#known = kept ? { ...given, identity: before.identity } : given
      if (!kept) this.#settledUntil = Number.NEGATIVE_INFINITY
      this.#renewAt = Math.max(given.expiresAt - RENEW_BEFORE_MS, this.#now() + PAUSE_MS)
      return this.#known
    } catch (error) {
      if (before !== undefined) this.#renewAt = Math.min(this.#now() + PAUSE_MS, before.expiresAt)
      throw error
    }
  }
}

/** An error of ours learns where it happened: requests that share a failure must not share the object. */
function ofOneRequest(error: unknown): unknown {
  if (!isStorageError(error)) return error
  const Made = error.constructor as typeof StorageError
  return new Made(error.reason, { cause: error.cause, retryable: error.retryable })
}

const INCOMPLETE = 'the credentials need "accessKeyId" and "secretAccessKey", strings that are not empty'
const UNSENDABLE = 'the credentials have a character that cannot be sent, such as a line break at the end'

function knownOf(given: unknown): Known {
  if (typeof given !== 'object' || given === null) throw new ConfigurationError(INCOMPLETE)
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = given as { readonly [Key in keyof S3Identity]?: unknown }
  if (typeof accessKeyId !== 'string' || accessKeyId === '' || typeof secretAccessKey !== 'string' || secretAccessKey === '') {
    throw new ConfigurationError(INCOMPLETE)
  }
  if (sessionToken !== undefined && sessionToken !== null && typeof sessionToken !== 'string') {
    throw new ConfigurationError('"sessionToken" of the credentials is no string')
  }
  const token = sessionToken ?? ''
  if (!isPrintable(accessKeyId) || !isPrintable(token)) throw new ConfigurationError(UNSENDABLE)
  const identity: S3Identity = { accessKeyId, secretAccessKey, ...(token !== '' && { sessionToken: token }) }
  return { identity: Object.freeze(identity), expiresAt: instantOf(expiration) }
}

function isPrintable(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text)
}

/** A date, or a text or number that is one. One that cannot be read is none: the store tells when the identity has expired. */
function instantOf(expiration: unknown): number {
  if (expiration === undefined || expiration === null) return Number.POSITIVE_INFINITY
  const instant = new Date(expiration as Date | string | number).getTime()
  return Number.isNaN(instant) ? Number.POSITIVE_INFINITY : instant
}

function isSame(a: S3Identity, b: S3Identity): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}
