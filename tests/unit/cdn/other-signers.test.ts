import { createHmac } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { cloudflareSigner } from '../../../src/decorators/cdn/cloudflare-signer.ts'
import { fastlySigner } from '../../../src/decorators/cdn/fastly-signer.ts'

const now = new Date('2026-01-01T00:00:00.900Z')
const SECONDS = Math.floor(now.getTime() / 1_000)
const soon = { now, expiresAt: new Date(now.getTime() + 60_000) }

/** The "signing requests" example of Cloudflare's documentation for Workers, which it calls compatible with the rule. */
async function workerAccepts(url: string, secret: string, lifeSeconds: number, at: number): Promise<boolean> {
  const { pathname, searchParams } = new URL(url)
  const [timestamp = '', hmac = ''] = (searchParams.get('verify') ?? '').split('-')
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
  const mac = Buffer.from(hmac, 'base64')
  const isVerified = await crypto.subtle.verify('HMAC', key, mac, new TextEncoder().encode(`${pathname}${timestamp}`))
  return isVerified && at <= Number(timestamp) + lifeSeconds
}

describe('signed addresses of Cloudflare', () => {
  const sign = (path: string): string => cloudflareSigner('s3cret').sign(`https://cdn.example.com${path}`, soon)

  // No vector is published whose secret is known, too.
  it.each(['/a.txt', '/a%20b/%E2%9C%93%27.txt'])('are accepted by the rule, for that path and time: %s', async (path) => {
    expect(await workerAccepts(sign(path), 's3cret', 60, SECONDS + 60)).toBe(true)
    expect(await workerAccepts(sign(path), 's3cret', 60, SECONDS + 61)).toBe(false)
    expect(await workerAccepts(sign(path), 'other', 60, SECONDS)).toBe(false)
    expect(await workerAccepts(sign(path).replace('.txt', '.png'), 's3cret', 60, SECONDS)).toBe(false)
  })

  it('end with the time of signing and the encoded MAC', () => {
    const mac = createHmac('sha256', 's3cret').update(`/a.txt${SECONDS}`).digest('base64')
    expect(sign('/a.txt')).toBe(`https://cdn.example.com/a.txt?verify=${SECONDS}-${encodeURIComponent(mac)}`)
  })

  it('grant nothing more', () => {
    expect(() => cloudflareSigner('s').sign('https://x/a', { ...soon, ip: '1.2.3.4' })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    )
    expect(() => cloudflareSigner('s').sign('https://x/a', { now, expiresAt: now })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
  })
})

describe('signed addresses of Fastly', () => {
  const key = 'iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24='

  it('have the token of fastly/token-functions, with SHA-1', () => {
    const grant = { now: new Date(0), expiresAt: new Date(1_441_307_151_000) }
    expect(fastlySigner(key, 'sha1').sign('https://cdn.example.com/foo/bar.html', grant)).toBe(
      'https://cdn.example.com/foo/bar.html?token=1441307151_2bfc5de65ab7c7faffde2b29ac82d4f5177f16d7',
    )
  })

  it('have SHA-256 unless told otherwise', () => {
    const expires = SECONDS + 61 // never earlier than asked for
    const mac = createHmac('sha256', Buffer.from(key, 'base64')).update(`/a%20b.txt${expires}`).digest('hex')
    expect(fastlySigner(key).sign('https://x/a%20b.txt', soon)).toBe(`https://x/a%20b.txt?token=${expires}_${mac}`)
  })

  it('need a key in base64, and grant nothing more', () => {
    expect(() => fastlySigner('not base64!')).toThrow(expect.objectContaining({ code: 'configuration' }))
    expect(() => fastlySigner(key).sign('https://x/a', { ...soon, below: 'https://x/' })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    )
  })
})
