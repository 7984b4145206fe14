/** What is purged, when, and how each network is asked for it. The servers refuse what their documentation does not allow. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesContent } from '../../../src/content.ts'
import { type CdnDriver, cdn } from '../../../src/decorators/cdn/cdn.ts'
import type { CdnEvent } from '../../../src/decorators/cdn/events.ts'
import type { CdnOptions } from '../../../src/decorators/cdn/options.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { type ProviderType, type PurgeServer, purgeServer } from './purge-servers.ts'

const PROVIDERS = ['cloudfront', 'bunny', 'cloudflare', 'fastly', 'spaces'] as const
const ODD = "dir é/it's (1) 100%.txt"
const ENCODED = 'dir%20%C3%A9/it%27s%20%281%29%20100%25.txt'
const SHOWN: Readonly<Record<ProviderType, (path: string) => string>> = {
  cloudfront: (path) => `/${path}`,
  bunny: (path) => `https://cdn.example.com/${path}`,
  cloudflare: (path) => `https://cdn.example.com/${path}`,
  fastly: (path) => `cdn.example.com/${path}`,
  spaces: (path) => decodeURIComponent(path),
}

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

interface Setup {
  readonly server: PurgeServer
  readonly disk: CdnDriver
  readonly events: CdnEvent[]
}

async function setup(type: ProviderType, more: Partial<CdnOptions> = {}, inner: Driver = new MemoryDriver()): Promise<Setup> {
  const server = await purgeServer(type)
  const events: CdnEvent[] = []
  const disk = cdn({
    url: 'https://cdn.example.com',
    provider: server.provider,
    batchMs: 10,
    repurgeAfter: false,
    retry: { baseDelayMs: 5, maxDelayMs: 20 },
    on: (event) => void events.push(event),
    ...more,
  })(inner) as CdnDriver
  open.push(server, disk)
  return { server, disk, events }
}

const put = (disk: Driver, path: string): Promise<unknown> => disk.write(path, bytesContent(Buffer.from('x')), {})

describe.each(PROVIDERS)('%s', (type) => {
  it('is asked for each change once, by the encoded name', async () => {
    const { server, disk } = await setup(type)
    await put(disk, ODD)
    await disk.copy(ODD, 'copy.txt', {})
    await disk.move('copy.txt', 'moved.txt', {})
    await disk.append?.('log.txt', bytesContent(Buffer.from('line')), {})
    await disk.visibility?.set('log.txt', 'public', {})
    await disk.delete(['gone-1.txt', 'gone-2.txt'], {})
    const id = (await disk.multipart?.create('parts.bin', {})) ?? ''
    const part = await disk.multipart?.part('parts.bin', id, 1, bytesContent(Buffer.from('part')), {})
    await disk.multipart?.complete('parts.bin', id, part === undefined ? [] : [part], {})
    expect(await disk.flush()).toBe(true)
    const names = [ENCODED, 'copy.txt', 'moved.txt', 'log.txt', 'gone-1.txt', 'gone-2.txt', 'parts.bin']
    expect([...new Set(server.purged)].toSorted()).toEqual(names.map(SHOWN[type]).toSorted())
    expect(server.violations).toEqual([])
    expect(disk.pending()).toBe(0)
  })

  it('is asked for a directory that is deleted', async () => {
    const { server, disk } = await setup(type)
    await put(disk, 'dir/a.txt')
    await put(disk, 'dir/sub/b.txt')
    await disk.flush()
    server.purged.length = 0
    await disk.directories?.delete('dir', {})
    await disk.flush()
    const asked: Readonly<Record<ProviderType, readonly string[]>> = {
      cloudfront: ['/dir/*'],
      bunny: ['https://cdn.example.com/dir/*'],
      cloudflare: ['prefixes:cdn.example.com/dir/'],
      fastly: ['cdn.example.com/dir/a.txt', 'cdn.example.com/dir/sub/b.txt'],
      spaces: ['dir/*'],
    }
    expect(server.purged.toSorted()).toEqual(asked[type])
    expect(server.violations).toEqual([])
  })

  it('purges what it is told to', async () => {
    const { server, disk } = await setup(type)
    await disk.purge('a.txt')
    await disk.purge(['b.txt', './b.txt', '/c.txt'])
    await disk.purge({ all: true })
    const all: Readonly<Record<ProviderType, string>> = {
      cloudfront: '/*',
      bunny: 'https://cdn.example.com/*',
      cloudflare: 'hosts:cdn.example.com',
      fastly: '*',
      spaces: '*',
    }
    expect(server.purged.toSorted()).toEqual([...['a.txt', 'b.txt', 'c.txt'].map(SHOWN[type]), all[type]].toSorted())
    expect(server.violations).toEqual([])
  })

  it.each([
    ['429', { status: 429, retryAfter: '0' }],
    ['500', { status: 500 }],
    ['503 with a date', { status: 503, retryAfter: new Date(0).toUTCString() }],
    ['a refused key', { status: 403 }],
    ['nothing', 'silence'],
    ['a broken connection', 'reset'],
  ] as const)('loses no purge when it answers with %s', async (_name, fault) => {
    const { server, disk, events } = await setup(type, { requestTimeoutMs: 150 })
    server.faults.push(fault, fault, fault)
    await put(disk, 'a.txt')
    while (server.purged.length === 0) await disk.flush({ timeoutMs: 50 })
    await put(disk, 'b.txt')
    expect(await disk.flush()).toBe(true)
    expect(server.purged).toEqual(['a.txt', 'b.txt'].map(SHOWN[type]))
    expect(events.filter((event) => event.type === 'purge-failed')).toHaveLength(3)
    expect(JSON.stringify(events) + String(events.map((event) => ('error' in event ? event.error : '')))).not.toMatch(/secret|AKID|token/i)
    expect(server.violations).toEqual([])
  })
})

describe('the order', () => {
  it('is: first the store, then the network', async () => {
    const inner = new MemoryDriver()
    const { server, disk } = await setup('bunny', { purge: 'await' }, inner)
    const slow = { size: 1, replayable: false, bytes: undefined, stream: () => source() }
    async function* source(): AsyncGenerator<Uint8Array, undefined> {
      await new Promise((resolve) => setTimeout(resolve, 60))
      expect(server.requests).toEqual([])
      yield Buffer.from('x')
    }
    await disk.write('a.txt', slow, {})
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt'])
  })

  it('has a second purge after the network has spread the first', async () => {
    const { server, disk, events } = await setup('cloudfront', { repurgeAfter: 0.05 })
    await put(disk, 'a.txt')
    await disk.flush()
    expect(disk.pending()).toBe(0)
    while (events.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(server.purged).toEqual(['/a.txt', '/a.txt'])
    expect(events).toEqual([
      { type: 'purged', targets: [{ type: 'file', path: 'a.txt' }], repeat: false },
      { type: 'purged', targets: [{ type: 'file', path: 'a.txt' }], repeat: true },
    ])
    expect(new Set(server.requests.map(({ reference }) => reference)).size).toBe(2)
  })

  it.each([
    ['was refused', 'already_exists', []],
    ['may have been made', 'unavailable', ['/a.txt']],
  ])('purges a change that failed only when it %s', async (_name, code, purged) => {
    const { UnavailableError, FileExistsError } = await import('../../../src/errors.ts')
    const error = code === 'unavailable' ? new UnavailableError() : new FileExistsError()
    const { server, disk } = await setup('cloudfront', {}, faulty(new MemoryDriver(), { operation: 'write', error, first: 1 }))
    await expect(put(disk, 'a.txt')).rejects.toMatchObject({ code })
    await disk.flush()
    expect(server.purged).toEqual(purged)
  })

  it('asks for nothing when the call was aborted before it began', async () => {
    const { server, disk } = await setup('cloudfront')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(disk.write('a.txt', bytesContent(Buffer.from('x')), { signal })).rejects.toThrow('enough')
    await disk.flush()
    expect(server.requests).toEqual([])
  })
})

describe('names', () => {
  it('have the prefix of the directory that is the disk, and the path of the address', async () => {
    const { server, disk } = await setup(
      'cloudfront',
      { url: 'https://cdn.example.com/base%20dir/' },
      scoped('tenants/1')(new MemoryDriver()),
    )
    await disk.purge(['a b.txt'])
    await disk.purge('photos/')
    await disk.purge({ prefix: '' })
    expect(server.purged).toEqual(['/base%20dir/tenants/1/a%20b.txt', '/base%20dir/tenants/1/photos/*', '/base%20dir/tenants/1/*'])
    expect(await disk.publicUrl?.('a b.txt')).toBe('https://cdn.example.com/base%20dir/tenants/1/a%20b.txt')
  })
})

describe('without keys to purge with', () => {
  it.each([
    ['no provider', {}],
    ['keys to sign with alone', { provider: { type: 'bunny', securityKey: 'k' } }],
    ['purge: false', { provider: { type: 'bunny', apiKey: 'k', apiUrl: 'http://127.0.0.1:1' }, purge: false }],
  ] as const)('changes are made as ever: %s', async (_name, options) => {
    const disk = cdn({ url: 'https://cdn.example.com', ...options })(new MemoryDriver()) as CdnDriver
    await put(disk, 'a.txt')
    expect(disk.pending()).toBe(0)
    expect(await disk.flush()).toBe(true)
    await expect(disk.purge('a.txt')).rejects.toMatchObject({ code: 'unsupported' })
    await disk.close()
  })

  it('Fastly says what it cannot purge', async () => {
    const provider = { type: 'fastly', apiToken: 'k', apiUrl: 'http://127.0.0.1:1' } as const
    const disk = cdn({ url: 'https://cdn.example.com', provider })(new MemoryDriver()) as CdnDriver
    await expect(disk.purge({ prefix: 'a' })).rejects.toMatchObject({ code: 'unsupported' })
    await expect(disk.purge({ all: true })).rejects.toMatchObject({ code: 'unsupported' })
  })
})
