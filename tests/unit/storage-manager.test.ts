import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DiskConfig } from '../../src/config/disk-config.ts'
import { Disk } from '../../src/disk.ts'
import type { Driver } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { ConfigurationError, isStorageError, UnavailableError } from '../../src/errors.ts'
import { StorageManager } from '../../src/storage-manager.ts'
import { FakeDisk } from '../../src/testing/fake-disk.ts'

let root: string
let storage: StorageManager
let closed: string[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stowage-manager-'))
  storage = new StorageManager()
  closed = []
})

afterEach(async () => {
  storage.restore()
  await storage.close().catch(() => undefined)
  await rm(root, { recursive: true, force: true })
})

/** A driver that notes when it is closed; around others it is a decorator that changes nothing. */
function noting(label: string, inner: Driver = new MemoryDriver()): Driver {
  return {
    kind: 'noting',
    name: `noting(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: inner.multipart,
    append: inner.append,
    publicUrl: inner.publicUrl,
    signUrl: inner.signUrl,
    stat: (path, options) => inner.stat(path, options),
    read: (path, options) => inner.read(path, options),
    write: (path, content, options) => inner.write(path, content, options),
    delete: (paths, options) => inner.delete(paths, options),
    list: (path, options) => inner.list(path, options),
    copy: (from, to, options) => inner.copy(from, to, options),
    move: (from, to, options) => inner.move(from, to, options),
    locate: (path) => inner.locate(path),
    close: async () => void closed.push(label),
  }
}

/** `noting` leaves, and `around`, which wraps another disk, by the same name as their disk. */
function extendNoting(manager: StorageManager = storage): void {
  manager.extend('noting', (_config, { name }) => noting(name))
  manager.extend<{ driver: 'around'; disk: string }>('around', ({ disk }, { name, resolve }) => noting(name, resolve(disk)))
}

const own = (config: object): DiskConfig => config as DiskConfig

function configured(): StorageManager {
  return storage.configure({
    default: 'a',
    disks: { a: { driver: 'memory' }, b: { driver: 'memory' }, sub: { driver: 'scoped', disk: 'b', prefix: 'p' } },
  })
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was fulfilled',
    (error: unknown) => error,
  )
}

describe('a configured manager', () => {
  it('knows its disks and is the default one', async () => {
    expect(configured()).toBe(storage)
    expect(storage.names).toEqual(['a', 'b', 'sub'])
    expect([storage.defaultName, storage.name]).toEqual(['a', 'a'])
    await storage.put('x', 'default')
    expect(await storage.disk('a').text('x')).toBe('default')
    expect(await storage.disk().text('x')).toBe('default')
    expect(storage.supports('append')).toBe(true)
    expect(storage.driver).toBe(storage.disk('a').driver)
    expect(storage.layer('memory')).toBe(storage.driver)
    expect(storage.buckets).toBeUndefined()
    expect(await storage.check()).toMatchObject({ ok: true })
    expect(String(storage)).toBe('a: memory')
    expect(await storage.scope('s').readOnly().files()).toEqual([])
  })

  it('takes its configuration when it is made', () => {
    expect(new StorageManager({ disks: { only: { driver: 'memory' } } }).defaultName).toBe('only')
  })

  it('gives one disk for one name', () => {
    configured()
    expect(storage.disk('a')).toBe(storage.disk('a'))
    expect(storage.disk()).toBe(storage.disk())
    expect(storage.disk('a')).not.toBe(storage.disk('b'))
    expect(storage.disk('a').name).toBe('a')
    expect(storage.disk().name).toBe('a')
  })

  it('throws at once for a name that is not configured, and says what is', () => {
    configured()
    expect(() => storage.disk('subb')).toThrow(ConfigurationError)
    expect(() => storage.disk('subb')).toThrow(/"sub".*known: a, b, sub/)
  })

  it('throws at once for what is misspelt, a cycle and a default that is no disk, and stays as it was', async () => {
    configured()
    await storage.put('x', 'kept')
    for (const config of [
      { disks: { a: { driver: 'memory', prefx: 'p' } } },
      { disks: { a: { driver: 'scoped', disk: 'b', prefix: 'p' }, b: { driver: 'scoped', disk: 'a', prefix: 'p' } } },
      { default: 'nope', disks: { a: { driver: 'memory' } } },
      {},
      null,
    ]) {
      expect(() => storage.configure(config as never)).toThrow(ConfigurationError)
    }
    expect(await storage.text('x')).toBe('kept')
  })

  it('tells at the first use only that a wrapped disk is missing: it may be configured, set or faked by then', async () => {
    const early = new StorageManager({ disks: { part: { driver: 'scoped', disk: 'late', prefix: 'p' } } })
    await expect(early.disk('part').get('x')).rejects.toMatchObject({ code: 'configuration', disk: 'part' })
    early.configureDisk('late', { driver: 'memory' })
    await early.disk('part').put('x', 'y')
    expect(await early.disk('late' as never).text('p/x')).toBe('y')
    await early.close()
  })

  it('tells of an unknown driver and of missing keys at the first use only', async () => {
    storage.configure({
      default: 'ok',
      disks: { ok: { driver: 'memory' }, odd: own({ driver: 'odd' }), bare: own({ driver: 'local' }), s3: own({ driver: 's3' }) },
    })
    await storage.put('x', 'y')
    for (const name of ['odd', 'bare', 's3']) {
      const disk = storage.disk(name)
      expect(await rejection(disk.get('x'))).toMatchObject({ code: 'configuration', disk: name })
      expect(() => disk.driver).toThrow(ConfigurationError)
      expect(await disk.check()).toMatchObject({ ok: false, error: { code: 'configuration' } })
    }
  })

  it('puts the visibility and timeoutMs of a disk into the options', async () => {
    storage.configure({ default: 'a', disks: { a: { driver: 'memory', visibility: 'public', prefix: 'p' } } })
    await storage.put('x', 'y')
    expect(await storage.visibility('x')).toBe('public')
    expect(String(storage.disk('a'))).toBe('a: scoped(memory)')
  })

  it('has no default when none is named and several could be', async () => {
    storage.configure({ disks: { x: { driver: 'memory' }, y: { driver: 'memory' } } })
    expect(() => storage.defaultName).toThrow(ConfigurationError)
    expect(await rejection(storage.get('a'))).toMatchObject({ code: 'configuration' })
    await storage.disk('x').put('a', 'b')
  })
})

describe('configuring again', () => {
  it('makes disks handed out before reject, and closes them', async () => {
    extendNoting()
    storage.configure({ default: 'a', disks: { a: own({ driver: 'noting' }) } })
    const before = storage.disk('a')
    const scoped = before.scope('s')
    const def = storage.disk()
    await before.put('x', 'old')
    storage.configure({ default: 'a', disks: { a: own({ driver: 'noting' }) } })
    for (const disk of [before, scoped, def]) expect(await rejection(disk.get('x'))).toMatchObject({ code: 'configuration' })
    expect(storage.disk('a')).not.toBe(before)
    expect(await storage.getOrNull('x')).toBeNull()
    await storage.close()
    expect(closed).toEqual(['a', 'a'])
  })

  it('does not trouble disks handed out before the first configuration', async () => {
    const early = storage.disk('b')
    const def = storage.disk()
    configured()
    await early.put('x', 'y')
    await def.put('z', 'y')
    expect(await storage.disk('b').text('x')).toBe('y')
    expect(await storage.disk('a').text('z')).toBe('y')
    expect([early.name, def.name]).toEqual(['b', 'a'])
  })

  it('works after close, which is told until then', async () => {
    configured()
    const before = storage.disk('a')
    await storage.close()
    await storage.close()
    expect(await rejection(storage.get('x'))).toMatchObject({ code: 'configuration' })
    expect(await rejection(before.get('x'))).toMatchObject({ code: 'configuration' })
    expect(() => storage.defaultName).toThrow(ConfigurationError)
    expect(storage.names).toEqual([])
    configured()
    await storage.put('x', 'y')
    expect(await rejection(before.get('x'))).toMatchObject({ code: 'configuration' })
  })
})

describe('before a configuration was found', () => {
  it('has no names, and driver, supports and defaultName throw', async () => {
    expect(storage.names).toEqual([])
    expect(() => storage.defaultName).toThrow(ConfigurationError)
    expect(() => storage.driver).toThrow(ConfigurationError)
    expect(() => storage.supports('append')).toThrow(ConfigurationError)
    expect(() => storage.disk('a').supports('append')).toThrow(ConfigurationError)
    expect(String(storage.disk('a'))).toBe('a')
    await new Promise((done) => setImmediate(done)) // the search that this began rejects nowhere
  })

  it('lets disks be added, built and set that name others, which are found later', async () => {
    const built = storage.build({ driver: 'scoped', disk: 'b', prefix: 'p' })
    const added = storage.configureDisk('mine', { driver: 'scoped', disk: 'b', prefix: 'q' })
    configured()
    await built.put('x', 'built')
    await added.put('x', 'added')
    expect(await storage.disk('b').allFiles()).toEqual(['p/x', 'q/x'])
  })

  it('keeps a disk that was added when the configuration is', async () => {
    extendNoting()
    const added = storage.configureDisk('mine', own({ driver: 'noting' }))
    await added.put('x', 'y')
    configured()
    expect(await added.text('x')).toBe('y')
    expect(storage.names).toContain('mine')
  })

  it('closes a disk that was added when the configuration has another of that name', async () => {
    extendNoting()
    await storage.configureDisk('a', own({ driver: 'noting' })).put('x', 'y')
    configured()
    expect(await storage.getOrNull('x')).toBeNull()
    await storage.close()
    expect(closed).toEqual(['a'])
  })
})

describe('copying and moving by disk://path', () => {
  beforeEach(async () => {
    configured()
    await storage.put('x', 'content', { metadata: { k: 'v' } })
  })

  it('goes between disks, and a path without a name is on the default one', async () => {
    await storage.copy('a://x', 'b://copy')
    await storage.copy('x', 'sub://copy')
    await storage.move('a://x', 'b://deep/moved')
    await storage.copy('b://copy', 'back')
    expect(await storage.disk('b').allFiles()).toEqual(['copy', 'deep/moved', 'p/copy'])
    expect(await storage.allFiles()).toEqual(['back'])
    expect(await storage.stat('back')).toMatchObject({ size: 7, metadata: { k: 'v' } })
  })

  it('may name one disk twice, or the default one in both ways', async () => {
    await storage.copy('a://x', 'a://y')
    await storage.move('a://y', 'z')
    await storage.move('x', 'a://x')
    expect(await storage.allFiles()).toEqual(['x', 'z'])
  })

  it('takes options', async () => {
    await storage.copy('x', 'b://x')
    expect(await rejection(storage.copy('x', 'b://x', { ifAbsent: true }))).toMatchObject({ code: 'already_exists', disk: 'b', path: 'x' })
    expect(await rejection(storage.move('x', 'b://y', { signal: AbortSignal.abort('stop') }))).toBe('stop')
  })

  it('refuses names that are not configured and bad paths', async () => {
    expect(await rejection(storage.copy('nope://x', 'y'))).toMatchObject({ code: 'invalid_argument', operation: 'copy', path: 'nope://x' })
    expect(await rejection(storage.move('x', 'https://example.test/x'))).toMatchObject({ code: 'invalid_argument', operation: 'move' })
    expect(await rejection(storage.copy('a://../x', 'y'))).toMatchObject({ code: 'invalid_path' })
    expect(await rejection(storage.copy('x', 'b://../y'))).toMatchObject({ code: 'invalid_path', disk: 'b' })
    expect(await rejection(storage.copy(5 as never, 'y'))).toMatchObject({ code: 'invalid_path' })
    expect(await rejection(storage.copy('nope', 'b://y'))).toMatchObject({ code: 'not_found', disk: 'a', path: 'nope' })
  })

  it('is no business of a disk, whose paths may look so', async () => {
    await storage.disk('b').put('a://x', 'literal')
    await storage.disk('b').copy('a://x', 'b://y')
    expect(await storage.disk('b').text('b:/y')).toBe('literal')
  })

  it('takes fakes without any configuration', async () => {
    const bare = new StorageManager()
    const [one, two] = [bare.fake('one', { seed: { x: 'y' } }), bare.fake('two')]
    await bare.move('one://x', 'two://z')
    one.assertMissing('x')
    two.assertExists('z', 'y')
  })
})

describe('drivers of others', () => {
  it('are made by their factory, with the name of the disk, once', async () => {
    const seen: unknown[] = []
    storage.extend('own', (config, { name }) => {
      seen.push([config, name])
      return new MemoryDriver()
    })
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own', token: 'T', whatever: { deep: true } }) } })
    expect(seen).toEqual([])
    await storage.put('a', 'b')
    expect(await storage.text('a')).toBe('b')
    expect(seen).toEqual([[{ driver: 'own', token: 'T', whatever: { deep: true } }, 'x']])
  })

  it('get the common keys as decorators', async () => {
    storage.extend('own', () => new MemoryDriver())
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own', prefix: 'p', readOnly: true }) } })
    expect(storage.driver.name).toBe('read-only(scoped(memory))')
  })

  it('may come later: operations wait, and what cannot wait throws', async () => {
    let made: (driver: Driver) => void = () => undefined
    storage.extend('own', () => new Promise<Driver>((done) => (made = done)))
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }), over: { driver: 'scoped', disk: 'x', prefix: 'p' } } })
    const disk = storage.disk('x')
    expect(() => disk.driver).toThrow(ConfigurationError)
    expect(() => disk.supports('append')).toThrow(ConfigurationError)
    expect(() => disk.layer('memory')).toThrow(ConfigurationError)
    expect(String(disk)).toBe('x')
    const writing = disk.put('a', 'b')
    const scoped = storage.disk('over').put('c', 'd')
    made(new MemoryDriver())
    await Promise.all([writing, scoped])
    expect(await disk.allFiles()).toEqual(['a', 'p/c'])
    expect(disk.supports('append')).toBe(true)
  })

  it('are waited for by load', async () => {
    storage.extend('own', async () => new MemoryDriver())
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }) } })
    expect(await storage.load()).toBe(storage)
    expect(storage.supports('append')).toBe(true)
  })

  it('that cannot be made say so at each use, and may be made at the next', async () => {
    let attempts = 0
    storage.extend('own', async () => {
      if (++attempts < 3) throw new UnavailableError('not yet')
      return new MemoryDriver()
    })
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }) } })
    await storage.load()
    expect(await rejection(storage.get('a'))).toMatchObject({ code: 'unavailable', disk: 'x' })
    await storage.put('a', 'b')
    expect(await storage.text('a')).toBe('b')
    await new Promise((done) => setImmediate(done))
  })

  it('that are no drivers are a ConfigurationError', async () => {
    storage.extend('own', () => ({}) as Driver)
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }) } })
    expect(await rejection(storage.get('a'))).toMatchObject({ code: 'configuration' })
    expect(() => storage.extend('own', 'x' as never)).toThrow(ConfigurationError)
  })

  it('may be named before they are added', async () => {
    storage.configure({ default: 'x', disks: { x: own({ driver: 'later' }) } })
    expect(await rejection(storage.put('a', 'b'))).toMatchObject({ code: 'configuration' })
    storage.extend('later', () => new MemoryDriver())
    await storage.put('a', 'b')
  })

  it('resolve other disks, by name and inline, and follow them', async () => {
    extendNoting()
    storage.configure({
      default: 'out',
      disks: {
        in: { driver: 'memory' },
        out: own({ driver: 'around', disk: 'in' }),
        line: own({ driver: 'around', disk: { driver: 'memory' } }),
      },
    })
    await storage.put('x', 'y')
    expect(await storage.disk('in').text('x')).toBe('y')
    await storage.disk('line').put('x', 'inline')
    const fake = storage.fake('in')
    await storage.put('z', 'faked')
    fake.assertExists('z', 'faked')
    storage.restore('in')
    expect(await storage.allFiles()).toEqual(['x'])
  })
})

describe('what stands behind a name', () => {
  it('can be replaced under disks in hand and disks that wrap it', async () => {
    configured()
    const [b, sub, derived] = [storage.disk('b'), storage.disk('sub'), storage.disk('b').scope('d')]
    await sub.put('x', 'config')
    expect(storage.set('b', new Disk(new MemoryDriver()))).toBe(storage)
    expect([await b.allFiles(), await sub.allFiles(), await derived.allFiles()]).toEqual([[], [], []])
    await sub.put('y', 'set')
    await derived.put('y', 'set')
    expect(await b.allFiles()).toEqual(['d/y', 'p/y'])
    expect(storage.configureDisk('b', { driver: 'memory' })).toBe(b)
    expect([await b.allFiles(), await sub.allFiles()]).toEqual([[], []])
  })

  it('can be added', async () => {
    configured()
    await storage.configureDisk('c', { driver: 'memory' }).put('x', 'y')
    expect(await storage.disk('c').text('x')).toBe('y')
    storage.set('d', new Disk(new MemoryDriver()))
    expect(storage.names).toEqual(['a', 'b', 'sub', 'c', 'd'])
    await storage.disk('d').put('x', 'y')
    await storage.copy('d://x', 'c://z')
  })

  it('must be a disk', () => {
    configured()
    expect(() => storage.set('a', new MemoryDriver() as never)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(() => storage.set('a', undefined as never)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('is judged when it is configured', () => {
    configured()
    expect(() => storage.configureDisk('c', own({ driver: 'memory', prefx: 'p' }))).toThrow(ConfigurationError)
    expect(() => storage.configureDisk('b', { driver: 'scoped', disk: 'sub', prefix: 'p' })).toThrow(/b → sub → b|sub → b → sub/)
    expect(storage.names).toEqual(['a', 'b', 'sub'])
  })

  it('cannot be itself', async () => {
    configured()
    storage.set('a', storage.disk('a').scope('p'))
    expect(await rejection(storage.disk('a').get('x'))).toMatchObject({ code: 'configuration' })
    storage.set('b', storage.disk('sub'))
    expect(await rejection(storage.disk('b').get('x'))).toMatchObject({ code: 'configuration' })
    expect(await rejection(storage.disk('sub').get('x'))).toMatchObject({ code: 'configuration' })
    storage.configureDisk('b', { driver: 'memory' })
    await storage.disk('sub').put('x', 'y')
  })

  it('is made anew after forget, with all that wraps it', async () => {
    extendNoting()
    storage.configure({
      default: 'leaf',
      disks: {
        leaf: own({ driver: 'noting' }),
        mid: own({ driver: 'around', disk: 'leaf' }),
        top: own({ driver: 'around', disk: 'mid' }),
        other: own({ driver: 'noting' }),
      },
    })
    const top = storage.disk('top')
    await top.put('x', 'y')
    await storage.disk('other').put('x', 'y')
    await storage.forget('leaf')
    expect(closed).toEqual(['top', 'mid', 'leaf'])
    expect(await top.allFiles()).toEqual([])
    expect(await storage.disk('other').allFiles()).toEqual(['x'])
    closed.length = 0
    await storage.forget('top', 'nope')
    expect(closed).toEqual(['top'])
    expect(storage.names).toEqual(['leaf', 'mid', 'top', 'other'])
  })

  it('is gone after forget when it was set', async () => {
    configured()
    const disk = new Disk(noting('set'))
    storage.set('c', disk)
    await storage.forget('c')
    expect(closed).toEqual(['set'])
    expect(() => storage.disk('c')).toThrow(ConfigurationError)
  })
})

describe('closing', () => {
  it('closes each driver once, outermost first, and only what was made', async () => {
    extendNoting()
    storage.configure({
      default: 'leaf',
      disks: {
        top: own({ driver: 'around', disk: 'mid' }),
        leaf: own({ driver: 'noting' }),
        side: own({ driver: 'around', disk: 'leaf' }),
        mid: own({ driver: 'around', disk: 'leaf' }),
        unused: own({ driver: 'noting' }),
      },
    })
    await storage.disk('leaf').put('x', 'y')
    await storage.disk('top').get('x')
    await storage.disk('side').get('x')
    await storage.close()
    expect([...closed].sort()).toEqual(['leaf', 'mid', 'side', 'top'])
    expect(closed.indexOf('top')).toBeLessThan(closed.indexOf('mid'))
    expect(closed.indexOf('mid')).toBeLessThan(closed.indexOf('leaf'))
    expect(closed.indexOf('side')).toBeLessThan(closed.indexOf('leaf'))
    await storage.close()
    expect(closed).toHaveLength(4)
  })

  it('is what asynchronous disposal does', async () => {
    extendNoting()
    storage.configure({ default: 'x', disks: { x: own({ driver: 'noting' }) } })
    await storage.put('a', 'b')
    await storage[Symbol.asyncDispose]()
    expect(closed).toEqual(['x'])
  })

  it('of one disk leaves what it shares with others', async () => {
    extendNoting()
    storage.configure({ default: 'leaf', disks: { leaf: own({ driver: 'noting' }), over: own({ driver: 'around', disk: 'leaf' }) } })
    await storage.disk('over').put('x', 'y')
    const derived = storage.disk('leaf').with((inner) => noting('derived', inner))
    await derived.get('x')
    await derived.close()
    expect(closed).toEqual(['derived'])
    await storage.disk('over').close()
    expect(closed).toEqual(['derived', 'over'])
    expect(await storage.disk('over').text('x')).toBe('y')
    await storage.disk('leaf').close()
    expect(closed).toContain('leaf')
  })

  it('of a built disk is for whoever built it', async () => {
    extendNoting()
    storage.configure({ default: 'leaf', disks: { leaf: own({ driver: 'noting' }) } })
    const built = storage.build(own({ driver: 'around', disk: 'leaf' }), { name: 'mine' })
    expect(built.name).toBe('mine')
    expect(storage.names).toEqual(['leaf'])
    await built.put('x', 'y')
    await built.close()
    expect(closed).toEqual(['mine'])
    await storage.build(own({ driver: 'around', disk: { driver: 'noting' } }), { name: 'inline' }).put('x', 'y')
    await storage.close()
    expect(closed).toEqual(['mine', 'leaf'])
  })

  it('closes an inline disk with the disk around it, outermost first', async () => {
    extendNoting()
    storage.configure({ default: 'x', disks: { x: own({ driver: 'around', disk: { driver: 'around', disk: { driver: 'noting' } } }) } })
    await storage.put('a', 'b')
    await storage.close()
    expect(closed).toHaveLength(3)
    expect(closed[0]).toBe('x')
  })

  it('closes a disk once that was set under two names', async () => {
    const disk = new Disk(noting('twice'))
    storage.set('one', disk).set('two', disk)
    await storage.close()
    expect(closed).toEqual(['twice'])
  })

  it('tries all, and rejects with the first failure', async () => {
    const failing: Driver = { ...noting('failing'), close: () => Promise.reject(new UnavailableError()) }
    storage.set('bad', new Disk(failing)).set('good', new Disk(noting('good')))
    expect(await rejection(storage.close())).toMatchObject({ code: 'unavailable' })
    expect(closed).toEqual(['good'])
  })

  it('waits for a driver that is still being made, and closes it', async () => {
    let made: (driver: Driver) => void = () => undefined
    storage.extend('own', () => new Promise<Driver>((done) => (made = done)))
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }) } })
    const reading = rejection(storage.get('a'))
    const closing = storage.close()
    made(noting('late'))
    await closing
    expect(closed).toEqual(['late'])
    expect(isStorageError(await reading)).toBe(true)
  })
})

describe('disks that are built', () => {
  it('may have the name of a disk that they wrap', async () => {
    configured()
    const built = storage.build({ driver: 'scoped', disk: 'b', prefix: 'q' }, { name: 'b' })
    await built.put('x', 'y')
    expect(await storage.disk('b').allFiles()).toEqual(['q/x'])
  })

  it('are not remembered', () => {
    configured()
    const config: DiskConfig = { driver: 'memory' }
    expect(storage.build(config)).not.toBe(storage.build(config))
    expect(() => storage.disk('on-demand')).toThrow(ConfigurationError)
  })
})

describe('fakes', () => {
  it('are what disk() gives, and what disks in hand follow, until they are restored', async () => {
    configured()
    const before = storage.disk('b')
    await before.put('real', 'x')
    const fake = storage.fake('b')
    expect(fake).toBeInstanceOf(FakeDisk)
    expect(storage.disk('b')).toBe(fake)
    expect(fake.name).toBe('b')
    await before.put('faked', 'x')
    fake.assertExists('faked').assertMissing('real')
    storage.restore('b')
    expect(storage.disk('b')).toBe(before)
    expect(await before.allFiles()).toEqual(['real'])
    await fake.put('later', 'x')
    expect(await before.exists('later')).toBe(false)
  })

  it('keep what wraps the disk running over them', async () => {
    configured()
    const sub = storage.disk('sub')
    await sub.put('real', 'x')
    const fake = storage.fake('b')
    expect(await sub.allFiles()).toEqual([])
    await sub.put('a', 'x')
    fake.assertExists('p/a', 'x')
    storage.restore()
    expect(await sub.allFiles()).toEqual(['real'])
  })

  it('of a disk that wraps replace it whole', async () => {
    configured()
    const fake = storage.fake('sub')
    await storage.disk('sub').put('a', 'x')
    fake.assertExists('a')
    expect(await storage.disk('b').allFiles()).toEqual([])
  })

  it('of the default disk are what the facade writes to, whatever it is called', async () => {
    configured()
    const fake = storage.fake()
    await storage.put('x', 'y')
    await storage.disk('a').put('z', 'y')
    fake.assertExists(['x', 'z'])
    expect(storage.disk()).toBe(fake)
    expect(storage.disk('a')).toBe(fake)
    storage.restore('a')
    expect(await storage.allFiles()).toEqual([])
  })

  it('need no configuration, and stay when it comes', async () => {
    const fake = storage.fake()
    const named = storage.fake('s3')
    await storage.put('x', 'y')
    await storage.disk('s3').put('z', 'y')
    fake.assertExists('x')
    named.assertExists('z')
    expect(storage.names).toEqual(['s3'])
    configured()
    expect(storage.disk('a')).toBe(fake)
    expect(await storage.text('x')).toBe('y')
    expect(storage.names).toEqual(['a', 'b', 'sub', 's3'])
    storage.restore()
    expect(await storage.allFiles()).toEqual([])
    expect(() => storage.disk('s3')).toThrow(ConfigurationError)
  })

  it('may be made anew, which begins empty', async () => {
    configured()
    const first = storage.fake('b', { seed: { x: '1' } })
    const second = storage.fake('b')
    expect(storage.disk('b')).toBe(second)
    first.restore()
    expect(storage.disk('b')).toBe(second)
    second.assertEmpty()
    second.restore()
    expect(storage.disk('b')).not.toBe(second)
  })

  it('are restored at the end of a `using` block', () => {
    configured()
    const fake = storage.fake('b')
    fake[Symbol.dispose]()
    expect(storage.disk('b')).not.toBe(fake)
  })

  it('have the visibility of the disk, also in what they are seeded with', async () => {
    storage.configure({ default: 'a', disks: { a: { driver: 'memory', visibility: 'public' } } })
    const fake = storage.fake('a', { seed: { seeded: 'x' } })
    await storage.put('written', 'x')
    await storage.put('hidden', 'x', { visibility: 'private' })
    fake.assertVisibility('seeded', 'public').assertVisibility('written', 'public').assertVisibility('hidden', 'private')
    expect(await storage.visibility('seeded')).toBe('public')
  })

  it('keep their files in a folder with root', async () => {
    configured()
    const fake = storage.fake('b', { root: join(root, 'fake'), seed: { 'a.txt': 'x' } })
    await storage.disk('b').put('d/b.txt', 'y', { metadata: { k: 'v' }, visibility: 'public' })
    fake
      .assertExists(['a.txt', 'd/b.txt', 'd'])
      .assertExists('d/b.txt', 'y')
      .assertCount('', 1)
      .assertCount('', 2, { recursive: true })
      .assertVisibility('d/b.txt', 'public')
      .assertContentType('d/b.txt', 'text/plain')
    storage.restore()
    const again = storage.fake('b', { root: join(root, 'fake') })
    again.assertExists(['a.txt', 'd/b.txt'])
    expect(await again.stat('d/b.txt')).toMatchObject({ metadata: { k: 'v' } })
  })
})

describe('stray disks', () => {
  it('reject: configured ones, those that wrap them, and built ones', async () => {
    storage.configure({
      default: 'real',
      disks: { real: { driver: 'local', root }, over: { driver: 'scoped', disk: 'real', prefix: 'p' }, mem: { driver: 'memory' } },
    })
    const derived = storage.disk('real').scope('s')
    storage.preventStrayDisks()
    for (const disk of [
      storage,
      storage.disk('real'),
      storage.disk('over'),
      derived,
      storage.build({ driver: 'local', root }),
      storage.build({ driver: 'scoped', disk: 'mem', prefix: 'p' }).scope('x') &&
        storage.build({ driver: 'scoped', disk: 'real', prefix: 'p' }),
    ]) {
      expect(await rejection(disk.put('x', 'y'))).toMatchObject({ code: 'stray_disk' })
    }
    await storage.disk('mem').put('x', 'y')
    await storage.build({ driver: 'memory' }).put('x', 'y')
    storage.fake('real')
    await storage.disk('over').put('x', 'y')
    await derived.put('x', 'y')
    storage.restore()
    expect(await rejection(storage.disk('over').put('x', 'y'))).toMatchObject({ code: 'stray_disk' })
    storage.preventStrayDisks(false)
    await storage.put('x', 'y')
  })

  it('include those that were set, and drivers that come later', async () => {
    storage.preventStrayDisks()
    storage.extend('own', async () => ({ ...noting('x'), inner: [] }))
    storage.configure({ default: 'x', disks: { x: own({ driver: 'own' }) } })
    expect(await rejection(storage.get('a'))).toMatchObject({ code: 'stray_disk', disk: 'x' })
    storage.set('y', new Disk({ ...noting('y'), inner: [] }))
    expect(await rejection(storage.disk('y').get('a'))).toMatchObject({ code: 'stray_disk', disk: 'y' })
  })
})
