/** What radosgw really answers, read as the SDK reads it. */
import * as Sdk from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import {
  type AnswerReader,
  errorReader,
  keyPageReader,
  partsReader,
  uploadIdReader,
  writtenReader,
} from '../../../src/drivers/s3/lean/answers.ts'
import { completionBody } from '../../../src/drivers/s3/lean/bodies.ts'
import { SdkRequests } from '../../../src/drivers/s3/sdk-requests.ts'
import { settingsOf } from '../../../src/drivers/s3/settings.ts'
import { type TestBucket, testBucket } from '../../support/stores/s3-store.ts'

let bucket: TestBucket
let connection: S3Connection
let requests: SdkRequests

beforeEach(async () => {
  bucket = await testBucket()
  const settings = settingsOf(bucket.options())
  connection = new S3Connection(settings)
  requests = new SdkRequests(settings, connection)
})

afterEach(async () => {
  await connection.close()
  await bucket.remove()
})

/** What the store answers to a command, in its own bytes, cut as it may be. */
async function answered<Answer>(
  reader: AnswerReader<Answer>,
  command: object,
  init?: RequestInit,
): Promise<{ readonly status: number; readonly answer: Answer }> {
  const response = await fetch(await getSignedUrl(bucket.client, command as never), init)
  const bytes = new Uint8Array(await response.arrayBuffer())
  for (let at = 0; at < bytes.byteLength; at += 997) reader.write(bytes.subarray(at, at + 997))
  return { status: response.status, answer: reader.end() }
}

const KEYS = [
  'plain.txt',
  'a b+c.txt',
  '<&>"\'.txt',
  'é/😀.png',
  'per%cent%20',
  'dir/one',
  'dir/sub/two',
  'dir/',
  'a//b',
  'ctrl\u0001\n\r\t',
  ' d ',
  'c\ufffe',
  'a\u{10ffff}',
  '~!*()[]{}|^`=?#;:@,$',
]

describe('a page of keys', () => {
  it('is what the SDK reads', async () => {
    const { client, name: Bucket } = bucket
    await Promise.all(KEYS.map((Key) => client.putObject({ Bucket, Key, Body: Key })))
    const asked = [
      { prefix: '', delimited: false, limit: 1_000 },
      { prefix: '', delimited: true, limit: 1_000 },
      { prefix: 'dir/', delimited: true, limit: 1_000 },
      { prefix: '', delimited: false, limit: 3 },
      { prefix: '', delimited: true, after: 'a b+c.txt', limit: 4 },
      { prefix: 'none/', delimited: true, limit: 1 },
    ]
    for (const options of asked) {
      const { prefix, delimited, after, limit } = { after: undefined, ...options }
      const input = { Bucket, Prefix: prefix, Delimiter: delimited ? '/' : undefined, StartAfter: after, MaxKeys: limit }
      const { answer } = await answered(keyPageReader(), new Sdk.ListObjectsV2Command({ ...input, EncodingType: 'url' }))
      expect([options, answer]).toStrictEqual([options, await requests.list(options)])
    }
    const { answer } = await answered(keyPageReader(), new Sdk.ListObjectsV2Command({ Bucket, EncodingType: 'url' }))
    expect(new Set(answer.objects.map(({ key }) => key))).toEqual(new Set(KEYS))
  })

  it('of many is what the SDK reads', async () => {
    const { client, name: Bucket } = bucket
    const keys = Array.from({ length: 205 }, (_, index) => `${'long name '.repeat(index % 9)}/${index}`)
    const waiting = keys.values()
    const put = async (): Promise<void> => {
      for (const Key of waiting) await client.putObject({ Bucket, Key, Body: 'x' })
    }
    await Promise.all(Array.from({ length: 8 }, put))
    const { answer } = await answered(keyPageReader(), new Sdk.ListObjectsV2Command({ Bucket, MaxKeys: 200, EncodingType: 'url' }))
    expect(answer).toStrictEqual(await requests.list({ prefix: '', delimited: false, limit: 200 }))
    expect([answer.objects.length, answer.truncated]).toEqual([200, true])
  })
})

describe('an upload', () => {
  it('is begun, listed in pages and completed by what its answers say', async () => {
    const { client, name: Bucket } = bucket
    const Key = 'a & b/<é>.bin'
    const begun = await answered(uploadIdReader(), new Sdk.CreateMultipartUploadCommand({ Bucket, Key }), { method: 'POST' })
    const upload = { Bucket, Key, UploadId: begun.answer }
    const part = Buffer.alloc(5 * 1024 * 1024, 'x')
    for (const PartNumber of [1, 2, 3]) await client.uploadPart({ ...upload, PartNumber, Body: part })
    const all = await answered(partsReader(), new Sdk.ListPartsCommand(upload))
    const listed = await requests.listParts({ key: Key, uploadId: begun.answer }, {})
    expect(all.answer).toEqual({ parts: listed, next: undefined })
    const first = await answered(partsReader(), new Sdk.ListPartsCommand({ ...upload, MaxParts: 2 }))
    expect(first.answer).toEqual({ parts: listed.slice(0, 2), next: '2' })
    const command = new Sdk.CompleteMultipartUploadCommand(upload)
    const completed = await answered(writtenReader(), command, { method: 'POST', body: new Uint8Array(completionBody(listed)) })
    expect(completed).toMatchObject({ status: 200, answer: { checksumCrc32: undefined } })
    expect((await client.headObject({ Bucket, Key })).ContentLength).toBe(3 * part.byteLength)
  })
})

describe('a failure', () => {
  it('is told', async () => {
    const { name: Bucket } = bucket
    const key = await answered(errorReader(), new Sdk.GetObjectCommand({ Bucket, Key: 'none' }))
    expect(key).toMatchObject({ status: 404, answer: { code: 'NoSuchKey', bucket: Bucket, requestId: expect.any(String) } })
    const none = await answered(errorReader(), new Sdk.ListObjectsV2Command({ Bucket: 'no-such-bucket-at-all' }))
    expect(none).toMatchObject({ status: 404, answer: { code: 'NoSuchBucket', hostId: expect.any(String) } })
  })
})
