/** Uploads: what is stored, and what a broken or a lying one leaves behind, which is nothing. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { apiClient, reasonOf } from './api-client.ts'

const api = apiClient()
const BLOCK = 256 * 1024

function related(metadata: object, body: string, boundary = 'limit'): { headers: Record<string, string>; body: string } {
  const json = `--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(metadata)}\r\n`
  const media = `--${boundary}\r\nContent-Type: text/html\r\n\r\n${body}\r\n--${boundary}--\r\n`
  return { headers: { 'content-type': `multipart/related; boundary="${boundary}"` }, body: json + media }
}

describe('a simple upload', () => {
  it('stores bytes, their type and their sums', async () => {
    const bucket = await api.bucket()
    const { json } = await api.put(bucket, 'a', 'hello')
    expect(json).toMatchObject({ name: 'a', bucket, size: '5', contentType: 'text/plain', metageneration: '1', storageClass: 'STANDARD' })
    expect(json).toMatchObject({ crc32c: 'mnG7TA==', md5Hash: 'XUFAKrxLKna5cZ2REBfFkg==' })
    expect(await api.content(bucket, 'a')).toBe('hello')
  })

  it('takes an object of nothing', async () => {
    const bucket = await api.bucket()
    expect((await api.put(bucket, 'a', '')).json).toMatchObject({ size: '0', crc32c: 'AAAAAA==' })
  })

  it('keeps names as they are', async () => {
    const bucket = await api.bucket()
    for (const name of ['a/b', 'a//b', 'dir/', '../x', '%2F', '+ &?#=', 'ünï 日本', '\u{1f600}', "it's(*)!"]) {
      await api.put(bucket, name, name)
      expect([name, await api.content(bucket, name), (await api.object(bucket, name)).json['name']]).toEqual([name, name, name])
    }
  })

  it.each(['', '.', '..', 'a\nb', 'x'.repeat(1025), '.well-known/acme-challenge/x'])('refuses the name %j', async (name) => {
    const bucket = await api.bucket()
    expect((await api.put(bucket, name)).status).toBe(400)
  })

  it('needs a name, a kind of upload and the upload address', async () => {
    const bucket = await api.bucket()
    expect(reasonOf(await api.ask(`/upload/storage/v1/b/${bucket}/o?uploadType=media`, { method: 'POST', body: 'x' }))).toBe('required')
    expect((await api.ask(`/upload/storage/v1/b/${bucket}/o?name=a`, { method: 'POST', body: 'x' })).status).toBe(400)
    expect(reasonOf(await api.ask(`/b/${bucket}/o?uploadType=media&name=a`, { method: 'POST', body: 'x' }))).toBe('wrongUrlForUpload')
  })

  it('says which bucket is missing', async () => {
    const answer = await api.put('no-such-bucket', 'a')
    const message = 'The specified bucket does not exist.'
    const error = { code: 404, message, errors: [{ message, domain: 'global', reason: 'notFound' }] }
    expect([answer.status, answer.json]).toEqual([404, { error }])
  })

  it.each([
    ['X-Goog-Hash', { 'x-goog-hash': 'crc32c=AAAAAA==' }],
    ['X-Goog-Hash with MD5', { 'x-goog-hash': 'md5=1B2M2Y8AsgTpgAmY7PhCfg==' }],
    ['Content-MD5', { 'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==' }],
  ])('refuses other bytes than %s says, and keeps the old object', async (_name, headers) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'old')
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=a`
    const answer = await api.ask(path, { method: 'POST', headers, body: 'new' })
    expect([answer.status, reasonOf(answer), await api.content(bucket, 'a')]).toEqual([400, 'invalid', 'old'])
    const right = { 'x-goog-hash': 'crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==' }
    expect((await api.ask(path, { method: 'POST', headers: right, body: 'hello' })).status).toBe(200)
  })
})

describe('an upload with a key of the customer', () => {
  it('is refused, because nothing here encrypts', async () => {
    const headers = { 'x-goog-encryption-algorithm': 'AES256' }
    const path = `/upload/storage/v1/b/${await api.bucket()}/o?uploadType=media&name=a`
    expect((await api.ask(path, { method: 'POST', headers, body: 'x' })).status).toBe(501)
  })
})

describe('a multipart upload', () => {
  it('stores metadata and bytes', async () => {
    const bucket = await api.bucket()
    const metadata = { name: 'a', metadata: { k: 'ü' }, cacheControl: 'no-cache', storageClass: 'COLDLINE' }
    const { json } = await api.ask(`/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, {
      method: 'POST',
      ...related(metadata, 'text'),
    })
    expect(json).toMatchObject({ ...metadata, contentType: 'text/html', size: '4' })
    expect(await api.content(bucket, 'a')).toBe('text')
  })

  it('takes bytes that look like a boundary', async () => {
    const bucket = await api.bucket()
    const bytes = `\r\n--lim\r\n--limi\r\n\r\n--${'limit'.slice(1)}\r\n-`
    await api.ask(`/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, { method: 'POST', ...related({ name: 'a' }, bytes) })
    expect(await api.content(bucket, 'a')).toBe(bytes)
  })

  it.each([
    ['another CRC-32C', { crc32c: 'AAAAAA==' }],
    ['another MD5', { md5Hash: '1B2M2Y8AsgTpgAmY7PhCfg==' }],
    ['metadata that is no text', { metadata: { a: 1 } }],
    ['a class that does not exist', { storageClass: 'GOLD' }],
    ['metadata above 8 KiB', { metadata: { a: 'x'.repeat(8 * 1024) } }],
  ])('refuses %s, and stores nothing', async (_name, wrong) => {
    const bucket = await api.bucket()
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=multipart`
    expect((await api.ask(path, { method: 'POST', ...related({ name: 'a', ...wrong }, 'text') })).status).toBe(400)
    expect((await api.object(bucket, 'a')).status).toBe(404)
  })

  it('refuses one that ends without its last boundary, or that names two objects', async () => {
    const bucket = await api.bucket()
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=multipart`
    const { headers, body } = related({ name: 'a' }, 'text')
    expect((await api.ask(path, { method: 'POST', headers, body: body.slice(0, -9) })).status).toBe(400)
    expect((await api.ask(`${path}&name=b`, { method: 'POST', headers, body })).status).toBe(400)
    expect((await api.ask(`/b/${bucket}/o`)).json['items']).toBeUndefined()
  })
})

describe('a resumable upload', () => {
  const status = { method: 'PUT', headers: { 'content-range': 'bytes */*' } }
  const bytes = randomBytes(2 * BLOCK + 100)
  const part = (from: number, to: number, total: number | '*'): { method: string; headers: Record<string, string>; body: Uint8Array } => ({
    method: 'PUT',
    headers: { 'content-range': `bytes ${from}-${to - 1}/${total}` },
    body: bytes.subarray(from, to),
  })

  async function stored(bucket: string): Promise<boolean> {
    const answer = await fetch(`${api.server.emulatorOrigin}/storage/v1/b/${bucket}/o/a?alt=media`)
    return answer.status === 200 && bytes.equals(Buffer.from(await answer.arrayBuffer()))
  }

  it('stores what one request without a range brings', async () => {
    const bucket = await api.bucket()
    const session = await api.session(bucket, 'a', { headers: { 'x-upload-content-type': 'text/x' }, body: { metadata: { k: 'v' } } })
    const { json } = await api.ask(session, { method: 'PUT', body: 'hello' })
    expect(json).toMatchObject({ name: 'a', contentType: 'text/x', metadata: { k: 'v' }, size: '5' })
  })

  it('stores what its chunks bring, and nothing before the last', async () => {
    const bucket = await api.bucket()
    const session = await api.session(bucket, 'a')
    expect([(await api.ask(session, status)).status, (await api.ask(session, status)).headers.get('range')]).toEqual([308, null])
    const first = await api.ask(session, part(0, BLOCK, '*'))
    expect([first.status, first.headers.get('range')]).toEqual([308, `bytes=0-${BLOCK - 1}`])
    expect((await api.object(bucket, 'a')).status).toBe(404)
    expect((await api.ask(session, status)).headers.get('range')).toBe(`bytes=0-${BLOCK - 1}`)
    expect((await api.ask(session, part(BLOCK, 2 * BLOCK, bytes.length))).status).toBe(308)
    const last = await api.ask(session, part(2 * BLOCK, bytes.length, bytes.length))
    expect([last.status, last.json['size'], await stored(bucket)]).toEqual([200, String(bytes.length), true])
    expect((await api.ask(session, status)).json['generation']).toBe(last.json['generation'])
  })

  it('ends with `bytes a-*/*`, and with `bytes */total`', async () => {
    const bucket = await api.bucket()
    const one = await api.session(bucket, 'a')
    expect((await api.ask(one, { method: 'PUT', headers: { 'content-range': 'bytes 0-*/*' }, body: bytes })).status).toBe(200)
    expect(await stored(bucket)).toBe(true)
    const empty = await api.session(bucket, 'e')
    expect((await api.ask(empty, { method: 'PUT', headers: { 'content-range': 'bytes */0' } })).json['size']).toBe('0')
    const whole = await api.session(bucket, 'w')
    await api.ask(whole, part(0, BLOCK, '*'))
    expect((await api.ask(whole, { method: 'PUT', headers: { 'content-range': `bytes */${BLOCK}` } })).json['size']).toBe(String(BLOCK))
  })

  it('says 200 and a header to clients that cannot bear 308', async () => {
    const session = await api.session(await api.bucket(), 'a')
    const { headers, ...rest } = part(0, BLOCK, '*')
    const answer = await api.ask(session, { ...rest, headers: { ...headers, 'x-guploader-no-308': 'yes' } })
    expect([answer.status, answer.headers.get('x-http-status-code-override'), answer.headers.get('range')]).toEqual([
      200,
      '308',
      `bytes=0-${BLOCK - 1}`,
    ])
  })

  it('keeps whole blocks only, and refuses less than one', async () => {
    const session = await api.session(await api.bucket(), 'a')
    const small = await api.ask(session, part(0, 1000, '*'))
    expect([small.status, small.headers.get('content-type'), small.text]).toEqual([
      400,
      'text/plain; charset=UTF-8',
      expect.stringContaining('equal or greater than 262144'),
    ])
    expect((await api.ask(session, part(0, BLOCK + 5, '*'))).headers.get('range')).toBe(`bytes=0-${BLOCK - 1}`)
  })

  it('skips bytes it has, and refuses those behind a gap', async () => {
    const bucket = await api.bucket()
    const session = await api.session(bucket, 'a')
    await api.ask(session, part(0, BLOCK, '*'))
    expect((await api.ask(session, part(2 * BLOCK, bytes.length, bytes.length))).status).toBe(400)
    expect((await api.ask(session, part(0, bytes.length, bytes.length))).status).toBe(200)
    expect(await stored(bucket)).toBe(true)
  })

  it('goes on after a connection that broke', async () => {
    const bucket = await api.bucket()
    const session = new URL(await api.session(bucket, 'a'))
    const socket = connect(Number(session.port), session.hostname)
    socket.write(
      `PUT ${session.pathname}${session.search} HTTP/1.1\r\nHost: ${session.host}\r\nContent-Length: ${bytes.length}\r\n` +
        `Content-Range: bytes 0-${bytes.length - 1}/${bytes.length}\r\n\r\n`,
    )
    socket.write(bytes.subarray(0, BLOCK + 1000))
    let kept: string | null = null
    for (let turn = 0; turn < 500 && kept === null; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      kept = (await api.ask(session.href, status)).headers.get('range')
    }
    socket.destroy()
    await once(socket, 'close')
    expect(kept).toBe(`bytes=0-${BLOCK - 1}`)
    expect((await api.object(bucket, 'a')).status).toBe(404)
    expect((await api.ask(session.href, part(BLOCK, bytes.length, bytes.length))).status).toBe(200)
    expect(await stored(bucket)).toBe(true)
  })

  it('is over when it is deleted, and when a week has passed', async () => {
    const bucket = await api.bucket()
    const gone = await api.session(bucket, 'a')
    expect((await api.server.controls.openUploads({ bucket })).count).toBe(1)
    expect((await api.ask(gone, { method: 'DELETE' })).status).toBe(499)
    expect((await api.ask(gone, { method: 'PUT', body: 'x' })).status).toBe(499)
    expect((await api.server.controls.openUploads({ bucket })).count).toBe(0)
    const old = await api.session(bucket, 'a')
    await api.server.controls.advance({ ms: 8 * 24 * 3600 * 1000 })
    expect((await api.ask(old, { method: 'PUT', body: 'x' })).status).toBe(410)
    await api.server.controls.advance({ ms: -8 * 24 * 3600 * 1000 })
    expect((await api.ask(`/upload/storage/v1/b/${bucket}/o?upload_id=unknown`, { method: 'PUT', body: 'x' })).status).toBe(404)
  })

  it('judges its preconditions again when the last byte is there', async () => {
    const bucket = await api.bucket()
    const session = await api.session(bucket, 'a', { query: '&ifGenerationMatch=0' })
    await api.put(bucket, 'a', 'first')
    const late = await api.ask(session, { method: 'PUT', body: 'second' })
    expect([late.status, reasonOf(late), await api.content(bucket, 'a')]).toEqual([412, 'conditionNotMet', 'first'])
    expect((await api.ask(session, status)).status).toBe(412)
  })

  it('stores nothing when the sums of its beginning or of its end are wrong, or when it is not as long as announced', async () => {
    const bucket = await api.bucket()
    const first = await api.session(bucket, 'a', { body: { crc32c: 'AAAAAA==' } })
    expect((await api.ask(first, { method: 'PUT', body: 'hello' })).status).toBe(400)
    const last = await api.session(bucket, 'a')
    expect((await api.ask(last, { method: 'PUT', headers: { 'x-goog-hash': 'crc32c=AAAAAA==' }, body: 'hello' })).status).toBe(400)
    for (const length of ['4', '6']) {
      const session = await api.session(bucket, 'a', { headers: { 'x-upload-content-length': length } })
      expect((await api.ask(session, { method: 'PUT', body: 'hello' })).status).toBe(400)
    }
    expect((await api.object(bucket, 'a')).status).toBe(404)
  })
})
