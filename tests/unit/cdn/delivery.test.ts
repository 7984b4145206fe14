/** How purges are gathered, bounded and repeated, and what is left when a disk is closed. */
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { bytesContent } from '../../../src/content.ts'
import { Backlog, type Item, MAX_WAITING } from '../../../src/decorators/cdn/backlog.ts'
import { type CdnDriver, cdn } from '../../../src/decorators/cdn/cdn.ts'
import type { CdnEvent } from '../../../src/decorators/cdn/events.ts'
import type { CdnOptions } from '../../../src/decorators/cdn/options.ts'
import { memoryQueue, type PurgeQueue } from '../../../src/decorators/cdn/purge-queue.ts'
import { retryAfterMs } from '../../../src/decorators/cdn/purger.ts'
import { retrying } from '../../../src/decorators/retrying.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { type ProviderType, type PurgeServer, purgeServer } from './purge-servers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

async function serverOf(type: ProviderType): Promise<PurgeServer> {
  const server = await purgeServer(type)
  open.push(server)
  return server
}

function diskOf({ provider }: Pick<PurgeServer, 'provider'>, more: Partial<CdnOptions> = {}): { disk: CdnDriver; events: CdnEvent[] } {
  const events: CdnEvent[] = []
  const disk = cdn({
    url: 'https://cdn.example.com',
    provider,
    batchMs: 20,
    repurgeAfter: false,
    retry: { baseDelayMs: 5, maxDelayMs: 20 },
    on: (event) => void events.push(event),
    ...more,
  })(new MemoryDriver()) as CdnDriver
  open.push(disk)
  return { disk, events }
}

const put = (disk: Driver, path: string): Promise<unknown> => disk.write(path, bytesContent(Buffer.from('x')), {})
const paths = (count: number, directory = ''): string[] => Array.from({ length: count }, (_, index) => `${directory}f${index}.txt`)

describe('purges are gathered', () => {
  it('into one request, each file once', async () => {
    const server = await serverOf('cloudfront')
    const { disk } = diskOf(server)
    for (let round = 0; round < 5; round++) for (const path of ['a.txt', 'b.txt']) await put(disk, path)
    expect(disk.pending()).toBe(2)
    await disk.flush()
    expect(server.requests).toEqual([{ targets: ['/a.txt', '/b.txt'], reference: expect.any(String), status: 201 }])
  })

  it('into requests as large as the network takes', async () => {
    const server = await serverOf('cloudflare')
    const { disk } = diskOf(server)
    await disk.delete(paths(250), {})
    await disk.flush()
    expect(server.requests.map(({ targets }) => targets.length)).toEqual([100, 100, 50])
    expect(server.violations).toEqual([])
  })

  it('into the directory, when many files of it change', async () => {
    const server = await serverOf('cloudfront')
    const { disk } = diskOf(server)
    await disk.delete([...paths(101, 'many/'), ...paths(100, 'few/'), 'many/sub/x.txt', 'many.txt'], {})
    await disk.flush()
    const purged = server.purged.toSorted()
    expect(purged).toEqual(['/many/*', '/many.txt', ...paths(100, '/few/')].toSorted())
  })

  it('and never become all files of the disk because many are at its root', async () => {
    const server = await serverOf('cloudfront')
    const { disk } = diskOf(server)
    await disk.delete(paths(150), {})
    await disk.flush()
    expect(server.purged).toHaveLength(150)
  })

  it.each([
    ['bunny', 20],
    ['cloudfront', 15],
    ['spaces', 5],
    ['cloudflare', 25],
  ] as const)('and wait for the limits of %s', async (type, requests) => {
    const server = await serverOf(type)
    const { disk } = diskOf(server, { closeTimeoutMs: 0 })
    for (let count = 0; count < requests; count++) {
      await disk.directories?.delete(`d${count}`, {})
      while (disk.pending() > 0) await disk.flush({ timeoutMs: 1_000 })
    }
    expect(server.requests).toHaveLength(requests)
    const more = Array.from({ length: 60 }, async (_, count) => disk.directories?.delete(`more${count}`, {}))
    await Promise.all(more)
    expect(await disk.flush({ timeoutMs: 200 })).toBe(false)
    expect(server.violations).toEqual([])
    expect(disk.pending()).toBeGreaterThan(0)
  })
})

describe('a backlog', () => {
  const item = (path: string, more: Partial<Item> = {}): Item => ({
    target: { type: 'file', path },
    ids: [path],
    dueAt: 0,
    repeat: false,
    followed: false,
    waiters: [],
    ...more,
  })
  const anything = { takesPrefixes: true, takesAll: true }

  it('becomes everything when there is too much to remember', () => {
    const backlog = new Backlog()
    for (const path of paths(MAX_WAITING + 1)) backlog.add(item(path))
    backlog.collapse({ takesPrefixes: false, takesAll: false }, 0)
    expect(backlog.size).toBe(MAX_WAITING + 1)
    backlog.collapse(anything, 0)
    const [only] = backlog.values()
    expect(backlog.size).toBe(1)
    expect(only?.target).toEqual({ type: 'all', path: '' })
    expect(only?.ids).toHaveLength(MAX_WAITING + 1)
  })

  it('keeps second purges until their time, also when a directory covers them', () => {
    const backlog = new Backlog()
    backlog.add(item('a/b.txt', { repeat: true, dueAt: 500 }))
    backlog.add(item('a', { target: { type: 'prefix', path: 'a' }, repeat: true, dueAt: 100 }))
    backlog.add(item('a', { target: { type: 'prefix', path: 'a' } }))
    backlog.collapse(anything, 0)
    expect([...backlog.values()].map(({ dueAt }) => dueAt).toSorted((a, b) => a - b)).toEqual([0, 100, 500])
  })

  it('purges a file that is written again later, for the second time', () => {
    const backlog = new Backlog()
    expect(backlog.add(item('a', { repeat: true, dueAt: 100, ids: ['1'] }))).toEqual([])
    expect(backlog.add(item('a', { repeat: true, dueAt: 300, ids: ['2'] }))).toEqual(['1'])
    expect([...backlog.values()]).toEqual([item('a', { repeat: true, dueAt: 300, ids: ['2'] })])
    expect(backlog.nextDueAt()).toBe(300)
  })
})

describe('purges are repeated', () => {
  it('with the same reference, so that one whose answer was lost is made once', async () => {
    const server = await serverOf('cloudfront')
    const { disk } = diskOf(server)
    server.faults.push({ status: 500, taken: true }, 'reset')
    await put(disk, 'a.txt')
    while (server.requests.length < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    await put(disk, 'b.txt') // Not part of the batch that is repeated.
    await disk.flush()
    const [first, second, third, fourth] = server.requests
    expect([second?.reference, third?.reference]).toEqual([first?.reference, first?.reference])
    expect(fourth?.reference).not.toBe(first?.reference)
    expect(server.purged).toEqual(['/a.txt', '/b.txt'])
    expect(server.violations).toEqual([])
  })

  it('in halves, when the network refuses what is in them, so that one holds up no other', async () => {
    const server = await serverOf('cloudflare')
    const { disk, events } = diskOf(server, { closeTimeoutMs: 0, retry: { baseDelayMs: 5, maxDelayMs: 60_000 } })
    server.faults.push({ status: 400 }, { status: 400 }, { status: 200, taken: true }, { status: 400 })
    await disk.delete(['a', 'b', 'c', 'd'], {})
    while (server.purged.length < 3) await disk.flush({ timeoutMs: 20 })
    expect(server.requests.map(({ targets }) => targets.length)).toEqual(expect.arrayContaining([4, 2, 1]))
    expect(events.some((event) => event.type === 'purge-failed' && event.error.code === 'invalid_argument')).toBe(true)
  })

  it.each([
    ['1', 1_000],
    ['0.5', 500],
    ['86400', 900_000],
    [new Date(5_000).toUTCString(), 4_000],
    [new Date(0).toUTCString(), 0],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('not before Retry-After: %s', (header, ms) => {
    expect(retryAfterMs(header, 1_000)).toBe(ms)
  })

  it('when the network wants it, and not before', async () => {
    const server = await serverOf('bunny')
    const { disk, events } = diskOf(server, { closeTimeoutMs: 0 })
    server.faults.push({ status: 429, retryAfter: '600' })
    await put(disk, 'a.txt')
    expect(await disk.flush({ timeoutMs: 200 })).toBe(false)
    await put(disk, 'b.txt')
    expect(await disk.flush({ timeoutMs: 100 })).toBe(false)
    expect(server.requests).toHaveLength(1)
    expect(disk.pending()).toBe(2)
    expect(events).toEqual([
      {
        type: 'purge-failed',
        targets: [{ type: 'file', path: 'a.txt' }],
        error: expect.objectContaining({ code: 'rate_limited' }),
        attempt: 1,
        retryInMs: expect.closeTo(600_000, -3),
      },
    ])
  })

  it('without a reference to headers or keys in what is said of it', async () => {
    const gone = await purgeServer('bunny')
    await gone.close()
    const { disk, events } = diskOf(gone, { purge: 'await', closeTimeoutMs: 0, retry: { baseDelayMs: 60_000 } })
    const error = await put(disk, 'a.txt').catch((thrown: unknown) => thrown)
    const texts: string[] = []
    for (let current = error as Error | undefined; current !== undefined; current = current.cause as Error | undefined) {
      texts.push(`${current.message} ${JSON.stringify(Object.entries(current))}`)
    }
    expect(texts.join(' ') + JSON.stringify(events)).not.toContain('secret')
    expect(texts.join(' ')).toContain('ECONNREFUSED')
  })
})

describe('with purge: await', () => {
  it('a change resolves once it is purged', async () => {
    const server = await serverOf('fastly')
    const { disk } = diskOf(server, { purge: 'await' })
    await Promise.all([put(disk, 'a.txt'), put(disk, 'b.txt')])
    expect(server.purged.toSorted()).toEqual(['cdn.example.com/a.txt', 'cdn.example.com/b.txt'])
    expect(await disk.delete(['a.txt', 'b.txt', 'a.txt'], {})).toEqual([])
    expect(server.purged).toHaveLength(4)
    await disk.delete([], {})
  })

  it('a moment of trouble is waited for', async () => {
    const server = await serverOf('fastly')
    const { disk } = diskOf(server, { purge: 'await' })
    server.faults.push({ status: 503 }, 'reset')
    await put(disk, 'a.txt')
    expect(server.purged).toEqual(['cdn.example.com/a.txt'])
  })

  it('a failing purge says that the write stands, and is made later', async () => {
    const server = await serverOf('bunny')
    const { disk } = diskOf(server, { purge: 'await', retry: { baseDelayMs: 10_000, maxDelayMs: 10_000 } })
    server.faults.push({ status: 500 })
    const users = new Disk(disk, { name: 'assets' }).with(retrying({ attempts: 3, baseDelayMs: 1 }))
    const refusal = users.put('a.txt', 'new')
    await expect(refusal).rejects.toMatchObject({ code: 'unavailable', retryable: false, path: 'a.txt', operation: 'write' })
    await expect(refusal).rejects.toThrow('the write stands')
    expect(await users.text('a.txt')).toBe('new')
    expect(server.requests).toHaveLength(1)
    await expect(users.put('b.txt', 'new')).rejects.toThrow('the write stands') // at once: nothing is asked for a while
    expect(await disk.flush()).toBe(true)
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt', 'https://cdn.example.com/b.txt'])
  })

  it('an abort ends the waiting and not the purge', async () => {
    const server = await serverOf('bunny')
    const { disk } = diskOf(server, { purge: 'await', batchMs: 200 })
    const abort = new AbortController()
    const write = disk.write('a.txt', bytesContent(Buffer.from('x')), { signal: abort.signal })
    while (disk.pending() === 0) await new Promise(setImmediate)
    abort.abort(new Error('enough'))
    await expect(write).rejects.toThrow('enough')
    await disk.flush()
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt'])
  })
})

describe('a disk that is closed', () => {
  it('sends what waits', async () => {
    const server = await serverOf('cloudfront')
    const { disk, events } = diskOf(server, { batchMs: 60_000, repurgeAfter: 60 })
    await put(disk, 'a.txt')
    await disk.close()
    await disk.close()
    expect(server.purged).toEqual(['/a.txt'])
    expect(events.map(({ type }) => type)).toEqual(['purged'])
  })

  it('does not wait for a network that is silent, and says what it leaves', async () => {
    const server = await serverOf('cloudfront')
    const { disk, events } = diskOf(server, { closeTimeoutMs: 100, batchMs: 1 })
    server.faults.push('silence')
    await put(disk, 'a.txt')
    await disk.close()
    expect(events).toEqual([{ type: 'purge-abandoned', targets: [{ type: 'file', path: 'a.txt' }] }])
  })
})

describe('a queue that outlives the process', () => {
  it('has a purge before the change is made, and until it is taken', async () => {
    const server = await serverOf('bunny')
    const kept = memoryQueue()
    const seen: number[] = []
    const inner = new MemoryDriver()
    const watched: Driver = Object.assign(Object.create(inner) as Driver, {
      write: async (...call: Parameters<Driver['write']>) => {
        seen.push((await kept.list()).length)
        return inner.write(...call)
      },
    })
    const disk = cdn({ url: 'https://cdn.example.com', provider: server.provider, queue: kept, repurgeAfter: 60 })(watched) as CdnDriver
    await put(disk, 'a.txt')
    await put(disk, 'a.txt')
    expect(await kept.list()).toHaveLength(1)
    await disk.close()
    expect(seen).toEqual([1, 2])
    const left = await kept.list()
    expect(left).toEqual([expect.objectContaining({ type: 'file', path: 'a.txt', repeat: true })])
  })

  it('is emptied by the next process', async () => {
    const server = await serverOf('bunny')
    const queue = memoryQueue()
    server.faults.push({ status: 500 })
    const { disk: first } = diskOf(server, { queue, closeTimeoutMs: 30, retry: { baseDelayMs: 60_000 } })
    await put(first, 'a.txt')
    await first.flush({ timeoutMs: 30 })
    server.faults.push({ status: 500 })
    await first.close()
    const { disk: second } = diskOf(server, { queue })
    server.faults.length = 0
    expect(await second.flush()).toBe(true)
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt'])
    expect(await queue.list()).toEqual([])
  })

  it('may be gone: purges are made all the same', async () => {
    const server = await serverOf('bunny')
    const gone = async (): Promise<never> => Promise.reject(new Error('no database'))
    const queue: PurgeQueue = { add: gone, remove: gone, list: gone }
    const { disk, events } = diskOf(server, { queue })
    await put(disk, 'a.txt')
    await disk.flush()
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt'])
    expect(events.filter(({ type }) => type === 'queue-failed').length).toBeGreaterThan(0)
  })

  it('may be silent: nothing waits for it for long', async () => {
    const server = await serverOf('bunny')
    const never = (): Promise<never> => new Promise(() => undefined)
    const { disk, events } = diskOf(server, { queue: { add: never, remove: never, list: never } })
    await put(disk, 'a.txt')
    await disk.flush()
    expect(server.purged).toEqual(['https://cdn.example.com/a.txt'])
    expect(events).toContainEqual({ type: 'queue-failed', error: expect.objectContaining({ code: 'timeout' }) })
  }, 20_000)

  it('does not keep what was never done', async () => {
    const server = await serverOf('bunny')
    const queue = memoryQueue()
    const { disk } = diskOf(server, { queue })
    await expect(disk.copy('none', 'a.txt', {})).rejects.toMatchObject({ code: 'not_found' })
    expect(await queue.list()).toEqual([])
    expect(disk.pending()).toBe(0)
  })
})

describe('listeners', () => {
  it('come and go, and cannot keep purges from being made', async () => {
    const server = await serverOf('bunny')
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { disk, events } = diskOf(server, { on: undefined })
    const end = disk.on(() => {
      throw new Error('listener')
    })
    const stop = disk.on((event) => void events.push(event))
    await put(disk, 'a.txt')
    await disk.flush()
    end()
    stop()
    server.faults.push({ status: 500 }, { status: 500 })
    await put(disk, 'b.txt')
    while (server.purged.length < 2) await disk.flush({ timeoutMs: 20 })
    const warnings = warn.mock.calls.map(([warning]) => String(warning))
    warn.mockRestore()
    expect(events).toHaveLength(1)
    expect(warnings).toEqual([expect.stringContaining('listener'), expect.stringContaining('Bunny answered a purge with status 500')])
  })
})
