import { describe, expect, it } from '@jest/globals'
import { toContent } from '../../src/content.ts'
import { type ServedOptions, type ServedDriver, served } from '../../src/decorators/served.ts'
import type { Driver } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'

const secret = 'a secret of enough length'
const expiresAt = new Date(Date.now() + 60_000)

function serve(options: Partial<ServedOptions> = {}, inner: Driver = new MemoryDriver()): ServedDriver {
  return served({ disk: 'local', secret, ...options })(inner) as ServedDriver
}

/** A driver with URLs of its own, as s3 has them. */
function withUrls(): Driver {
  const driver = new MemoryDriver()
  return Object.assign(Object.create(driver) as Driver, {
    publicUrl: async (path: string) => `https://inner.example/${path}`,
    signUrl: async (path: string) => ({ url: `https://inner.example/${path}?signed`, method: 'GET', headers: {} }),
  })
}

async function signedUrl(driver: Driver, path = 'a b/ü?.txt'): Promise<string | undefined> {
  return (await driver.signUrl?.(path, { method: 'GET', expiresAt }))?.url
}

describe('signed URLs', () => {
  it('are {url}/{disk}/{path}, encoded, and verify', async () => {
    const driver = serve({ disk: 'my disk/1' })
    const url = new URL((await signedUrl(driver)) as string, 'http://localhost')
    expect(url.pathname).toBe('/storage/my%20disk%2F1/a%20b/%C3%BC%3F.txt')
    expect(driver.verify('GET', 'a b/ü?.txt', url.searchParams)).toBeDefined()
    expect(driver.verify('PUT', 'a b/ü?.txt', url.searchParams)).toBeUndefined()
    expect(serve({ disk: 'other' }).verify('GET', 'a b/ü?.txt', url.searchParams)).toBeUndefined()
  })

  it.each([
    ['https://files.example.com/storage/', 'https://files.example.com/storage/local/a'],
    ['/', '/local/a'],
    ['files', '/files/local/a'],
    [undefined, '/storage/local/a'],
  ])('have the base %p', async (url, expected) => {
    expect((await signedUrl(serve({ url }), 'a'))?.split('?')[0]).toBe(expected)
  })

  it('name the header that an upload has to send', async () => {
    const request = await serve().signUrl?.('a', { method: 'PUT', expiresAt, contentType: 'image/png', maxSize: 5 })
    expect(request).toMatchObject({ method: 'PUT', headers: { 'Content-Type': 'image/png' } })
    expect(await serve().signUrl?.('a', { method: 'GET', expiresAt, contentType: 'image/png' })).toMatchObject({
      method: 'GET',
      headers: {},
    })
  })

  it('expire by the clock that was given', async () => {
    let now = new Date(0)
    const driver = serve({ now: () => now })
    const query = new URL((await signedUrl(driver, 'a')) as string, 'http://localhost').searchParams
    expect(driver.verify('GET', 'a', query)).toBeDefined()
    now = new Date(expiresAt.getTime() + 1_000)
    expect(driver.verify('GET', 'a', query)).toBeUndefined()
  })

  it('are a configuration error without a good secret, at the first one and not before', async () => {
    for (const bad of [undefined, '']) {
      const driver = serve({ url: '/storage', secret: bad })
      expect(driver.supports.temporaryUrl).toBe(true)
      await expect(signedUrl(driver)).rejects.toMatchObject({ code: 'configuration' })
    }
  })
})

describe('public URLs', () => {
  it('are the given base, else the inner driver’s, else where the handler is', async () => {
    expect(await serve({ publicUrl: 'https://cdn.example/x/' }, withUrls()).publicUrl?.('a b/c')).toBe('https://cdn.example/x/a%20b/c')
    expect(await serve({}, withUrls()).publicUrl?.('a')).toBe('https://inner.example/a')
    expect(await serve().publicUrl?.('a?b')).toBe('/storage/local/a%3Fb')
  })

  it('alone leave signing to the inner driver', async () => {
    const alone: ServedOptions = { disk: 'local', publicUrl: '/files' }
    const overUrls = served(alone)(withUrls()) as ServedDriver
    expect(await signedUrl(overUrls, 'a')).toBe('https://inner.example/a?signed')
    expect(await overUrls.publicUrl?.('a')).toBe('/files/a')
    const overMemory = served(alone)(new MemoryDriver()) as ServedDriver
    expect(overMemory.signUrl).toBeUndefined()
    expect(overMemory.supports.temporaryUrl).toBe(false)
    expect(overMemory.url).toBeUndefined()
    expect(overMemory.verify('GET', 'a', new URLSearchParams('signature=x&expires=1'))).toBeUndefined()
  })

  it.each(['/a?b', '/a#b', '/a b', 'https://x\\y'])('refuse the base %p', (publicUrl) => {
    expect(() => serve({ publicUrl })).toThrow(expect.objectContaining({ code: 'configuration' }))
    expect(() => serve({ url: publicUrl })).toThrow(expect.objectContaining({ code: 'configuration' }))
  })
})

describe('the rest of the stack', () => {
  it('is the inner driver’s', async () => {
    const inner = new MemoryDriver()
    const driver = serve({ visibility: 'public' }, inner)
    expect([driver.kind, driver.name, driver.inner]).toEqual(['served', 'served(memory)', [inner]])
    expect(driver.supports).toEqual({ ...inner.supports, temporaryUrl: true, temporaryUploadUrl: true })
    await driver.write('a', toContent('1'), { visibility: 'public' })
    await driver.append?.('a', toContent('2'), {})
    await driver.copy('a', 'b', {})
    await driver.move('b', 'c', {})
    expect(await driver.stat('c', {})).toMatchObject({ size: 2, visibility: 'public' })
    expect(await driver.visibility?.get('c', {})).toBe('public')
    expect(driver.locate('c')).toEqual(inner.locate('c'))
    expect(await driver.delete(['a'], {})).toEqual([])
    expect((await driver.list('', {})).entries.map(({ path }) => path)).toEqual(['c'])
    await driver.close()
    expect((await driver.read('c', {})).stat.size).toBe(2)
  })
})
