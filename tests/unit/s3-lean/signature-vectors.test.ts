/**
 * Signatures that AWS has published: its generic test suite (sigv4/README.md) and the examples of the Amazon S3 API reference.
 *
 * S3 signs the path as it is sent; other services normalise and encode it. The suite is of those, so what makes their path and query
 * out of a raw request line is here.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import {
  authorizationOf,
  EMPTY_PAYLOAD_HASH,
  encodeQuery,
  hashOf,
  type SigningRequest,
  sign,
} from '../../../src/drivers/s3/lean/signature.ts'
import { encodePath } from '../../../src/path.ts'

const SUITE = {
  identity: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  region: 'us-east-1',
  service: 'service',
  now: new Date('2015-08-30T12:36:00Z'),
} as const

function vectors(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`sigv4/${file}`, import.meta.url), 'utf8'))
}

interface RawRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  /** By lower-case name; several values, and folded lines too, with commas. */
  readonly headers: Record<string, string>
  readonly body: string
}

function parse(text: string): RawRequest {
  const [head = '', body = ''] = text.split('\n\n')
  const [requestLine = '', ...lines] = head.split('\n')
  const [, method = '', path = '', query = ''] = /^(\S+) ([^?]*)\??(.*) HTTP\/1\.1$/.exec(requestLine) ?? []
  const headers: Record<string, string> = {}
  let last = ''
  for (const line of lines) {
    const [, name, value = ''] = /^([^:\s]+):(.*)$/.exec(line) ?? [undefined, undefined, line]
    if (name === undefined) headers[last] += `,${value.trim()}`
    else {
      last = name.toLowerCase()
      headers[last] = headers[last] === undefined ? value : `${headers[last]},${value}`
    }
  }
  return { method, path, query, headers, body }
}

/** RFC 3986, 5.2.4, and empty segments are left out. */
function normalised(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return kept.length === 0 ? '/' : `/${kept.join('/')}${path.endsWith('/') ? '/' : ''}`
}

/** What `encodeQuery` does, for names that come several times. */
function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '')
  const encoded = pairs.map((pair) => {
    const [name = '', value = ''] = pair.split('=').map(decodeURIComponent)
    return { name, value }
  })
  const unique = new Set(encoded.map(({ name }) => name)).size === encoded.length
  if (unique) return encodeQuery(Object.fromEntries(encoded.map(({ name, value }) => [name, value])))
  return encoded
    .map(({ name, value }) => encodeQuery({ [name]: value }))
    .toSorted()
    .join('&')
}

function requestOf({ method, path, query, headers, body }: RawRequest, asItIs: boolean): SigningRequest {
  return {
    ...SUITE,
    method,
    path: encodePath(asItIs ? path : normalised(path)),
    query: canonicalQuery(query),
    headers,
    payloadHash: hashOf(body),
  }
}

interface SuiteVector {
  readonly name: string
  readonly req: string
  readonly creq: string
  readonly sts: string
  readonly authz: string
}

const suite = vectors('aws-sig-v4-test-suite.json') as readonly SuiteVector[]
const signed = vectors('aws-c-auth.json') as readonly { readonly name: string; readonly signed: string }[]

describe('the AWS Signature Version 4 test suite', () => {
  it('is here', () => {
    expect(suite).toHaveLength(26)
    expect(signed).toHaveLength(13)
  })

  it.each(suite.map((vector) => [vector.name, vector] as const))('%s', (_name, { req, creq, sts, authz }) => {
    expect(authorizationOf(requestOf(parse(req), false))).toBe(authz)
    expect(sts.split('\n').at(-1)).toBe(hashOf(creq)) // The vector agrees with itself.
  })

  it.each(signed.map((vector) => [vector.name, vector] as const))('%s (aws-c-auth)', (name, vector) => {
    const { authorization, ...headers } = parse(vector.signed).headers
    const request = requestOf({ ...parse(vector.signed), headers }, name.endsWith('-unnormalized'))
    expect(authorizationOf(request)).toBe(authorization)
  })

  it.each(signed.map((vector) => [vector.name, vector] as const))('leaves the Authorization header of %s unsigned', (name, vector) => {
    const request = requestOf(parse(vector.signed), name.endsWith('-unnormalized'))
    expect(authorizationOf(request)).toBe(request.headers['authorization'])
  })
})

describe('the examples of the Amazon S3 API reference', () => {
  const HOST = 'examplebucket.s3.amazonaws.com'
  const request = (method: string, path: string, own: Partial<SigningRequest> = {}): SigningRequest => ({
    identity: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    region: 'us-east-1',
    now: new Date('2013-05-24T00:00:00Z'),
    method,
    path,
    query: '',
    payloadHash: EMPTY_PAYLOAD_HASH,
    ...own,
    headers: { host: HOST, ...own.headers },
  })

  it.each([
    [
      'GET Object',
      request('GET', '/test.txt', { headers: { range: 'bytes=0-9' } }),
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT Object',
      request('PUT', encodePath('/test$file.text'), {
        headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        payloadHash: hashOf('Welcome to Amazon S3.'),
      }),
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET Bucket Lifecycle',
      request('GET', '/', { query: encodeQuery({ lifecycle: '' }) }),
      'host;x-amz-content-sha256;x-amz-date',
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'Get Bucket (List Objects)',
      request('GET', '/', { query: encodeQuery({ prefix: 'J', 'max-keys': '2' }) }),
      'host;x-amz-content-sha256;x-amz-date',
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ])('%s', (_name, given, names, signature) => {
    sign(given)
    expect(given.headers['authorization']).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
    )
  })
})
