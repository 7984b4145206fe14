import { beforeEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../src/content.ts'
import { Disk } from '../../src/disk.ts'
import type { Driver } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { UnavailableError } from '../../src/errors.ts'
import { faulty } from '../../src/testing/faulty.ts'
import { type RecordedDriver, recorded } from '../support/recorded.ts'
import { answer, stub } from '../support/stubs.ts'

let from: RecordedDriver
let to: RecordedDriver
let source: Disk
let target: Disk

beforeEach(async () => {
  from = recorded()
  to = recorded()
  source = new Disk(from, { name: 'source' })
  target = new Disk(to, { name: 'target' })
  await source.put('a.txt', 'content', { metadata: { k: 'v' }, contentType: 'x/y', cacheControl: 'no-store', visibility: 'public' })
  from.calls.length = 0
})

/** As a layer that changes bytes: nobody can tell where they are. */
function unlocated(driver: Driver): RecordedDriver {
  return { ...(driver as RecordedDriver), kind: 'unlocated', locate: () => undefined }
}

describe.each(['copyTo', 'moveTo'] as const)('%s another store', (method) => {
  it('carries content type, headers, metadata and visibility', async () => {
    await source[method](target, 'a.txt', 'b/c.txt')
    expect(await target.text('b/c.txt')).toBe('content')
    expect(await target.stat('b/c.txt')).toMatchObject({
      metadata: { k: 'v' },
      contentType: 'x/y',
      cacheControl: 'no-store',
      visibility: 'public',
    })
    expect(await source.exists('a.txt')).toBe(method === 'copyTo')
  })

  it('goes to the same path unless told', async () => {
    await source[method](target, 'a.txt')
    await source.put('b', 'x')
    await source[method](target, 'b', undefined)
    expect(await target.allFiles()).toEqual(['a.txt', 'b'])
  })

  it('takes options in place of what it carries', async () => {
    await source[method](target, 'a.txt', 'b', { visibility: 'private', metadata: { other: 'x' }, contentType: 'z/z' })
    expect(await target.stat('b')).toMatchObject({ visibility: 'private', metadata: { other: 'x' }, contentType: 'z/z' })
  })

  it("gives the target disk's own visibility to what brings none along", async () => {
    const bare = new Disk({
      ...from,
      visibility: undefined,
      stat: (path, options) => from.memory.stat(path, options),
      read: async (path, options) => ({
        ...(await from.memory.read(path, options)),
        stat: {
          path,
          size: 7,
          lastModified: (await from.memory.stat(path, options)).lastModified,
          etag: (await from.memory.stat(path, options)).etag,
        },
      }),
    })
    await bare[method](new Disk(to, { visibility: 'public' }), 'a.txt', 'b')
    expect(await target.visibility('b')).toBe('public')
  })

  it('leaves visibility and metadata where the target has none', async () => {
    const poor = { ...to, visibility: undefined, supports: { ...to.supports, metadata: false } }
    await source[method](new Disk(poor), 'a.txt', 'b')
    expect((await target.stat('b')).metadata).toBeUndefined()
  })

  it('replaces what is there, unless ifAbsent', async () => {
    await target.put('a.txt', 'old')
    await expect(source[method](target, 'a.txt', undefined, { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
      path: 'a.txt',
      disk: 'target',
    })
    expect(await target.text('a.txt')).toBe('old')
    expect(await source.exists('a.txt')).toBe(true)
    await source[method](target, 'a.txt')
    expect(await target.text('a.txt')).toBe('content')
  })

  it('says whose failure it was', async () => {
    await expect(source[method](target, 'nope')).rejects.toMatchObject({ code: 'not_found', path: 'nope', disk: 'source' })
    const failing = new Disk(faulty(to, { operation: 'write' }), { name: 'target' })
    await expect(source[method](failing, 'a.txt', 'b')).rejects.toMatchObject({ code: 'unavailable', path: 'b', disk: 'target' })
    expect(await source.exists('a.txt')).toBe(true)
    const readOnly = target.readOnly()
    await expect(source[method](readOnly, 'a.txt', 'b')).rejects.toMatchObject({ code: 'read_only', disk: 'target' })
    expect(await source.exists('a.txt')).toBe(true)
  })

  it('leaves both as they were when the source ends early, fails, or goes on too long', async () => {
    await target.put('a.txt', 'old')
    const chunks = async function* (...parts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
      for (const part of parts) {
        if (part instanceof Error) throw part
        yield Buffer.from(part)
      }
    }
    for (const parts of [['con'], ['con', new UnavailableError('cut')], ['content', 'more']]) {
      const broken = new Disk(stub({ read: async () => answer(chunks(...parts), 7) }, from), { name: 'source' })
      await expect(broken[method](target, 'a.txt')).rejects.toMatchObject({ code: 'unavailable', disk: 'source', path: 'a.txt' })
      expect(await target.text('a.txt')).toBe('old')
      expect(await source.text('a.txt')).toBe('content')
    }
  })

  it('gives the body back when the target refuses', async () => {
    let returned = false
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: Buffer.from('x') }),
        return: async () => ({ done: true, value: void (returned = true) }),
      }),
    }
    const watched = new Disk(stub({ read: async () => answer(body, 7) }, from))
    await expect(watched[method](new Disk(faulty(to, { operation: 'write' })), 'a.txt')).rejects.toMatchObject({ code: 'unavailable' })
    expect(returned).toBe(true)
  })
})

describe('moving to another store', () => {
  it('keeps both when the source changes midway', async () => {
    const changing = stub(
      {
        write: async (path, content, options) => {
          const result = await to.memory.write(path, content, options)
          await from.memory.write('a.txt', toContent('changed meanwhile'), {})
          return result
        },
      },
      to,
    )
    await expect(source.moveTo(new Disk(changing), 'a.txt', 'b')).rejects.toMatchObject({
      code: 'precondition_failed',
      disk: 'source',
      path: 'a.txt',
    })
    expect(await source.text('a.txt')).toBe('changed meanwhile')
    expect(await target.text('b')).toBe('content')
  })

  it('keeps the source when the target took less than it was given', async () => {
    const short = stub({ write: async (path, _content, options) => to.memory.write(path, toContent('con'), options) }, to)
    await expect(source.moveTo(new Disk(short), 'a.txt', 'b')).rejects.toMatchObject({
      code: expect.stringMatching(/unavailable|corrupted/),
    })
    const lying = stub(
      {
        write: async (path, _content, options) => ({ ...(await to.memory.write(path, toContent('con'), options)), size: 7 }),
      },
      to,
    )
    await expect(source.moveTo(new Disk(lying, { name: 'target' }), 'a.txt', 'b')).rejects.toMatchObject({
      code: 'corrupted',
      disk: 'target',
    })
    expect(await source.text('a.txt')).toBe('content')
  })

  it('keeps the source when it cannot be deleted, and says so', async () => {
    const kept = new Disk(stub({ delete: async () => [{ path: 'a.txt', error: new UnavailableError() }] }, from), { name: 'source' })
    await expect(kept.moveTo(target, 'a.txt')).rejects.toMatchObject({ code: 'unavailable', disk: 'source', operation: 'move' })
    expect(await source.exists('a.txt')).toBe(true)
  })

  it('is refused from a read-only disk before anything is copied', async () => {
    await expect(source.readOnly().moveTo(target, 'a.txt')).rejects.toMatchObject({ code: 'read_only', disk: 'source' })
    expect(to.calls).toEqual([])
    await source.readOnly().copyTo(target, 'a.txt')
    expect(await target.exists('a.txt')).toBe(true)
  })
})

describe('both ends in one store', () => {
  it('copy by the store, from a scope, into one, and between two', async () => {
    const [one, two] = [source.scope('one'), source.scope('two')]
    await source.copyTo(one, 'a.txt', 'x')
    await one.copyTo(source, 'x', 'y')
    await one.copyTo(two, 'x', 'z')
    await one.moveTo(two.scope('deep'), 'x', 'w')
    expect(from.calls.filter((call) => call.startsWith('read') || call.startsWith('write'))).toEqual([])
    expect(await source.allFiles()).toEqual(['a.txt', 'two/deep/w', 'two/z', 'y'])
    expect(await source.stat('two/deep/w')).toMatchObject({ metadata: { k: 'v' }, visibility: 'public', contentType: 'x/y' })
  })

  it('copy by the store also between two drivers of it', async () => {
    const second = recorded(from.memory)
    await source.copyTo(new Disk(second).scope('s'), 'a.txt', 'b')
    expect(second.calls).toEqual(['copy a.txt s/b'])
  })

  it('copy by the store where nobody can tell where the bytes are, when it is one driver', async () => {
    const vault = new Disk(unlocated(from))
    await vault.copyTo(vault.scope('in'), 'a.txt', 'b')
    await vault.scope('in').moveTo(vault, 'b', 'c')
    expect(from.calls.filter((call) => call.startsWith('read') || call.startsWith('write'))).toEqual([])
    expect(await source.allFiles()).toEqual(['a.txt', 'c'])
  })

  it('delete nothing when they are one file', async () => {
    const vault = new Disk(unlocated(from))
    const ways: readonly (readonly [Disk, string, Disk, string])[] = [
      [source, 'a.txt', source, 'a.txt'],
      [source, 'a.txt', source, './x/../a.txt'],
      [source, 'in/b', source.scope('in'), 'b'],
      [source.scope('in'), 'b', source, 'in/b'],
      [source.scope('in'), 'b', source.scope('').scope('in'), 'b'],
      [source, 'a.txt', new Disk(recorded(from.memory)), 'a.txt'],
      [vault, 'in/b', vault.scope('in'), 'b'],
      [vault.scope('in'), 'b', vault, 'in/b'],
    ]
    await source.put('in/b', 'content')
    for (const [a, path, b, same] of ways) {
      await a.moveTo(b, path, same)
      await a.copyTo(b, path, same)
      await expect(a.moveTo(b, path, same, { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
      expect(await source.allFiles()).toEqual(['a.txt', 'in/b'])
    }
    await expect(source.moveTo(source.scope('in'), 'in/nope', 'nope')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('delete nothing when a layer hides that they are one file', async () => {
    const vault = new Disk(unlocated(from), { name: 'vault' })
    await vault.moveTo(source, 'a.txt').catch((error: unknown) => expect(error).toMatchObject({ code: 'precondition_failed' }))
    expect(await source.text('a.txt')).toBe('content')
  })

  it('keep both when the source changes midway', async () => {
    const changing: Driver = {
      ...from,
      copy: async (path, copy, options) => {
        await from.memory.copy(path, copy, options)
        await from.memory.write(path, toContent('changed and longer'), {})
      },
    }
    await expect(source.moveTo(new Disk(changing), 'a.txt', 'b')).rejects.toMatchObject({ code: 'precondition_failed' })
    const early: Driver = {
      ...from,
      copy: async (path, copy, options) => {
        await from.memory.write(path, toContent('changed just before'), {})
        await from.memory.copy(path, copy, options)
      },
    }
    await expect(source.moveTo(new Disk(early), 'a.txt', 'c')).rejects.toMatchObject({ code: 'precondition_failed' })
    expect(await source.text('a.txt')).toBe('changed just before')
  })

  it('are carried by hand where the store cannot copy', async () => {
    const second = recorded(from.memory)
    await source.moveTo(new Disk({ ...second, supports: { ...second.supports, serverSideCopy: false } }), 'a.txt', 'b')
    expect(second.calls).toContain('write b')
    expect(await source.allFiles()).toEqual(['b'])
  })
})

describe('within one disk', () => {
  it('copies and moves', async () => {
    await source.copy('a.txt', 'b.txt')
    await source.move('b.txt', 'd/c.txt')
    expect(await source.allFiles()).toEqual(['a.txt', 'd/c.txt'])
    expect(await source.stat('d/c.txt')).toMatchObject({ metadata: { k: 'v' }, visibility: 'public' })
    await source.copy('a.txt', 'e', { visibility: 'private', contentType: 'z/z' })
    expect(await source.stat('e')).toMatchObject({ visibility: 'private', contentType: 'z/z', metadata: { k: 'v' } })
  })

  it('does nothing onto itself, if it exists', async () => {
    const before = await source.stat('a.txt')
    await source.copy('a.txt', '/a.txt')
    await source.move('a.txt', 'x/../a.txt')
    expect(await source.stat('a.txt')).toEqual(before)
    await expect(source.copy('nope', 'nope')).rejects.toMatchObject({ code: 'not_found', path: 'nope' })
    await expect(source.move('nope', 'nope')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('names the target of a lost ifAbsent', async () => {
    await source.put('b', 'x')
    for (const call of [source.copy('a.txt', 'b', { ifAbsent: true }), source.move('a.txt', 'b', { ifAbsent: true })].map((promise) =>
      promise.catch((error: unknown) => error),
    )) {
      expect(await call).toMatchObject({ code: 'already_exists', path: 'b' })
    }
    expect(await source.allFiles()).toEqual(['a.txt', 'b'])
  })

  it('works on a memory disk as on any', async () => {
    const disk = new Disk(new MemoryDriver())
    await disk.put('a', 'x')
    await disk.moveTo(disk, 'a', 'b')
    expect(await disk.allFiles()).toEqual(['b'])
  })
})
