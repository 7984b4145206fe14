/** The hash that signs requests is SHA-256, however it is fed. */
import { describe, expect, it } from '@jest/globals'
import { createHash, createHmac } from 'node:crypto'
import { signingSha256 } from '../../../src/drivers/s3/signing-sha256.ts'

const PIECES = [[], ['one piece'], ['two ', 'pieces'], ['', 'many', '', ' ', 'pieces']]
const SECRETS = [undefined, 'a string', Buffer.from('bytes'), new Uint8Array([1, 2, 3]).subarray(1), new Uint8Array([4, 5, 6]).buffer]

describe('the signing hash', () => {
  const Hash = signingSha256()

  it('is SHA-256, and with a secret HMAC-SHA-256, of one piece and of many', async () => {
    for (const secret of SECRETS) {
      for (const pieces of PIECES) {
        const hash = new Hash(secret)
        const expected =
          secret === undefined
            ? createHash('sha256')
            : createHmac('sha256', typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array))
        for (const piece of pieces) {
          hash.update(Buffer.from(piece))
          expected.update(piece)
        }
        expect(Buffer.from(await hash.digest()).toString('hex')).toBe(expected.digest('hex'))
      }
    }
  })

  it('tells secrets and contents apart that it has seen before', async () => {
    const digest = async (secret: string, text: string): Promise<string> => {
      const hash = new Hash(secret)
      hash.update(Buffer.from(text))
      return Buffer.from(await hash.digest()).toString('hex')
    }
    for (const [secret, text] of [
      ['a', 'x'],
      ['a', 'x'],
      ['a', 'y'],
      ['b', 'y'],
      ['a', 'x'],
    ] as const) {
      expect(await digest(secret, text)).toBe(createHmac('sha256', secret).update(text).digest('hex'))
    }
  })

  it('begins anew after a reset', async () => {
    const hash = new Hash()
    hash.update(Buffer.from('a'))
    hash.update(Buffer.from('b'))
    hash.reset()
    hash.update(Buffer.from('c'))
    expect(Buffer.from(await hash.digest())).toEqual(createHash('sha256').update('c').digest())
  })
})
