/**
 * The bytes of an answer as they come, never copied, compared at their end with the checksum that the store sent along. What differs
 * is an IntegrityError in place of the end: whoever reads never takes a changed file for whole.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { createDigest, type Digest } from '../../../digest.ts'
import { IntegrityError } from '../../../errors.ts'
import { crc64nvme } from './crc64nvme.ts'
import { connectionFailure } from './failure.ts'

/** By their names in headers, the quickest first: an answer may have several. */
const CHECKSUMS = ['crc32', 'sha1', 'sha256', 'crc32c', 'crc64nvme'] as const
type Checksum = (typeof CHECKSUMS)[number]

function digestOf(algorithm: Checksum): Digest {
  return algorithm === 'crc64nvme' ? crc64nvme() : createDigest(algorithm)
}

/** Everything at once, in one buffer that is made once. @throws IntegrityError; Failure when it is cut */
export function wholeBody(answer: IncomingMessage, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length)
  return new Promise((resolve, reject) => {
    let filled = 0
    answer.on('data', (chunk: Uint8Array) => {
      buffer.set(chunk, filled)
      filled += chunk.byteLength
    })
    answer.on('end', () => {
      const algorithm = algorithmOf(answer)
      if (algorithm === undefined || matches(buffer, answer.headers, algorithm)) resolve(buffer)
      else reject(mismatch())
    })
    answer.on('error', reject)
    answer.on('close', () => reject(connectionFailure({ code: 'ECONNRESET' }, { isSent: true })))
  })
}

function matches(buffer: Buffer, headers: IncomingHttpHeaders, algorithm: Checksum): boolean {
  const digest = digestOf(algorithm)
  digest.update(buffer)
  return digest.digest('base64') === wholeChecksum(headers, algorithm)
}

function mismatch(): IntegrityError {
  return new IntegrityError('the content does not have the checksum that the store sent with it')
}

/** Of a part of a file there is none: what may be sent along is the whole file's. */
function algorithmOf({ statusCode, headers }: IncomingMessage): Checksum | undefined {
  if (statusCode === 206) return undefined
  return CHECKSUMS.find((name) => wholeChecksum(headers, name) !== undefined)
}

/** The answer itself where there is nothing to compare it with: of a multipart upload that has only a checksum of checksums, say. */
export function checkedBody(answer: IncomingMessage): Readable {
  const algorithm = algorithmOf(answer)
  if (algorithm === undefined) return answer
  return new CheckedBody(answer, digestOf(algorithm), wholeChecksum(answer.headers, algorithm) as string)
}

function wholeChecksum(headers: IncomingHttpHeaders, algorithm: Checksum): string | undefined {
  const value = headers[`x-amz-checksum-${algorithm}`]
  if (typeof value !== 'string' || value.includes('-') || headers['x-amz-checksum-type'] === 'COMPOSITE') return undefined
  return value
}

class CheckedBody extends Readable {
  readonly #answer: IncomingMessage

  constructor(answer: IncomingMessage, digest: Digest, expected: string) {
    super({ highWaterMark: answer.readableHighWaterMark })
    this.#answer = answer
    answer.pause()
    answer.on('data', (chunk: Buffer) => {
      digest.update(chunk)
      if (!this.push(chunk)) answer.pause()
    })
    answer.on('end', () => {
      if (digest.digest('base64') === expected) this.push(null)
      else this.destroy(mismatch())
    })
    answer.on('error', (error) => this.destroy(error))
    answer.on('close', () => {
      if (!answer.readableEnded) this.destroy(connectionFailure({ code: 'ECONNRESET' }))
    })
  }

  override _read(): void {
    this.#answer.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#answer.destroy()
    done(error)
  }
}
