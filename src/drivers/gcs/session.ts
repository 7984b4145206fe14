/**
 * A resumable upload: chunks in order, each repeated from where the store says it is, until the last makes the object.
 *
 *   PUT bytes 0-8388607    ──▶ 308 range: bytes=0-8388607
 *   ✂ connection lost      ──▶ PUT no bytes ──▶ 308 range: bytes=0-5242879 ──▶ PUT bytes 5242880-8388607
 *   PUT bytes 8388608-9000000 of 9000001, x-goog-hash: crc32c=… ──▶ 200 object
 *
 * The URI of a session is a secret: whoever has it may upload. Cloud Storage documentation, "Perform resumable uploads".
 */
import type { IncomingMessage } from 'node:http'
import { UnavailableError } from '../../errors.ts'
import { type ApiCall, type GcsApi, parsed } from './api.ts'
import { GcsFailure, isPassing } from './gcs-errors.ts'
import { headerOf, textOf } from './http.ts'
import type { ObjectResource } from './objects.ts'
import { pause } from './repeat.ts'

/** The store has everything up to this byte, or the object. */
interface Progress {
  readonly persisted: number
  readonly created?: ObjectResource
}

const RESUME_INCOMPLETE = 308
const CANCEL_MS = 10_000
/** Answers in a row that acknowledge nothing new. */
const MAX_STALLS = 8

export class UploadSession {
  readonly #api: GcsApi
  readonly #uri: string
  readonly #call: ApiCall
  #done = false

  private constructor(api: GcsApi, uri: string, call: ApiCall) {
    this.#api = api
    this.#uri = uri
    this.#call = call
  }

  /** @throws StorageError when the store does not begin it: a condition that is lost already, a bucket that is not there */
  static async begin(api: GcsApi, call: ApiCall): Promise<UploadSession> {
    const answer = await api.translated(call, () => api.repeated(call, () => api.exchange(call)))
    answer.resume()
    const uri = headerOf(answer, 'location')
    if (uri === undefined) throw new UnavailableError('the store began an upload without saying where')
    return new UploadSession(api, uri, call)
  }

  /** The object is there: nothing is left to cancel. */
  get done(): boolean {
    return this.#done
  }

  /**
   * Sends the bytes from `offset` on, until the store has them all.
   * @param crc32c of everything, in base64: with it these are the last bytes
   * @returns the object, after the last bytes
   */
  async send(bytes: Uint8Array, offset: number, crc32c: string | undefined): Promise<ObjectResource | undefined> {
    const last = crc32c !== undefined
    const end = offset + bytes.byteLength
    return this.#api.translated(this.#call, async () => {
      for (let from = offset, failures = 0; ; ) {
        const progress = await this.#step(bytes.subarray(from - offset), { from, end, crc32c }, failures)
        if (progress.created !== undefined) return progress.created
        if (!last && progress.persisted === end) return undefined
        if (progress.persisted < offset) throw new UnavailableError('the store lost bytes that it had acknowledged')
        failures = progress.persisted > from ? 0 : failures + 1
        if (failures > MAX_STALLS) throw new UnavailableError('the store answers, but takes no bytes of the upload')
        from = progress.persisted
      }
    })
  }

  /** Ends the session, and with it what was uploaded. Never rejects: the store forgets a session by itself after a week. */
  async cancel(): Promise<void> {
    if (this.#done) return
    const signal = AbortSignal.timeout(CANCEL_MS)
    try {
      const answer = await this.#api.transport.exchange(await this.#api.request({ method: 'DELETE', path: this.#uri, body: [], signal }))
      answer.resume()
    } catch {
      // Who cancels has a failure of his own to tell.
    }
  }

  /** One request. What it fails of for a passing reason is asked of the store, so that only what is missing is sent again. */
  async #step(
    bytes: Uint8Array,
    { from, end, crc32c }: { readonly from: number; readonly end: number; readonly crc32c: string | undefined },
    failures: number,
  ): Promise<Progress> {
    const { signal } = this.#call
    const total = crc32c === undefined ? '*' : end
    const range = bytes.byteLength === 0 ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`
    const hash = crc32c === undefined ? undefined : { 'x-goog-hash': `crc32c=${crc32c}` }
    try {
      return await this.#put([bytes], { 'content-range': range, ...hash })
    } catch (error) {
      signal?.throwIfAborted()
      const { retries } = await this.#api.connection()
      if (!isPassing(error) || failures >= retries) throw gone(error)
      await pause(failures, signal)
      return this.#status(error)
    }
  }

  async #status(error: unknown): Promise<Progress> {
    try {
      return await this.#api.repeated({ repeatable: 'idempotent', signal: this.#call.signal }, () =>
        this.#put([], { 'content-range': 'bytes */*' }),
      )
    } catch (failure) {
      this.#call.signal?.throwIfAborted()
      throw failure instanceof GcsFailure && isPassing(failure) ? error : gone(failure)
    }
  }

  async #put(body: readonly Uint8Array[], headers: Readonly<Record<string, string>>): Promise<Progress> {
    const { signal } = this.#call
    const answer = await this.#api.transport.exchange(await this.#api.request({ method: 'PUT', path: this.#uri, headers, body, signal }))
    if (answer.statusCode === RESUME_INCOMPLETE) {
      answer.resume()
      return { persisted: persistedBy(answer) }
    }
    if (answer.statusCode !== 200 && answer.statusCode !== 201) throw await this.#api.failure(answer, signal)
    this.#done = true
    return { persisted: Number.POSITIVE_INFINITY, created: parsed(await textOf(answer, signal)) as ObjectResource }
  }
}

/** `range: bytes=0-N` is N + 1 bytes; without it, none. */
function persistedBy(answer: IncomingMessage): number {
  const [, last] = /-(\d+)$/.exec(headerOf(answer, 'range') ?? '') ?? []
  return last === undefined ? 0 : Number(last) + 1
}

/** A session that is no more: the upload has to begin anew, which only its caller can. */
function gone(error: unknown): unknown {
  if (!(error instanceof GcsFailure) || (error.status !== 404 && error.status !== 410)) return error
  return new UnavailableError('the store has given up the upload: write the file again', { cause: error })
}
