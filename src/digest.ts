/**
 * Running checksums. `node:crypto` for the hashes, `node:zlib` for CRC-32; CRC-32C (Castagnoli, RFC 3720 appendix B.4) by table,
 * because Node has none.
 */
import { nodeCrypto, nodeZlib } from './builtins.ts'
import type { ChecksumAlgorithm } from './driver.ts'
import { InvalidArgumentError, quote } from './errors.ts'

export interface Digest {
  update(chunk: Uint8Array): void
  digest(encoding: 'hex' | 'base64'): string
}

const ALGORITHMS: Readonly<Record<ChecksumAlgorithm, () => Digest>> = {
  md5: () => hashDigest('md5'),
  sha1: () => hashDigest('sha1'),
  sha256: () => hashDigest('sha256'),
  sha512: () => hashDigest('sha512'),
  crc32: () => crcDigest(nodeZlib().crc32),
  crc32c: () => crcDigest(crc32c),
}

/** @throws InvalidArgumentError for an unknown algorithm */
export function createDigest(algorithm: ChecksumAlgorithm): Digest {
  if (!Object.hasOwn(ALGORITHMS, algorithm)) {
    throw new InvalidArgumentError(
      `unknown checksum algorithm ${quote(String(algorithm))}: use one of ${Object.keys(ALGORITHMS).join(', ')}`,
    )
  }
  return ALGORITHMS[algorithm]()
}

function hashDigest(name: string): Digest {
  const hash = nodeCrypto().createHash(name)
  return {
    update: (chunk) => void hash.update(chunk),
    digest: (encoding) => hash.digest(encoding),
  }
}

function crcDigest(step: (chunk: Uint8Array, value: number) => number): Digest {
  let value = 0
  return {
    update: (chunk) => {
      value = step(chunk, value)
    },
    digest: (encoding) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value >>> 0)
      return bytes.toString(encoding)
    },
  }
}

const CASTAGNOLI = 0x82f63b78 // reflected polynomial
let table: Uint32Array | undefined

function crc32c(chunk: Uint8Array, previous: number): number {
  table ??= castagnoliTable()
  let crc = ~previous
  for (const byte of chunk) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

function castagnoliTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? CASTAGNOLI ^ (value >>> 1) : value >>> 1
    return value
  })
}
