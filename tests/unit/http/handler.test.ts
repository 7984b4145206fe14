import { beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import { type ServedOptions, served } from '../../../src/decorators/served.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver, FileStat, WriteOptions } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import * as errors from '../../../src/errors.ts'
import { createHandler } from '../../../src/http/index.ts'
import type { ServableStorage } from '../../../src/http/access.ts'

const secret = 'a secret of enough length'
const modified = new Date('2026-05-04T10:20:30.456Z')
const stamp = 'Mon, 04 May 2026 10:20:30 GMT'
const earlier = 'Mon, 04 May 2026 10:20:29 GMT'
const later = 'Mon, 04 May 2026 10:20:31 GMT'

let memory: MemoryDriver
let disks: Record<string, Disk>
let storage: ServableStorage

beforeEach(async () => {
  memory = new MemoryDriver({ now: () => modified })
  disks = { local: diskOf(memory), open: diskOf(memory, { disk: 'open', visibility: 'public' }) }
  storage = storageOf(disks)
  await write('digits.txt', '0123456789')
})

function diskOf(driver: Driver, options: Partial<ServedOptions> = {}): Disk {
  return new Disk(served({ disk: 'local', secret, ...options })(driver), { name: options.disk ?? 'local' })
}

function storageOf(disks: Record<string, Disk>): ServableStorage {
  return { names: Object.keys(disks), disk: (name = '') => disks[name] as Disk }
}

async function write(path: string, contents: string, options: WriteOptions = {}): Promise<void> {
  await memory.write(path, toContent(contents), options)
}

/** A driver that is the memory one but for some members. */
function over(members: Partial<Driver>): Driver {
  return Object.assign(Object.create(memory) as Driver, {
    read: memory.read.bind(memory),
    stat: memory.stat.bind(memory),
    write: memory.write.bind(memory),
    ...members,
  })
}

async function signed(path: string, options: Parameters<Disk['temporaryUrl']>[2] = {}): Promise<string> {
  return (disks['local'] as Disk).temporaryUrl(path, 60, options)
}

async function ask(url: string, init: RequestInit = {}, from = storage): Promise<Response> {
  return createHandler(from)(new Request(new URL(url, 'http://localhost'), init))
}

async function summary(response: Response): Promise<object> {
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
}

describe('conditions and ranges of a GET', () => {
  const tag = '"1"'
  it.each<[Record<string, string>, number, string?]>([
    [{}, 200],
    // If-Match: strong
    [{ 'if-match': tag }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': `"x", ${tag}` }, 200],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-match': `W/${tag}` }, 412],
    [{ 'if-match': '1' }, 412],
    [{ 'if-match': '' }, 412],
    // If-Unmodified-Since, only without If-Match
    [{ 'if-unmodified-since': stamp }, 200],
    [{ 'if-unmodified-since': later }, 200],
    [{ 'if-unmodified-since': earlier }, 412],
    [{ 'if-unmodified-since': 'yesterday' }, 200],
    [{ 'if-match': tag, 'if-unmodified-since': earlier }, 200],
    [{ 'if-match': '"x"', 'if-unmodified-since': later }, 412],
    // If-None-Match: weak
    [{ 'if-none-match': tag }, 304],
    [{ 'if-none-match': `W/${tag}` }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': `"x",${tag}` }, 304],
    [{ 'if-none-match': '"x"' }, 200],
    [{ 'if-none-match': '"a,1"' }, 200],
    // If-Modified-Since, only without If-None-Match
    [{ 'if-modified-since': stamp }, 304],
    [{ 'if-modified-since': later }, 304],
    [{ 'if-modified-since': earlier }, 200],
    [{ 'if-modified-since': '2026-05-05' }, 200],
    [{ 'if-modified-since': 'Monday, 04-May-26 10:20:30 GMT' }, 304],
    [{ 'if-modified-since': 'Mon May  4 10:20:30 2026' }, 304],
    [{ 'if-none-match': '"x"', 'if-modified-since': later }, 200],
    [{ 'if-none-match': tag, 'if-modified-since': earlier }, 304],
    // one after the other
    [{ 'if-match': '"x"', 'if-none-match': tag }, 412],
    [{ 'if-match': tag, 'if-none-match': tag }, 304],
    [{ 'if-unmodified-since': earlier, 'if-modified-since': later }, 412],
    [{ 'if-none-match': tag, range: 'bytes=0-1' }, 304],
    [{ 'if-match': '"x"', range: 'bytes=99-' }, 412],
    [{ 'if-match': tag, range: 'bytes=0-1' }, 206, '01'],
    [{ 'if-match': tag, range: 'bytes=99-' }, 416],
    // If-Range
    [{ 'if-range': tag, range: 'bytes=2-3' }, 206, '23'],
    [{ 'if-range': '"x"', range: 'bytes=2-3' }, 200],
    [{ 'if-range': `W/${tag}`, range: 'bytes=2-3' }, 200],
    [{ 'if-range': stamp, range: 'bytes=2-3' }, 206, '23'],
    [{ 'if-range': later, range: 'bytes=2-3' }, 200],
    [{ 'if-range': '"x"', range: 'bytes=99-' }, 200],
    [{ 'if-range': tag }, 200],
    // Range
    [{ range: 'bytes=0-0' }, 206, '0'],
    [{ range: 'bytes=8-' }, 206, '89'],
    [{ range: 'bytes=-2' }, 206, '89'],
    [{ range: 'bytes=0-1,1-3' }, 206, '0123'],
    [{ range: 'bytes=0-0,-1' }, 200],
    [{ range: 'bytes=10-' }, 416],
    [{ range: 'bytes=-0' }, 416],
    [{ range: 'bytes=4-2' }, 200],
    [{ range: 'items=0-1' }, 200],
  ])('%j → %d', async (headers, status, body = '') => {
    const response = await ask(await signed('digits.txt'), { headers })
    expect(response.status).toBe(status)
    const text = await response.text()
    if (status === 200) expect(text).toBe('0123456789')
    if (status === 206) expect([text, response.headers.get('content-range')]).toEqual([body, expect.stringMatching(/^bytes \d-\d\/10$/)])
    if (status === 206 || status === 200) expect(response.headers.get('content-length')).toBe(String(text.length))
    if (status === 304) expect([text, response.headers.get('etag'), response.headers.get('last-modified')]).toEqual(['', tag, stamp])
    if (status === 416) expect(response.headers.get('content-range')).toBe('bytes */10')

    const head = await ask(await signed('digits.txt'), { method: 'HEAD', headers })
    const withoutRange = status === 206 || status === 416 ? 200 : status
    expect([head.status, await head.text()]).toEqual([withoutRange, ''])
    if (withoutRange === 200) expect(head.headers.get('content-length')).toBe('10')
  })

  it('answers an empty file', async () => {
    await write('empty', '')
    expect((await ask(await signed('empty'))).headers.get('content-length')).toBe('0')
    expect((await ask(await signed('empty'), { headers: { range: 'bytes=0-' } })).headers.get('content-range')).toBe('bytes */0')
    expect((await ask(await signed('empty'), { headers: { range: 'bytes=-5' } })).status).toBe(200)
  })
})

describe('headers of a file', () => {
  async function headersOf(path: string, options: WriteOptions & { url?: Parameters<Disk['temporaryUrl']>[2] } = {}): Promise<Headers> {
    const { url, ...writeOptions } = options
    await write(path, 'x', writeOptions)
    return (await ask(await signed(path, url))).headers
  }

  it('keep it from being sniffed, run, or kept by caches', async () => {
    const headers = await headersOf('a.txt')
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      'cache-control': 'private, no-store',
      'accept-ranges': 'bytes',
      'last-modified': stamp,
    })
    expect(headers.has('content-disposition')).toBe(false)
  })

  it('are the stored ones where the file has some', async () => {
    const stored = {
      contentType: 'text/css; charset=latin1',
      cacheControl: 'public, max-age=60',
      contentEncoding: 'gzip',
      contentLanguage: 'de',
    }
    expect(Object.fromEntries(await headersOf('a', { ...stored, contentDisposition: 'inline; filename="b.css"' }))).toMatchObject({
      'content-type': 'text/css; charset=latin1',
      'cache-control': 'public, max-age=60',
      'content-encoding': 'gzip',
      'content-language': 'de',
      'content-disposition': 'inline; filename="b.css"',
    })
    expect((await headersOf('no-extension')).get('content-type')).toBe('application/octet-stream')
  })

  it.each(['page.html', 'image.svg', 'feed.xml', 'x.xhtml', 'x.js', 'mail.eml', 'feed.atom'])('make a download of %s', async (path) => {
    expect((await headersOf(`d/${path}`)).get('content-disposition')).toBe(`attachment; filename="${path}"`)
    expect((await headersOf(path, { contentDisposition: 'inline' })).get('content-disposition')).toBe(`attachment; filename="${path}"`)
    expect((await headersOf(path, { contentDisposition: 'attachment; filename="y"' })).get('content-disposition')).toBe(
      'attachment; filename="y"',
    )
  })

  it('make a download of what is only signed to be active', async () => {
    expect((await headersOf('a.txt', { url: { contentType: 'Text/HTML ; charset=utf-8' } })).get('content-disposition')).toBe(
      'attachment; filename="a.txt"',
    )
  })

  it('show an active file when that was signed', async () => {
    await write('a.html', 'x')
    const request = await disks['local']?.driver.signUrl?.('a.html', {
      method: 'GET',
      expiresAt: new Date(Date.now() + 60_000),
      contentDisposition: 'inline',
    })
    expect((await ask(request?.url as string)).headers.get('content-disposition')).toBe('inline')
  })

  it('are the signed ones where the URL has some', async () => {
    const headers = await headersOf('a', {
      contentType: 'text/plain',
      contentDisposition: 'inline',
      url: { contentType: 'image/png', download: 'é "1".png' },
    })
    expect(headers.get('content-type')).toBe('image/png')
    expect(headers.get('content-disposition')).toBe(`attachment; filename="e _1_.png"; filename*=UTF-8''%C3%A9%20%221%22.png`)
    expect((await headersOf('d/ü.txt', { url: { download: true } })).get('content-disposition')).toBe(
      `attachment; filename="u.txt"; filename*=UTF-8''%C3%BC.txt`,
    )
  })

  it('cannot be broken out of by what is stored', async () => {
    const evil = 'a/b\r\nset-cookie: x=1'
    const headers = await headersOf('a.bin', { contentType: evil, contentDisposition: evil, cacheControl: evil, contentLanguage: '公司' })
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.has('set-cookie') || headers.has('content-disposition') || headers.has('content-language')).toBe(false)
    expect(headers.get('cache-control')).toBe('private, no-store')
    await write('line\u2028break.html', 'x')
    expect((await ask(await signed('line\u2028break.html'))).headers.get('content-disposition')).toContain('filename="line_break.html"')
  })

  it('quote an etag that is not', async () => {
    for (const [etag, expected] of [
      ['abc-1', '"abc-1"'],
      ['W/"5"', 'W/"5"'],
      ['a"b\n', '"a%22b%0A"'],
      [undefined, null],
    ] as const) {
      const stat = async (): Promise<FileStat> => ({ path: 'a', size: 1, lastModified: modified, etag })
      const from = storageOf({ local: diskOf(over({ stat })) })
      expect((await ask(await signed('a'), { method: 'HEAD' }, from)).headers.get('etag')).toBe(expected)
    }
  })
})

describe('requests to the store', () => {
  async function calls(init: RequestInit): Promise<string[]> {
    const made: string[] = []
    const spy = over({
      stat: (path, options) => (made.push('stat'), memory.stat(path, options)),
      read: (path, options) => (
        made.push(`read ${JSON.stringify({ ...options.range, ifMatch: options.ifMatch })}`), memory.read(path, options)
      ),
    })
    await (await ask(await signed('digits.txt'), init, storageOf({ local: diskOf(spy) }))).text()
    return made
  }

  it('are as few as can be', async () => {
    expect(await calls({})).toEqual(['read {}'])
    expect(await calls({ method: 'HEAD', headers: { range: 'bytes=0-1' } })).toEqual(['stat'])
    expect(await calls({ headers: { range: 'bytes=2-4' } })).toEqual(['read {"start":2,"end":5}'])
    expect(await calls({ headers: { range: 'bytes=-4' } })).toEqual(['read {"suffix":4}'])
    expect(await calls({ headers: { range: 'bytes=99-' } })).toEqual(['read {"start":99}', 'stat'])
    expect(await calls({ headers: { 'if-none-match': '"1"' } })).toEqual(['stat'])
    expect(await calls({ headers: { 'if-range': '"1"', range: 'bytes=2-4' } })).toEqual([
      'stat',
      'read {"start":2,"end":5,"ifMatch":"\\"1\\""}',
    ])
  })

  it('never mix two versions: a file that changes in between is judged again', async () => {
    let reads = 0
    const changing = over({
      read: async (path, options) => {
        if (reads++ === 0) await write('digits.txt', 'abcdefghij')
        return memory.read(path, options)
      },
    })
    for (const ifMatch of [true, false]) {
      reads = 0
      await write('digits.txt', '0123456789')
      const driver = Object.assign(changing, { supports: { ...memory.supports, ifMatch } })
      const etag = (await memory.stat('digits.txt', {})).etag as string
      const from = storageOf({ local: diskOf(driver) })
      const headers = { 'if-range': etag, range: 'bytes=0-1' }
      const response = await ask(await signed('digits.txt'), { headers }, from)
      expect([response.status, await response.text(), reads]).toEqual([200, 'abcdefghij', 2])
    }
  })

  it('give up on a file that changes each time', async () => {
    const driver = over({
      read: async (path, options) => {
        await write('digits.txt', 'x')
        return memory.read(path, options)
      },
    })
    expect(
      (await ask(await signed('digits.txt'), { headers: { 'if-none-match': '"x"' } }, storageOf({ local: diskOf(driver) }))).status,
    ).toBe(503)
  })
})

describe('without a signature', () => {
  beforeEach(async () => {
    await write('public.txt', 'public', { visibility: 'public' })
    await write('private.txt', 'private')
  })

  it('a public file of a public disk is sent, whatever else the query says', async () => {
    const response = await ask('/storage/open/public.txt?v=1&v=2')
    expect([response.status, await response.text(), response.headers.get('cache-control')]).toEqual([200, 'public', 'no-cache'])
    expect((await ask('/storage/open/public.txt', { headers: { range: 'bytes=1-2', 'if-match': '*' } })).status).toBe(206)
    expect((await ask('/storage/open/public.txt', { method: 'HEAD' })).status).toBe(200)
  })

  it('everything else is one and the same 403', async () => {
    const urls = [
      '/storage/open/private.txt',
      '/storage/open/missing.txt',
      '/storage/open/',
      '/storage/open',
      '/storage/local/public.txt',
      '/storage/nope/public.txt',
      '/storage/open//public.txt',
      '/storage/open/public.txt/',
      '/storage/open/x%2F..%2Fpublic.txt',
      '/storage/open/%00',
      '/storage/open/%ff',
      '/storage/open/%',
      '/open/public.txt',
      '/x/storage/open/public.txt',
      '/storage/open/public.txt?signature=x',
      '/storage/open/public.txt?expires=9999999999&signature=x',
      '/',
    ]
    for (const headers of [{}, { range: 'bytes=99-' }, { 'if-none-match': '*' }, { 'if-match': '"x"' }]) {
      const expected = await summary(await ask('/storage/open/missing.txt'))
      expect(expected).toMatchObject({ status: 403, body: 'Forbidden\n', headers: { 'cache-control': 'no-store' } })
      for (const url of urls) expect([url, await summary(await ask(url, { headers }))]).toEqual([url, expected])
      for (const url of urls) expect([url, (await ask(url, { method: 'HEAD', headers })).status]).toEqual([url, 403])
    }
  })

  it('a private file that is read by chance gives its body back', async () => {
    let returned = 0
    const read: Driver['read'] = async (path, options) => {
      const { stat } = await memory.read(path, options)
      const iterator: AsyncIterator<Uint8Array> = {
        next: () => Promise.reject(new Error('was read')),
        return: async () => {
          returned++
          return { done: true, value: undefined }
        },
      }
      return { stat, body: { [Symbol.asyncIterator]: () => iterator } }
    }
    const from = storageOf({ open: diskOf(over({ read }), { disk: 'open', visibility: 'public' }) })
    expect((await ask('/storage/open/private.txt', {}, from)).status).toBe(403)
    expect(returned).toBe(1)
  })

  it('a store that tells no visibility has no public files', async () => {
    const stat = async (): Promise<FileStat> => ({ path: 'a', size: 1, lastModified: modified })
    const from = storageOf({ open: diskOf(over({ stat, visibility: undefined }), { disk: 'open', visibility: 'public' }) })
    expect((await ask('/storage/open/a', { method: 'HEAD' }, from)).status).toBe(403)
  })

  it('nothing is written', async () => {
    expect((await ask('/storage/open/new.txt', { method: 'PUT', body: 'x' })).status).toBe(403)
    expect((await ask('/storage/open/public.txt', { method: 'PUT', body: 'x' })).status).toBe(403)
    expect((await memory.stat('public.txt', {})).size).toBe(6)
  })
})

describe('finding the disk', () => {
  it('takes disks that are misconfigured, of another name, or without a handler for absent', async () => {
    await write('a.txt', 'x', { visibility: 'public' })
    const broken = { driver: memory, layer: () => { throw new errors.ConfigurationError() } } // biome-ignore format: one line
    const more = {
      names: ['broken', 'plain', 'wrapping', 'linked', 'unsigned'],
      disk: (name = '') =>
        ({
          broken,
          plain: new Disk(memory),
          wrapping: diskOf(memory, { disk: 'open', visibility: 'public' }),
          linked: new Disk(served({ disk: 'linked', publicUrl: '/storage/linked', visibility: 'public' })(memory)),
          unsigned: diskOf(memory, { disk: 'unsigned', url: '/storage', secret: undefined }),
        })[name] as Disk,
    }
    for (const name of more.names) expect([name, (await ask(`/storage/${name}/a.txt`, {}, more)).status]).toEqual([name, 403])
    expect((await ask('/storage/unsigned/a.txt?expires=1&signature=x', {}, more)).status).toBe(403)
  })

  it('asks only for disks whose name is in the URL', async () => {
    const asked: string[] = []
    const names = ['a', 'b', 'storage', 'c']
    await ask('/storage/b/c.txt', {}, { names, disk: (name = '') => (asked.push(name), new Disk(memory)) })
    expect(asked).toEqual(['b', 'storage'])
  })

  it('knows disks by their base, also where one lies below another', async () => {
    await write('a.txt', 'x')
    await write('inner/a.txt', 'xx')
    const nested = {
      outer: diskOf(memory, { disk: 'outer' }),
      inner: diskOf(memory, { disk: 'inner', url: 'https://x.example/storage/outer/' }),
    }
    for (const [disk, path, size] of [
      ['outer', 'inner/a.txt', '2'],
      ['inner', 'a.txt', '1'],
    ] as const) {
      const url = new URL(await nested[disk].temporaryUrl(path), 'http://localhost')
      expect(url.pathname).toBe('/storage/outer/inner/a.txt')
      expect((await ask(url.href, {}, storageOf(nested))).headers.get('content-length')).toBe(size)
    }
  })

  it('finds a base and a name that have to be encoded', async () => {
    await write('a.txt', 'x')
    const odd = diskOf(memory, { disk: 'my disk/ü', url: '/das%20Lager' })
    const url = await odd.temporaryUrl('a.txt')
    expect(url).toMatch(/^\/das%20Lager\/my%20disk%2F%C3%BC\/a\.txt\?/)
    expect((await ask(url, {}, storageOf({ 'my disk/ü': odd }))).status).toBe(200)
  })

  it('waits for a storage that has to find its configuration first, and asks it once', async () => {
    let names: string[] = []
    let loads = 0
    const lazy: ServableStorage = {
      get names() {
        return names
      },
      disk: (name = '') => storage.disk(name),
      load: async () => {
        loads++
        names = ['local']
      },
    }
    expect((await ask(await signed('digits.txt'), {}, lazy)).status).toBe(200)
    expect((await ask(await signed('digits.txt'), {}, lazy)).status).toBe(200)
    expect(loads).toBe(1)
  })

  it('waits for a driver that is still being made', async () => {
    let made = false
    const slow: ServableStorage = {
      names: ['local'],
      disk: (name = '') => {
        if (!made) throw new errors.ConfigurationError('not ready')
        return storage.disk(name)
      },
      load: async () => void (made = true),
    }
    expect((await ask(await signed('digits.txt'), {}, slow)).status).toBe(200)
  })
})

describe('methods', () => {
  it.each(['POST', 'DELETE', 'PATCH', 'OPTIONS'])('%s is not allowed', async (method) => {
    const response = await ask(await signed('digits.txt'), { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, PUT'])
  })

  it('a URL for HEAD is not one for GET', async () => {
    const url = await signed('digits.txt', { method: 'HEAD' })
    expect((await ask(url, { method: 'HEAD' })).status).toBe(200)
    expect((await ask(url)).status).toBe(403)
  })
})

describe('failures of the store', () => {
  const secretText = 'the bucket of ACME'
  it.each<[new (message?: string, context?: errors.ErrorContext) => errors.StorageError, number, boolean]>([
    [errors.FileNotFoundError, 404, false],
    [errors.PermissionDeniedError, 403, false],
    [errors.InvalidPathError, 403, false],
    [errors.RateLimitedError, 429, false],
    [errors.UnavailableError, 503, true],
    [errors.TimeoutError, 503, true],
    [errors.UnauthenticatedError, 500, true],
    [errors.IntegrityError, 500, true],
    [errors.ConfigurationError, 500, true],
    [errors.StorageError, 500, true],
  ])('%p is a %d without its text', async (Failure, status, told) => {
    const error = new Failure(secretText, { path: secretText })
    const seen: unknown[] = []
    const failing = storageOf({ local: diskOf(over({ read: () => Promise.reject(error), stat: () => Promise.reject(error) })) })
    const handler = createHandler(failing, { onError: (failure) => seen.push(failure) })
    const url = new URL(await signed('a'), 'http://localhost')
    for (const method of ['GET', 'HEAD']) {
      const response = await handler(new Request(url, { method }))
      expect(response.status).toBe(status)
      expect(JSON.stringify(await summary(response))).not.toContain(secretText)
    }
    expect(seen).toEqual(told ? [error, error] : [])
  })

  it('what is not one of ours is a 500', async () => {
    const failing = storageOf({ local: diskOf(over({ read: () => Promise.reject(new TypeError('x')) })) })
    expect((await ask(await signed('a'), {}, failing)).status).toBe(500)
  })

  it('a body that is shorter or longer than its stat fails the stream', async () => {
    for (const chunks of [['012'], ['0123456789', 'x']]) {
      const read: Driver['read'] = async (path, options) => ({
        stat: await memory.stat(path, options),
        body: (async function* () {
          for (const chunk of chunks) yield Buffer.from(chunk)
        })(),
      })
      const response = await ask(await signed('digits.txt'), {}, storageOf({ local: diskOf(over({ read })) }))
      expect(response.status).toBe(200)
      await expect(response.text()).rejects.toMatchObject({ code: 'unavailable' })
    }
  })
})

describe('giving up', () => {
  /** A body whose second chunk never comes until the signal aborts. */
  function stalling(): { driver: Driver; released: () => boolean } {
    let released = false
    const read: Driver['read'] = async (path, { signal }) => ({
      stat: await memory.stat(path, {}),
      body: (async function* () {
        try {
          yield Buffer.from('0')
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
        } finally {
          released = true
        }
      })(),
    })
    return { driver: over({ read }), released: () => released }
  }

  it('cancelling the body gives it back, also while it waits', async () => {
    const { driver, released } = stalling()
    const response = await ask(await signed('digits.txt'), {}, storageOf({ local: diskOf(driver) }))
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    const waiting = reader.read()
    await reader.cancel()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await new Promise((resolve) => setImmediate(resolve))
    expect(released()).toBe(true)
  })

  it('aborting the request gives it back', async () => {
    const { driver, released } = stalling()
    const controller = new AbortController()
    const response = await ask(await signed('digits.txt'), { signal: controller.signal }, storageOf({ local: diskOf(driver) }))
    const text = response.text()
    controller.abort(new Error('enough'))
    await expect(text).rejects.toThrow('enough')
    expect(released()).toBe(true)
  })

  it('cancelling a body before its first chunk gives it back too', async () => {
    let returned = 0
    const read: Driver['read'] = async (path) => {
      const iterator: AsyncIterator<Uint8Array> = {
        next: () => Promise.reject(new Error('was read')),
        return: async () => {
          returned++
          return { done: true, value: undefined }
        },
      }
      return { stat: await memory.stat(path, {}), body: { [Symbol.asyncIterator]: () => iterator } }
    }
    const response = await ask(await signed('digits.txt'), {}, storageOf({ local: diskOf(over({ read })) }))
    await response.body?.cancel()
    expect(returned).toBe(1)
  })
})
