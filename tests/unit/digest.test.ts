import { describe, expect, it } from '@jest/globals'
import { createHash } from 'node:crypto'
import { createDigest } from '../../src/digest.ts'
import { InvalidArgumentError } from '../../src/errors.ts'

// The check values of the CRC catalogue (reveng.sourceforge.io) for "123456789", and FIPS 180 / RFC 1321 test vectors for "abc".
const VECTORS = [
  ['crc32', '123456789', 'cbf43926'],
  ['crc32c', '123456789', 'e3069283'],
  ['crc32', '', '00000000'],
  ['crc32c', '', '00000000'],
  ['md5', 'abc', '900150983cd24fb0d6963f7d28e17f72'],
  ['sha1', 'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['sha512', 'abc', createHash('sha512').update('abc').digest('hex')],
] as const

describe('checksums', () => {
  it.each(VECTORS)('%s of %j', (algorithm, text, hex) => {
    const digest = createDigest(algorithm)
    digest.update(Buffer.from(text))
    expect(digest.digest('hex')).toBe(hex)
  })

  it.each(VECTORS)('%s of %j, a byte at a time', (algorithm, text, hex) => {
    const digest = createDigest(algorithm)
    for (const byte of Buffer.from(text)) digest.update(Uint8Array.of(byte))
    expect(digest.digest('base64')).toBe(Buffer.from(hex, 'hex').toString('base64'))
  })

  it('crc32c is the same at every length and offset as a byte at a time', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, index) => (index * 167 + 13) % 256)
    for (let start = 0; start < 9; start++) {
      for (let end = start; end <= bytes.length; end += 7) {
        const [atOnce, bytewise] = [createDigest('crc32c'), createDigest('crc32c')]
        atOnce.update(bytes.subarray(start, end))
        for (const byte of bytes.subarray(start, end)) bytewise.update(Uint8Array.of(byte))
        expect(atOnce.digest('hex')).toBe(bytewise.digest('hex'))
      }
    }
  })

  it.each(['sha3', 'SHA256', '', 'toString', '__proto__', undefined])('refuses %p', (algorithm) => {
    expect(() => createDigest(algorithm as never)).toThrow(InvalidArgumentError)
  })
})
