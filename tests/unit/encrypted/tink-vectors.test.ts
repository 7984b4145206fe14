/** The published test vectors of Tink's AES-GCM-HKDF streaming (tink-java, AesGcmHkdfStreamingTestUtil), both ways. */
import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { sealedBytes } from '../../../src/decorators/encrypted/seal.ts'
import { plaintextSize } from '../../../src/decorators/encrypted/segments.ts'
import { type TinkParameters, tinkCipher, tinkLayout } from '../../../src/decorators/encrypted/tink-format.ts'
import { unsealed } from '../../../src/decorators/encrypted/unseal.ts'

interface Vector {
  readonly title: string
  readonly parameters: TinkParameters
  readonly key: string
  readonly plaintext: string
  readonly associated: string
  readonly ciphertext: string
}

const KEY_16 = '6eb56cdc726dfbe5d57f2fcdc6e9345b'
const KEY_32 = `00112233445566778899aabbccddeeff${KEY_16}`
const EMPTY_32 = '28fae780c70a82d1256c8303a1261ac6a98cf557b4e173967a62f3c149517ba5b2431da93b3c6e90f508b34dc14bfda59bab05681c6ad3fa'

const VECTORS: readonly Vector[] = [
  {
    title: 'three segments',
    parameters: { segmentBytes: 64, keyBytes: 16, hash: 'sha1' },
    key: KEY_16,
    plaintext: 'This is a fairly long plaintext. It is of the exact length to create three output blocks. ',
    associated: Buffer.from('aad').toString('hex'),
    ciphertext: [
      '1893b3af5e14ab378d065addfc8484da642c0862877baea8',
      'db92d9c77406a406168478821c4298eab3e6d531277f4c1a051714faebcaefcbca7b7be05e9445ea',
      'a0bb2904153398a25084dd80ae0edcd1c3079fcea2cd3770630ee36f7539207b8ec9d754956d486b71cdf989f0ed6fba6779b63558be0a66e668df14e1603cd2',
      'af8944844078345286d0b292e772e7190775c51a0f83e40c0b75821027e7e538e111',
    ].join(''),
  },
  {
    title: 'nothing',
    parameters: { segmentBytes: 64, keyBytes: 16, hash: 'sha1' },
    key: KEY_16,
    plaintext: '',
    associated: '',
    ciphertext: '18ec99b2c3884194023bd41bb9bff309205354c750fa0cb3c0d02609abf71f88eaeaa48d7deca27f',
  },
  {
    title: 'SHA-256',
    parameters: { segmentBytes: 64, keyBytes: 16, hash: 'sha256' },
    key: KEY_16,
    plaintext: '',
    associated: '',
    ciphertext: '18be78bce0cab6fd38a9041eea8ab0ffc4cf17e3c00b661d3927f5f79069f41a210fedc40b25648c',
  },
  {
    title: 'SHA-512',
    parameters: { segmentBytes: 64, keyBytes: 16, hash: 'sha512' },
    key: KEY_16,
    plaintext: '',
    associated: '',
    ciphertext: '18fec8139ccb406e0f140d7e2bcc41e1b899bc1b121574cc31d1c78ed2ca1cdf324665b8dce21095',
  },
  {
    title: 'a key of 32 bytes',
    parameters: { segmentBytes: 64, keyBytes: 16, hash: 'sha1' },
    key: KEY_32,
    plaintext: '',
    associated: '',
    ciphertext: '180880e85a24207a7b72cefde26306ed09d7d76e58104b751d005a3ffd72dd6151f0d9c8ccf163f7',
  },
  {
    title: 'AES-256',
    parameters: { segmentBytes: 64, keyBytes: 32, hash: 'sha1' },
    key: KEY_32,
    plaintext: '',
    associated: '',
    ciphertext: EMPTY_32,
  },
  {
    title: 'segments of 128 bytes',
    parameters: { segmentBytes: 128, keyBytes: 32, hash: 'sha1' },
    key: KEY_32,
    plaintext: '',
    associated: '',
    ciphertext: EMPTY_32,
  },
  {
    title: 'a first segment shortened by its header',
    parameters: { segmentBytes: 120, keyBytes: 32, hash: 'sha1' },
    key: KEY_32,
    plaintext: 'BLOCK 1.BLOCK 2.BLOCK 3.BLOCK 4.BLOCK 5.BLOCK 6.BLOCK 7.BLOCK 8.',
    associated: '00010203',
    ciphertext:
      '28782994617714a80fa085e15051a16854522330d6d0f26c049b2192f09cdd98b2eb90c753bfff277a29e54fa4afb15d648c28477eb07f012535c767f5fdce24ffffae318480c1d37357d6d3c511159318afa09ef38aa3f5456fd7817c5c02dd6e1a7fef174c8bd24e38b5982ac105497c0101ac5581fe5b',
  },
]

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  yield bytes
}

describe('the vectors of Tink', () => {
  it.each(VECTORS)('$title', async ({ parameters, key, plaintext, associated, ciphertext }) => {
    const stored = Buffer.from(ciphertext, 'hex')
    const layout = tinkLayout(parameters)
    const head = stored.subarray(0, layout.headerBytes)
    const cipher = tinkCipher(createSecretKey(Buffer.from(key, 'hex')), head, { parameters, associated: Buffer.from(associated, 'hex') })

    expect(plaintextSize(layout, stored.byteLength)).toBe(plaintext.length)
    const chunks: Uint8Array[] = []
    const span = { size: plaintext.length, start: 0, end: plaintext.length }
    for await (const chunk of unsealed(once(stored.subarray(layout.headerBytes)), { layout, ciphers: [cipher] }, span)) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(plaintext)
    expect(sealedBytes(Buffer.from(plaintext), { layout, head, cipher }).toString('hex')).toBe(ciphertext)
  })
})
