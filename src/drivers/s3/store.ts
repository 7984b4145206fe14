/**
 * One disk's store: its settings, its requests, and what is known of its bucket.
 *
 * HEAD answers a missing key and a missing bucket alike. So that a missing bucket is said to be one, the bucket is asked for when
 * a HEAD finds nothing, unless an answer has shown it within the last minute.
 */
import { isNotFound } from '../../errors.ts'
import type { CallOptions } from '../../driver.ts'
import type { ObjectHead, ReadRequest, S3Requests } from './requests.ts'
import { missingBucket } from './s3-errors.ts'
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

  /** @throws FileNotFoundError when the key is missing; ConfigurationError when it is the bucket */
  async head(key: string, options: ReadRequest): Promise<ObjectHead> {
    try {
      const head = await this.requests.head(key, options)
      this.#provenAt = this.#now()
      return head
    } catch (error) {
      if (isNotFound(error)) await this.#proveBucket(options)
      throw error
    }
  }

  async #proveBucket({ signal }: CallOptions): Promise<void> {
    if (this.#now() - this.#provenAt < PROOF_MS) return
    if (!(await this.requests.hasBucket({ signal }))) throw missingBucket(this.settings.bucket)
    this.#provenAt = this.#now()
  }
}
