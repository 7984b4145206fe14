import { afterAll, describe, expect, it } from '@jest/globals'
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { presign } from '../../../src/drivers/s3/signing.ts'
import type { SignedRequest, SignOptions } from '../../../src/driver.ts'
import { bench, type Parts } from './support.ts'

const { parts, clear } = bench()
afterAll(clear)

let shared: Promise<Parts> | undefined
/** One bucket for all: names differ. */
const disk = (): Promise<Parts> => (shared ??= parts())

async function sign(key: string, options: Partial<SignOptions> & { now?: Date } = {}): Promise<SignedRequest> {
  const { connection, settings } = await disk()
  return presign(connection, settings, key, { method: 'GET', expiresAt: new Date(Date.now() + 60_000), ...options })
}

async function put(key: string, body = `content of ${key}`): Promise<void> {
  const { client, bucket } = await disk()
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'text/plain' }))
}

/** Sends exactly what was signed. */
function upload({ url, method, headers, fields }: SignedRequest, body: string): Promise<Response> {
  if (fields === undefined) return fetch(url, { method, headers, body: new TextEncoder().encode(body) })
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', new Blob([body]), 'ignored.txt')
  return fetch(url, { method, headers, body: form })
}

const ODD = [
  'plain.txt',
  'ünï/çødé 日本.txt',
  'sp ace/a b.txt',
  'plus+sign.txt',
  'per%cent%20.txt',
  'a&b=c?d#e.txt',
  `quote'"(1)!*.txt`,
  '😀.png',
  '~tilde-_.txt',
  'semi;colon:at@comma,.txt',
  'pipe|caret^{brace}[bracket]<less>`tick`.txt',
  'e\u0301 decomposed.txt',
  '.hidden/..double',
  'trailing.',
  ' leading space',
  '$dollar/$key',
  '-dash',
]

describe('signed requests, with a plain fetch', () => {
  it.each(ODD)('read %s', async (key) => {
    await put(key)
    const get = await fetch((await sign(key)).url)
    expect([get.status, await get.text()]).toEqual([200, `content of ${key}`])
    const head = await fetch((await sign(key, { method: 'HEAD' })).url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(Buffer.byteLength(`content of ${key}`))])
  })

  it.each(ODD)('write %s', async (key) => {
    const { client, bucket } = await disk()
    const read = async (): Promise<string | undefined> => {
      return (await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body?.transformToString()
    }
    expect((await upload(await sign(key, { method: 'PUT' }), 'by PUT')).status).toBe(200)
    expect(await read()).toBe('by PUT')
  })

  // radosgw takes the spaces away that the field of a form begins with.
  it.each(ODD.filter((key) => key.trim() === key))('write by form %s', async (key) => {
    const { client, bucket } = await disk()
    expect((await upload(await sign(key, { method: 'PUT', maxSize: 100 }), 'by form')).status).toBe(204)
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    expect(await Body?.transformToString()).toBe('by form')
  })

  it('say what the answer says', async () => {
    await put('a.txt')
    const contentDisposition = `attachment; filename="a b.txt"; filename*=UTF-8''%C3%BC.txt`
    const { headers } = await fetch((await sign('a.txt', { contentType: 'text/csv; charset=utf-8', contentDisposition })).url)
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(headers.get('content-disposition')).toBe(contentDisposition)
  })

  it('are good for their key, their method and their time alone', async () => {
    await put('a.txt')
    await put('b.txt')
    const { url } = await sign('a.txt')
    expect((await fetch(url.replace('/a.txt', '/b.txt'))).status).toBe(403)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
    expect((await fetch(url.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=9999'))).status).toBe(403)
    const old = await sign('a.txt', { now: new Date(Date.now() - 3_600_000), expiresAt: new Date(Date.now() - 60_000) })
    expect((await fetch(old.url)).status).toBe(403)
  })

  it.each([{}, { maxSize: 100 }])('keep metadata and type, sent as they say: %j', async (limits) => {
    const { client, bucket } = await disk()
    const key = `meta-${Object.keys(limits).length}.csv`
    const request = await sign(key, { method: 'PUT', contentType: 'text/csv', metadata: { by: 'ada', to: 'Zoë' }, ...limits })
    expect((await upload(request, 'a,b')).ok).toBe(true)
    const stat = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    expect(stat).toMatchObject({ ContentType: 'text/csv', Metadata: { by: 'ada', to: '=?UTF-8?B?Wm/Dqw==?=' } })
  })

  it('refuse an upload of another type, or without the metadata', async () => {
    const request = await sign('typed.txt', { method: 'PUT', contentType: 'text/plain', metadata: { by: 'ada' } })
    const { 'content-type': _, ...untyped } = request.headers
    expect((await upload({ ...request, headers: { ...request.headers, 'content-type': 'text/html' } }, 'x')).status).toBe(403)
    expect((await upload({ ...request, headers: untyped }, 'x')).status).toBe(403)
    expect((await upload({ ...request, headers: { 'content-type': 'text/plain' } }, 'x')).status).toBe(403)
    expect((await upload(request, 'x')).status).toBe(200)
  })

  it('hold a form to its limits', async () => {
    const request = await sign('limited.txt', { method: 'PUT', minSize: 3, maxSize: 5 })
    const statusOf = async (body: string): Promise<number> => (await upload(request, body)).status
    expect([await statusOf('12'), await statusOf('123456')]).toEqual([400, 400])
    expect([await statusOf('123'), await statusOf('12345')]).toEqual([204, 204])
  })

  it('hold a form to its key, its type and its time', async () => {
    const request = await sign('form.txt', { method: 'PUT', maxSize: 5, contentType: 'text/plain' })
    const other = async (fields: Record<string, string>): Promise<number> =>
      (await upload({ ...request, fields: { ...request.fields, ...fields } }, 'x')).status
    expect(await other({ key: 'elsewhere.txt' })).toBe(403)
    expect(await other({ 'Content-Type': 'text/html' })).toBe(403)
    expect(await other({ 'X-Amz-Signature': '0'.repeat(64) })).toBe(403)
    const old = await sign('form.txt', {
      method: 'PUT',
      maxSize: 5,
      now: new Date(Date.now() - 3_600_000),
      expiresAt: new Date(Date.now() - 60_000),
    })
    expect((await upload(old, 'x')).status).toBe(403)
    expect((await upload(request, 'x')).status).toBe(204)
  })
})
