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
/** Bytes at once: table k holds what a byte does k bytes further on (slicing-by-8, Kounavis and Berry 2005). */
export const SLICES = 8
let tables: Int32Array | undefined

function crc32c(chunk: Uint8Array, previous: number): number {
  tables ??= castagnoliTables()
  const { byteOffset, byteLength } = chunk
  if (byteLength < 2 * SLICES || !LITTLE_ENDIAN) return ~bytewise(chunk, ~previous, tables) >>> 0
  const head = -byteOffset & 3
  const words = new Int32Array(chunk.buffer, byteOffset + head, ((byteLength - head) >>> 3) * 2)
  const tail = head + words.byteLength
  return ~bytewise(chunk.subarray(tail), wordwise(words, bytewise(chunk.subarray(0, head), ~previous, tables), tables), tables) >>> 0
}

export const LITTLE_ENDIAN: boolean = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

function bytewise(chunk: Uint8Array, start: number, t: Int32Array): number {
  let crc = start
  for (let i = 0; i < chunk.length; i++) crc = (t[(crc ^ (chunk[i] as number)) & 0xff] as number) ^ (crc >>> 8)
  return crc
}

function wordwise(words: Int32Array, start: number, t: Int32Array): number {
  let crc = start
  for (let i = 0; i < words.length; i += 2) crc = sliced(t, crc ^ (words[i] as number), words[i + 1] as number)
  return crc
}

/** Eight bytes further on, by eight tables in one. @param a the first four with the checksum, @param b the next */
export function sliced(t: Int32Array, a: number, b: number): number {
  return (
    (t[0x700 + (a & 0xff)] as number) ^
    (t[0x600 + ((a >>> 8) & 0xff)] as number) ^
    (t[0x500 + ((a >>> 16) & 0xff)] as number) ^
    (t[0x400 + (a >>> 24)] as number) ^
    (t[0x300 + (b & 0xff)] as number) ^
    (t[0x200 + ((b >>> 8) & 0xff)] as number) ^
    (t[0x100 + ((b >>> 16) & 0xff)] as number) ^
    (t[b >>> 24] as number)
  )
}

function castagnoliTables(): Int32Array {
  const made = new Int32Array(SLICES * 256)
  for (let index = 0; index < made.length; index++) {
    if (index >= 256) {
      const before = made[index - 256] as number
      made[index] = (before >>> 8) ^ (made[before & 0xff] as number)
      continue
    }
    let value = index
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? CASTAGNOLI ^ (value >>> 1) : value >>> 1
    made[index] = value
  }
  return made
}
