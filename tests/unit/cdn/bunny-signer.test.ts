/** The vectors that Bunny publishes for its libraries, and what they leave out, computed here by its documentation. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { bunnySigner, bunnyUrl } from '../../../src/decorators/cdn/bunny-signer.ts'

const HOST = 'https://token-tester.b-cdn.net'
const EXPIRES = 1_598_024_587
const V6 = '2001:0db8:85a3:0000:0000:8a2e:0370:7334'
const CA_US = { token_countries: 'CA,US' }
const RU_CN = { token_countries_blocked: 'RU,CN' }

/** BunnyWay/BunnyCDN.TokenAuthentication, e2e/vectors.json: key `SecurityKey`. */
const VECTORS: readonly (readonly [name: string, path: string, more: object, token: string])[] = [
  ['plain', '/300kb.jpg', {}, 'o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4'],
  ['countries', '/300kb.jpg', { parameters: CA_US }, 'i5s3Uv7mnrFfN5nznwU2BxhILpnipYeE18TapV0WNFM'],
  ['blocked countries', '/300kb.jpg', { parameters: RU_CN }, 'JS8dSuBSjSH-W2-xhdkCPC36-2rlxfDCQJjlNMPqKZQ'],
  ['a path', '/abc/300kb.jpg', { parameters: { token_path: '/abc' } }, 'uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ'],
  ['no parameters', '/300kb.jpg', { parameters: { token_ignore_params: 'true' } }, '1lwWBD_c1IAGSj1UKPoxreu8ePDQ-Z9FoWLcRn_RRH0'],
  ['a limit', '/300kb.jpg', { parameters: { limit: '1000' } }, 'DAVapqNNED3Z7JkjRTYX0UOIHNtbHEuuhRNEc4A7mMQ'],
  ['IPv4', '/300kb.jpg', { ip: '1.2.3.4' }, '1-L2rISTLcujMY9UFf2tbZ41d5i-Bme1g1oTK_Z2QMLJk'],
  ['IPv6', '/300kb.jpg', { ip: V6 }, '1-Z1BaGdhTZdU4iANcyKpurFR2VgCNdqC6hlBv5x_TyaI'],
  ['IPv4, countries', '/abc/', { ip: '1.2.3.4', parameters: CA_US, inPath: true }, '1-4lIDGI2_t3wiTmopXzB7z71wtZKTe1Ic0lDlL72iAJw'],
  ['IPv6, countries', '/abc/', { ip: V6, parameters: CA_US, inPath: true }, '1-LGpoP8i1bV4P1kN4NrO_iYxLJuLAD2R3Clstsy9kWAc'],
  [
    'IPv4, a limit',
    '/abc/',
    { ip: '1.2.3.4', parameters: { limit: '5000' }, inPath: true },
    '1-X01Z6A9xAo1_ds1XFf9y8gAIzk_JpmoevOx7EtgMQhY',
  ],
  [
    'IPv4, a path',
    '/abc/300kb.jpg',
    { ip: '1.2.3.4', parameters: { token_path: '/abc' } },
    '1-wag9tC0r1QWfg-2eMj5QcdzgPLCIdQb-D0WVU1Mhg2w',
  ],
  [
    'IPv4, no parameters',
    '/300kb.jpg',
    { ip: '1.2.3.4', parameters: { token_ignore_params: 'true' } },
    '1-rWalmQRJ-A_qrb08-JoeU3b-gOS5mJiJjPOfDWa0gsQ',
  ],
  ['IPv4, blocked countries', '/300kb.jpg', { ip: '1.2.3.4', parameters: RU_CN }, '1-myF6Rnz7Z9VAfAjjkyUHJQ_6gr-AJ7VyPsG5rQdQKm8'],
  ['IPv6, blocked countries', '/300kb.jpg', { ip: V6, parameters: RU_CN }, '1-XGkCf_JKNfOrpWAM_CIYjZBbVHbB4U1mxHg8pXJtBNc'],
]

describe('the hs256 scheme of Bunny', () => {
  it.each(VECTORS)('agrees with the published vector: %s', (_name, path, more, token) => {
    const url = bunnyUrl(HOST + path, 'SecurityKey', { scheme: 'hs256', expires: EXPIRES, ...more })
    const { parameters = {}, inPath } = more as { parameters?: Record<string, string>; inPath?: boolean }
    const query = Object.entries(parameters).map(([key, value]) => `&${key}=${encodeURIComponent(value)}`)
    const signed = `token=HS256-${token}${query.join('')}&expires=${EXPIRES}`
    expect(url).toBe(inPath ? `${HOST}/bcdn_${signed}${path}` : `${HOST}${path}?${signed}`)
  })

  it('signs the query of the address, sorted, unless it is to be ignored', () => {
    // nodejs/token.test.js of the same repository
    const signed = { scheme: 'hs256', expires: EXPIRES } as const
    expect(bunnyUrl(`${HOST}/300kb.jpg?v=123`, 'SecurityKey', signed)).toBe(
      `${HOST}/300kb.jpg?token=HS256-q6oRQr-5ccQ-piO1HSEQu1DVMy9UMppRxGlIQwoeM5Y&v=123&expires=${EXPIRES}`,
    )
    const parameters = { token_countries: 'CA', token_path: '/' }
    expect(bunnyUrl(`${HOST}/300kb.jpg`, 'SecurityKey', { ...signed, parameters })).toBe(
      `${HOST}/300kb.jpg?token=HS256-JWU7jhpnBGI-O54AYDAtrlZT86Ied4RTO2-Y8mUj60A&token_countries=CA&token_path=%2F&expires=${EXPIRES}`,
    )
  })

  it('reads IPv6 addresses in every spelling, and counts their network alone', () => {
    const sign = (ip: string): string => bunnyUrl(`${HOST}/300kb.jpg`, 'SecurityKey', { scheme: 'hs256', expires: EXPIRES, ip })
    expect(sign('2001:db8:85a3::8a2e:370:7334')).toBe(sign(V6))
    expect(sign('2001:db8:85a3::1')).toBe(sign(V6))
    expect(sign('2001:db8:85a4::1')).not.toBe(sign(V6))
    expect(() => sign('nobody')).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('puts a directory before the path, so that relative addresses have the token', () => {
    const grant = { expiresAt: new Date(EXPIRES * 1_000), now: new Date(0), below: `${HOST}/abc/` }
    expect(bunnySigner('SecurityKey').sign(`${HOST}/abc/d/300kb.jpg`, grant)).toMatch(
      /^https:\/\/token-tester\.b-cdn\.net\/bcdn_token=HS256-[\w-]{43}&token_path=%2Fabc%2F&expires=1598024587\/abc\/d\/300kb\.jpg$/,
    )
  })
})

describe('the older schemes of Bunny', () => {
  const grant = { expiresAt: new Date(EXPIRES * 1_000), now: new Date(0), ip: '1.2.3.4' }
  const token = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest('base64url')

  // No vectors of these are published: the formulas are those of Bunny's documentation.
  it('sha256 hashes key, path, end, address and parameters', () => {
    expect(bunnySigner('k', 'sha256').sign(`${HOST}/a%20b.txt`, { ...grant, countries: ['CA', 'US'] })).toBe(
      `${HOST}/a%20b.txt?token=${token('sha256', `k/a%20b.txt${EXPIRES}1.2.3.4token_countries=CA,US`)}&token_countries=CA%2CUS&expires=${EXPIRES}`,
    )
  })

  it('md5 hashes key, path, end and address, and knows nothing else', () => {
    const signer = bunnySigner('k', 'md5')
    expect(signer.sign(`${HOST}/a.txt`, grant)).toBe(`${HOST}/a.txt?token=${token('md5', `k/a.txt${EXPIRES}1.2.3.4`)}&expires=${EXPIRES}`)
    const refused = { below: `${HOST}/a/`, countries: ['CA'], blockedCountries: ['RU'], startsAt: new Date(0) }
    for (const [name, value] of Object.entries(refused)) {
      expect(() => signer.sign(`${HOST}/a.txt`, { ...grant, [name]: value })).toThrow(expect.objectContaining({ code: 'unsupported' }))
    }
  })
})
