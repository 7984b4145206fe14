import { afterEach, describe, expect, it } from '@jest/globals'
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { createPresignedPost } from '@aws-sdk/s3-presigned-post'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { presign } from '../../../src/drivers/s3/signing.ts'
import type { SignedRequest, SignOptions } from '../../../src/driver.ts'

const NOW = new Date('2026-11-21T14:09:12.345Z')
const KEYS = { key: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const CREDENTIALS = { accessKeyId: KEYS.key, secretAccessKey: KEYS.secret }
const AWS: S3DriverOptions = { bucket: 'b-1', region: 'eu-west-1', ...KEYS }

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function sign(options: S3DriverOptions, key: string, request: Partial<SignOptions> & { now?: Date } = {}): Promise<SignedRequest> {
  const settings = settingsOf(options, {})
  const connection = new S3Connection(settings)
  open.push(connection)
  return presign(connection, settings, key, { method: 'GET', expiresAt: after(3_600), now: NOW, ...request })
}

function after(seconds: number): Date {
  return new Date(NOW.getTime() + seconds * 1_000)
}

function sdk(options: ConstructorParameters<typeof S3Client>[0] = {}): S3Client {
  const client = new S3Client({
    region: 'eu-west-1',
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...options,
  })
  open.push({ close: () => client.destroy() })
  return client
}

/** Everything but the order, and what the SDK adds for its logs. */
function parts(url: string): unknown {
  const { origin, pathname, searchParams } = new URL(url)
  return {
    origin,
    pathname,
    query: Object.fromEntries(
      [...searchParams].filter(([name]) => !/^x-id$|Signature$/.test(name)).toSorted(([a], [b]) => a.localeCompare(b)),
    ),
  }
}

function signatureOf(url: string): string | null {
  return new URL(url).searchParams.get('X-Amz-Signature')
}

/** The SDK signs `x-id` as well: without it both sign the same. */
function withoutId(client: S3Client): S3Client {
  client.middlewareStack.add(
    (next) => (args) => {
      delete (args.request as { query: Record<string, unknown> }).query['x-id']
      return next(args)
    },
    { step: 'build', priority: 'low' },
  )
  return client
}

const ODD = [
  'a.txt',
  'ünï/çødé 日本.txt',
  'sp ace/a b.txt',
  'plus+sign.txt',
  'per%cent%20.txt',
  'a&b=c?d#e.txt',
  `q'"(1)!*.txt`,
  '😀~-_.png',
]

describe('signed URLs', () => {
  it.each(ODD)('are those of the SDK: %s', async (key) => {
    const ours = await sign(AWS, key)
    const theirs = await getSignedUrl(withoutId(sdk()), new GetObjectCommand({ Bucket: 'b-1', Key: key }), {
      expiresIn: 3_600,
      signingDate: NOW,
    })
    expect(parts(ours.url)).toEqual(parts(theirs))
    expect(signatureOf(ours.url)).toBe(signatureOf(theirs))
    expect(ours).toMatchObject({ method: 'GET', headers: {} })
  })

  it('say what the answer is to say', async () => {
    const disposition = `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`
    const ours = await sign(AWS, 'a.txt', { contentType: 'text/plain; charset=utf-8', contentDisposition: disposition })
    const command = new GetObjectCommand({
      Bucket: 'b-1',
      Key: 'a.txt',
      ResponseContentType: 'text/plain; charset=utf-8',
      ResponseContentDisposition: disposition,
    })
    const theirs = await getSignedUrl(withoutId(sdk()), command, { expiresIn: 3_600, signingDate: NOW })
    expect(parts(ours.url)).toEqual(parts(theirs))
    expect(signatureOf(ours.url)).toBe(signatureOf(theirs))
  })

  it('carry a session token', async () => {
    const token = 'FwoGZXIvYXdzE/a+b=='
    const ours = await sign({ ...AWS, token }, 'a.txt', { method: 'HEAD' })
    const client = withoutId(sdk({ credentials: { ...CREDENTIALS, sessionToken: token } }))
    const theirs = await getSignedUrl(client, new HeadObjectCommand({ Bucket: 'b-1', Key: 'a.txt' }), {
      expiresIn: 3_600,
      signingDate: NOW,
    })
    expect(parts(ours.url)).toEqual(parts(theirs))
    expect(signatureOf(ours.url)).toBe(signatureOf(theirs))
  })

  it('of an upload tie it to its type, and to nothing of an empty body', async () => {
    const ours = await sign({ ...AWS, endpoint: 'http://127.0.0.1:9000' }, 'a b.txt', { method: 'PUT', contentType: 'text/plain' })
    const client = withoutId(sdk({ endpoint: 'http://127.0.0.1:9000' }))
    const command = new PutObjectCommand({ Bucket: 'b-1', Key: 'a b.txt', ContentType: 'text/plain' })
    const theirs = await getSignedUrl(client, command, { expiresIn: 3_600, signingDate: NOW, signableHeaders: new Set(['content-type']) })
    expect(parts(ours.url)).toEqual(parts(theirs))
    expect(signatureOf(ours.url)).toBe(signatureOf(theirs))
    expect(ours.headers).toEqual({ 'content-type': 'text/plain' })
    expect(ours.url).not.toMatch(/checksum|crc/i)
  })

  it('of an upload name every header that has to be sent', async () => {
    const options = { ...AWS, storageClass: 'STANDARD_IA', serverSideEncryption: 'aws:kms', kmsKeyId: 'alias/files' }
    const { url, headers } = await sign(options, 'a.txt', { method: 'PUT', metadata: { By: 'ada', to: 'Zoë' } })
    expect(headers).toEqual({
      'x-amz-meta-by': 'ada',
      'x-amz-meta-to': '=?UTF-8?B?Wm/Dqw==?=',
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/files',
    })
    const signed = new URL(url).searchParams.get('X-Amz-SignedHeaders')?.split(';')
    expect(signed).toEqual(['host', ...Object.keys(headers)].toSorted())
  })

  it('leave out a storage class where there is only one', async () => {
    const spaces = { preset: 'spaces', bucket: 'b-1', region: 'ams3', storageClass: 'STANDARD', ...KEYS } as const
    expect((await sign(spaces, 'a.txt', { method: 'PUT' })).headers).toEqual({})
  })

  it('are for the public endpoint', async () => {
    const options = { ...AWS, endpoint: 'http://minio:9000', publicEndpoint: 'https://files.example.com', pathStyle: true }
    const { url } = await sign(options, 'a.txt')
    const client = withoutId(sdk({ endpoint: 'https://files.example.com', forcePathStyle: true }))
    const theirs = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'b-1', Key: 'a.txt' }), { expiresIn: 3_600, signingDate: NOW })
    expect(new URL(url).origin).toBe('https://files.example.com')
    expect(signatureOf(url)).toBe(signatureOf(theirs))
  })

  it('never expire early by rounding', async () => {
    const seconds = async (expiresAt: Date): Promise<string | null> =>
      new URL((await sign(AWS, 'a', { expiresAt })).url).searchParams.get('X-Amz-Expires')
    expect(await seconds(after(1))).toBe('1')
    expect(await seconds(after(1.001))).toBe('2')
    expect(await seconds(after(604_800))).toBe('604800')
  })

  it.each([
    ['more than seven days', after(604_800.001)],
    ['the past', after(0)],
  ])('are refused for %s', async (_, expiresAt) => {
    await expect(sign(AWS, 'a.txt', { expiresAt })).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(sign(AWS, 'a.txt', { expiresAt, method: 'PUT', maxSize: 1 })).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('are refused where whoever has them would need the key', async () => {
    const options = { ...AWS, sseCustomerKey: Buffer.alloc(32).toString('base64') }
    for (const method of ['GET', 'HEAD', 'PUT'] as const)
      await expect(sign(options, 'a.txt', { method })).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('ask a provider for its credentials, and keep them', async () => {
    let asked = 0
    const credentials = async () => {
      asked += 1
      return { ...CREDENTIALS, expiration: new Date('2100-01-01') }
    }
    const settings = settingsOf({ bucket: 'b-1', region: 'eu-west-1', credentials }, {})
    const connection = new S3Connection(settings)
    open.push(connection)
    const expected = await sign(AWS, 'a.txt')
    for (const _ of [1, 2, 3])
      expect(await presign(connection, settings, 'a.txt', { method: 'GET', expiresAt: after(3_600), now: NOW })).toEqual(expected)
    expect(asked).toBe(1)
  })

  it('say so when there are no credentials', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' })
    }
    const signed = sign({ bucket: 'b-1', region: 'eu-west-1', credentials }, 'a.txt')
    await expect(signed).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  it('are those of a client that was made elsewhere', async () => {
    const client = sdk({ endpoint: 'http://store:9000', forcePathStyle: true })
    const { url } = await sign({ bucket: 'b-1', client }, 'a.txt')
    expect(url).toBe((await sign({ ...AWS, endpoint: 'http://store:9000', pathStyle: true }, 'a.txt')).url)
  })
})

describe('upload forms', () => {
  const LIMITS = { method: 'PUT', minSize: 1, maxSize: 1_000 } as const

  it('have the fields that those of the SDK have', async () => {
    const { url, method, headers, fields = {} } = await sign(AWS, 'ünï/a b.txt', { ...LIMITS, contentType: 'text/plain' })
    expect({ url, method, headers }).toEqual({ url: 'https://b-1.s3.eu-west-1.amazonaws.com', method: 'POST', headers: {} })
    const policy = JSON.parse(Buffer.from(fields['Policy'] ?? '', 'base64').toString()) as { expiration: string; conditions: unknown[] }
    expect(policy.expiration).toBe('2026-11-21T15:09:12.345Z')
    const theirs = await createPresignedPost(sdk(), { Bucket: 'b-1', Key: 'ünï/a b.txt' })
    expect(Object.keys(fields).map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining(Object.keys(theirs.fields).flatMap((name) => (name === 'bucket' ? [] : [name.toLowerCase()]))),
    )
  })

  it('hold the upload to its size, its type and its metadata', async () => {
    const { fields = {} } = await sign({ ...AWS, token: 't' }, 'a.txt', { ...LIMITS, contentType: 'text/csv', metadata: { by: 'ada' } })
    const { conditions } = JSON.parse(Buffer.from(fields['Policy'] ?? '', 'base64').toString()) as { conditions: unknown[] }
    expect(conditions).toEqual([
      { bucket: 'b-1' },
      { key: 'a.txt' },
      { 'Content-Type': 'text/csv' },
      { 'x-amz-meta-by': 'ada' },
      { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256' },
      { 'X-Amz-Credential': 'AKIDEXAMPLE/20261121/eu-west-1/s3/aws4_request' },
      { 'X-Amz-Date': '20261121T140912Z' },
      { 'X-Amz-Security-Token': 't' },
      ['content-length-range', 1, 1_000],
    ])
    const named = conditions.slice(1, -1).flatMap((condition) => Object.keys(condition as object))
    expect(Object.keys(fields).toSorted()).toEqual([...named, 'Policy', 'X-Amz-Signature'].toSorted())
  })

  it('know the type by the extension when none is asked for', async () => {
    expect((await sign(AWS, 'a.png', LIMITS)).fields).toMatchObject({ 'Content-Type': 'image/png' })
    expect((await sign(AWS, 'a', LIMITS)).fields).not.toHaveProperty('Content-Type')
  })

  it.each([
    [{ maxSize: 5 }, [0, 5]],
    [{ minSize: 5 }, [5, 5 * 1024 ** 3]],
  ])('take one limit: %j', async (limits, range) => {
    const { fields = {} } = await sign(AWS, 'a.txt', { method: 'PUT', ...limits })
    expect(JSON.parse(Buffer.from(fields['Policy'] ?? '', 'base64').toString()).conditions).toContainEqual([
      'content-length-range',
      ...range,
    ])
  })

  it.each(['r2', 'b2', 'supabase'] as const)('are refused where the store has none: %s', async (preset) => {
    const options = { preset, bucket: 'b', region: 'us-west-004', accountId: 'x', endpoint: 'https://store.example.com', ...KEYS }
    await expect(sign(options, 'a.txt', LIMITS)).rejects.toMatchObject({ code: 'unsupported' })
    expect((await sign(options, 'a.txt', { method: 'PUT' })).method).toBe('PUT')
  })
})
