/** `alt=media`: ranges, headers, versions, and gzip for those who cannot read it. */
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { requestedRange } from '../../support/gcs-server/downloads.ts'
import { apiClient } from './api-client.ts'

const api = apiClient()
const SUMS = 'crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=='

describe('a download', () => {
  it.each(['/storage/v1', '/download/storage/v1', ''])('says what it brings, below %j', async (prefix) => {
    const bucket = await api.bucket()
    const { json } = await api.put(bucket, 'a', 'hello')
    const { headers, text, status } = await api.ask(`${api.server.emulatorOrigin}${prefix}/b/${bucket}/o/a?alt=media`)
    expect([status, text]).toEqual([200, 'hello'])
    const named = [
      'x-goog-hash',
      'x-goog-generation',
      'x-goog-metageneration',
      'x-goog-storage-class',
      'etag',
      'content-type',
      'content-length',
    ]
    expect(named.map((name) => headers.get(name))).toEqual([SUMS, json['generation'], '1', 'STANDARD', json['etag'], 'text/plain', '5'])
  })

  it('has the headers that the metadata gives', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    const given = {
      cacheControl: 'max-age=5',
      contentDisposition: 'attachment; filename="ü.txt"',
      contentLanguage: 'de',
      contentType: 'a/b',
    }
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: given })
    const { headers } = await api.object(bucket, 'a', '?alt=media')
    const disposition = Buffer.from(headers.get('content-disposition') ?? '', 'latin1').toString()
    expect([headers.get('cache-control'), disposition, headers.get('content-language'), headers.get('content-type')]).toEqual(
      Object.values(given),
    )
  })

  it.each([
    ['bytes=1-3', 206, 'ell', 'bytes 1-3/5'],
    ['bytes=3-', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-2', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-9', 206, 'hello', 'bytes 0-4/5'],
    ['bytes=0-99', 206, 'hello', 'bytes 0-4/5'],
    ['bytes=3-1', 200, 'hello', null],
    ['bytes=0-1,3-4', 200, 'hello', null],
    ['lines=1-2', 200, 'hello', null],
  ] as const)('of %s is %i', async (range, status, text, contentRange) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    const answer = await api.ask(`/b/${bucket}/o/a?alt=media`, { headers: { range } })
    expect([answer.status, answer.text, answer.headers.get('content-range')]).toEqual([status, text, contentRange])
    expect(answer.headers.get('x-goog-hash')).toBe(SUMS)
  })

  it.each(['bytes=5-', 'bytes=9-10', 'bytes=-0'])('of %s is 416', async (range) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    const answer = await api.ask(`/b/${bucket}/o/a?alt=media`, { headers: { range } })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */5'])
  })

  it('of a range over pieces of a composition, in memory and on disk', async () => {
    const bucket = await api.bucket()
    const large = Buffer.alloc(1024 * 1024 + 300_000, 'abcdefg')
    await api.put(bucket, 'l', large)
    await api.put(bucket, 's', 'XYZ')
    const sourceObjects = ['s', 'l', 's'].map((name) => ({ name }))
    const { json } = await api.ask(`/b/${bucket}/o/c/compose`, { method: 'POST', body: { sourceObjects } })
    const whole = Buffer.concat([Buffer.from('XYZ'), large, Buffer.from('XYZ')])
    expect(json['size']).toBe(String(whole.length))
    for (const [from, to] of [
      [0, whole.length - 1],
      [1, 5],
      [2, 300_000],
      [whole.length - 5, whole.length - 2],
      [1024 * 1024, 1024 * 1024 + 9],
    ] as const) {
      const { text } = await api.ask(`/b/${bucket}/o/c?alt=media`, { headers: { range: `bytes=${from}-${to}` } })
      expect(text === whole.toString('latin1', from, to + 1)).toBe(true)
    }
  })

  it('of what is missing is 404, and says in plain text what', async () => {
    const bucket = await api.bucket()
    const object = await api.object(bucket, 'a', '?alt=media')
    expect([object.status, object.text, object.headers.get('content-type')]).toEqual([
      404,
      `No such object: ${bucket}/a`,
      'text/plain; charset=UTF-8',
    ])
    expect((await api.object('no-such-bucket', 'a', '?alt=media')).text).toBe('The specified bucket does not exist.')
  })

  it('goes on with the version it began with', async () => {
    const bucket = await api.bucket()
    const old = Buffer.alloc(8 * 1024 * 1024, 'old')
    await api.put(bucket, 'a', old)
    const answer = await fetch(`${api.server.emulatorOrigin}/storage/v1/b/${bucket}/o/a?alt=media`)
    await api.put(bucket, 'a', 'new')
    expect(old.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true)
  })
})

describe('an object that is stored as gzip', () => {
  /** As bytes, because fetch unpacks what it gets. */
  async function raw(bucket: string, headers: Readonly<Record<string, string>>): Promise<readonly [string | undefined, string]> {
    const sent = request(`${api.server.emulatorOrigin}/storage/v1/b/${bucket}/o/a?alt=media`, { headers })
    const answered = new Promise<readonly [string | undefined, string]>((resolve, reject) => {
      sent.on('error', reject).on('response', (answer) => {
        buffer(answer).then((bytes) => resolve([answer.headers['content-encoding'], bytes.toString('latin1')]), reject)
      })
    })
    sent.end()
    return await answered
  }

  const packed = gzipSync('hello '.repeat(1000))

  it('goes out as it is to those who accept gzip, and unpacked to the others', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', packed, '&contentEncoding=gzip')
    expect(await raw(bucket, { 'accept-encoding': 'gzip' })).toEqual(['gzip', packed.toString('latin1')])
    expect(await raw(bucket, { range: 'bytes=0-3' })).toEqual([undefined, 'hello '.repeat(1000)])
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { cacheControl: 'no-transform' } })
    expect(await raw(bucket, {})).toEqual(['gzip', packed.toString('latin1')])
  })
})

describe('a range', () => {
  it.each([
    ['bytes=0-', 0],
    ['bytes=-5', 0],
    ['bytes=0-0', 0],
  ])('of nothing cannot be satisfied: %s of %i bytes', (header, size) => {
    expect(() => requestedRange(header, size)).toThrow('Request range not satisfiable')
  })

  it('is everything without a header', () => {
    expect(requestedRange(undefined, 5)).toBeUndefined()
    expect(requestedRange('bytes=-', 5)).toBeUndefined()
  })
})
