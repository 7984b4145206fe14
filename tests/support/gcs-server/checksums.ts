/**
 * CRC-32C (Castagnoli, polynomial 0x82F63B78 reflected) as Cloud Storage gives it: over a stream, eight bytes a step, and for a
 * concatenation from the sums of its parts (Adler's combination, as in zlib). Base64 of the big-endian sum.
 */

const POLYNOMIAL = 0x82f63b78
const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    tables[byte] = sum
  }
  for (let at = 256; at < tables.length; at++) {
    const previous = tables[at - 256] ?? 0
    tables[at] = (previous >>> 8) ^ (tables[previous & 0xff] ?? 0)
  }
  return tables
}

/** Continues `sum` (0 at the start) over `bytes`. */
export function crc32c(bytes: Uint8Array, sum = 0): number {
  const t = TABLES
  const end = bytes.length
  let crc = ~sum
  let at = 0
  for (; at + 8 <= end; at += 8) {
    const b = bytes
    crc ^= (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16) | ((b[at + 3] as number) << 24)
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (b[at + 4] as number)] as number) ^
      (t[512 + (b[at + 5] as number)] as number) ^
      (t[256 + (b[at + 6] as number)] as number) ^
      (t[b[at + 7] as number] as number)
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

/** a·b modulo the polynomial, both reflected. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}

/** The sum of `a ‖ b` from those of both, and the length of `b`. */
export function combineCrc32c(a: number, b: number, lengthOfB: number): number {
  let power = 0x80000000 // x⁰
  let square = 0x00800000 // x⁸: one byte of zeroes
  for (let length = lengthOfB; length > 0; length = Math.floor(length / 2)) {
    if (length % 2 === 1) power = multiply(square, power)
    square = multiply(square, square)
  }
  return (multiply(power, a) ^ b) >>> 0
}

export function crc32cText(sum: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(sum >>> 0)
  return bytes.toString('base64')
}
