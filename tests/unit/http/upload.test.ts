import { beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import { type ServedOptions, served } from '../../../src/decorators/served.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { UnavailableError } from '../../../src/errors.ts'
import { createHandler } from '../../../src/http/index.ts'

let memory: MemoryDriver
let disk: Disk

beforeEach(async () => {
  memory = new MemoryDriver()
  disk = diskOf(memory)
  await memory.write('old.txt', toContent('old'), {})
})

function diskOf(driver: Driver, options: Partial<ServedOptions> = {}): Disk {
  return new Disk(served({ disk: 'local', secret: 'a secret of enough length', ...options })(driver), { name: 'local' })
}

type UploadOptions = Parameters<Disk['temporaryUploadUrl']>[2]

interface Sent {
  readonly path?: string
  readonly body?: string | null | (() => ReadableStream)
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

async function upload(options: UploadOptions, { path = 'a.txt', body = 'hello', headers, signal }: Sent = {}): Promise<Response> {
  const request = await disk.temporaryUploadUrl(path, 60, options)
  const sent = new Headers(request.headers)
  for (const [name, value] of Object.entries(headers ?? {})) sent.set(name, value)
  return send(request.url, { body: typeof body === 'function' ? body() : body, headers: sent, ...(signal && { signal }) })
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const handler = createHandler({ names: ['local'], disk: () => disk })
  return handler(new Request(new URL(url, 'http://localhost'), { method: 'PUT', duplex: 'half', ...init }))
}

async function text(path = 'a.txt'): Promise<string | undefined> {
  return (await disk.getOrNull(path))?.toString()
}

function chunks(...parts: (string | Error)[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    (async function* () {
      for (const part of parts) {
        if (part instanceof Error) throw part
        yield new TextEncoder().encode(part)
      }
    })(),
  )
}

describe('an upload', () => {
  it('stores what was sent, with the signed type and metadata', async () => {
    const response = await upload({ contentType: 'text/css', metadata: { owner: 'Ü', 'x-y': '1' }, maxSize: 5, minSize: 5 })
    const stat = await disk.stat('a.txt')
    expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([204, '', stat.etag])
    expect(stat).toMatchObject({ size: 5, contentType: 'text/css', metadata: { owner: 'Ü', 'x-y': '1' } })
    expect(await text()).toBe('hello')
  })

  it('does not believe a type that was not signed', async () => {
    await upload({}, { path: 'a.png', headers: { 'content-type': 'text/html' } })
    expect((await disk.stat('a.png')).contentType).toBe('image/png')
  })

  it('gets the visibility of the disk', async () => {
    disk = diskOf(memory, { visibility: 'public' })
    await upload({})
    expect(await disk.visibility('a.txt')).toBe('public')
  })

  it.each(['a?b/c?expires=1', 'ünï/公司/👩‍👩‍👧', '%20', 'a b+c#d%2Fe', "q'()*!@&=;,"])(
    'stores %p under exactly that name',
    async (path) => {
      expect((await upload({}, { path })).status).toBe(204)
      expect(await disk.allFiles()).toContain(path)
    },
  )

  it('may be empty, unless a minimum was signed', async () => {
    expect((await upload({}, { body: '' })).status).toBe(204)
    expect((await upload({}, { path: 'b', body: null })).status).toBe(204)
    expect(await text('b')).toBe('')
    expect((await upload({ minSize: 1 }, { path: 'c', body: null })).status).toBe(422)
    expect(await text('c')).toBeUndefined()
  })
})

describe('the signed type', () => {
  it.each([
    ['image/png', 'image/png', 204],
    ['image/png', 'Image/PNG', 204],
    ['text/plain; charset=utf-8', 'text/plain;charset=UTF-8', 204],
    ['text/plain', 'text/plain; charset=utf-8', 415],
    ['image/png', 'image/pngx', 415],
    ['image/png', 'text/html', 415],
    ['image/png', '', 415],
  ])('%p takes %p: %d', async (contentType, sent, status) => {
    const response = await upload({ contentType }, { path: 'old.txt', headers: { 'content-type': sent } })
    expect([response.status, await text('old.txt')]).toEqual([status, status === 204 ? 'hello' : 'old'])
  })
})

describe('the limits', () => {
  it.each<[string, UploadOptions, Sent, number]>([
    ['too long, as announced', { maxSize: 4 }, { headers: { 'content-length': '5' }, body: () => chunks(new Error('was read')) }, 413],
    ['too short, as announced', { minSize: 6 }, { headers: { 'content-length': '5' }, body: () => chunks(new Error('was read')) }, 422],
    ['too long, unannounced', { maxSize: 4 }, { body: () => chunks('abc', 'de', 'f') }, 413],
    ['too short, unannounced', { minSize: 6 }, { body: () => chunks('abc', 'de') }, 422],
    ['longer than announced', { maxSize: 9 }, { headers: { 'content-length': '4' }, body: () => chunks('abc', 'de') }, 400],
    ['shorter than announced', { maxSize: 9 }, { headers: { 'content-length': '6' }, body: () => chunks('abc', 'de') }, 400],
    ['not a single byte allowed', { maxSize: 0 }, { body: () => chunks('a') }, 413],
    ['a part of a file', {}, { headers: { 'content-range': 'bytes 0-4/10' } }, 400],
    ['encoded', {}, { headers: { 'content-encoding': 'gzip' } }, 415],
  ])('refuse what is %s, and the old file stays', async (_, options, sent, status) => {
    for (const path of ['old.txt', 'new']) expect((await upload(options, { ...sent, path })).status).toBe(status)
    expect([await text('old.txt'), await text('new')]).toEqual(['old', undefined])
  })

  it('take what just fits', async () => {
    expect((await upload({ maxSize: 5, minSize: 5 }, { body: () => chunks('he', 'llo') })).status).toBe(204)
  })

  it('stop reading at the limit', async () => {
    let pulled = 0
    const endless = new ReadableStream(
      {
        pull: (controller) => {
          pulled++
          controller.enqueue(new Uint8Array(1_000))
        },
      },
      { highWaterMark: 0 },
    )
    expect((await upload({ maxSize: 10_000 }, { body: () => endless })).status).toBe(413)
    expect(pulled).toBeLessThan(20)
  })
})

describe('an upload that fails', () => {
  it('midway leaves the old file', async () => {
    expect((await upload({}, { path: 'old.txt', body: () => chunks('abc', new Error('cut')) })).status).toBe(500)
    expect(await text('old.txt')).toBe('old')
  })

  it('by an abort ends, also while no chunk comes, and leaves the old file', async () => {
    const controller = new AbortController()
    const stalled = new ReadableStream({ pull: () => new Promise(() => controller.abort()) }, { highWaterMark: 0 })
    expect((await upload({}, { path: 'old.txt', body: () => stalled, signal: controller.signal })).ok).toBe(false)
    expect(await text('old.txt')).toBe('old')
  })

  it('in the store says what that means', async () => {
    disk = diskOf(Object.assign(Object.create(memory) as Driver, { write: () => Promise.reject(new UnavailableError('secret')) }))
    const response = await upload({})
    expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable\n'])
    disk = diskOf(memory)
    expect((await upload({}, { path: 'old.txt/below' })).status).toBe(409)
  })
})

describe('the method', () => {
  it('is signed: a URL for GET takes no upload, one for PUT gives no file', async () => {
    expect((await send(await disk.temporaryUrl('old.txt'), { body: 'new' })).status).toBe(403)
    const { url } = await disk.temporaryUploadUrl('old.txt')
    for (const method of ['GET', 'HEAD']) expect((await send(url, { method })).status).toBe(403)
    expect(await text('old.txt')).toBe('old')
  })
})

describe('conditions of an upload', () => {
  it('If-None-Match: * keeps a file from being replaced', async () => {
    expect((await upload({}, { path: 'old.txt', headers: { 'if-none-match': '*' } })).status).toBe(412)
    expect((await upload({}, { path: 'new.txt', headers: { 'if-none-match': '*' } })).status).toBe(204)
    expect([await text('old.txt'), await text('new.txt')]).toEqual(['old', 'hello'])
  })

  it('If-Match replaces that version only', async () => {
    const { etag = '' } = await disk.stat('old.txt')
    expect((await upload({}, { path: 'old.txt', headers: { 'if-match': '"x"' } })).status).toBe(412)
    expect((await upload({}, { path: 'missing', headers: { 'if-match': '*' } })).status).toBe(412)
    expect(await text('old.txt')).toBe('old')
    expect((await upload({}, { path: 'old.txt', headers: { 'if-match': etag } })).status).toBe(204)
    expect(await text('old.txt')).toBe('hello')
  })

  it('that the store cannot keep are refused', async () => {
    const supports = { ...memory.supports, ifAbsent: false, ifMatch: false }
    disk = diskOf(
      Object.assign(Object.create(memory) as Driver, { supports, write: memory.write.bind(memory), read: memory.read.bind(memory) }),
    )
    expect((await upload({}, { headers: { 'if-none-match': '*' } })).status).toBe(501)
    expect((await upload({}, { headers: { 'if-match': '*' } })).status).toBe(501)
    expect((await upload({}, { headers: { 'if-none-match': '"x"' } })).status).toBe(501)
    expect(await text()).toBeUndefined()
  })
})
