/** CRC-32C against known sums, in pieces of every size, and of concatenations. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { combineCrc32c, crc32c, crc32cText } from '../../support/gcs-server/checksums.ts'

describe('CRC-32C', () => {
  // RFC 3720, B.4, and the check value of the Castagnoli polynomial.
  it.each([
    ['32 zeroes', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
    ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, at) => 31 - at)), 0x113fdb5c],
    ['the check text', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', (_name, bytes, sum) => {
    expect(crc32c(bytes)).toBe(sum)
  })

  it('of a whole is that of its parts, however it is cut', () => {
    const bytes = randomBytes(1000)
    const whole = crc32c(bytes)
    fc.assert(
      fc.property(fc.nat(bytes.length), (at) => {
        const [left, right] = [bytes.subarray(0, at), bytes.subarray(at)]
        expect(crc32c(right, crc32c(left))).toBe(whole)
        expect(combineCrc32c(crc32c(left), crc32c(right), right.length)).toBe(whole)
      }),
    )
  })

  it('combines lengths above 32 bits', () => {
    const [a, b] = [crc32c(Buffer.from('a')), crc32c(Buffer.from('b'))]
    const zeroes = 2 ** 33
    // What is moved on twice is moved on twice as far.
    const once = combineCrc32c(a, 0, zeroes)
    expect(combineCrc32c(once, b, zeroes)).toBe(combineCrc32c(a, combineCrc32c(0, b, zeroes), 2 * zeroes))
  })

  it('is shown as the base64 of its big-endian bytes', () => {
    expect(crc32cText(crc32c(Buffer.from('hello')))).toBe('mnG7TA==')
  })
})
