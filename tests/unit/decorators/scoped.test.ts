import { beforeEach, describe, expect, it } from '@jest/globals'
import { contentBytes, collect, toContent } from '../../../src/content.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import type { Driver, Entry } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { FileNotFoundError, PartialFailureError, UnavailableError } from '../../../src/errors.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'

const expiresAt = new Date('2030-01-01')
let store: RecordedDriver
let scope: Driver

beforeEach(async () => {
  store = recorded()
  scope = scoped('photos')(store)
  for (const path of ['a.txt', 'photos/a.txt', 'photos/b/c.txt', 'photos2/d.txt', 'photos.txt']) {
    await store.memory.write(path, toContent(path), {})
  }
})

async function textOf(driver: Driver, path: string): Promise<string> {
  return (await collect((await driver.read(path, {})).body)).toString()
}

async function paths(driver: Driver, directory: string, recursive = true): Promise<string[]> {
  return (await driver.list(directory, { recursive })).entries.map((entry: Entry) => entry.path)
}

describe('scoped: the prefix', () => {
  it('is normalised when the decorator is built', async () => {
    expect(await textOf(scoped('/x/../photos//./b/')(store), 'c.txt')).toBe('photos/b/c.txt')
  })

  it.each(['..', '../photos', 'a/../../b', 'a\\b', 'a\0b', 'a\nb', '\ud800'])('is refused at once when it is %j', (prefix) => {
    expect(() => scoped(prefix)).toThrow(expect.objectContaining({ code: 'invalid_path' }))
  })

  it('may be empty, and then changes no path', async () => {
    const all = scoped('')(store)
    expect(await textOf(all, 'a.txt')).toBe('a.txt')
    expect(await paths(all, '')).toEqual(await paths(store, ''))
    expect((await all.stat('photos/a.txt', {})).path).toBe('photos/a.txt')
    await all.list('', { after: 'a.txt' })
    expect(all.locate('a.txt')).toEqual(store.locate('a.txt'))
  })

  it('of a scope in a scope is the two together', async () => {
    const nested = scoped('b')(scope)
    expect(nested.name).toBe('scoped(scoped(recorded))')
    expect(await textOf(nested, 'c.txt')).toBe('photos/b/c.txt')
    expect(await paths(nested, '')).toEqual(['c.txt'])
  })
})

describe('scoped: paths in', () => {
  it('reach the inner driver with the prefix, from every verb', async () => {
    await scope.write('n.txt', toContent('n'), {})
    await scope.stat('n.txt', {})
    await scope.read('n.txt', {})
    await scope.copy('n.txt', 'm.txt', {})
    await scope.move('m.txt', 'o.txt', {})
    await scope.delete(['n.txt', 'o.txt'], {})
    await scope.list('b', {})
    expect(store.calls).toEqual([
      'write photos/n.txt',
      'stat photos/n.txt',
      'read photos/n.txt',
      'copy photos/n.txt photos/m.txt',
      'move photos/m.txt photos/o.txt',
      'delete photos/n.txt photos/o.txt',
      'list photos/b',
    ])
    expect(scope.locate('a.txt')).toEqual(store.locate('photos/a.txt'))
  })

  it('reach the inner driver with the prefix, from every ability', async () => {
    await scope.append?.('a.txt', toContent('!'), {})
    await scope.visibility?.set('a.txt', 'public', {})
    await scope.visibility?.get('a.txt', {})
    await scope.directories?.create('new', {})
    await scope.directories?.exists('new', {})
    await scope.directories?.delete('new', {})
    await scope.publicUrl?.('a.txt')
    await scope.signUrl?.('a.txt', { method: 'GET', expiresAt })
    const upload = (await scope.multipart?.create('m', {})) ?? ''
    const part = await scope.multipart?.part('m', upload, 1, toContent('m'), {})
    await scope.multipart?.list('m', upload, {})
    await scope.multipart?.complete('m', upload, part ? [part] : [], {})
    await scope.multipart?.abort('m', upload, {})
    expect(store.calls).toEqual([
      'append photos/a.txt',
      'setVisibility photos/a.txt',
      'visibility photos/a.txt',
      'makeDirectory photos/new',
      'directoryExists photos/new',
      'deleteDirectory photos/new',
      'publicUrl photos/a.txt',
      'signUrl photos/a.txt',
      'multipart.create photos/m',
      'multipart.part photos/m',
      'multipart.list photos/m',
      'multipart.complete photos/m',
      'multipart.abort photos/m',
    ])
    expect(await textOf(store, 'photos/a.txt')).toBe('photos/a.txt!')
    expect(await textOf(store, 'photos/m')).toBe('m')
  })

  it('passes options on, ranges and conditions among them', async () => {
    const { body } = await scope.read('a.txt', { range: { start: 7 } })
    expect((await collect(body)).toString()).toBe('a.txt')
    await expect(scope.write('a.txt', toContent(''), { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await expect(scope.write('a.txt', toContent(''), { ifMatch: '"nope"' })).rejects.toMatchObject({ code: 'precondition_failed' })
  })
})

describe('scoped: paths out', () => {
  it('have no prefix in stat and read', async () => {
    expect((await scope.stat('b/c.txt', {})).path).toBe('b/c.txt')
    expect((await scope.read('b/c.txt', {})).stat.path).toBe('b/c.txt')
  })

  it('have no prefix in listings', async () => {
    expect((await scope.list('', {})).entries).toMatchObject([
      { type: 'file', path: 'a.txt', size: 12 },
      { type: 'directory', path: 'b' },
    ])
    expect(await paths(scope, 'b')).toEqual(['b/c.txt'])
  })

  it('have none of the files beside the prefix, however alike', async () => {
    expect(await paths(scope, '')).toEqual(['a.txt', 'b', 'b/c.txt'])
    expect(await paths(scoped('photo')(store), '')).toEqual([])
  })

  it('page through with cursors of the inner driver, and with after', async () => {
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await scope.list('', { recursive: true, limit: 1, cursor })
      found.push(...page.entries.map((entry) => entry.path))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(found).toEqual(['a.txt', 'b', 'b/c.txt'])
    expect((await scope.list('', { recursive: true, after: 'b/' })).entries.map((entry) => entry.path)).toEqual(['b/c.txt'])
    expect((await scope.list('', { recursive: true, after: 'a.txt' })).entries.map((entry) => entry.path)).toEqual(['b', 'b/c.txt'])
  })

  it('have no prefix in the failures of a deletion', async () => {
    const error = new UnavailableError('no', { path: 'photos/a.txt' })
    const failing: Driver = { ...store, delete: async (given) => given.map((path) => ({ path, error })) }
    const [failure] = await scoped('photos')(failing).delete(['a.txt'], {})
    expect(failure?.path).toBe('a.txt')
    expect(failure?.error.path).toBe('a.txt')
  })

  it('have no prefix in an error that knows its path, nor in its message', async () => {
    const thrown = new FileNotFoundError(undefined, { operation: 'stat', path: 'photos/x.txt' })
    const failing: Driver = { ...store, stat: () => Promise.reject(thrown) }
    const error: unknown = await scoped('photos')(failing)
      .stat('x.txt', {})
      .catch((caught: unknown) => caught)
    expect(error).toBe(thrown)
    expect(thrown.path).toBe('x.txt')
    expect(thrown.message).toBe('stat "x.txt": not found')
  })

  it('leave an error without a path for Disk to fill in, on the same object', async () => {
    const error = new UnavailableError()
    await expect(scoped('photos')(faulty(store, { error: () => error })).stat('a.txt', {})).rejects.toBe(error)
    expect(error.path).toBeUndefined()
  })

  it('have no prefix in the parts of a PartialFailureError', async () => {
    const inside = new UnavailableError(undefined, { path: 'photos/b/c.txt' })
    const error = new PartialFailureError(undefined, { path: 'photos/b', failures: [{ path: 'photos/b/c.txt', error: inside }] })
    const failing: Driver = { ...store, stat: () => Promise.reject(error) }
    await expect(scoped('photos')(failing).stat('b', {})).rejects.toMatchObject({
      code: 'partial_failure',
      path: 'b',
      retryable: true,
      failures: [{ path: 'b/c.txt', error: { path: 'b/c.txt' } }],
      message: expect.not.stringContaining('photos') as unknown,
    })
  })

  it('leaves what is not an error of ours as it is', async () => {
    const reason = new Error('stop')
    await expect(scope.stat('a.txt', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('scoped: the root', () => {
  it('is emptied without touching what is beside it', async () => {
    expect(await scope.directories?.delete('', {})).toBe(2)
    expect(await paths(store, '')).toEqual(['a.txt', 'photos.txt', 'photos2', 'photos2/d.txt'])
  })

  it('exists before anything is in it, like the root of a disk', async () => {
    const empty = scoped('nothing/here')(store)
    expect(await empty.directories?.exists('', {})).toBe(true)
    expect(await empty.directories?.exists('sub', {})).toBe(false)
    expect(await paths(empty, '')).toEqual([])
  })
})

describe('scoped: abilities', () => {
  it('are those of the inner driver', () => {
    expect(scope.supports).toBe(store.supports)
    const bare = scoped('x')(new MemoryDriver())
    expect([bare.publicUrl, bare.signUrl]).toEqual([undefined, undefined])
    const poor = scoped('x')({ ...store, append: undefined, visibility: undefined, directories: undefined, multipart: undefined })
    expect([poor.append, poor.visibility, poor.directories, poor.multipart]).toEqual([undefined, undefined, undefined, undefined])
  })

  it('that are methods keep their this', async () => {
    const driver: Driver = {
      ...store,
      async publicUrl(path) {
        return `${this.kind}/${path}`
      },
    }
    expect(await scoped('x')(driver).publicUrl?.('a')).toBe('recorded/x/a')
  })

  it('says what it is', () => {
    expect(scope).toMatchObject({ kind: 'scoped', name: 'scoped(recorded)', prefix: 'photos' })
    expect(scope.inner).toEqual([store])
  })

  it('does not close what it wraps', async () => {
    await scope.close()
    expect(store.calls).toEqual([])
  })

  it('hands the content on as it is', async () => {
    const content = toContent('the very same')
    let seen: unknown
    const watching: Driver = { ...store, write: async (_path, given) => ((seen = given), { size: (await contentBytes(given)).byteLength }) }
    await scoped('x')(watching).write('a', content, {})
    expect(seen).toBe(content)
  })
})
