/** Facts in headers: metadata in any language, encryption, checksums, ACLs; each sent only where it is asked for. */
import { S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it } from '@jest/globals'
import { contentDisposition } from '../../../src/content-disposition.ts'
import { decodeMetadata, encodeMetadata } from '../../../src/drivers/s3/metadata.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { PART, s3Fixture } from './s3-fixture.ts'

const s3 = s3Fixture()
const KEY = Buffer.alloc(32, 7).toString('base64')

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  )

const VALUES = [
  'plain',
  'Grüße',
  '日本語',
  '👩‍👩‍👧',
  ' spaces ',
  '=?UTF-8?B?w6k=?=',
  '',
  'a=?b',
  'é'.repeat(300),
  `x ${'長'.repeat(40)} y`,
  '\ttab',
]

describe('metadata', () => {
  it('is what it was, in any language, whatever it looks like', () => {
    for (const value of VALUES) {
      const { name = '' } = encodeMetadata({ Name: value })
      expect(name).toMatch(/^[\x20-\x7e]*$/)
      expect(decodeMetadata({ name })).toEqual({ name: value })
    }
  })

  it('is in words of at most 75 characters, as RFC 2047 wants them', () => {
    const { name = '' } = encodeMetadata({ name: '長'.repeat(200) })
    for (const word of name.split(' ')) expect(word.length).toBeLessThanOrEqual(75)
  })

  it('of others is read, in the encodings that they use', () => {
    expect(decodeMetadata({ A: '=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=', b: '=?ISO-8859-1?q?=E9?=', c: '=?klingon?B?eA==?=' })).toEqual({
      a: 'Grüße an alle',
      b: 'é',
      c: '=?klingon?B?eA==?=',
    })
  })

  it('comes back from the store', async () => {
    const disk = s3.disk()
    const metadata = { plain: 'x', umlaut: 'Grüße', kanji: '日本語', looks: '=?UTF-8?B?w6k=?=', spaced: ' a ' }
    await disk.put('a.txt', 'x', { metadata })
    expect((await disk.stat('a.txt')).metadata).toEqual(metadata)
    await disk.copy('a.txt', 'b.txt')
    await disk.copy('a.txt', 'c.txt', { contentType: 'text/x' })
    await disk.put('large.bin', bytesFor(PART + 1), { metadata })
    for (const path of ['b.txt', 'c.txt', 'large.bin']) expect((await disk.stat(path)).metadata).toEqual(metadata)
  })
})

describe('a header', () => {
  it('that is not ASCII is refused, with what to do instead', async () => {
    const { disk, proxy } = await s3.recorded()
    expect(await codeOf(disk.put('a.txt', 'x', { contentDisposition: 'attachment; filename="ü.txt"' }))).toBe('invalid_argument')
    expect(await codeOf(disk.copy('a.txt', 'b.txt', { cacheControl: 'é' }))).toBe('invalid_argument')
    expect(proxy.requests).toEqual([])
    const disposition = contentDisposition('attachment', 'ü.txt')
    await disk.put('a.txt', 'x', { contentDisposition: disposition })
    expect((await disk.stat('a.txt')).contentDisposition).toBe(disposition)
  })

  it('about how a body was sent once is no encoding of the file', async () => {
    const headers = { 'content-length': '1', etag: '"1"' }
    for (const [sent, told] of Object.entries({
      'aws-chunked': undefined,
      'aws-chunked,gzip': 'gzip',
      'gzip,aws-chunked': 'gzip',
      br: 'br',
    })) {
      const { disk } = await s3.recorded({}, () => ({ status: 200, headers: { ...headers, 'content-encoding': sent } }))
      expect((await disk.stat('a.txt')).contentEncoding).toBe(told)
    }
  })
})

describe('a key', () => {
  it('of more than 1,024 bytes is refused before anything is asked', async () => {
    const { disk, proxy } = await s3.recorded()
    const long = `${'é'.repeat(512)}x`
    const calls = [
      disk.get(long),
      disk.put(long, 'x'),
      disk.stat(long),
      disk.delete(['a', long]),
      disk.copy('a', long),
      disk.move(long, 'a'),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('invalid_path')
    expect(await codeOf(disk.scope('p').put('é'.repeat(512), 'x'))).toBe('invalid_path')
    expect(proxy.requests).toEqual([])
    await disk.put('é'.repeat(512), 'x')
    expect(await disk.allFiles()).toEqual(['é'.repeat(512)])
  })
})

describe('encryption', () => {
  it('by the store is asked for by what makes files, and by nothing else', async () => {
    const { disk, proxy } = await s3.recorded({ serverSideEncryption: 'aws:kms', kmsKeyId: 'key-1' }, () => ({
      status: 200,
      headers: { etag: '"1"', 'content-length': '1' },
      body: 'x',
    }))
    await disk.put('a.txt', 'x')
    await disk.get('a.txt')
    await disk.stat('a.txt')
    const { headers } = proxy.requests[0] ?? { headers: {} }
    expect(headers).toMatchObject({ 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'key-1' })
    for (const request of proxy.requests.slice(1)) expect(request.headers).not.toHaveProperty('x-amz-server-side-encryption')
  })

  it('of files in parts and of copies is asked for, too', async () => {
    const { disk, proxy } = await s3.recorded({ serverSideEncryption: 'AES256' })
    await disk.put('a.bin', bytesFor(PART + 1))
    await disk.copy('a.bin', 'b.bin')
    const asking = proxy.requests.filter(({ headers }) => headers['x-amz-server-side-encryption'] === 'AES256')
    expect(asking.map(({ method, query }) => `${method} ${query.has('uploads')}`)).toEqual(['POST true', 'PUT false'])
  })

  it('with a key of one’s own is kept by every request that touches the bytes', async () => {
    const { tlsEndpoint, ca } = s3.bucket.server
    const disk = s3.disk({ sseCustomerKey: KEY, endpoint: tlsEndpoint, tls: { ca } })
    const bytes = bytesFor(PART + 1)
    await disk.put('small.txt', 'secret')
    await disk.put('large.bin', bytes)
    expect(await disk.text('small.txt', { range: { start: 1, end: 3 } })).toBe('ec')
    expect((await disk.get('large.bin')).equals(bytes)).toBe(true)
    expect((await disk.stat('small.txt')).size).toBe(6)
    expect(await codeOf(s3.disk().get('small.txt'))).not.toBe('resolved')
  })
})

describe('a copy of what is encrypted with a key of one’s own', () => {
  it('is told the key of both files, which radosgw does not implement', async () => {
    const answer = { status: 200, body: '<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>' }
    const { disk, proxy } = await s3.recorded({ sseCustomerKey: KEY }, () => answer)
    await disk.copy('a.txt', 'b.txt')
    expect(proxy.requests[0]?.headers).toMatchObject({
      'x-amz-server-side-encryption-customer-key': KEY,
      'x-amz-copy-source-server-side-encryption-customer-key': KEY,
      'x-amz-copy-source-server-side-encryption-customer-algorithm': 'AES256',
    })
  })
})

describe('checksums', () => {
  it('go with everything where the store is said to know them', async () => {
    const { disk, proxy } = await s3.recorded({ checksums: 'whenSupported' })
    await disk.put('a.txt', 'hello', {
      checksum: { algorithm: 'sha256', value: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' },
    })
    await disk.put('b.txt', 'hello')
    await disk.put('c.bin', bytesFor(PART + 1))
    const [sha, crc, created, ...rest] = proxy.requests
    expect(sha?.headers['x-amz-checksum-sha256']).toBe('LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=')
    expect(crc?.headers['x-amz-checksum-crc32']).toBe('NhCmhg==')
    expect(created?.headers).toMatchObject({ 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' })
    const parts = rest.filter(({ query }) => query.has('partNumber'))
    expect(parts.map(({ headers }) => typeof headers['x-amz-checksum-crc32'])).toEqual(['string', 'string'])
    const completed = rest.find(({ method }) => method === 'POST')
    expect(completed?.headers['x-amz-checksum-type']).toBe('FULL_OBJECT')
    for (const { headers } of proxy.requests) expect(headers['content-encoding']).toBeUndefined()
  })

  it('go with nothing where it is not', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.put('a.txt', 'hello')
    await disk.put('c.bin', bytesFor(PART + 1))
    await disk.get('a.txt')
    for (const { headers } of proxy.requests) {
      expect(Object.keys(headers).filter((name) => /checksum|content-md5|trailer/.test(name))).toEqual([])
    }
  })
})

describe('visibility', () => {
  it('without ACLs is refused before anything is asked, and says what to do', async () => {
    const { disk, proxy } = await s3.recorded()
    for (const call of [
      disk.setVisibility('a.txt', 'public'),
      disk.visibility('a.txt'),
      disk.put('a.txt', 'x', { visibility: 'public' }),
    ]) {
      const error = await call.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'unsupported' })
      expect(String(error)).toContain('acl: true')
    }
    expect(proxy.requests).toEqual([])
  })

  it('with ACLs is what everybody can do', async () => {
    const disk = s3.disk({ acl: true })
    const { endpoint } = s3.bucket.server
    const status = async (path: string): Promise<number> => (await fetch(`${endpoint}/${s3.bucket.name}/${path}`)).status
    await disk.put('a.txt', 'x', { visibility: 'public' })
    await disk.put('b.txt', 'x')
    expect([await status('a.txt'), await status('b.txt')]).toEqual([200, 403])
    await disk.setVisibility('a.txt', 'private')
    await disk.put('large.bin', bytesFor(PART + 1), { visibility: 'public' })
    expect([await status('a.txt'), await status('large.bin')]).toEqual([403, 200])
  })

  it('on a bucket whose ACLs are off is unsupported', async () => {
    const body = '<Error><Code>AccessControlListNotSupported</Code></Error>'
    const { disk } = await s3.recorded({ acl: true }, () => ({ status: 400, body }))
    expect(await codeOf(disk.setVisibility('a.txt', 'public'))).toBe('unsupported')
  })
})

describe('a client that was made elsewhere', () => {
  it('is used as it is, and stays open', async () => {
    const { endpoint, region = '', key = '', secret = '', bucket } = s3.bucket.options()
    const client = new S3Client({
      endpoint: endpoint as string,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId: key, secretAccessKey: secret },
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
    const driver = new S3Driver({ bucket, client })
    const seen: string[] = []
    client.middlewareStack.add((next, { commandName = '' }) => (args) => {
      seen.push(commandName)
      return next(args)
    })
    const { disk } = { disk: s3.disk({ client, endpoint: undefined, key: undefined, secret: undefined, region: undefined }) }
    await disk.put('a.bin', bytesFor(2 * PART + 1))
    expect((await disk.get('a.bin')).equals(bytesFor(2 * PART + 1))).toBe(true)
    await disk.close()
    expect((await driver.stat('a.bin', {})).size).toBe(2 * PART + 1)
    expect(driver.locate('a.bin')).toEqual(disk.driver.locate('a.bin'))
    expect(seen).toContain('UploadPartCommand')
    await driver.close()
    client.destroy()
  })
})

describe('the place of a file', () => {
  it('is its bucket, on Amazon or at an endpoint, and its key', () => {
    const at = (options: object): string | undefined => new S3Driver({ bucket: 'b', ...options }).locate('k')?.store
    expect(at({ region: 'eu-west-1' })).toBe(at({ region: 'us-east-1', key: 'k', secret: 's' }))
    expect(at({ endpoint: 'https://a.example.com/' })).toBe(at({ endpoint: 'https://A.example.com' }))
    expect(at({ endpoint: 'https://a.example.com' })).not.toBe(at({ endpoint: 'https://b.example.com' }))
    expect(at({})).not.toBe(at({ bucket: 'c' }))
    expect(new S3Driver({ bucket: 'b' }).locate('a/k')?.key).toBe('a/k')
  })
})
