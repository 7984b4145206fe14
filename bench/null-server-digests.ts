/** What came with a body against what the body is, as S3 compares them: CRC32, Content-MD5 and the SHA-256 that was signed. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

interface Received {
  /** In lower case. */
  readonly head: string
  readonly chunks: readonly Buffer[] | undefined
}

/** @returns the code of S3's error, where one of them is wrong */
export function wrongDigest(
  { head, chunks = [] }: Received,
  [name, value]: readonly [name: string, value: string] = ['', ''],
): string | undefined {
  if (name === 'x-amz-checksum-crc32' && value !== checksumOf(chunks)) return 'BadDigest'
  const signed = /\r\nx-amz-content-sha256: *([\da-f]{64})\r/.exec(head)?.[1]
  if (signed !== undefined && signed !== digestOf('sha256', chunks)) return 'XAmzContentSHA256Mismatch'
  // The header lines are in lower case: two MD5s that only differ in that would be taken for one.
  const md5 = /\r\ncontent-md5: *(\S+)/.exec(head)?.[1]
  return md5 === undefined || md5 === digestOf('md5', chunks, 'base64').toLowerCase() ? undefined : 'BadDigest'
}

export function digestOf(algorithm: 'md5' | 'sha256', chunks: readonly Buffer[], encoding: 'hex' | 'base64' = 'hex'): string {
  const hash = createHash(algorithm)
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest(encoding)
}

export function crcOf(chunks: readonly Buffer[], before = 0): number {
  return chunks.reduce((value, chunk) => crc32(chunk, value), before)
}

export function checksumOf(chunks: readonly Buffer[]): string {
  return base64(crcOf(chunks))
}

export function base64(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes.toString('base64')
}
