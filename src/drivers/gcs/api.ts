/**
 * Calls of the JSON API: authorised, repeated when they failed for a passing reason, and their failures translated.
 *
 * A 404 does not say whether the object is missing or its bucket: the bucket is asked for then, unless it was there a minute ago.
 */
import type { IncomingMessage } from 'node:http'
import { FileNotFoundError, isStorageError } from '../../errors.ts'
import { type Connection, connect } from './connection.ts'
import { type Asked, codeOf, failureOf, GcsFailure, missingBucket, translate } from './gcs-errors.ts'
import { type Exchange, headerOf, textOf, Transport } from './http.ts'
import { type Repeatable, repeated } from './repeat.ts'
import type { GcsSettings } from './settings.ts'

/** A value of a query; undefined is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface ApiCall extends Asked {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined
  /** Below the base of the API: `/b/bucket/o/name`. Or a whole URL. */
  readonly path: string
  readonly query?: Query | undefined
  /** Sent as JSON. */
  readonly json?: object | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: readonly Uint8Array[] | undefined
  /** Default: `conditional` with a condition, else `idempotent`. */
  readonly repeatable?: Repeatable | undefined
  /** What a 404 says. Default: the object, or its bucket. */
  readonly missing?: 'object' | 'bucket' | undefined
  /** The bucket of the call. Default: the disk's. */
  readonly bucket?: string | undefined
  readonly signal?: AbortSignal | undefined
}

const PROVEN_MS = 60_000

export class GcsApi {
  readonly settings: GcsSettings
  readonly transport: Transport
  readonly #now: () => Date
  #connecting: Promise<Connection> | undefined
  #provenAt = Number.NEGATIVE_INFINITY

  constructor(settings: GcsSettings, now: () => Date) {
    this.settings = settings
    this.transport = new Transport({ maxSockets: settings.maxSockets, timeoutMs: settings.socketTimeoutMs })
    this.#now = now
  }

  /** Loads the SDK, once; a failure is tried again at the next operation. */
  connection(): Promise<Connection> {
    this.#connecting ??= connect(this.settings).catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return this.#connecting
  }

  /** A call whose answer is JSON, or nothing. @throws StorageError */
  async json<T>(call: ApiCall): Promise<T> {
    return this.translated(call, async () => {
      const text = await this.repeated(call, async () => textOf(await this.exchange(call), call.signal))
      return (text === '' ? {} : parsed(text)) as T
    })
  }

  /** One exchange; the answer is one of success, and its body is still to be read. @throws GcsFailure */
  async exchange(call: ApiCall): Promise<IncomingMessage> {
    const answer = await this.transport.exchange(await this.request(call))
    const status = answer.statusCode ?? 0
    if (status < 200 || status > 299) throw await this.failure(answer, call.signal)
    if (call.bucket === undefined) this.#provenAt = this.#now().getTime()
    return answer
  }

  async request({ method = 'GET', path, query = {}, json, headers, body, signal }: ApiCall): Promise<Exchange> {
    const { base, authorization } = await this.connection()
    const url = `${path.startsWith('/') ? base : ''}${path}${queryString(query)}`
    const bytes = json === undefined ? body : [Buffer.from(JSON.stringify(json))]
    const type = json === undefined ? undefined : { 'content-type': 'application/json; charset=utf-8' }
    // A session of an upload may be at another host: tokens do not go there, and need not.
    const token = new URL(url).host === new URL(base).host ? await authorization() : {}
    return { method, url, headers: { ...token, ...type, ...headers }, body: method === 'GET' ? undefined : (bytes ?? []), signal }
  }

  /** What an answer that is no success says; it is read to its end. */
  async failure(answer: IncomingMessage, signal: AbortSignal | undefined): Promise<GcsFailure> {
    const text = await textOf(answer, signal).catch(() => '') // the status alone says enough
    signal?.throwIfAborted()
    return failureOf(answer.statusCode ?? 0, text, headerOf(answer, 'x-guploader-uploadid'))
  }

  async repeated<T>(call: Pick<ApiCall, 'repeatable' | 'condition' | 'signal'>, attempt: () => Promise<T>): Promise<T> {
    const { retries } = await this.connection()
    const repeatable = call.repeatable ?? (call.condition === undefined ? 'idempotent' : 'conditional')
    return repeated({ retries, repeatable, signal: call.signal }, attempt)
  }

  /** Runs it, and makes ours of what it throws: the place where failures are translated. */
  async translated<T>(call: Asked & Pick<ApiCall, 'missing' | 'bucket' | 'signal'>, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      call.signal?.throwIfAborted()
      if (error instanceof GcsFailure && codeOf(error) === 'not_found') throw await this.missing(error, call)
      throw translate(error, call)
    }
  }

  /** What a 404 means. */
  async missing(failure: GcsFailure, { missing, bucket, signal }: Pick<ApiCall, 'missing' | 'bucket' | 'signal'>): Promise<unknown> {
    const name = bucket ?? this.settings.bucket
    if (missing === 'bucket') return missingBucket(name, failure)
    const known = bucket === undefined && this.#now().getTime() - this.#provenAt < PROVEN_MS
    if (known || (await this.hasBucket(name, signal))) return new FileNotFoundError(undefined, { cause: failure })
    return missingBucket(name, failure)
  }

  /** Whether the bucket is there: one that may not be looked at is. */
  async hasBucket(bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.json({ path: bucketPath(bucket), query: { fields: 'name' }, missing: 'bucket', bucket, signal })
      if (bucket === this.settings.bucket) this.#provenAt = this.#now().getTime()
      return true
    } catch (error) {
      if (!isStorageError(error) || error.code === 'unauthenticated' || error.retryable) throw error
      if (error.code === 'configuration') return false
      return true
    }
  }

  /** The bucket may be gone now. */
  forgetBucket(): void {
    this.#provenAt = Number.NEGATIVE_INFINITY
  }

  close(): void {
    this.transport.close()
    this.#connecting = undefined
  }
}

export function bucketPath(bucket: string): string {
  return `/b/${encodeURIComponent(bucket)}`
}

export function objectPath(bucket: string, name: string): string {
  return `${bucketPath(bucket)}/o/${encodeURIComponent(name)}`
}

export function queryString(query: Query): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/** JSON. @throws GcsFailure */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new GcsFailure('the answer is not JSON', { status: 502 })
  }
}
