/** A store that checks signatures takes ours, for odd keys, queries and header values, and refuses what was changed after signing. */
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { EMPTY_PAYLOAD_HASH, encodeQuery, hashOf, sign, UNSIGNED_PAYLOAD } from '../../../src/drivers/s3/lean/signature.ts'
import { encodePath } from '../../../src/path.ts'
import { radosgw } from '../../support/servers/radosgw.ts'

interface Sent {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Default: the hash of the body. */
  readonly payloadHash?: string
  /** After the signature. */
  readonly changed?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string; readonly path?: string }
}

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

let bucket = ''

async function send(
  method: string,
  key: string,
  { query = {}, headers = {}, body = '', payloadHash, changed = {} }: Sent = {},
): Promise<Answer> {
  const server = await radosgw()
  const { host } = new URL(server.endpoint)
  const path = `/${bucket}${key === '' ? '' : `/${encodePath(key)}`}`
  const text = encodeQuery(query)
  const all: Record<string, string> = { ...headers, host, 'content-length': String(Buffer.byteLength(body)) }
  const identity = { accessKeyId: server.key, secretAccessKey: server.secret }
  sign({
    method,
    path,
    query: text,
    headers: all,
    payloadHash: payloadHash ?? hashOf(body),
    identity,
    region: server.region,
    now: Date.now(),
  })
  Object.assign(all, changed.headers)
  const target = `${server.endpoint}${changed.path ?? path}${text && `?${text}`}`
  return new Promise((resolve, reject) => {
    const { origin } = new URL(target)
    const { hostname, port } = new URL(origin)
    const sent = httpRequest({ hostname, port, method, path: target.slice(origin.length), headers: all, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      )
    })
    sent.on('error', reject)
    sent.end(changed.body ?? body)
  })
}

beforeAll(async () => {
  bucket = `${(await radosgw()).bucketPrefix}${randomUUID().slice(0, 13)}`
  expect(await send('PUT', '')).toMatchObject({ status: 200 })
})

describe('a store that checks signatures', () => {
  it.each(['a', 'a//b', '/a', 'a/', 'a b', 'a+b', "!'()*~-._", 'é', 'e\u0301', '😀', '%2F', '%', 'a?b#c', 'a&b=c', '.hidden', '\u0001'])(
    'takes the key %j',
    async (key) => {
      expect(await send('PUT', key, { body: key })).toMatchObject({ status: 200 })
      expect(await send('GET', key)).toMatchObject({ status: 200, text: key })
      const listed = await send('GET', '', { query: { 'list-type': '2', prefix: key, 'max-keys': '1', 'encoding-type': 'url' } })
      expect(listed).toMatchObject({ status: 200, text: expect.stringContaining('<KeyCount>1</KeyCount>') })
      expect(await send('DELETE', key)).toMatchObject({ status: 204 })
    },
  )

  it.each([
    ['spaces within', 'a   b'],
    ['spaces around', '  a '],
    ['punctuation', `"a"; b=c, d\\e`],
    ['nothing', ''],
    ['Latin-1', 'caf\u00e9'],
    ['the bytes of UTF-8', Buffer.from('café 😀').toString('latin1')],
  ])('takes a header value with %s', async (_what, value) => {
    expect(await send('PUT', 'h', { headers: { 'x-amz-meta-a': value } })).toMatchObject({ status: 200 })
  })

  it('takes a payload that is not signed, or empty', async () => {
    expect(await send('PUT', 'u', { body: 'x', payloadHash: UNSIGNED_PAYLOAD, changed: { body: 'y' } })).toMatchObject({ status: 200 })
    expect(await send('PUT', 'u', { payloadHash: EMPTY_PAYLOAD_HASH })).toMatchObject({ status: 200 })
  })

  it.each<[string, Sent]>([
    ['a header', { headers: { 'x-amz-meta-a': '1' }, changed: { headers: { 'x-amz-meta-a': '2' } } }],
    ['the time', { changed: { headers: { 'x-amz-date': '20261121T000000Z' } } }],
    ['the signature', { changed: { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=a/20261121/us-east-1/s3/aws4_request' } } }],
  ])('refuses a request when %s was changed after signing', async (_what, sent) => {
    const { status } = await send('PUT', 'c', sent)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  it('refuses another key than the one that was signed', async () => {
    expect(await send('PUT', 'c', { changed: { path: `/${bucket}/d` } })).toMatchObject({ status: 403 })
  })
})
