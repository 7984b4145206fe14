/**
 * Bech32 (BIP 173), in which age writes recipients and identities; without its limit of 90 characters, as age has it.
 *
 *   age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kmzlnhsqslkayls
 *   ╰prefix╯ 1 ╰ 5 bits a character ╯╰ checksum, 6 characters ╯
 */

const CHARACTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_LENGTH = 6

/** In lower case. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  const values = regroup(bytes, 8, 5) as number[]
  const checksum = polymod([...spread(prefix), ...values, ...Array<number>(CHECKSUM_LENGTH).fill(0)]) ^ 1
  const check = Array.from({ length: CHECKSUM_LENGTH }, (_, index) => (checksum >>> (5 * (CHECKSUM_LENGTH - 1 - index))) & 31)
  return `${prefix}1${[...values, ...check].map((value) => CHARACTERS[value]).join('')}`
}

/** The bytes behind the prefix, in upper or lower case but not mixed; undefined for anything else. */
export function decodeBech32(prefix: string, text: string): Uint8Array | undefined {
  if (text !== text.toLowerCase() && text !== text.toUpperCase()) return undefined
  const lower = text.toLowerCase()
  const split = lower.lastIndexOf('1')
  if (lower.slice(0, split) !== prefix) return undefined
  const values = Array.from(lower.slice(split + 1), (character) => CHARACTERS.indexOf(character))
  if (values.length < CHECKSUM_LENGTH || values.includes(-1) || polymod([...spread(prefix), ...values]) !== 1) return undefined
  const bytes = regroup(values.slice(0, -CHECKSUM_LENGTH), 5, 8)
  return bytes && Uint8Array.from(bytes)
}

/** The same bits in groups of another size. Fewer bits filled up with zeros; more of them must be zeros, fewer than a group. */
function regroup(values: Iterable<number>, from: number, to: number): number[] | undefined {
  const groups: number[] = []
  let gathered = 0
  let bits = 0
  for (const value of values) {
    gathered = ((gathered << from) | value) & 0xfff
    bits += from
    for (; bits >= to; bits -= to) groups.push((gathered >>> (bits - to)) & ((1 << to) - 1))
  }
  const left = gathered & ((1 << bits) - 1)
  if (to < from) return bits === 0 ? groups : [...groups, left << (to - bits)]
  return bits < from && left === 0 ? groups : undefined
}

function polymod(values: readonly number[]): number {
  return values.reduce((checksum, value) => {
    const top = checksum >>> 25
    const shifted = ((checksum & 0x1ffffff) << 5) ^ value
    return GENERATORS.reduce((sum, generator, bit) => ((top >>> bit) & 1 ? sum ^ generator : sum), shifted)
  }, 1)
}

function spread(prefix: string): number[] {
  const codes = Array.from(prefix, (character) => character.charCodeAt(0))
  return [...codes.map((code) => code >>> 5), 0, ...codes.map((code) => code & 31)]
}
