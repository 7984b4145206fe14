/** Copying and moving: by the store wherever it can, and never over what a condition protects. */
import { describe, expect, it } from '@jest/globals'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import type { Answer } from '../../support/fault-proxy.ts'
import type { RecordedRequest } from '../../support/recording-proxy.ts'
import { PART, s3Fixture } from './s3-fixture.ts'

const s3 = s3Fixture()
const GiB = 1024 ** 3

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  )

const shapes = (requests: readonly RecordedRequest[]): string[] =>
  requests.map(({ method, query, headers }) =>
    [
      method,
      ...['uploads', 'partNumber', 'uploadId', 'acl', 'tagging'].filter((name) => query.has(name)),
      ...('x-amz-copy-source' in headers ? ['copy'] : []),
    ].join(' '),
  )

describe('a copy', () => {
  it('as it is, is one request, without an ACL', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.put('a.txt', 'x', { metadata: { owner: 'ann' }, tags: { a: 'b' } })
    proxy.requests.length = 0
    await disk.copy('a.txt', 'b.txt')
    expect(shapes(proxy.requests)).toEqual(['PUT copy'])
    const { headers } = proxy.requests[0] as RecordedRequest
    expect([headers['x-amz-metadata-directive'], headers['x-amz-tagging-directive'], headers['x-amz-acl']]).toEqual([
      'COPY',
      undefined,
      undefined,
    ])
  })

  it('with other facts is of the version that they were read of', async () => {
    const { disk, proxy } = await s3.recorded()
    const { etag = '' } = await disk.put('a.txt', 'x', { metadata: { owner: 'ünï' }, cacheControl: 'no-store' })
    proxy.requests.length = 0
    await disk.copy('a.txt', 'b.txt', { contentType: 'text/x-other', tags: { a: 'b' }, storageClass: 'STANDARD_IA' })
    expect(shapes(proxy.requests)).toEqual(['HEAD', 'PUT copy'])
    expect(proxy.requests[1]?.headers).toMatchObject({
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-tagging-directive': 'REPLACE',
      'x-amz-tagging': 'a=b',
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-copy-source-if-match': etag.replaceAll('"', ''),
    })
    expect(await disk.stat('b.txt')).toMatchObject({
      contentType: 'text/x-other',
      cacheControl: 'no-store',
      metadata: { owner: 'ünï' },
      storageClass: 'STANDARD_IA',
    })
  })

  it('with ACLs keeps the visibility', async () => {
    const { disk, proxy } = await s3.recorded({ acl: true })
    await disk.put('a.txt', 'x', { visibility: 'public' })
    proxy.requests.length = 0
    await disk.copy('a.txt', 'b.txt')
    expect(shapes(proxy.requests)).toEqual(['GET acl', 'PUT copy'])
    expect(await disk.visibility('b.txt')).toBe('public')
    await disk.copy('a.txt', 'c.txt', { visibility: 'private' })
    expect(await disk.visibility('c.txt')).toBe('private')
  })

  it('that answers 200 with an error in its body has failed', async () => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    await disk.put('a.txt', 'x')
    const body = '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>try again</Message></Error>'
    proxy.inject({ method: 'PUT' }, { answer: { status: 200, body } })
    expect(await codeOf(disk.copy('a.txt', 'b.txt'))).toBe('unavailable')
    expect(await disk.allFiles()).toEqual(['a.txt'])
  })
})

/** Amazon, where a source is too large for one request. */
function amazon(size: number, { query, method, headers }: RecordedRequest): Answer | undefined {
  const facts = { etag: '"big"', 'last-modified': 'Sat, 21 Nov 2026 14:00:00 GMT', 'content-type': 'video/x-big', 'x-amz-meta-a': 'b' }
  if (method === 'HEAD') return { status: 200, headers: { ...facts, 'x-amz-tagging-count': '1', 'content-length': String(size) } }
  if (query.has('tagging')) return { status: 200, body: '<Tagging><TagSet><Tag><Key>t</Key><Value>v</Value></Tag></TagSet></Tagging>' }
  if (query.has('uploads'))
    return { status: 200, body: '<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>' }
  if (query.has('partNumber')) return { status: 200, body: '<CopyPartResult><ETag>"p"</ETag></CopyPartResult>' }
  if (query.has('uploadId'))
    return { status: 200, body: '<CompleteMultipartUploadResult><ETag>"done"</ETag></CompleteMultipartUploadResult>' }
  if ('x-amz-copy-source' in headers) return { status: 400, body: '<Error><Code>InvalidRequest</Code><Message>too large</Message></Error>' }
  return undefined
}

describe('a copy above 5 GiB', () => {
  it('is made of parts that the store copies, with all that goes along', async () => {
    const size = 6 * GiB + 5
    const { disk, proxy } = await s3.recorded({}, (request) => amazon(size, request))
    await disk.copy('big é.bin', 'copy.bin')
    const parts = proxy.requests.filter(({ query }) => query.has('partNumber'))
    expect(shapes(proxy.requests)).toEqual([
      'PUT copy',
      'HEAD',
      'GET tagging',
      'POST uploads',
      ...parts.map(() => 'PUT partNumber uploadId copy'),
      'POST uploadId',
    ])
    const created = proxy.requests.find(({ query }) => query.has('uploads'))?.headers
    expect(created).toMatchObject({ 'content-type': 'video/x-big', 'x-amz-meta-a': 'b', 'x-amz-tagging': 't=v' })
    const ranges = parts
      .map(({ headers }) => (headers['x-amz-copy-source-range'] ?? '').replace('bytes=', '').split('-').map(Number))
      .sort(([a = 0], [b = 0]) => a - b)
    expect(ranges.reduce((next, [start, end = 0]) => (start === next ? end + 1 : Number.NaN), 0)).toBe(size)
    for (const { headers } of parts) {
      expect(headers['x-amz-copy-source']).toMatch(/\/big%20%C3%A9\.bin$/)
      expect(headers['x-amz-copy-source-if-match']).toBe('big')
    }
  })

  it('leaves no part when one of them fails', async () => {
    const { disk, proxy } = await s3.recorded({ retries: 0 }, (request) => {
      if (request.method === 'DELETE') return { status: 204 }
      if (request.method === 'GET' && request.query.has('uploadId'))
        return { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' }
      if (request.query.get('partNumber') === '3') return { status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>' }
      return amazon(6 * GiB, request)
    })
    expect(await codeOf(disk.copy('big.bin', 'copy.bin'))).toBe('precondition_failed')
    expect(shapes(proxy.requests).slice(-2)).toEqual(['DELETE uploadId', 'GET uploadId'])
  })

  it('of another thing that the store calls an invalid request is that error', async () => {
    const { disk } = await s3.recorded({}, (request) => amazon(5, request))
    expect(await codeOf(disk.copy('a.bin', 'b.bin'))).toBe('invalid_argument')
  })
})

describe('a copy under a condition', () => {
  it('has the condition in the request that makes the file, small or large', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.put('a.txt', 'x', { metadata: { a: 'b' }, tags: { t: 'v' } })
    await disk.put('large.bin', bytesFor(PART + 1))
    proxy.requests.length = 0
    await disk.copy('a.txt', 'b.txt', { ifAbsent: true })
    expect(shapes(proxy.requests)).toEqual(['HEAD', 'GET tagging', 'GET', 'PUT'])
    expect(proxy.requests.at(-1)?.headers).toMatchObject({ 'if-none-match': '*', 'x-amz-meta-a': 'b', 'x-amz-tagging': 't=v' })
    expect(await codeOf(disk.copy('a.txt', 'b.txt', { ifAbsent: true }))).toBe('already_exists')
    expect(await codeOf(disk.copy('a.txt', 'b.txt', { ifMatch: '"x"' }))).toBe('precondition_failed')
    proxy.requests.length = 0
    await disk.copy('large.bin', 'copy.bin', { ifAbsent: true })
    expect(shapes(proxy.requests)).toEqual(['HEAD', 'POST uploads', 'PUT partNumber uploadId copy', 'POST uploadId', 'HEAD'])
    expect(proxy.requests.at(-2)?.headers['if-none-match']).toBe('*')
    expect((await disk.get('copy.bin')).equals(bytesFor(PART + 1))).toBe(true)
  })
})

describe('a move', () => {
  it('keeps the source when it changed meanwhile', async () => {
    const { disk, proxy } = await s3.recorded({}, ({ method, headers }) => {
      if (method !== 'HEAD') return undefined
      const etag = proxy.requests.some((request) => 'x-amz-copy-source' in request.headers) ? '"after"' : '"before"'
      return { status: 200, headers: { etag, 'content-length': '1', 'x-agent': headers['user-agent'] ?? '' } }
    })
    await disk.put('a.txt', 'x')
    expect(await codeOf(disk.move('a.txt', 'b.txt'))).toBe('precondition_failed')
    expect(await disk.allFiles()).toEqual(['a.txt', 'b.txt'])
  })

  describe.each(['lean', 'sdk'] as const)('over the transport "%s"', (transport) => {
    const deletions = ({ requests }: { readonly requests: readonly RecordedRequest[] }): readonly (string | undefined)[] =>
      requests.flatMap(({ method, headers }) => (method === 'DELETE' ? [headers['if-match']] : []))
    /** What a store says that knows conditions of deletes, which radosgw 16.2 does not. */
    const saying = (status: number, code: string) =>
      s3.recorded({ transport, retries: 0 }, ({ method, headers }) => {
        if (method !== 'DELETE' || headers['if-match'] === undefined) return undefined
        return { status, headers: { 'content-type': 'application/xml' }, body: `<Error><Code>${code}</Code></Error>` }
      })

    it('deletes only what it copied', async () => {
      const { disk, proxy } = await s3.recorded({ transport })
      const { etag = '' } = await disk.put('a.txt', 'x')
      await disk.move('a.txt', 'b.txt')
      expect(deletions(proxy)).toEqual([etag.replaceAll('"', '')])
      expect(await disk.allFiles()).toEqual(['b.txt'])
    })

    it.each([
      [412, 'PreconditionFailed'],
      [409, 'ConditionalRequestConflict'],
    ])('keeps what the store says has changed: %d', async (status, code) => {
      const { disk, proxy } = await saying(status, code)
      await disk.put('a.txt', 'x')
      await expect(disk.move('a.txt', 'b.txt')).rejects.toMatchObject({ code: 'precondition_failed', operation: 'move', path: 'a.txt' })
      expect(deletions(proxy)).toHaveLength(1)
      expect(await disk.allFiles()).toEqual(['a.txt', 'b.txt'])
    })

    it('is done when somebody else has deleted the source', async () => {
      const { disk, proxy } = await saying(404, 'NoSuchKey')
      await disk.put('a.txt', 'x')
      await disk.move('a.txt', 'b.txt')
      expect(deletions(proxy)).toHaveLength(1)
    })

    it('goes without the condition where the store refuses it', async () => {
      const { disk, proxy } = await saying(501, 'NotImplemented')
      await disk.put('a.txt', 'x')
      await disk.move('a.txt', 'b.txt')
      expect(deletions(proxy)).toEqual([expect.any(String), undefined])
      expect(await disk.allFiles()).toEqual(['b.txt'])
    })

    it('goes without it where the store is known to have none', async () => {
      const { disk, proxy } = await s3.recorded({ transport, preset: 'wasabi' })
      await disk.put('a.txt', 'x')
      await disk.move('a.txt', 'b.txt')
      expect(deletions(proxy)).toEqual([undefined])
    })
  })
})
