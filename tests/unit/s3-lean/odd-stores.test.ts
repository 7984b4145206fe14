/** Stores, and what stands before them, that do not do as S3 does: nothing wrong is taken for right, and nothing goes on for ever. */
import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { answerError, type Asked, closedAfterEach, ending, ETAG, type Script, scriptedStore, type ScriptedStore } from './scripted-store.ts'

const closing = closedAfterEach()

const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }

describe.each(['lean', 'sdk'] as const)('by the transport "%s"', (transport) => {
  async function meeting(script: Script, options: Partial<S3DriverOptions> = {}): Promise<ScriptedStore & { readonly disk: Disk }> {
    const store = await scriptedStore(script)
    const given = {
      bucket: 'b',
      region: 'us-east-1',
      endpoint: store.origin,
      pathStyle: true,
      key: 'AKIDEXAMPLE',
      secret: 'hush',
      retries: 0,
    }
    const disk = new Disk(new S3Driver({ ...given, transport, ...options }))
    closing.push(
      () => disk.close(),
      () => store.close(),
    )
    return { ...store, disk }
  }

  it.each([
    ['that begins again and again', '<Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>'],
    ['that has a page of nothing, and more to come', ''],
  ])('a listing %s is an error, and not the whole of it', async (_, page) => {
    const { disk, asked } = await meeting(({ response }) =>
      response.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${page}</ListBucketResult>`),
    )
    await expect(disk.allFiles()).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    expect(asked.length).toBeLessThan(4)
  })

  /** Ten bytes, of which it sends these whatever it is asked for. */
  const sending =
    (bytes: string, contentRange: string): Script =>
    ({ response }) =>
      response.writeHead(206, { ...facts, 'content-range': contentRange, 'content-length': bytes.length }).end(bytes)

  it.each([
    ['other ones', { start: 2, end: 5 }, '012', 'bytes 0-2/10'],
    ['fewer', { start: 2, end: 5 }, '23', 'bytes 2-3/10'],
    ['more', { start: 2, end: 5 }, '2345', 'bytes 2-5/10'],
    ['the first instead of the last', { suffix: 3 }, '012', 'bytes 0-2/10'],
    ['a part of the whole', undefined, '012', 'bytes 0-2/10'],
  ])('bytes that were not asked for are not taken: %s', async (_, range, bytes, contentRange) => {
    const { disk } = await meeting(sending(bytes, contentRange))
    await expect(disk.get('a', { range })).rejects.toMatchObject({ code: 'unavailable' })
  })

  it.each([
    [{ start: 2, end: 5 }, '234', 'bytes 2-4/10'],
    [{ start: 8, end: 50 }, '89', 'bytes 8-9/10'],
    [{ suffix: 30 }, '0123456789', 'bytes 0-9/10'],
  ])('bytes that were asked for are: %j', async (range, bytes, contentRange) => {
    const { disk } = await meeting(sending(bytes, contentRange))
    expect((await disk.get('a', { range })).toString()).toBe(bytes)
  })

  it('a message that says back how the request was signed is in no error', async () => {
    const { disk } = await meeting((asked) =>
      answerError(asked, 403, 'SignatureDoesNotMatch', { message: asked.headers.authorization ?? '' }),
    )
    const { error } = await ending(disk.get('a'))
    expect(error).toMatchObject({ code: 'unauthenticated', cause: { code: 'SignatureDoesNotMatch' } })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/AKIDEXAMPLE|Signature=/)
  })

  it.each([undefined, ''])('a file whose type nobody knows is bytes, however large it is: %j', async (contentType) => {
    const types: (string | undefined)[] = []
    const { disk } = await meeting(async (asked: Asked) => {
      await asked.body()
      const { method, url, headers, response } = asked
      const isUpload = method === 'POST' && url.includes('uploads')
      if (isUpload || (method === 'PUT' && !url.includes('partNumber'))) types.push(headers['content-type'])
      if (isUpload) response.end('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
      else if (method === 'POST') response.end(`<CompleteMultipartUploadResult><ETag>${ETAG}</ETag></CompleteMultipartUploadResult>`)
      else response.writeHead(200, facts).end()
    })
    await disk.put('a', 'x', { contentType })
    await disk.put('a', Buffer.alloc(9 * 1024 * 1024), { contentType })
    expect(types).toEqual(['application/octet-stream', 'application/octet-stream'])
  })

  it('a large body is sent to a store that never says Continue, however short the time is that it may be silent', async () => {
    const { disk } = await meeting(
      async ({ request, response }) => {
        let size = 0
        for await (const chunk of request as AsyncIterable<Buffer>) size += chunk.byteLength
        response.writeHead(size === 2_000_000 ? 200 : 400, facts).end()
      },
      { socketTimeoutMs: 600 },
    )
    await expect(disk.put('a', Buffer.alloc(2_000_000))).resolves.toMatchObject({ size: 2_000_000 })
  })
})
