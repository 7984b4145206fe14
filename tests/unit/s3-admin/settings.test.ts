import { describe, expect, it } from '@jest/globals'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { isStorageError } from '../../../src/errors.ts'

const MiB = 1024 * 1024
const KEY = Buffer.alloc(32, 7).toString('base64')

function refusal(options: Partial<S3DriverOptions>): string {
  try {
    settingsOf({ bucket: 'b', ...options })
  } catch (error) {
    if (isStorageError(error) && error.code === 'configuration') return error.reason
    throw error
  }
  return ''
}

describe('what an S3 disk is given', () => {
  it('is completed with defaults', () => {
    expect(settingsOf({ bucket: 'b', region: 'eu-west-1' })).toMatchObject({
      name: 's3',
      bucket: 'b',
      region: 'eu-west-1',
      endpoint: undefined,
      pathStyle: false,
      acl: false,
      checksums: 'WHEN_SUPPORTED',
      partSize: 8 * MiB,
      partConcurrency: 3,
      maxSockets: 50,
      retries: 3,
      retryMode: 'standard',
      accelerate: false,
      connectTimeoutMs: 10_000,
      socketTimeoutMs: 120_000,
    })
  })

  it('has checksums only where they are required, with an endpoint, unless it says so', () => {
    expect(settingsOf({ bucket: 'b', endpoint: 'http://store:9000' }).checksums).toBe('WHEN_REQUIRED')
    expect(settingsOf({ bucket: 'b', endpoint: 'http://store:9000', checksums: 'whenSupported' }).checksums).toBe('WHEN_SUPPORTED')
    expect(settingsOf({ bucket: 'b', checksums: 'whenRequired' }).checksums).toBe('WHEN_REQUIRED')
  })

  it('takes undefined as nothing', () => {
    const nothing = { endpoint: undefined, key: undefined, secret: undefined, partSize: undefined, acl: undefined, client: undefined }
    expect(settingsOf({ bucket: 'b', ...nothing })).toEqual(settingsOf({ bucket: 'b' }))
  })

  it('has credentials from key and secret, or as the SDK has them', () => {
    expect(settingsOf({ bucket: 'b', key: 'k', secret: 's', token: 't' }).credentials).toEqual({
      accessKeyId: 'k',
      secretAccessKey: 's',
      sessionToken: 't',
    })
    const provider = async () => ({ accessKeyId: 'k', secretAccessKey: 's' })
    expect(settingsOf({ bucket: 'b', credentials: provider }).credentials).toBe(provider)
    expect(settingsOf({ bucket: 'b' }).credentials).toBeUndefined()
  })

  it('has the MD5 of a key of SSE-C', () => {
    const { sseCustomer } = settingsOf({ bucket: 'b', sseCustomerKey: KEY })
    expect(sseCustomer).toEqual({ algorithm: 'AES256', key: KEY, keyMd5: 'y4HAEFCYWuvAXWFTtA1Qpg==' })
  })

  it('takes the endpoint that the SDK would find in the environment', () => {
    const given = { bucket: 'b' }
    expect(settingsOf(given, { AWS_ENDPOINT_URL: 'http://a:1' }).endpoint).toBe('http://a:1')
    expect(settingsOf(given, { AWS_ENDPOINT_URL: 'http://a:1', AWS_ENDPOINT_URL_S3: 'http://b:2/' }).endpoint).toBe('http://b:2')
    expect(settingsOf(given, { AWS_ENDPOINT_URL: 'http://a:1', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }).endpoint).toBeUndefined()
    expect(settingsOf({ ...given, client: { send() {} } }, { AWS_ENDPOINT_URL: 'http://a:1' }).endpoint).toBeUndefined()
  })

  it.each<[string, Partial<S3DriverOptions>, string]>([
    ['no bucket', { bucket: '' }, 'needs "bucket"'],
    ['a bucket with a path', { bucket: 'a/../b' }, '"bucket" is a name'],
    ['a bucket of two lines', { bucket: 'a\r\nb' }, '"bucket" is a name'],
    ['a region that would be another host', { region: 'us-east-1.example.com/' }, '"region" is a name'],
    ['a region with a space', { region: 'us east 1' }, '"region" is a name'],
    ['a region of a preset that would be another host', { preset: 'spaces', region: 'example.com/x' }, '"region" is a name'],
    ['an account that would be another host', { preset: 'r2', accountId: 'example.com#' }, '"accountId" is a name'],
    ['a transport that is none', { transport: 'fast' as 'lean' }, '"transport" is "lean" or "sdk"'],
    ['an endpoint without a scheme', { endpoint: 'store:9000' }, '"endpoint" needs a scheme'],
    ['an endpoint that is no URL', { endpoint: 'store' }, '"endpoint" needs a scheme, as in "https://store"'],
    ['another without a scheme', { publicEndpoint: '//store' }, '"publicEndpoint" needs a scheme'],
    ['a base of URLs without one', { url: 'cdn.example.com' }, '"url" needs a scheme'],
    ['credentials in an address', { endpoint: 'https://k:s@store' }, '"endpoint" holds credentials'],
    ['a query in an address', { url: 'https://cdn.example.com/?a=1' }, 'without a query'],
    ['small parts', { partSize: 5 * MiB - 1 }, '"partSize"'],
    ['huge parts', { partSize: 5 * 1024 * MiB + 1 }, '"partSize"'],
    ['half a part', { partSize: 6 * MiB + 0.5 }, '"partSize"'],
    ['no concurrency', { partConcurrency: 0 }, '"partConcurrency"'],
    ['no sockets', { maxSockets: 0 }, '"maxSockets"'],
    ['less than no retries', { retries: -1 }, '"retries"'],
    ['no time', { socketTimeoutMs: 0 }, '"socketTimeoutMs"'],
    ['a key alone', { key: 'k' }, '"key" and "secret" go together'],
    ['a secret alone', { secret: 's' }, '"key" and "secret" go together'],
    ['a token alone', { token: 't' }, '"token" needs'],
    [
      'credentials twice',
      { credentials: { accessKeyId: 'k', secretAccessKey: 's' }, key: 'k', secret: 's' },
      '"credentials" stands in place',
    ],
    [
      'a client with a key',
      { client: { send() {} }, key: 'k', secret: 's' },
      '"client" has its own credentials: leave out "key", "secret"',
    ],
    ['a client by name', { client: 's3' as unknown as object }, '"client" is not an S3Client'],
    ['what is no client', { client: {} }, '"client" is not an S3Client'],
    ['a short key of SSE-C', { sseCustomerKey: Buffer.alloc(31).toString('base64') }, '"sseCustomerKey" is 32 bytes'],
    ['a key of SSE-C that is no base64', { sseCustomerKey: `${KEY.slice(0, -2)}!=` }, '"sseCustomerKey" is 32 bytes'],
    ['two ways to encrypt', { sseCustomerKey: KEY, serverSideEncryption: 'AES256' }, '"sseCustomerKey" stands in place'],
    ['a KMS key without KMS', { kmsKeyId: 'x' }, '"kmsKeyId" needs'],
    ['acceleration of an endpoint', { accelerate: true, endpoint: 'https://store' }, '"accelerate" is of Amazon S3 alone'],
    ['acceleration of a preset', { accelerate: true, preset: 'wasabi' }, '"accelerate" is of Amazon S3 alone'],
    ['acceleration by path', { accelerate: true, pathStyle: true }, '"accelerate" needs'],
    ['acceleration of a bucket with dots', { accelerate: true, bucket: 'a.b' }, '"accelerate" does not work'],
    ['ACLs on r2', { preset: 'r2', accountId: 'x', acl: true }, '"acl" cannot be true: r2 has no ACLs'],
    ['ACLs on b2', { preset: 'b2', region: 'us-west-004', acl: true }, '"acl" cannot be true: b2'],
    ['KMS on spaces', { preset: 'spaces', region: 'ams3', serverSideEncryption: 'aws:kms' }, 'spaces does not have it'],
    ['SSE-C on supabase', { preset: 'supabase', endpoint: 'https://x/s3', sseCustomerKey: KEY }, 'supabase does not encrypt'],
    ['minio without an endpoint', { preset: 'minio' }, 'needs "endpoint"'],
    ['r2 without an account', { preset: 'r2' }, 'needs "accountId" or "endpoint"'],
    ['spaces without a region', { preset: 'spaces' }, 'needs "region" or "endpoint"'],
    ['a preset that is none', { preset: 'minoi' as 'minio' }, 'there is no preset "minoi"'],
  ])('is refused before any I/O: %s', (_, options, reason) => {
    expect(refusal(options)).toContain(reason)
  })

  it('is refused without telling what is secret', () => {
    for (const options of [
      { key: 'k', secret: '' },
      { secret: 'hunter2' },
      { endpoint: 'https://k:hunter2@store' },
      { sseCustomerKey: 'hunter2' },
    ])
      expect(refusal(options)).not.toContain('hunter2')
  })
})
