/**
 * Sends requests of one disk: signed, over a bounded number of connections, and again where that is safe.
 *
 *   request ─▶ slot ─▶ identity ─▶ signature ─▶ exchange ─▶ answer ─▶ read
 *                ▲                                 │ failure
 *                └── repaired: clock, region, credentials, a stale connection; or passing: after a pause ◀─┘
 *
 * Bodies are bytes in memory, so every request can be repeated, and is when it failed for a reason that passes. One with a condition is
 * repeated only when nothing can have been written: its repetition would meet what the first one wrote, and call that lost.
 */
import { abortable } from '../../../abortable.ts'
import { type StorageError, UnavailableError } from '../../../errors.ts'
import { isUndone } from '../conditions.ts'
import { translated } from '../s3-errors.ts'
import type { S3Settings } from '../settings.ts'
import { bucketFoundAt } from '../urls.ts'
import { AgentConnections } from './agent-exchange.ts'
import type { Answer } from './answer.ts'
import { Pauses, RetryBudget, retryAfterOf, waitOf } from './backoff.ts'
import { type Carrier, Connections } from './connections.ts'
import type { Credentials } from './credentials.ts'
import type { Exchanging } from './exchange.ts'
import { type Failure, hushed, isFailure, isTimeout } from './failure.ts'
import type { Headers } from './object-headers.ts'
import { type Address, type Origin, originOf } from './origin.ts'
import { asFailure, failureOf } from './read-answer.ts'
import { isExpired, redirectOf, skewOf, temporaryRedirectOf, type Tried } from './repairs.ts'
import { EMPTY_PAYLOAD_HASH, hashOf, sign, UNSIGNED_PAYLOAD } from './signature.ts'
import { Slots } from './slots.ts'

export interface LeanRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Percent-encoded, with a slash before it; empty: the bucket. */
  readonly path: string
  /** Sorted and percent-encoded. */
  readonly query: string
  /** Without those of the connection and the signature, which are put in. */
  readonly headers: Headers
  readonly body?: Uint8Array | undefined
  /** Sent again only when nothing can have been done. */
  readonly isConditional?: boolean | undefined
  readonly signal: AbortSignal | undefined
}

/** Takes what it wants of an answer; the rest is read and dropped, or the answer destroyed. */
export type ReadAnswer<Result> = (answer: Answer) => Result | Promise<Result>

export interface TransportParts {
  readonly settings: S3Settings
  readonly credentials: Credentials
  /** Where the bucket is. Asked once. */
  readonly address: () => Promise<Address>
  readonly now?: (() => number) | undefined
  /** From 0 to 1: what pauses are made of. */
  readonly random?: (() => number) | undefined
}

/** A connection that was idle for longer may be closed already: what must not arrive twice waits for the store's word, or takes another. */
const FRESH_MS = 1_000
/** Worth a round trip before it is sent in vain. */
const EXPECT_BYTES = 1024 * 1024
const MAX_REPAIRS = 3
const USER_AGENT = 'stowage'

/** One request on its way, over all attempts. */
interface Journey {
  readonly request: LeanRequest
  readonly payloadHash: (isSecure: boolean) => string
  /** How often the disk had been closed when it began. */
  readonly era: number
  repairs: number
  /** The store has sent this request elsewhere. */
  detour: Origin | undefined
  tried: Tried | undefined
  /** Something on the way does not know `Expect`. */
  isBlunt: boolean
}

export class Transport {
  readonly #settings: S3Settings
  readonly #credentials: Credentials
  readonly #address: () => Promise<Address>
  readonly #now: () => number
  readonly #random: () => number
  readonly #slots: Slots
  readonly #budget = new RetryBudget()
  readonly #pauses = new Pauses()
  readonly #carrier: Carrier
  #origin: Origin | undefined
  #finding: Promise<Origin> | undefined
  /** What the store's clock is ahead of ours. */
  #skewMs = 0
  #hasAnswered = false
  readonly #isLambda = process.env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined
  /** How often it was closed. */
  #era = 0

  constructor({ settings, credentials, address, now = Date.now, random = Math.random }: TransportParts) {
    this.#settings = settings
    this.#credentials = credentials
    this.#address = address
    this.#now = now
    this.#random = random
    this.#carrier = settings.agent === undefined ? new Connections(settings, now) : new AgentConnections(settings.agent, settings)
    this.#slots = new Slots(settings.maxSockets, settings.socketTimeoutMs)
  }

  /** Connections in use, and requests that wait for one. */
  get load(): { readonly taken: number; readonly waiting: number } {
    return { taken: this.#slots.taken, waiting: this.#slots.waiting }
  }

  /** @throws StorageError without a place; the signal's reason */
  async send<Result>(request: LeanRequest, read: ReadAnswer<Result>): Promise<Result> {
    request.signal?.throwIfAborted()
    const payloadHash = payloadOf(request, this.#settings)
    const journey: Journey = { request, payloadHash, era: this.#era, repairs: 0, detour: undefined, tried: undefined, isBlunt: false }
    let failedBefore: Failure | undefined
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.#attempt(journey, read)
        this.#budget.refill(failedBefore && isTimeout(failedBefore))
        return result
      } catch (error) {
        failedBefore = await this.#afterFailure(error, journey, attempt)
      }
    }
  }

  /** Closes every connection, also those in use, whose requests fail. A later request opens new ones. */
  close(): void {
    this.#era++
    this.#pauses.end()
    this.#carrier.close()
  }

  async #attempt<Result>(journey: Journey, read: ReadAnswer<Result>): Promise<Result> {
    const { signal } = journey.request
    const origin = journey.detour ?? this.#origin ?? (await abortable(this.#find(), signal))
    const given = this.#credentials.get(signal)
    const identity = 'then' in given ? await given : given
    const waiting = this.#slots.take(signal)
    if (waiting !== undefined) await waiting
    journey.tried = { origin, identity, skewMs: this.#skewMs }
    const answer = await this.#exchange(journey, journey.tried).send()
    this.#hasAnswered = true
    if (answer.status >= 200 && answer.status < 300) {
      const result = await read(answer)
      signal?.throwIfAborted()
      return result
    }
    // oxlint-disable-next-line only-throw-error -- in the shape that the SDK's errors have; translated before it leaves
    throw await failureOf(answer)
  }

  /** Gives back the slot when its connection is free, or at once where there is none. */
  #exchange({ request, payloadHash, era, isBlunt }: Journey, { origin, identity, skewMs }: Tried): Exchanging {
    const { method, headers, query, body } = request
    const release = (): void => this.#slots.give()
    try {
      request.signal?.throwIfAborted()
      if (era !== this.#era) throw closed()
      const path = `${origin.path}${request.path}` || '/'
      headers['host'] = origin.host
      headers['user-agent'] = USER_AGENT
      if (this.#isLambda) trace(headers)
      // Node would send "no body" in chunks, which stores refuse.
      if (body !== undefined || method === 'PUT' || method === 'POST') headers['content-length'] = String(body?.byteLength ?? 0)
      const mayBeStale = request.isConditional === true && this.#carrier.idleMs(origin) > FRESH_MS
      const expectsContinue = !isBlunt && this.#expectsContinue(request, mayBeStale)
      if (mayBeStale && !expectsContinue) this.#carrier.closeIdle()
      if (expectsContinue) headers['expect'] = '100-continue'
      else if (headers['expect'] !== undefined) delete headers['expect']
      const now = this.#now() + skewMs
      sign({ method, path, query, headers, payloadHash: payloadHash(origin.isSecure), identity, region: origin.region, now })
      const target = query === '' ? path : `${path}?${query}`
      return this.#carrier.exchange({ origin, method, target, headers, body, expectsContinue, signal: request.signal }, release)
    } catch (error) {
      release()
      throw error
    }
  }

  /** Waits until it can be tried again. @throws StorageError where it cannot; the signal's reason */
  async #afterFailure(error: unknown, journey: Journey, attempt: number): Promise<Failure> {
    const { request } = journey
    if (request.signal?.aborted) throw request.signal.reason
    const found = asFailure(error)
    if (!isFailure(found)) throw translated(found, this.#settings.bucket)
    const failure = hushed(found, this.#secretsOf(journey))
    failure.$metadata.attempts = attempt
    if (journey.era !== this.#era) throw closed()
    if (await this.#repair(journey, failure)) {
      journey.repairs++
      return failure
    }
    const failures = attempt - journey.repairs
    const atLeastMs = this.#mayRepeat(request, failure, failures)
    if (atLeastMs === undefined) throw this.#told(request, failure)
    await this.#pauses.wait(waitOf(failures, { atLeastMs, random: this.#random() }), request.signal)
    return failure
  }

  /** Whether the next attempt is another one than this. */
  async #repair(journey: Journey, failure: Failure): Promise<boolean> {
    const { tried, request, repairs } = journey
    if (tried === undefined || repairs === MAX_REPAIRS) return false
    if (failure.isStale) {
      // After two of them the others are probably no better.
      if (repairs > 0) this.#carrier.closeIdle()
      return request.isConditional !== true || !failure.isSent
    }
    if (failure.$metadata.httpStatusCode === 417 && !journey.isBlunt) return (journey.isBlunt = true)
    const skewMs = skewOf(failure, tried, this.#now())
    if (skewMs !== undefined) this.#skewMs = skewMs
    const elsewhere = redirectOf(failure, tried, this.#settings)
    if (elsewhere !== undefined) this.#moveTo(elsewhere)
    const detour = temporaryRedirectOf(failure, tried, this.#settings)
    if (detour !== undefined) journey.detour = detour
    if (skewMs !== undefined || elsewhere !== undefined || detour !== undefined) return true
    return isExpired(failure, tried) && (await this.#credentials.expired(tried.identity, request.signal))
  }

  #moveTo(origin: Origin): void {
    this.#origin = origin
    bucketFoundAt(this.#settings, { base: `https://${origin.host}${origin.path}`, region: origin.region })
  }

  /** @returns how long the store wants to be left alone; undefined when the request is not to be sent again */
  #mayRepeat(request: LeanRequest, failure: Failure, failures: number): number | undefined {
    if (failures > this.#settings.retries) return undefined
    const error = translated(failure, this.#settings.bucket)
    const isSafe = isUndone(error) || (error.retryable && !(request.isConditional === true && failure.isSent))
    if (!isSafe) return undefined
    const atLeastMs = retryAfterOf(failure.headers['retry-after'], this.#now() + this.#skewMs)
    return atLeastMs !== undefined && this.#budget.take(isTimeout(failure)) ? atLeastMs : undefined
  }

  /** All that a request is signed with, and its signature, which is at the end of its header. */
  #secretsOf({ tried, request }: Journey): readonly (string | undefined)[] {
    const { accessKeyId, secretAccessKey, sessionToken }: Partial<Tried['identity']> = tried?.identity ?? {}
    const { key, keyMd5 }: { readonly key?: string; readonly keyMd5?: string } = this.#settings.sseCustomer ?? {}
    return [accessKeyId, secretAccessKey, sessionToken, key, keyMd5, request.headers['authorization']?.slice(-64)]
  }

  #told({ method }: LeanRequest, failure: Failure): StorageError {
    const error = translated(failure, this.#settings.bucket)
    const { httpStatusCode = 500 } = failure.$metadata
    const isUnknown = failure.isSent && httpStatusCode >= 500
    if (!isUnknown || method === 'GET' || method === 'HEAD' || error.code !== 'unavailable') return error
    return new UnavailableError(`${error.reason}; the request had been sent: whether it was carried out is not known`, {
      cause: error.cause,
      retryable: error.retryable,
    })
  }

  /** Asks the store before a body is sent that may be refused, or must not be sent twice. */
  #expectsContinue({ body, isConditional = false }: LeanRequest, mayBeStale: boolean): boolean {
    if (body === undefined || body.byteLength === 0) return false
    return mayBeStale || (body.byteLength >= EXPECT_BYTES && (isConditional || !this.#hasAnswered))
  }

  #find(): Promise<Origin> {
    this.#finding ??= this.#address()
      .then((address) => (this.#origin = originOf(address)))
      .finally(() => (this.#finding = undefined))
    return this.#finding
  }
}

function closed(): UnavailableError {
  return new UnavailableError('the disk was closed while the request was under way', { retryable: false })
}

/** The SHA-256 of a body, once for all attempts. Over TLS the body is protected already, and by its checksum. */
function payloadOf({ body }: LeanRequest, { signPayload }: S3Settings): (isSecure: boolean) => string {
  if (body === undefined || body.byteLength === 0) return () => EMPTY_PAYLOAD_HASH
  let hash: string | undefined
  return (isSecure) => ((signPayload ?? !isSecure) ? (hash ??= hashOf(body)) : UNSIGNED_PAYLOAD)
}

/** Tells a Lambda function that its own writes have woken it, as the SDK does. */
function trace(headers: Headers): void {
  const id = process.env['_X_AMZN_TRACE_ID']
  if (id !== undefined) headers['x-amzn-trace-id'] = id
}
