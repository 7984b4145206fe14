/** What is signed, what is not, and what cannot be sent; and that the SDK would sign the same. */
import { S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  authorizationOf,
  canonicalHeaders,
  checkHeader,
  EMPTY_PAYLOAD_HASH,
  encodeQuery,
  hashOf,
  type SigningRequest,
  sign,
  signingKey,
  timeOf,
  UNSIGNED_PAYLOAD,
} from '../../../src/drivers/s3/lean/signature.ts'
import { StorageError } from '../../../src/errors.ts'
import { encodePath } from '../../../src/path.ts'

const IDENTITY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const TEMPORARY = { ...IDENTITY, sessionToken: 'AQoDYXdzEPT//////////wEXAMPLE+token==' }
const NOW = Date.parse('2026-11-21T14:09:12.345Z')

function request(own: Partial<SigningRequest> = {}): SigningRequest {
  return {
    method: 'GET',
    path: '/a',
    query: '',
    headers: { host: 'example.com' },
    payloadHash: UNSIGNED_PAYLOAD,
    identity: IDENTITY,
    region: 'eu-west-1',
    now: NOW,
    ...own,
  }
}

function signedNames({ headers }: SigningRequest): string | undefined {
  return /SignedHeaders=([^,]*),/.exec(headers['authorization'] ?? '')?.[1]
}

/** The error of a call that has to throw. */
function thrown(call: () => unknown): StorageError {
  try {
    call()
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('signing', () => {
  it('adds the date, the hash of the payload and the signature', () => {
    const given = request()
    sign(given)
    expect(given.headers).toEqual({
      host: 'example.com',
      'x-amz-content-sha256': UNSIGNED_PAYLOAD,
      'x-amz-date': '20261121T140912Z',
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20261121\/eu-west-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
      ),
    })
  })

  it('adds and signs the token of temporary credentials', () => {
    const given = request({ identity: TEMPORARY })
    sign(given)
    expect(given.headers['x-amz-security-token']).toBe(TEMPORARY.sessionToken)
    expect(signedNames(given)).toBe('host;x-amz-content-sha256;x-amz-date;x-amz-security-token')
  })

  it('signs again as if it were the first time, whoever signed before', () => {
    const headers = { host: 'example.com', range: 'bytes=0-1' }
    sign(request({ headers, identity: TEMPORARY, now: NOW - 86_400_000 }))
    sign(request({ headers, identity: IDENTITY }))
    const fresh = request({ headers: { host: 'example.com', range: 'bytes=0-1' } })
    sign(fresh)
    expect(headers).toEqual(fresh.headers)
  })

  it('takes a session token that is empty as none', () => {
    const given = request({ identity: { ...IDENTITY, sessionToken: '' } })
    sign(given)
    expect(given.headers).not.toHaveProperty('x-amz-security-token')
  })

  it('leaves unsigned what is changed on the way', () => {
    const unsigned = {
      'user-agent': 'x',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      expect: '100-continue',
      'x-amzn-trace-id': 'x',
      'transfer-encoding': 'chunked',
      'proxy-authorization': 'x',
      'sec-fetch-mode': 'x',
    }
    const [bare, full] = [request(), request({ headers: { host: 'example.com', ...unsigned } })]
    sign(bare)
    sign(full)
    expect(full.headers['authorization']).toBe(bare.headers['authorization'])
    expect(full.headers).toMatchObject(unsigned)
  })

  it.each<[string, Partial<SigningRequest>]>([
    ['the method', { method: 'HEAD' }],
    ['the path', { path: '/a/' }],
    ['an empty segment of the path', { path: '//a' }],
    ['the query', { query: 'uploads=' }],
    ['a header', { headers: { host: 'example.com', 'x-amz-meta-a': '' } }],
    ['the host', { headers: { host: 'example.org' } }],
    ['the payload', { payloadHash: EMPTY_PAYLOAD_HASH }],
    ['the second', { now: NOW + 1_000 }],
    ['the day', { now: NOW + 86_400_000 }],
    ['the region', { region: 'eu-west-2' }],
    ['the service', { service: 's3express' }],
    ['the secret', { identity: { ...IDENTITY, secretAccessKey: 'other' } }],
    ['the key id', { identity: { ...IDENTITY, accessKeyId: 'OTHER' } }],
    ['the token', { identity: TEMPORARY }],
  ])('is different for %s', (_what, own) => {
    const [one, other] = [request(), request(own)]
    sign(one)
    sign(other)
    expect(other.headers['authorization']).not.toBe(one.headers['authorization'])
  })

  it('does not use the key of a secret that was changed in place', () => {
    const identity = { ...IDENTITY }
    authorizationOf(request({ identity }))
    identity.secretAccessKey = 'other'
    expect(authorizationOf(request({ identity }))).toBe(authorizationOf(request({ identity: { ...identity } })))
  })

  it('derives a key once', () => {
    const place = { region: 'eu-west-1' }
    const key = signingKey(IDENTITY, '20261121', place)
    expect(signingKey(IDENTITY, '20261121', { region: 'eu-west-1', service: 's3' })).toBe(key)
    expect(signingKey(IDENTITY, '20261122', place)).not.toBe(key)
    expect(key).toMatchObject({ scope: '20261121/eu-west-1/s3/aws4_request' })
  })

  it('signs the bytes of a header, one for each character', () => {
    const latin = canonicalHeaders({ 'content-disposition': 'é' })
    expect(latin.lines).toBe('content-disposition:é\n')
    const bytes = Buffer.from('GET\n/a\n\ncontent-disposition:é\nhost:example.com\n\ncontent-disposition;host\nUNSIGNED-PAYLOAD', 'latin1')
    const { key, scope } = signingKey(IDENTITY, '20261121', { region: 'eu-west-1' })
    const { createHmac } = process.getBuiltinModule('node:crypto')
    const text = `AWS4-HMAC-SHA256\n20261121T140912Z\n${scope}\n${hashOf(bytes)}`
    const authorization = authorizationOf(request({ headers: { host: 'example.com', 'content-disposition': 'é' } }))
    expect(authorization.endsWith(createHmac('sha256', key).update(text).digest('hex'))).toBe(true)
  })
})

describe('the time', () => {
  it.each([
    ['2026-11-21T14:09:12.999Z', '20261121T140912Z'],
    ['2026-11-21T14:09:12.000Z', '20261121T140912Z'],
    ['2026-11-21T14:09:11.999Z', '20261121T140911Z'],
    ['2015-08-30T00:00:00.000Z', '20150830T000000Z'],
  ])('of %s is %s', (instant, time) => {
    expect(timeOf(new Date(instant))).toBe(time)
    expect(timeOf(Date.parse(instant))).toBe(time)
  })
})

describe('a query', () => {
  it.each<[Readonly<Record<string, string | undefined>>, string]>([
    [{}, ''],
    [{ uploads: '' }, 'uploads='],
    [{ prefix: undefined, 'list-type': '2' }, 'list-type=2'],
    [{ b: '1', a: '2', B: '3' }, 'B=3&a=2&b=1'],
    [{ 'a-b': '1', a: '2' }, 'a=2&a-b=1'],
    [{ a: "~-._ +/=&?%!'()*" }, 'a=~-._%20%2B%2F%3D%26%3F%25%21%27%28%29%2A'],
    [{ '/': 'ሴ😀' }, '%2F=%E1%88%B4%F0%9F%98%80'],
  ])('%j is %s', (parameters, query) => {
    expect(encodeQuery(parameters)).toBe(query)
  })

  it('refuses half of a character', () => {
    expect(thrown(() => encodeQuery({ versionId: '\ud83d' }))).toMatchObject({ code: 'invalid_argument' })
  })
})

describe('a header that cannot be sent', () => {
  const SECRET = 'hush'
  it.each([
    ['a line break', `${SECRET}\r\nx-amz-acl: public-read`],
    ['a line feed', `${SECRET}\n`],
    ['a carriage return', `\r${SECRET}`],
    ['a NUL', `${SECRET}\0`],
    ['a tab', `${SECRET}\t`],
    ['a DEL', `${SECRET}\x7f`],
    ['a character beyond latin-1', `${SECRET}ł`],
    ['a character whose low byte is a line feed', `${SECRET}\u010a`],
  ])('is refused for %s in its value', (_what, value) => {
    for (const name of ['x-amz-meta-a', 'user-agent']) {
      const given = request({ headers: { host: 'example.com', [name]: value } })
      const error = thrown(() => sign(given))
      expect(error.code).toBe('invalid_argument')
      expect(error.message).toContain(name)
      expect(error.message).not.toContain(SECRET)
      expect(given.headers).not.toHaveProperty('authorization')
      expect(thrown(() => checkHeader(name, value)).code).toBe('invalid_argument')
    }
  })

  it.each(['', ' ', 'a b', 'a:b', 'a\n', 'é', 'A', 'x-amz-meta-\r\nhost'])('is refused for the name %j', (name) => {
    expect(thrown(() => sign(request({ headers: { host: 'example.com', [name]: 'x' } }))).code).toBe('invalid_argument')
  })

  it('is refused in the parts of the identity too, without telling them', () => {
    const broken = thrown(() => sign(request({ identity: { accessKeyId: `${SECRET}\n`, secretAccessKey: SECRET } })))
    const token = thrown(() => sign(request({ identity: { ...IDENTITY, sessionToken: `${SECRET}\r\n` } })))
    for (const error of [broken, token]) {
      expect(error.code).toBe('invalid_argument')
      expect(`${error.message}${JSON.stringify(error)}${String(error.stack)}`).not.toContain(SECRET)
    }
  })
})

describe('the SDK', () => {
  interface SdkRequest {
    readonly method: string
    readonly protocol: string
    readonly hostname: string
    readonly path: string
    readonly query: Readonly<Record<string, string>>
    readonly headers: Readonly<Record<string, string>>
  }
  interface SdkSigner {
    sign(request: SdkRequest, options: { readonly signingDate: Date }): Promise<SdkRequest>
  }

  function signerOf(credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }): Promise<SdkSigner> {
    const { config } = new S3Client({ region: 'us-east-1', credentials })
    const signer = config.signer as unknown as (scheme: object) => Promise<SdkSigner>
    return signer({ name: 'sigv4', properties: { signingName: 's3', signingRegion: 'us-east-1' } })
  }

  const segment = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('', '.', '..', 'a b', 'a+b', '~', '%2F', '%', "!'()*", '😀', 'é', 'e\u0301', '?', '#', '&=', '\u0001'),
  )
  const key = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))
  const value = fc.oneof(
    fc.string({ unit: fc.constantFrom(' ', '  ', 'a', 'B', '"', ',', ':', ';', '=', '~', '\\', '%'), maxLength: 12 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
  )
  const name = fc.oneof(
    fc
      .string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-._~!#$%&*+^`|'.split('')), minLength: 1, maxLength: 10 })
      .map((end) => `x-amz-meta-${end}`),
    fc.constantFrom('range', 'if-match', 'content-type', 'content-length', 'cache-control', 'user-agent', 'expect', 'from', 'te'),
    fc.constantFrom('proxy-a', 'proxy', 'sec-a', 'x-amz-acl', 'content-disposition', 'x-amzn-trace-id', 'pragma', 'if-none-match'),
  )
  const parameter = fc
    .oneof(segment, fc.constantFrom('prefix', 'list-type', 'uploadId', 'a', 'a-b', 'A'))
    .filter((text) => text !== '__proto__')

  it.each([
    ['lasting', IDENTITY],
    ['temporary', TEMPORARY],
  ])('would sign the same, with %s credentials', async (_kind, identity) => {
    const signer = await signerOf(identity)
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          method: fc.constantFrom('GET', 'PUT', 'HEAD', 'DELETE', 'POST'),
          key,
          query: fc.dictionary(parameter, segment, { maxKeys: 5, noNullPrototype: true }),
          headers: fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }),
          payloadHash: fc.constantFrom(UNSIGNED_PAYLOAD, EMPTY_PAYLOAD_HASH, hashOf('x')),
          now: fc.constantFrom(NOW, NOW + 7_200_000, NOW + 86_400_000 * 9),
        }),
        async ({ method, key: given, query, headers, payloadHash, now }) => {
          const path = `/${encodePath(given)}`
          const ours: SigningRequest = {
            ...request({ method, path, payloadHash, identity, now, region: 'us-east-1' }),
            query: encodeQuery(query),
            headers: { ...headers, host: 'bucket.example.com' },
          }
          sign(ours)
          const theirs = await signer.sign(
            {
              method,
              protocol: 'https:',
              hostname: 'bucket.example.com',
              path,
              query,
              headers: { ...headers, host: 'bucket.example.com', 'x-amz-content-sha256': payloadHash },
            },
            { signingDate: new Date(now) },
          )
          expect(ours.headers).toEqual(theirs.headers)
        },
      ),
      { numRuns: 1_500 },
    )
  })
})
