import { beforeEach, describe, expect, it } from '@jest/globals'
import { scoped } from '../../../src/decorators/scoped.ts'
import { Disk } from '../../../src/disk.ts'
import type { Mount } from '../../../src/disk-source.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { ConfigurationError, UnavailableError } from '../../../src/errors.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'
import { never, stub } from '../../support/stubs.ts'

let store: RecordedDriver
let disk: Disk
let closed: string[]

beforeEach(() => {
  closed = []
  store = stub({ close: async () => void closed.push('leaf') })
  disk = new Disk(store, { name: 'main' })
})

function noting(label: string) {
  return (inner: Driver): Driver => ({
    ...scoped('')(inner),
    kind: label,
    name: `${label}(${inner.name})`,
    close: async () => void closed.push(label),
  })
}

describe('wrapping a disk', () => {
  it('puts the last decorator outermost, and leaves the disk as it is', async () => {
    const wrapped = disk.with(noting('inner'), noting('outer'))
    expect(String(wrapped)).toBe('main: outer(inner(recorded))')
    expect(String(disk)).toBe('main: recorded')
    expect(wrapped.driver).toBe(wrapped.driver)
    expect(disk.with().driver).toBe(disk.driver)
  })

  it('scopes, again and again, and nothing gets out', async () => {
    const inner = disk.scope('a').scope('/b/')
    await inner.put('c', 'x')
    expect(await disk.allFiles()).toEqual(['a/b/c'])
    expect(await inner.allFiles()).toEqual(['c'])
    for (const path of ['../c', 'x/../../c']) await expect(inner.get(path)).rejects.toMatchObject({ code: 'invalid_path', path })
    await expect(inner.get('nope')).rejects.toMatchObject({ code: 'not_found', path: 'nope', disk: 'main' })
    for (const prefix of ['..', 'a/../..', 'a\\b', 'a\0'])
      expect(() => disk.scope(prefix)).toThrow(expect.objectContaining({ code: 'invalid_path' }))
  })
})

describe('what a disk can do', () => {
  it('is what its whole stack can; unknown names are false', () => {
    for (const ability of 'visibility publicUrl temporaryUrl temporaryUploadUrl append multipart ifAbsent ifMatch rangedRead serverSideCopy metadata'.split(
      ' ',
    )) {
      expect([ability, disk.supports(ability)]).toEqual([ability, true])
    }
    for (const unknown of ['versions', 'encryptedAtRest', 'toString', '__proto__', 'constructor', 'kind', 'read', '', 'nope']) {
      expect([unknown, disk.supports(unknown)]).toEqual([unknown, false])
    }
    const frozen = disk.readOnly()
    expect(
      ['append', 'multipart', 'ifAbsent', 'temporaryUploadUrl', 'serverSideCopy', 'temporaryUrl', 'publicUrl'].map((name) =>
        frozen.supports(name),
      ),
    ).toEqual([false, false, false, false, false, true, true])
  })

  it('has layers by kind, the nearest first', () => {
    const wrapped = disk.scope('a').scope('b').readOnly()
    expect(wrapped.layer('scoped')?.prefix).toBe('b')
    expect(wrapped.layer('recorded')).toBe(store)
    expect(wrapped.layer('s3')).toBeUndefined()
    expect(wrapped.layer('toString')).toBeUndefined()
  })

  it('has buckets where its leaf has', () => {
    const buckets = { create: never }
    expect(disk.buckets).toBeUndefined()
    expect(new Disk(Object.assign(stub({}), { buckets })).scope('a').buckets).toBe(buckets)
    expect(new Disk(Object.assign(stub({}), { buckets })).readOnly().buckets).toBeUndefined()
  })
})

describe('closing a disk', () => {
  it('closes each layer once, outermost first', async () => {
    const stack = noting('outer')(noting('inner')(store))
    await new Disk(stack).close()
    expect(closed).toEqual(['outer', 'inner', 'leaf'])
  })

  it('that came from with, scope or readOnly closes what that layer opened, and no more', async () => {
    const wrapped = disk.with(noting('inner'), noting('outer'))
    await wrapped.close()
    expect(closed).toEqual([])
    await wrapped.exists('a')
    await wrapped.close()
    expect(closed).toEqual(['outer', 'inner'])
    await disk.scope('a').readOnly().close()
    expect(closed).toEqual(['outer', 'inner'])
    await disk.put('a', 'still open')
    await disk[Symbol.asyncDispose]()
    expect(closed).toEqual(['outer', 'inner', 'leaf'])
  })

  it('makes the layers anew at the next use', async () => {
    let made = 0
    const wrapped = disk.with((inner) => {
      made++
      return noting('layer')(inner)
    })
    await wrapped.exists('a')
    await wrapped.exists('a')
    await wrapped.close()
    await wrapped.exists('a')
    expect(made).toBe(2)
    await wrapped.close()
    expect(closed).toEqual(['layer', 'layer'])
  })

  it('closes the layers of every driver that was behind the name', async () => {
    const mounts: Mount[] = [
      { driver: new MemoryDriver(), name: 'one' },
      { driver: new MemoryDriver(), name: 'two' },
    ]
    let at = 0
    const live = new Disk({
      get name() {
        return (mounts[at] as Mount).name
      },
      mount: () => mounts[at] as Mount,
      close: async () => undefined,
    })
    const wrapped = live.with(noting('layer'))
    await wrapped.put('a', 'x')
    expect(wrapped.name).toBe('one')
    at = 1
    expect(wrapped.name).toBe('two')
    expect(await wrapped.exists('a')).toBe(false)
    at = 0
    expect(await wrapped.text('a')).toBe('x')
    await wrapped.close()
    expect(closed).toEqual(['layer', 'layer'])
  })
})

describe('a disk whose driver is still to come', () => {
  it('waits for operations, and throws what cannot wait', async () => {
    let found: (mount: Mount) => void = () => undefined
    const pending = new Promise<Mount>((done) => (found = done))
    const later = new Disk({ name: 'later', mount: () => pending, close: async () => undefined })
    for (const now of [() => later.driver, () => later.supports('append'), () => later.layer('memory'), () => later.buckets])
      expect(now).toThrow(ConfigurationError)
    expect(String(later)).toBe('later')
    const scopedLater = later.scope('s')
    const writing = scopedLater.put('a', 'x')
    found({ driver: store, name: 'later' })
    await writing
    expect(await later.text('s/a')).toBe('x')
  })
})

describe('deleting', () => {
  it('takes one path, several, and what gives them', async () => {
    for (const path of ['ab', 'a', 'b', 'c', 'd', 'e']) await disk.put(path, 'x')
    await disk.delete('ab')
    expect(await disk.allFiles()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await disk.delete(['/a', 'nope'])
    await disk.delete(new Set(['b']))
    await disk.delete(
      (async function* () {
        yield 'c'
      })(),
    )
    expect(await disk.allFiles()).toEqual(['d', 'e'])
    store.calls.length = 0
    await disk.delete([])
    await disk.delete('nope')
    expect(store.calls).toEqual(['delete nope'])
  })

  it('tells each of several failures, and deletes the rest', async () => {
    const partial = new Disk(
      stub({ delete: async (paths) => paths.filter((path) => path !== 'ok').map((path) => ({ path, error: new UnavailableError() })) }),
      { name: 'main' },
    ).scope('s')
    const both = await partial.delete(['x', 'y']).catch((error: unknown) => error)
    expect(both).toMatchObject({
      code: 'partial_failure',
      operation: 'delete',
      disk: 'main',
      retryable: true,
      failures: [
        { path: 'x', error: { code: 'unavailable', path: 'x', disk: 'main', operation: 'delete' } },
        { path: 'y', error: { code: 'unavailable', path: 'y' } },
      ],
    })
    await expect(partial.delete('x')).rejects.toMatchObject({ code: 'unavailable', path: 'x', disk: 'main' })
  })

  it('of a directory counts its files and touches nothing beside it', async () => {
    for (const path of ['users/1/a', 'users/1/b/c', 'users/10/a']) await disk.put(path, 'x')
    expect(await disk.deleteDirectory('users/1')).toEqual({ deleted: 2 })
    expect(await disk.deleteDirectory('nope')).toEqual({ deleted: 0 })
    expect(await disk.allFiles()).toEqual(['users/10/a'])
    expect(await disk.directories('users')).toEqual(['users/10'])
    const implied = new Disk(stub({ directories: undefined }, store))
    expect(await implied.deleteDirectory('users')).toEqual({ deleted: 1 })
  })
})

describe('listing', () => {
  beforeEach(async () => {
    for (const path of ['b/é', 'b/z', 'a.txt', 'a/1', 'a/2', 'a/deep/3', '😀', '\uffff']) await disk.put(path, 'x')
  })

  it('gives names sorted by UTF-8 bytes', async () => {
    expect(await disk.files()).toEqual(['a.txt', '\uffff', '😀'])
    expect(await disk.files('a', { recursive: true })).toEqual(['a/1', 'a/2', 'a/deep/3'])
    expect(await disk.allFiles()).toEqual(['a.txt', 'a/1', 'a/2', 'a/deep/3', 'b/z', 'b/é', '\uffff', '😀'])
    await disk.put('a-/x', 'x')
    expect(await disk.directories()).toEqual(['a', 'a-', 'b'])
    expect(await disk.allDirectories()).toEqual(['a', 'a-', 'a/deep', 'b'])
    expect(await disk.directories('a', { recursive: true })).toEqual(['a/deep'])
    expect([await disk.files('nope'), await disk.allFiles('nope'), await disk.directories('nope'), await disk.files('a.txt')]).toEqual([
      [],
      [],
      [],
      [],
    ])
  })

  it('gives entries page by page, of one type, after a path', async () => {
    const entries = async (...args: Parameters<Disk['list']>): Promise<string[]> => {
      const found: string[] = []
      for await (const { type, path } of disk.list(...args)) found.push(type === 'file' ? path : `${path}/`)
      return found
    }
    for (const pageSize of [1, 2, 3, undefined]) {
      expect(await entries('', { pageSize })).toEqual(['a.txt', 'a/', 'b/', '\uffff', '😀'])
      expect(await entries('', { pageSize, type: 'directory', recursive: true })).toEqual(['a/', 'a/deep/', 'b/'])
      expect(await entries('a', { pageSize, type: 'file' })).toEqual(['a/1', 'a/2'])
      expect(await entries('', { pageSize, after: 'a/', recursive: true, type: 'file' })).toEqual([
        'a/1',
        'a/2',
        'a/deep/3',
        'b/z',
        'b/é',
        '\uffff',
        '😀',
      ])
    }
    expect(await entries()).toHaveLength(5)
  })

  it('asks for no more pages than are wanted', async () => {
    store.calls.length = 0
    for await (const _ of disk.list('', { pageSize: 1 })) break
    expect(store.calls).toEqual(['list '])
  })

  it('gives one page and the way to the next', async () => {
    const first = await disk.listPage('', { limit: 2 })
    expect(first.entries.map(({ path }) => path)).toEqual(['a.txt', 'a'])
    const rest = await disk.listPage('', { limit: 10, cursor: first.cursor })
    expect(rest.entries.map(({ path }) => path)).toEqual(['b', '\uffff', '😀'])
    expect(rest.cursor).toBeUndefined()
  })

  it('rejects at the first step', async () => {
    const failing = new Disk(faulty(new MemoryDriver()))
    const list = failing.list()
    await expect(list.next()).rejects.toMatchObject({ code: 'unavailable', operation: 'list' })
  })
})

describe('URLs', () => {
  it('are encoded, signed until a moment, and refused where there are none', async () => {
    expect(await disk.url('/a//b')).toBe('https://files.test/a/b')
    expect(await disk.temporaryUrl('a', new Date(Date.now() + 5_000))).toContain('signature')
    expect(await disk.temporaryUrls('ab')).toEqual({ ab: expect.stringContaining('/ab?') })
    expect(Object.keys(await disk.temporaryUrls(new Set(['/x', '__proto__'])))).toEqual(['/x', '__proto__'])
    expect(await disk.temporaryUrls([])).toEqual({})
    const bare = new Disk(stub({ publicUrl: undefined, signUrl: undefined }))
    for (const call of [bare.url('a'), bare.temporaryUrl('a'), bare.temporaryUrls(['a']), bare.temporaryUploadUrl('a')].map((promise) =>
      promise.catch((error: unknown) => error),
    )) {
      expect(await call).toMatchObject({ code: 'unsupported', path: 'a' })
    }
    const reading = new Disk(stub({ supports: { ...store.supports, temporaryUploadUrl: false } }))
    await reading.temporaryUrl('a')
    await expect(reading.temporaryUploadUrl('a')).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('pass on what was asked', async () => {
    const asked: unknown[] = []
    const signing = new Disk(
      stub({
        signUrl: async (path, options) => {
          asked.push({ path, ...options })
          return { url: 'u', method: options.method, headers: {} }
        },
      }),
    )
    const expiresAt = new Date(Date.now() + 60_000)
    await signing.temporaryUrl('d/ä.txt', expiresAt, { method: 'HEAD', download: true, contentType: 'text/css' })
    await signing.temporaryUrl('a', expiresAt, { download: 'b.txt' })
    const upload = await signing.temporaryUploadUrl('a', expiresAt, { contentType: 'x/y', maxSize: 5, minSize: 5, metadata: { k: 'v' } })
    expect(upload).toEqual({ url: 'u', method: 'PUT', headers: {}, expiresAt })
    expect(asked).toMatchObject([
      {
        path: 'd/ä.txt',
        method: 'HEAD',
        expiresAt,
        contentType: 'text/css',
        contentDisposition: 'attachment; filename="a.txt"; filename*=UTF-8\'\'%C3%A4.txt',
      },
      { path: 'a', method: 'GET', contentDisposition: 'attachment; filename="b.txt"' },
      { path: 'a', method: 'PUT', contentType: 'x/y', maxSize: 5, minSize: 5, metadata: { k: 'v' } },
    ])
  })

  it('never show in an error', async () => {
    const failing = new Disk(
      stub({ signUrl: () => Promise.reject(new Error('GET https://b.test/a?X-Amz-Signature=topsecret was refused')) }),
    )
    const error = await failing.temporaryUrl('a').catch((reason: unknown) => reason)
    expect(JSON.stringify(error)).not.toContain('topsecret')
  })
})

describe('check', () => {
  it('writes, reads back, lists and deletes, and leaves nothing', async () => {
    await disk.put('a', 'x')
    const result = await disk.check()
    expect(result).toMatchObject({
      ok: true,
      latencyMs: expect.any(Number),
      steps: ['write', 'read', 'list', 'delete'].map((name) => ({ name, ok: true, ms: expect.any(Number) })),
    })
    expect('error' in result).toBe(false)
    expect(await disk.allFiles()).toEqual(['a'])
  })

  it.each(['write', 'read', 'list', 'delete'] as const)('tells that the step %s failed, and never rejects', async (operation) => {
    const memory = new MemoryDriver()
    const result = await new Disk(faulty(memory, { operation })).check()
    expect(result).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    expect(result.steps.find(({ ok }) => !ok)).toMatchObject({ name: operation, ok: false, error: { code: 'unavailable' } })
    expect([...memory.files.keys()]).toHaveLength(operation === 'delete' ? 1 : 0)
  })

  it('does not reject for an abort, an unknown disk or bad options either', async () => {
    expect(await disk.check({ signal: AbortSignal.abort('stop') })).toMatchObject({ ok: false, error: { message: 'stop' } })
    expect(await disk.check(null as never)).toMatchObject({ ok: false, error: { code: 'invalid_argument' } })
    expect(await new Disk(recorded()).readOnly().check()).toMatchObject({ ok: false, error: { code: 'read_only' } })
  })

  it('deletes its probe although it is stopped in between', async () => {
    const controller = new AbortController()
    const stopping = new Disk(
      stub(
        {
          read: async () => {
            controller.abort('stop')
            throw new Error('stopped')
          },
        },
        store,
      ),
    )
    expect(await stopping.check({ signal: controller.signal })).toMatchObject({ ok: false })
    expect([...store.memory.files.keys()]).toEqual([])
  })
})

describe('a driver that cannot be closed', () => {
  it('is told as an error of the disk', async () => {
    const broken = new Disk(stub({ close: () => Promise.reject(new Error('stuck')) }), { name: 'main' })
    await expect(broken.close()).rejects.toMatchObject({ code: 'unknown', operation: 'close', disk: 'main', cause: { message: 'stuck' } })
  })
})
