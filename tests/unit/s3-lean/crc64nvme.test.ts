/** CRC-64/NVME against its published check value, and against what takes no shortcut. */
import { describe, expect, it } from '@jest/globals'
import { crc64nvme } from '../../../src/drivers/s3/lean/crc64nvme.ts'

const MASK = (1n << 64n) - 1n

function plain(bytes: Uint8Array): string {
  let crc = MASK
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x9a6c9329ac4bc9b5n : crc >> 1n
  }
  return (crc ^ MASK).toString(16).padStart(16, '0')
}

function ours(...chunks: readonly Uint8Array[]): string {
  const digest = crc64nvme()
  for (const chunk of chunks) digest.update(chunk)
  return digest.digest('hex')
}

describe('CRC-64/NVME', () => {
  it('has its check value', () => {
    expect(ours(Buffer.from('123456789'))).toBe('ae8b14860a799888')
  })

  it('of nothing is nothing', () => {
    expect(ours()).toBe('0000000000000000')
  })

  it('is that of the definition, for every length, place in memory and cut', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, i) => (i * 131 + 7) & 0xff)
    for (let start = 0; start < 9; start++) {
      for (const end of [start, start + 1, start + 15, start + 16, start + 17, start + 63, 200]) {
        const slice = bytes.subarray(start, end)
        expect(ours(slice)).toBe(plain(slice))
        expect(ours(slice.subarray(0, 21), slice.subarray(21))).toBe(plain(slice))
      }
    }
  })
})
