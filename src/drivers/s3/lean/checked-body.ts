/**
 * What came, compared with the checksum that the store sent along. What differs is an IntegrityError in place of the end: whoever reads
 * never takes a changed file for whole.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { wrongLength } from '../../../content.ts'
import { createDigest, type Digest } from '../../../digest.ts'
import { IntegrityError } from '../../../errors.ts'
import type { ByteCheck } from '../requests.ts'
import type { Answer } from './answer.ts'
import { crc64nvme } from './crc64nvme.ts'

/** By their names in headers, the quickest first: an answer may have several. */
const CHECKSUMS = ['crc32', 'sha1', 'sha256', 'crc32c', 'crc64nvme'] as const
type Checksum = (typeof CHECKSUMS)[number]

function digestOf(algorithm: Checksum): Digest {
  return algorithm === 'crc64nvme' ? crc64nvme() : createDigest(algorithm)
}

/** Everything at once, in one buffer that is made once. @throws IntegrityError; Failure when it is cut */
export function wholeBody(answer: Answer, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length)
  return new Promise((resolve, reject) => {
    let filled = 0
    answer.read({
      borrows: true,
      data: (piece) => {
        buffer.set(piece, filled)
        filled += piece.byteLength
      },
      end: () => {
        try {
          // A 204, say, has a length and no body: what is in the buffer is not to be told.
          if (filled !== length) throw wrongLength(filled, length)
          const check = checkOf(answer)
          check?.update(buffer)
          check?.finish()
          resolve(buffer)
        } catch (error) {
          reject(error)
        }
      },
      fail: reject,
    })
  })
}

function mismatch(): IntegrityError {
  return new IntegrityError('the content does not have the checksum that the store sent with it')
}

/** Of a part of a file there is none: what may be sent along is the whole file's. */
function algorithmOf({ status, headers }: Answer): Checksum | undefined {
  if (status === 206) return undefined
  return CHECKSUMS.find((name) => wholeChecksum(headers, name) !== undefined)
}

/** What the answer's bytes are to be compared with; nothing for a multipart upload that has only a checksum of checksums, say. */
export function checkOf(answer: Answer): ByteCheck | undefined {
  const algorithm = algorithmOf(answer)
  if (algorithm === undefined) return undefined
  const digest = digestOf(algorithm)
  const expected = wholeChecksum(answer.headers, algorithm)
  return {
    update: (chunk) => digest.update(chunk),
    finish: () => {
      if (digest.digest('base64') !== expected) throw mismatch()
    },
  }
}

function wholeChecksum(headers: IncomingHttpHeaders, algorithm: Checksum): string | undefined {
  const value = headers[`x-amz-checksum-${algorithm}`]
  if (typeof value !== 'string' || value.includes('-') || headers['x-amz-checksum-type'] === 'COMPOSITE') return undefined
  return value
}
