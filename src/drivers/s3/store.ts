/**
 * One disk's store: its settings, its requests, and what is known of its bucket.
 *
 * An answer to HEAD has no body, and so no code. A missing key and a missing bucket look alike: so that a missing bucket is said to be
 * one, the bucket is asked for when a HEAD finds nothing, unless an answer has shown it within the last minute. A denial looks like
 * credentials that are wrong or have expired: so that these are said to be, and renewed, the key is looked for in a listing.
 */
import { isNotFound, isStorageError } from '../../errors.ts'
import type { CallOptions } from '../../driver.ts'
import type { ObjectHead, ReadRequest, S3Requests } from './requests.ts'
import { isUnexplained, missingBucket } from './s3-errors.ts'
import type { S3Settings } from './settings.ts'

const PROOF_MS = 60_000

export class S3Store {
  readonly settings: S3Settings
  readonly requests: S3Requests
  readonly #now: () => number
  #provenAt = Number.NEGATIVE_INFINITY

  constructor(settings: S3Settings, requests: S3Requests, now: () => number = Date.now) {
    this.settings = settings
    this.requests = requests
    this.#now = now
  }

  /** @throws FileNotFoundError when the key is missing; ConfigurationError when it is the bucket; UnauthenticatedError */
  async head(key: string, options: ReadRequest): Promise<ObjectHead> {
    try {
      return await this.#head(key, options)
    } catch (error) {
      if (isNotFound(error)) await this.#proveBucket(options)
      if (isUnexplained(error) && (await this.#canList(key, options))) return this.#head(key, options) // by now, perhaps, with others
      throw error
    }
  }

  async #head(key: string, options: ReadRequest): Promise<ObjectHead> {
    const head = await this.requests.head(key, options)
    this.#provenAt = this.#now()
    return head
  }

  /** @throws UnauthenticatedError, ConfigurationError: why a HEAD was denied */
  async #canList(key: string, { signal }: CallOptions): Promise<boolean> {
    try {
      await this.requests.list({ prefix: key, delimited: true, after: undefined, limit: 1, signal })
      return true
    } catch (error) {
      const isReason = isStorageError(error) && (error.code === 'unauthenticated' || error.code === 'configuration')
      if (signal?.aborted || isReason) throw error
      return false
    }
  }

  async #proveBucket({ signal }: CallOptions): Promise<void> {
    if (this.#now() - this.#provenAt < PROOF_MS) return
    if (!(await this.requests.hasBucket({ signal }))) throw missingBucket(this.settings.bucket)
    this.#provenAt = this.#now()
  }
}
