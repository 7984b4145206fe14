import { afterEach, describe, expect, it } from '@jest/globals'
import { S3Client } from '@aws-sdk/client-s3'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { publicUrl } from '../../../src/drivers/s3/urls.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function urlOf(options: S3DriverOptions, key = 'a.txt'): Promise<string> {
  const settings = settingsOf(options, {})
  const connection = new S3Connection(settings)
  open.push(connection)
  return publicUrl(connection, settings, key)
}

/** A key is given, so that no test looks for credentials elsewhere. */
const KEYS = { key: 'k', secret: 's' }

describe('public URLs', () => {
  it.each<[string, S3DriverOptions, string]>([
    ['the bucket in the host name', { bucket: 'b-1', region: 'eu-west-1' }, 'https://b-1.s3.eu-west-1.amazonaws.com/a.txt'],
    ['path style', { bucket: 'b-1', region: 'eu-west-1', pathStyle: true }, 'https://s3.eu-west-1.amazonaws.com/b-1/a.txt'],
    ['a bucket with dots', { bucket: 'my.bucket', region: 'eu-west-1' }, 'https://s3.eu-west-1.amazonaws.com/my.bucket/a.txt'],
    ['an old bucket with capitals', { bucket: 'Old_Bucket', region: 'us-east-1' }, 'https://s3.us-east-1.amazonaws.com/Old_Bucket/a.txt'],
    ['China', { bucket: 'b-1', region: 'cn-north-1' }, 'https://b-1.s3.cn-north-1.amazonaws.com.cn/a.txt'],
    ['acceleration', { bucket: 'b-1', region: 'eu-west-1', accelerate: true }, 'https://b-1.s3-accelerate.amazonaws.com/a.txt'],
    ['an endpoint', { bucket: 'b-1', region: 'x', endpoint: 'https://store.example.com' }, 'https://b-1.store.example.com/a.txt'],
    ['an endpoint by path', { bucket: 'b-1', region: 'x', endpoint: 'http://store:9000/', pathStyle: true }, 'http://store:9000/b-1/a.txt'],
    ['an endpoint with a path', { bucket: 'b-1', region: 'x', endpoint: 'https://store/s3/' }, 'https://b-1.store/s3/a.txt'],
    ['an address', { bucket: 'b-1', region: 'x', endpoint: 'http://127.0.0.1:9000' }, 'http://127.0.0.1:9000/b-1/a.txt'],
    ['an address of IPv6', { bucket: 'b-1', region: 'x', endpoint: 'http://[::1]:9000' }, 'http://[::1]:9000/b-1/a.txt'],
    ['dots without TLS', { bucket: 'my.bucket', region: 'x', endpoint: 'http://store' }, 'http://my.bucket.store/a.txt'],
    ['dots over TLS', { bucket: 'my.bucket', region: 'x', endpoint: 'https://store' }, 'https://store/my.bucket/a.txt'],
    ['the public endpoint', { bucket: 'b-1', region: 'x', endpoint: 'http://in', publicEndpoint: 'https://out' }, 'https://b-1.out/a.txt'],
    ['a domain of its own', { bucket: 'b-1', url: 'https://cdn.example.com/files/' }, 'https://cdn.example.com/files/a.txt'],
    ['another domain', { bucket: 'b-1', region: 'x', endpoint: 'http://in', url: 'https://cdn' }, 'https://cdn/a.txt'],
  ])('%s', async (_, options, url) => {
    expect(await urlOf(options)).toBe(url)
  })

  it.each([
    ['ünï/çødé 日本.txt', '%C3%BCn%C3%AF/%C3%A7%C3%B8d%C3%A9%20%E6%97%A5%E6%9C%AC.txt'],
    ['plus+sign.txt', 'plus%2Bsign.txt'],
    ['per%cent%20.txt', 'per%25cent%2520.txt'],
    ['a&b=c?d#e.txt', 'a%26b%3Dc%3Fd%23e.txt'],
    [`quote'"(1)!*.txt`, 'quote%27%22%281%29%21%2A.txt'],
    ['~/-_.txt', '~/-_.txt'],
  ])('encode each segment: %s', async (key, encoded) => {
    expect(await urlOf({ bucket: 'b-1', url: 'https://cdn' }, key)).toBe(`https://cdn/${encoded}`)
  })

  it('find the region where the SDK finds it', async () => {
    const before = process.env['AWS_REGION']
    process.env['AWS_REGION'] = 'ap-southeast-2'
    try {
      expect(await urlOf({ bucket: 'b-1', ...KEYS })).toBe('https://b-1.s3.ap-southeast-2.amazonaws.com/a.txt')
    } finally {
      if (before === undefined) delete process.env['AWS_REGION']
      else process.env['AWS_REGION'] = before
    }
  })

  it('are those of a client that was made elsewhere', async () => {
    const credentials = { accessKeyId: 'k', secretAccessKey: 's' }
    const client = new S3Client({ region: 'eu-central-1', endpoint: 'http://store:9000/base', forcePathStyle: true, credentials })
    expect(await urlOf({ bucket: 'b-1', client })).toBe('http://store:9000/base/b-1/a.txt')
    expect(await urlOf({ bucket: 'b-1', client: new S3Client({ region: 'eu-central-1', credentials }) })).toBe(
      'https://b-1.s3.eu-central-1.amazonaws.com/a.txt',
    )
  })

  it('are those of an access point', async () => {
    const bucket = 'arn:aws:s3:eu-west-1:123456789012:accesspoint/files'
    expect(await urlOf({ bucket, region: 'eu-west-1', ...KEYS })).toBe(
      'https://files-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a.txt',
    )
  })
})
