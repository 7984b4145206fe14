/** Held to the AWS SDK's signer, for names in which it leaves every character as it is given ( ' ( ) are not), and to the public key. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { getSignedCookies, getSignedUrl } from '@aws-sdk/cloudfront-signer'
import { describe, expect, it } from '@jest/globals'
import { cloudfrontSigner } from '../../../src/decorators/cdn/cloudfront-signer.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const keyPairId = 'K2JCJMDEHXQW5F'
const url = 'https://d111.cloudfront.net/a/it%27s%20%281%29%20%E2%9C%93.txt'
const expiresAt = new Date('2030-01-01T00:00:00Z')
const grant = { expiresAt, now: new Date('2029-01-01T00:00:00Z') }
const EXPIRES = 1_893_456_000

function bytes(text: string | null): Buffer {
  const standard: Readonly<Record<string, string>> = { '-': '+', _: '=', '~': '/' }
  return Buffer.from(
    (text ?? '').replace(/[-_~]/g, (character) => standard[character] as string),
    'base64',
  )
}

describe('signed addresses of CloudFront', () => {
  it.each(['sha1', 'sha256'] as const)('are those of the AWS SDK, with RSA and %s', (hash) => {
    const algorithm = hash === 'sha1' ? 'SHA1' : 'SHA256'
    const url = 'https://d111.cloudfront.net/a/b%20%E2%9C%93.txt'
    const theirs = new URL(getSignedUrl({ url, keyPairId, privateKey: rsa, dateLessThan: expiresAt.toISOString(), algorithm }))
    const ours = new URL(cloudfrontSigner({ keyPairId, privateKey: rsa, hash }).sign(url, grant))
    expect(Object.fromEntries(ours.searchParams)).toEqual(Object.fromEntries(theirs.searchParams))
    expect(ours.searchParams.get('Expires')).toBe(String(EXPIRES))
    expect(ours.href.split('?')[0]).toBe(url)
  })

  it.each([
    ['RSA', 'sha1'],
    ['RSA', 'sha256'],
    ['ECDSA', 'sha1'],
    ['ECDSA', 'sha256'],
  ] as const)('verify with the public key: %s, %s', (type, hash) => {
    const privateKey = type === 'RSA' ? rsa : ec
    const { searchParams } = new URL(cloudfrontSigner({ keyPairId, privateKey, hash }).sign(url, grant))
    const policy = `{"Statement":[{"Resource":"${url}","Condition":{"DateLessThan":{"AWS:EpochTime":${EXPIRES}}}}]}`
    const publicKey = createPublicKey(createPrivateKey(privateKey))
    expect(verify(hash, Buffer.from(policy), publicKey, bytes(searchParams.get('Signature')))).toBe(true)
    expect(verify(hash, Buffer.from(policy.replace('.txt', '.png')), publicKey, bytes(searchParams.get('Signature')))).toBe(false)
    expect(searchParams.get('Hash-Algorithm')).toBe(hash === 'sha256' ? 'SHA256' : null)
  })

  it('have a policy of their own for a beginning, an address and a directory', () => {
    const more = { ...grant, startsAt: new Date('2029-06-01T00:00:00Z'), ip: '192.0.2.7', below: 'https://d111.cloudfront.net/a/' }
    const { searchParams } = new URL(cloudfrontSigner({ keyPairId, privateKey: rsa }).sign(url, more))
    const policy = bytes(searchParams.get('Policy'))
    expect(JSON.parse(policy.toString())).toEqual({
      Statement: [
        {
          Resource: 'https://d111.cloudfront.net/a/*',
          Condition: {
            DateLessThan: { 'AWS:EpochTime': EXPIRES },
            DateGreaterThan: { 'AWS:EpochTime': 1_874_966_400 },
            IpAddress: { 'AWS:SourceIp': '192.0.2.7/32' },
          },
        },
      ],
    })
    expect(policy.toString()).not.toMatch(/\s/)
    expect(searchParams.has('Expires')).toBe(false)
    expect(verify('sha1', policy, createPublicKey(createPrivateKey(rsa)), bytes(searchParams.get('Signature')))).toBe(true)
  })

  it('are refused for IPv6, countries, and what has passed', () => {
    const signer = cloudfrontSigner({ keyPairId, privateKey: rsa })
    expect(() => signer.sign(url, { ...grant, ip: '::1' })).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(() => signer.sign(url, { ...grant, countries: ['DE'] })).toThrow(expect.objectContaining({ code: 'unsupported' }))
    expect(() => signer.sign(url, { ...grant, now: expiresAt })).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })
})

describe('signed cookies of CloudFront', () => {
  it('are those of the AWS SDK', () => {
    const theirs = getSignedCookies({ url, keyPairId, privateKey: rsa, dateLessThan: expiresAt.toISOString() })
    expect(cloudfrontSigner({ keyPairId, privateKey: rsa }).cookies?.(url, grant)).toEqual(
      Object.fromEntries(Object.entries(theirs).map(([name, value]) => [name, String(value)])),
    )
  })

  it('carry the policy of a directory', () => {
    const cookies =
      cloudfrontSigner({ keyPairId, privateKey: ec, hash: 'sha256' }).cookies?.(url, { ...grant, below: 'https://x/a/' }) ?? {}
    expect(Object.keys(cookies).toSorted()).toEqual([
      'CloudFront-Hash-Algorithm',
      'CloudFront-Key-Pair-Id',
      'CloudFront-Policy',
      'CloudFront-Signature',
    ])
    expect(bytes(cookies['CloudFront-Policy'] ?? '').toString()).toContain('"Resource":"https://x/a/*"')
  })
})

const pem = { type: 'pkcs8', format: 'pem' } as const
const BAD_KEYS: Readonly<Record<string, string>> = {
  'no key': 'secret-text',
  'half a key': rsa.slice(0, 300),
  'of 1,024 bits': generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey.export(pem).toString(),
  'of another curve': generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey.export(pem).toString(),
  Ed25519: generateKeyPairSync('ed25519').privateKey.export(pem).toString(),
}

describe('the private key of CloudFront', () => {
  it('may have its line ends written as \\n', () => {
    const signer = cloudfrontSigner({ keyPairId, privateKey: rsa.replaceAll('\n', '\\n') })
    expect(signer.sign(url, grant)).toBe(cloudfrontSigner({ keyPairId, privateKey: rsa }).sign(url, grant))
  })

  it.each(Object.keys(BAD_KEYS))('is refused without being shown: %s', (name) => {
    const privateKey = BAD_KEYS[name] ?? ''
    let refusal: unknown
    try {
      cloudfrontSigner({ keyPairId, privateKey })
    } catch (error) {
      refusal = error
    }
    expect(refusal).toMatchObject({ code: 'configuration' })
    expect((refusal as Error).cause).toBeUndefined()
    expect(String(refusal)).not.toContain(privateKey.split('\n')[1] ?? privateKey)
  })
})
