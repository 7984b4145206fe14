/**
 * One multipart upload: parts go out side by side, at most so many at once, and either all of them become the file or none stays.
 *
 *   send(part) ─┬─▶ UploadPart ┐
 *               ├─▶ UploadPart ├─▶ complete() ─▶ the file
 *               └─▶ UploadPart ┘   abandon()  ─▶ nothing: parts in flight end, the upload is aborted, and asked whether it is gone
 *
 * The first failure ends everything: `signal` aborts, and whoever reads the source stops.
 */
import type { WriteResult } from '../../driver.ts'
import { isStorageError } from '../../errors.ts'
import { createDigest } from '../../digest.ts'
import { codeOf, conditionLost } from './conditions.ts'
import type { ConditionRequest, ObjectRequest, Part, UploadAddress, Written } from './requests.ts'
import { unquoted } from './notations.ts'
import { attemptsOf } from './s3-errors.ts'
import type { S3Store } from './store.ts'

const ABORT_ATTEMPTS = 3
const CLEANUP_MS = 60_000

/** Sends one part. */
export type SendPart = (upload: UploadAddress, signal: AbortSignal) => Promise<Part>

export class Upload {
  readonly #store: S3Store
  readonly #key: string
  readonly #request: ObjectRequest & ConditionRequest
  readonly #controller = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  readonly #parts: Part[] = []
  #creating: Promise<UploadAddress> | undefined
  #unlink = (): void => undefined

  constructor(store: S3Store, key: string, request: ObjectRequest & ConditionRequest) {
    this.#store = store
    this.#key = key
    this.#request = request
    const { signal } = request
    if (signal === undefined) return
    const abort = (): void => this.#controller.abort(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    this.#unlink = () => signal.removeEventListener('abort', abort)
  }

  /** Aborted by the first failure, with it as the reason, and by the caller. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Sends a part when fewer than `limit` are in flight. Resolves when it is on its way. */
  async send(part: SendPart, limit: number): Promise<void> {
    while (this.#inFlight.size >= limit) await Promise.race(this.#inFlight)
    this.signal.throwIfAborted()
    const sending = this.#sendNow(part).catch((error: unknown) => this.#controller.abort(error))
    const tracked = sending.finally(() => this.#inFlight.delete(tracked))
    this.#inFlight.add(tracked)
  }

  /** Makes the parts the file, in the order of their numbers. */
  async complete(): Promise<WriteResult> {
    await Promise.all(this.#inFlight)
    this.signal.throwIfAborted()
    const address = await this.#create()
    const parts = this.#parts.sort((a, b) => a.number - b.number)
    const written = await completeUpload(this.#store, address, parts, { ...this.#request, signal: this.signal })
    this.#unlink()
    return { size: parts.reduce((sum, { size }) => sum + size, 0), ...written }
  }

  /** Leaves no part behind. Never rejects: what could not be removed, `pruneIncompleteUploads` finds. */
  async abandon(reason: unknown): Promise<void> {
    this.#unlink()
    this.#controller.abort(reason)
    await Promise.all(this.#inFlight)
    const address = await this.#creating?.catch(() => undefined)
    if (address !== undefined) await abandonUpload(this.#store, address)
  }

  async #sendNow(part: SendPart): Promise<void> {
    this.#parts.push(await part(await this.#create(), this.signal))
  }

  #create(): Promise<UploadAddress> {
    // Without the signal: an answer that is not waited for would be an upload that nobody knows of.
    this.#creating ??= this.#store.requests
      .createUpload(this.#key, { ...this.#request, signal: undefined })
      .then((uploadId) => ({ key: this.#key, uploadId }))
    return this.#creating
  }
}

/** @throws FileExistsError or PreconditionFailedError when the condition is lost */
export async function completeUpload(
  store: S3Store,
  address: UploadAddress,
  parts: readonly Part[],
  options: ConditionRequest,
): Promise<Written> {
  try {
    const written = await store.requests.completeUpload(address, parts, options)
    if (written.etag !== undefined) return written
    const { etag, versionId } = await store.head(address.key, { versionId: written.versionId, signal: options.signal })
    return { etag, versionId }
  } catch (error) {
    const repeated = isStorageError(error) && isGone(error) && attemptsOf(error) > 1
    const written = repeated ? await completedBefore(store, address.key, parts) : undefined
    if (written !== undefined) return written
    throw conditionLost(error, options)
  }
}

/** An upload that an earlier attempt completed, whose answer was lost, is no longer there: the file is. */
async function completedBefore(store: S3Store, key: string, parts: readonly Part[]): Promise<Written | undefined> {
  const head = await store.head(key, {}).catch(() => undefined)
  if (head === undefined) return undefined
  // The etag of an upload: the MD5 of the MD5s of its parts, and their number.
  const digest = createDigest('md5')
  for (const { etag } of parts) digest.update(Buffer.from(unquoted(etag) ?? '', 'hex'))
  const expected = `${digest.digest('hex')}-${parts.length}`
  return unquoted(head.etag) === expected ? { etag: head.etag, versionId: head.versionId } : undefined
}

/** Aborts until the upload is gone: a part that arrived meanwhile would stay, and be paid for. Never rejects. */
async function abandonUpload({ requests }: S3Store, address: UploadAddress): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS)
  try {
    for (let attempt = 1; attempt <= ABORT_ATTEMPTS; attempt++) {
      await requests.abortUpload(address, { signal })
      await requests.listParts(address, { signal })
    }
  } catch {
    // Either it is gone, which is what listing its parts fails with; or the store is, and then it has to be pruned.
  }
}

function isGone(error: Parameters<typeof codeOf>[0]): boolean {
  return codeOf(error) === 'NoSuchUpload'
}
