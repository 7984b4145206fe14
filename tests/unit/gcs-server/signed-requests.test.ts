/** Signed addresses and signed forms at the object host, made here from Google's description of the signature, without an SDK. */
import { createHash, createSign } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { type Answer, apiClient, type Asked } from './api-client.ts'

const api = apiClient()

interface Signed {
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly expires?: number
  readonly at?: Date
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
const stamp = (at: Date): string => at.toISOString().replace(/[-:]|\.\d+/g, '')
const sign = (text: string): string => createSign('RSA-SHA256').update(text).sign(api.server.credentials.private_key, 'hex')

function address(
  bucket: string,
  name: string,
  { method = 'GET', query = {}, headers = {}, expires = 60, at = new Date() }: Signed = {},
): string {
  const { origin, credentials } = api.server
  const path = `/${bucket}/${name.split('/').map(encode).join('/')}`
  const scope = `${stamp(at).slice(0, 8)}/auto/storage/goog4_request`
  const all: Readonly<Record<string, string>> = { host: new URL(origin).host, ...headers }
  const names = Object.keys(all).toSorted()
  const parameters: Record<string, string> = {
    ...query,
    'X-Goog-Algorithm': 'GOOG4-RSA-SHA256',
    'X-Goog-Credential': `${credentials.client_email}/${scope}`,
    'X-Goog-Date': stamp(at),
    'X-Goog-Expires': String(expires),
    'X-Goog-SignedHeaders': names.join(';'),
  }
  const pairs = Object.entries(parameters).map(([key, value]) => `${encode(key)}=${encode(value)}`)
  const lines = names.map((key) => `${key}:${all[key]}\n`).join('')
  const canonical = [method, path, pairs.toSorted().join('&'), lines, names.join(';'), 'UNSIGNED-PAYLOAD'].join('\n')
  const digest = createHash('sha256').update(canonical).digest('hex')
  const signature = sign(['GOOG4-RSA-SHA256', stamp(at), scope, digest].join('\n'))
  return `${origin}${path}?${pairs.join('&')}&X-Goog-Signature=${signature}`
}

const codeOf = ({ text }: Answer): string => /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? ''

describe('a signed address', () => {
  it.each(['a.txt', 'd/ünï 日本/b', '+ &?#=%', "it's(*)!~", 'a//b', 'dir/'])('reads %j', async (name) => {
    const bucket = await api.bucket()
    await api.put(bucket, name, name)
    const answer = await api.ask(address(bucket, name))
    expect([answer.status, answer.text]).toEqual([200, name])
    expect((await api.ask(address(bucket, name, { method: 'HEAD' }), { method: 'HEAD' })).headers.get('content-length')).toBe(
      String(Buffer.byteLength(name)),
    )
  })

  it('says what the answer is called, and of what type', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const query = { 'response-content-disposition': 'attachment; filename="x y.txt"', 'response-content-type': 'a/b' }
    const { headers } = await api.ask(address(bucket, 'a', { query }))
    expect([headers.get('content-disposition'), headers.get('content-type')]).toEqual(Object.values(query))
  })

  it('answers ranges and conditions', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    const part = await api.ask(address(bucket, 'a'), { headers: { range: 'bytes=1-2' } })
    expect([part.status, part.text, part.headers.get('etag')]).toEqual([206, 'el', '"5d41402abc4b2a76b9719d911017c592"'])
    expect((await api.ask(address(bucket, 'a'), { headers: { 'if-none-match': '"5d41402abc4b2a76b9719d911017c592"' } })).status).toBe(304)
    expect((await api.ask(address(bucket, 'a'), { headers: { 'if-match': '"other"' } })).status).toBe(412)
  })

  it('stores what is put to it, with the headers that were signed', async () => {
    const bucket = await api.bucket()
    const headers = { 'content-type': 'a/b', 'x-goog-meta-k': 'v', 'x-goog-if-generation-match': '0' }
    const url = address(bucket, 'a', { method: 'PUT', headers })
    expect((await api.ask(url, { method: 'PUT', headers, body: 'hello' })).status).toBe(200)
    expect((await api.object(bucket, 'a')).json).toMatchObject({ contentType: 'a/b', metadata: { k: 'v' }, size: '5' })
    const again = await api.ask(url, { method: 'PUT', headers, body: 'again' })
    expect([again.status, codeOf(again), await api.content(bucket, 'a')]).toEqual([412, 'PreconditionFailed', 'hello'])
  })

  it('limits what is put to it', async () => {
    const bucket = await api.bucket()
    const headers = { 'x-goog-content-length-range': '2,4' }
    const put = async (body: string): Promise<string> =>
      codeOf(await api.ask(address(bucket, 'a', { method: 'PUT', headers }), { method: 'PUT', headers, body }))
    expect([await put('1'), await put('12345'), await put('123')]).toEqual(['EntityTooSmall', 'EntityTooLarge', ''])
  })

  it('starts a resumable upload', async () => {
    const bucket = await api.bucket()
    const headers = { 'x-goog-resumable': 'start', 'content-type': 'a/b' }
    const started = await api.ask(address(bucket, 'a', { method: 'POST', headers }), { method: 'POST', headers })
    const session = started.headers.get('location') ?? ''
    expect(started.status).toBe(201)
    expect((await api.ask(session, { method: 'PUT', headers: { 'content-range': 'bytes */*' } })).status).toBe(308)
    expect((await api.ask(session, { method: 'PUT', body: 'hello' })).status).toBe(200)
    expect([(await api.object(bucket, 'a')).json['contentType'], await api.content(bucket, 'a')]).toEqual(['a/b', 'hello'])
  })

  it('deletes', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    expect((await api.ask(address(bucket, 'a', { method: 'DELETE' }), { method: 'DELETE' })).status).toBe(204)
    const gone = await api.ask(address(bucket, 'a', { method: 'DELETE' }), { method: 'DELETE' })
    expect([gone.status, codeOf(gone)]).toEqual([404, 'NoSuchKey'])
    const nowhere = await api.ask(address('no-such-bucket', 'a'))
    expect([nowhere.status, codeOf(nowhere)]).toEqual([404, 'NoSuchBucket'])
  })

  it.each([
    ['another method', (url: string) => [url, { method: 'DELETE' }]],
    ['another object', (url: string) => [url.replace('/a?', '/b?'), {}]],
    ['a longer life', (url: string) => [url.replace('X-Goog-Expires=60', 'X-Goog-Expires=600'), {}]],
    ['one more parameter', (url: string) => [`${url}&response-content-type=a%2Fb`, {}]],
    ['another signature', (url: string) => [`${url.slice(0, -4)}0000`, {}]],
    ['another signer', (url: string) => [url.replace('owner%40', 'other%40'), {}]],
  ] as const)('is refused with %s', async (_name, change) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    await api.put(bucket, 'b')
    const [url, asked] = change(address(bucket, 'a')) as unknown as readonly [string, Asked]
    const answer = await api.ask(url, asked)
    expect([answer.status, codeOf(answer), answer.headers.get('content-type')]).toEqual([
      403,
      'SignatureDoesNotMatch',
      'application/xml; charset=UTF-8',
    ])
    expect((await api.object(bucket, 'a')).status).toBe(200)
  })

  it('is refused when a header that was signed is another one, or one that was not is there', async () => {
    const bucket = await api.bucket()
    const url = address(bucket, 'a', { method: 'PUT', headers: { 'content-type': 'a/b' } })
    expect((await api.ask(url, { method: 'PUT', headers: { 'content-type': 'c/d' }, body: 'x' })).status).toBe(403)
    const more = await api.ask(url, { method: 'PUT', headers: { 'content-type': 'a/b', 'x-goog-acl': 'public-read' }, body: 'x' })
    expect([more.status, codeOf(more)]).toEqual([400, 'MalformedSecurityHeader'])
  })

  it('expires, and lives a week at most', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const old = await api.ask(address(bucket, 'a', { at: new Date(Date.now() - 61_000) }))
    expect([old.status, codeOf(old)]).toEqual([400, 'ExpiredToken'])
    expect((await api.ask(address(bucket, 'a', { expires: 604_800 }))).status).toBe(200)
    expect((await api.ask(address(bucket, 'a', { expires: 604_801 }))).status).toBe(400)
    expect((await api.ask(address(bucket, 'a', { at: new Date(Date.now() + 3600_000) }))).status).toBe(400)
  })
})

describe('a form', () => {
  interface Form {
    readonly conditions?: readonly unknown[]
    readonly fields?: Readonly<Record<string, string>>
    readonly expires?: number
    readonly tamper?: (fields: Record<string, string>) => void
    readonly body?: string
  }

  async function post(
    bucket: string,
    { conditions = [], fields = {}, expires = 60_000, tamper, body = 'hello' }: Form = {},
  ): Promise<Answer> {
    const { credentials, origin } = api.server
    const at = new Date()
    const own: Record<string, string> = {
      'x-goog-algorithm': 'GOOG4-RSA-SHA256',
      'x-goog-credential': `${credentials.client_email}/${stamp(at).slice(0, 8)}/auto/storage/goog4_request`,
      'x-goog-date': stamp(at),
    }
    const exact = Object.entries(own).map(([name, value]) => ({ [name]: value }))
    const expiration = new Date(at.getTime() + expires).toISOString()
    const policy = Buffer.from(JSON.stringify({ expiration, conditions: [{ bucket }, ...exact, ...conditions] })).toString('base64')
    const all: Record<string, string> = { key: 'up/a.txt', ...fields, ...own, policy, 'x-goog-signature': sign(policy) }
    tamper?.(all)
    const form = new FormData()
    for (const [name, value] of Object.entries(all)) form.append(name, value)
    form.append('file', new Blob([body]), 'local name.txt')
    const answer = await fetch(`${origin}/${bucket}`, { method: 'POST', body: form, redirect: 'manual' })
    return { status: answer.status, headers: answer.headers, text: await answer.text(), json: {} }
  }

  const KEY = ['starts-with', '$key', 'up/']

  it('stores its file', async () => {
    const bucket = await api.bucket()
    const fields = { 'Content-Type': 'a/b', 'x-goog-meta-k': 'v', 'x-ignore-me': 'z' }
    const conditions = [KEY, ['eq', '$Content-Type', 'a/b'], { 'x-goog-meta-k': 'v' }]
    expect((await post(bucket, { conditions, fields })).status).toBe(204)
    expect((await api.object(bucket, 'up/a.txt')).json).toMatchObject({ contentType: 'a/b', metadata: { k: 'v' }, size: '5' })
  })

  it('may be answered with 200, 201 and a redirect, and take the name of the file', async () => {
    const bucket = await api.bucket()
    const conditions = [KEY, ['starts-with', '$success_action_status', ''], ['starts-with', '$success_action_redirect', '']]
    const created = await post(bucket, { conditions, fields: { success_action_status: '201', key: 'up/${filename}' } })
    expect([created.status, created.text]).toEqual([201, expect.stringContaining('<Key>up/local name.txt</Key>')])
    expect((await post(bucket, { conditions, fields: { success_action_status: '200' } })).status).toBe(200)
    const sent = await post(bucket, { conditions, fields: { success_action_redirect: 'http://127.0.0.1/done' } })
    expect([sent.status, sent.headers.get('location')]).toEqual([303, 'http://127.0.0.1/done'])
  })

  it.each([
    ['smaller than its policy allows', { conditions: [KEY, ['content-length-range', 6, 10]] }, 400, 'EntityTooSmall'],
    ['larger than its policy allows', { conditions: [KEY, ['content-length-range', 0, 4]] }, 400, 'EntityTooLarge'],
    ['of another name', { conditions: [['starts-with', '$key', 'down/']] }, 403, 'AccessDenied'],
    [
      'with a value the policy does not want',
      { conditions: [KEY, ['eq', '$Content-Type', 'a/b']], fields: { 'Content-Type': 'c/d' } },
      403,
      'AccessDenied',
    ],
    ['with a field the policy does not name', { conditions: [KEY], fields: { 'x-goog-meta-k': 'v' } }, 403, 'AccessDenied'],
    ['for another bucket', { conditions: [KEY, { bucket: 'other' }] }, 403, 'AccessDenied'],
    ['without a condition for its key', {}, 403, 'AccessDenied'],
    ['that expired', { conditions: [KEY], expires: -1 }, 403, 'AccessDenied'],
    ['with conditions that do not exist', { conditions: [KEY, ['ends-with', '$key', 't']] }, 400, 'InvalidPolicyDocument'],
    [
      'whose policy was changed',
      {
        conditions: [KEY],
        tamper: (fields: Record<string, string>) => {
          fields['policy'] = Buffer.from('{"expiration":"2999-01-01T00:00:00Z","conditions":[["starts-with","$key",""]]}').toString(
            'base64',
          )
        },
      },
      403,
      'SignatureDoesNotMatch',
    ],
  ] as const)('is refused %s', async (_name, form, status, code) => {
    const bucket = await api.bucket()
    const answer = await post(bucket, form)
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    expect((await api.ask(`/b/${bucket}/o`)).json['items']).toBeUndefined()
  })

  it('without a policy needs a token', async () => {
    const bucket = await api.bucket()
    const form = new FormData()
    form.append('key', 'a')
    form.append('file', new Blob(['hello']))
    const url = `${api.server.origin}/${bucket}`
    expect((await fetch(url, { method: 'POST', body: form })).status).toBe(401)
    const { token } = await api.server.controls.token()
    expect((await fetch(url, { method: 'POST', body: form, headers: { authorization: `Bearer ${token}` } })).status).toBe(204)
  })
})
