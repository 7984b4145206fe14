/** Writing: one request where that will do, parts where it will not, and nothing left of what failed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { slowDown } from '../../support/fault-proxy.ts'
import type { RecordedRequest } from '../../support/recording-proxy.ts'
import { PART, s3Fixture, streamOf } from './s3-fixture.ts'

const s3 = s3Fixture()

const verbs = (requests: readonly RecordedRequest[]): string[] =>
  requests.map(({ method, query }) => [method, ...['uploads', 'partNumber', 'uploadId'].filter((name) => query.has(name))].join(' '))

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  )
}

describe('an upload', () => {
  it.each([0, 1, PART - 1, PART])('of %d bytes, however they come, is one request', async (size) => {
    const { disk, proxy } = await s3.recorded()
    const bytes = bytesFor(size)
    await disk.put('bytes', bytes)
    await disk.put('blob', new Blob([bytes]))
    expect(await disk.writeStream('stream', streamOf(bytes))).toMatchObject({ size })
    expect(verbs(proxy.requests)).toEqual(['PUT', 'PUT', 'PUT'])
    for (const { headers } of proxy.requests) {
      expect(headers['content-length']).toBe(String(size))
      expect(headers['content-encoding']).toBeUndefined()
      expect(headers['x-amz-acl']).toBeUndefined()
    }
    for (const path of ['bytes', 'blob', 'stream']) expect((await disk.get(path)).equals(bytes)).toBe(true)
  })

  it.each([PART + 1, 3 * PART + 1])('of %d bytes goes in parts', async (size) => {
    const { disk, proxy } = await s3.recorded({ partConcurrency: 2 })
    const bytes = bytesFor(size)
    const parts = Array.from({ length: Math.ceil(size / PART) }, () => 'PUT partNumber uploadId')
    for (const contents of [bytes, new Blob([bytes]), streamOf(bytes)]) {
      proxy.requests.length = 0
      const written = await disk.put('a.bin', contents)
      expect(written.size).toBe(size)
      expect(verbs(proxy.requests)).toEqual(['POST uploads', ...parts, 'POST uploadId', 'HEAD']) // radosgw tells the etag only to HEAD
      expect(written.etag).toBe((await disk.stat('a.bin')).etag)
      expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
    }
  })

  it('keeps what it is told to keep, whole or in parts', async () => {
    const { disk, proxy } = await s3.recorded({ storageClass: 'STANDARD_IA' })
    const options = {
      contentType: 'text/x-kit',
      cacheControl: 'no-store',
      contentDisposition: 'inline',
      contentEncoding: 'br',
      contentLanguage: 'de',
      metadata: { Owner: 'ann' },
      tags: { 'Cost Center': '7', 'a.b': 'c&d = e', 'é:/@': 'f' },
    }
    const kept = { ...options, metadata: { owner: 'ann' }, storageClass: 'STANDARD_IA' }
    for (const contents of ['small', bytesFor(PART + 1)]) {
      await disk.put('a.txt', contents, options)
      const { tags: _, ...facts } = kept
      expect(await disk.stat('a.txt')).toMatchObject(facts)
    }
    const tagging = proxy.requests.map(({ headers }) => headers['x-amz-tagging']).filter((header) => header !== undefined)
    const sent = 'Cost%20Center=7&a.b=c%26d%20%3D%20e&%C3%A9%3A%2F%40=f'
    expect(tagging).toEqual([sent, sent]) // radosgw keeps those of uploads not
    await disk.put('a.txt', 'x', options)
    const { TagSet } = await s3.bucket.client.getObjectTagging({ Bucket: s3.bucket.name, Key: 'a.txt' })
    expect(TagSet).toEqual([
      { Key: 'Cost Center', Value: '7' },
      { Key: 'a.b', Value: 'c&d = e' },
      { Key: 'é:/@', Value: 'f' },
    ])
    await disk.put('b.txt', 'x', { storageClass: 'STANDARD' })
    expect((await disk.stat('b.txt')).storageClass).toBe('STANDARD')
    expect(proxy.requests.at(-2)?.headers['x-amz-storage-class']).toBe('STANDARD')
  })

  it('sends a checksum along that the store knows', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.put('a.txt', 'hello', { checksum: { algorithm: 'md5', value: '5d41402abc4b2a76b9719d911017c592' } })
    expect(proxy.requests[0]?.headers['content-md5']).toBe('XUFAKrxLKna5cZ2REBfFkg==')
  })

  it('has no part left, and no file, when its source fails after some parts', async () => {
    const disk = s3.disk()
    await disk.put('old.bin', 'old')
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield bytesFor(2 * PART + 5)
      await sleep(20)
      throw new Error('the source broke')
    }
    for (const path of ['old.bin', 'new.bin']) await expect(disk.put(path, failing())).rejects.toThrow('the source broke')
    expect(await s3.bucket.openUploads()).toEqual([])
    expect(await disk.allFiles()).toEqual(['old.bin'])
    expect(await disk.text('old.bin')).toBe('old')
  })

  it('has no part left when it is aborted, even if its source never goes on', async () => {
    const disk = s3.disk()
    const controller = new AbortController()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const stuck = async function* (): AsyncGenerator<Uint8Array> {
      yield bytesFor(2 * PART + 5)
      reach()
      await new Promise(() => undefined)
    }
    const writing = codeOf(disk.put('a.bin', stuck(), { signal: controller.signal }))
    await reached
    controller.abort('enough')
    expect(await writing).toBe('enough')
    expect(await s3.bucket.openUploads()).toEqual([])
    expect(await disk.allFiles()).toEqual([])
  })

  it('stops its source at the first part that fails for good, and leaves nothing', async () => {
    const { disk, proxy } = await s3.faulty()
    const body = '<Error><Code>AccessDenied</Code><Message>no</Message></Error>'
    proxy.inject({ method: 'PUT', path: /partNumber=2/ }, { answer: { status: 403, body } })
    let ended = false
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield bytesFor(PART)
          await sleep(5)
        }
      } finally {
        ended = true
      }
    }
    expect(await codeOf(disk.put('a.bin', endless()))).toBe('permission_denied')
    expect(ended).toBe(true)
    expect(await s3.bucket.openUploads()).toEqual([])
  })

  it('sends a part again whose connection broke, or that was asked to slow down', async () => {
    const { disk, proxy } = await s3.faulty()
    proxy.inject({ method: 'PUT', path: /partNumber=1/ }, { resetRequest: 100_000 })
    proxy.inject({ method: 'PUT', path: /partNumber=2/, times: 2 }, slowDown('s3'))
    const bytes = bytesFor(2 * PART + 1)
    await disk.put('a.bin', streamOf(bytes))
    expect(proxy.faulted).toBe(3)
    expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
    expect(await s3.bucket.openUploads()).toEqual([])
  })

  it('fails, and leaves nothing, when completing it answers 200 with an error in its body', async () => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    const body = '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>try again</Message></Error>'
    proxy.inject({ method: 'POST', path: /uploadId=/ }, { answer: { status: 200, body } })
    expect(await codeOf(disk.put('a.bin', bytesFor(PART + 1)))).toBe('unavailable')
    expect(await disk.allFiles()).toEqual([])
    expect(await s3.bucket.openUploads()).toEqual([])
  })

  it('is done when the answer that it was completed is lost', async () => {
    const { disk, proxy } = await s3.faulty()
    proxy.inject({ method: 'POST', path: /uploadId=/ }, { resetResponse: 0 })
    proxy.inject({ method: 'POST', path: /uploadId=/ }, { answer: { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' } })
    const bytes = bytesFor(PART + 1)
    const { etag } = await disk.put('a.bin', bytes)
    expect(etag).toBe((await disk.stat('a.bin')).etag)
    expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
  })

  it('lets go of the source of a small stream that fails', async () => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    proxy.inject({ method: 'PUT' }, { answer: { status: 403 } })
    let cancelled = false
    const source = new ReadableStream({
      pull: (controller) => controller.enqueue(bytesFor(PART + 1)),
      cancel: () => void (cancelled = true),
    })
    await codeOf(disk.put('a.bin', source))
    expect(cancelled).toBe(true)
  })
})

describe('a write under a condition', () => {
  it('has the condition in the request that makes the file', async () => {
    const { disk, proxy } = await s3.recorded()
    const { etag = '' } = await disk.put('a.txt', 'one')
    proxy.requests.length = 0
    await disk.put('a.txt', 'two', { ifMatch: etag })
    await disk.put('new.txt', 'x', { ifAbsent: true })
    const [first, second] = proxy.requests
    expect([first?.headers['if-match'], second?.headers['if-none-match']]).toEqual([etag.replaceAll('"', ''), '*'])
    proxy.requests.length = 0
    await disk.put('large.bin', bytesFor(PART + 1), { ifAbsent: true })
    await disk.put('large.bin', bytesFor(PART + 1), { ifMatch: etag })
    const completing = proxy.requests.filter(({ method, query }) => method === 'POST' && query.has('uploadId'))
    expect(completing.map(({ headers }) => [headers['if-none-match'], headers['if-match']])).toEqual([
      ['*', undefined],
      [undefined, etag.replaceAll('"', '')],
    ])
    const others = proxy.requests.filter((request) => !completing.includes(request))
    expect(others.some(({ headers }) => 'if-none-match' in headers || 'if-match' in headers)).toBe(false)
  })

  it('that Amazon judges when an upload is completed is lost there, and leaves nothing', async () => {
    const refusal = { status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>' }
    const { disk } = await s3.recorded({}, ({ method, query }) => (method === 'POST' && query.has('uploadId') ? refusal : undefined))
    expect(await codeOf(disk.put('a.bin', bytesFor(PART + 1), { ifAbsent: true }))).toBe('already_exists')
    expect(await codeOf(disk.put('a.bin', bytesFor(PART + 1), { ifMatch: '"x"' }))).toBe('precondition_failed')
    expect(await s3.bucket.openUploads()).toEqual([])
    expect(await disk.allFiles()).toEqual([])
  })

  it('is tried again when it met another, as Amazon asks', async () => {
    const { disk, proxy } = await s3.faulty()
    const conflict = { answer: { status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' } }
    proxy.inject({ method: 'PUT', times: 2 }, conflict)
    await disk.put('a.txt', 'x', { ifAbsent: true })
    expect(await disk.text('a.txt')).toBe('x')
    proxy.inject({ method: 'PUT', times: 20 }, conflict)
    expect(await codeOf(disk.put('a.txt', 'y', { ifMatch: '"z"' }))).toBe('precondition_failed')
  })

  it('is made again when the store turned it away, and never when it may have been done', async () => {
    const { disk, proxy } = await s3.faulty()
    proxy.inject({ method: 'PUT', times: 2 }, slowDown('s3'))
    await disk.put('a.txt', 'x', { ifAbsent: true })
    expect(proxy.requests).toHaveLength(3)
    for (const fault of [{ answer: { status: 500 } }, { resetRequest: 0 }]) {
      proxy.reset()
      proxy.inject({ method: 'PUT' }, fault)
      expect(await codeOf(disk.put('b.txt', 'x', { ifAbsent: true }))).toBe('unavailable')
      expect(proxy.requests).toHaveLength(1)
    }
  })

  it('is lost to a file that is there no more: Amazon answers that it is not found', async () => {
    const { disk, proxy } = await s3.faulty()
    proxy.inject({ method: 'PUT' }, { answer: { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' } })
    expect(await codeOf(disk.put('a.txt', 'x', { ifMatch: '"z"' }))).toBe('precondition_failed')
  })

  it('is lost where radosgw has no name for that, and not where a gateway on the way failed', async () => {
    const { disk, proxy } = await s3.faulty()
    proxy.inject({ method: 'PUT' }, { answer: { status: 500, body: '<Error><Code>UnknownError</Code></Error>' } })
    expect(await codeOf(disk.put('a.txt', 'x', { ifMatch: '"z"' }))).toBe('precondition_failed')
    proxy.inject({ method: 'PUT' }, { answer: { status: 502, body: '<html>Bad Gateway</html>' } })
    expect(await codeOf(disk.put('a.txt', 'x', { ifMatch: '"z"' }))).toBe('unavailable')
  })
})
