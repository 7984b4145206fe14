import { describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../../src/content.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import { throttled } from '../../../src/decorators/throttled.ts'
import type { Driver } from '../../../src/driver.ts'
import { UnavailableError } from '../../../src/errors.ts'
import { recorded } from '../../support/recorded.ts'

interface Gate {
  readonly driver: Driver
  /** The paths whose stat has begun, in order. */
  readonly begun: string[]
  /** Lets the oldest call that has begun end. */
  readonly finish: () => Promise<void>
  readonly most: () => number
}

/** A driver whose stats end when they are told to. */
function gate(): Gate {
  const store = recorded()
  const begun: string[] = []
  const ends: (() => void)[] = []
  let most = 0
  const driver: Driver = {
    ...store,
    stat: async (path) => {
      begun.push(path)
      await new Promise<void>((resolve) => {
        ends.push(resolve)
        most = Math.max(most, ends.length)
      })
      return { path, size: 0, lastModified: new Date(0) }
    },
  }
  const finish = async (): Promise<void> => {
    ends.shift()?.()
    await settled()
  }
  return { driver, begun, finish, most: () => most }
}

/** Every promise that can settle by itself has settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('throttled: the slots', () => {
  it('let at most so many calls begin, and the others in the order in which they came', async () => {
    const { driver, begun, finish, most } = gate()
    const disk = throttled({ maxConcurrency: 2 })(driver)
    const calls = ['a', 'b', 'c', 'd', 'e'].map((path) => disk.stat(path, {}))
    await settled()
    expect(begun).toEqual(['a', 'b'])
    await finish()
    expect(begun).toEqual(['a', 'b', 'c'])
    for (let i = 0; i < 4; i++) await finish()
    expect((await Promise.all(calls)).map((stat) => stat.path)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(most()).toBe(2)
  })

  it('are free again after a failure', async () => {
    const store = recorded()
    const disk = throttled({ maxConcurrency: 1 })({ ...store, list: () => Promise.reject(new UnavailableError()) })
    await expect(disk.list('', {})).rejects.toMatchObject({ code: 'unavailable' })
    await disk.write('a', toContent('a'), {})
    expect((await disk.stat('a', {})).size).toBe(1)
  })

  it('are not held while a body is read', async () => {
    const store = recorded()
    const disk = throttled({ maxConcurrency: 1 })(store)
    await disk.write('a', toContent('hello'), {})
    const { body } = await disk.read('a', {})
    await disk.write('a', toContent('changed'), {})
    expect((await collect(body)).toString()).toBe('hello')
  })

  it('belong to the decorator: all that it is applied to shares them, also through a scope', async () => {
    const { driver, begun, finish } = gate()
    const one = throttled({ maxConcurrency: 1 })
    const disks = [one(driver), scoped('s')(one(driver))]
    const calls = disks.map((disk) => disk.stat('a', {}))
    await settled()
    expect(begun).toEqual(['a'])
    await finish()
    await finish()
    await Promise.all(calls)
    expect(begun).toEqual(['a', 's/a'])
  })

  it('serve a very long queue', async () => {
    const store = recorded()
    await store.memory.write('a', toContent('a'), {})
    const disk = throttled({ maxConcurrency: 2 })(store)
    const stats = await Promise.all(Array.from({ length: 20_000 }, () => disk.stat('a', {})))
    expect(stats.length).toBe(20_000)
  })
})

describe('throttled: an abort', () => {
  it('takes a waiter out of the queue, with the reason', async () => {
    const { driver, begun, finish } = gate()
    const disk = throttled({ maxConcurrency: 1 })(driver)
    const controllers = [0, 1, 2].map(() => new AbortController())
    const first = disk.stat('first', {})
    const waiting = controllers.map(({ signal }, index) => disk.stat(`waiting ${index}`, { signal }))
    const last = disk.stat('last', {})
    for (const [index, controller] of controllers.entries()) {
      const reason = new Error(`enough ${index}`)
      controller.abort(reason)
      await expect(waiting[index]).rejects.toBe(reason)
    }
    await finish()
    await finish()
    await Promise.all([first, last])
    expect(begun).toEqual(['first', 'last'])
  })

  it('of the last waiter leaves the queue in order for those who come after', async () => {
    const { driver, begun, finish } = gate()
    const disk = throttled({ maxConcurrency: 1 })(driver)
    const controller = new AbortController()
    const calls = [disk.stat('a', {}), disk.stat('b', {})]
    const given = disk.stat('c', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    calls.push(disk.stat('d', {}))
    for (let i = 0; i < 3; i++) await finish()
    await Promise.all(calls)
    expect(begun).toEqual(['a', 'b', 'd'])
  })

  it('before the call takes no slot', async () => {
    const store = recorded()
    const disk = throttled({ maxConcurrency: 1 })(store)
    const reason = new Error('enough')
    await expect(disk.stat('a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(store.calls).toEqual([])
    await disk.list('', {})
    expect(store.calls).toEqual(['list '])
  })

  it('after a slot was given is the inner driver’s to answer', async () => {
    const { driver, begun, finish } = gate()
    const controller = new AbortController()
    const disk = throttled({ maxConcurrency: 1 })(driver)
    const calls = [disk.stat('a', {}), disk.stat('b', { signal: controller.signal })]
    await finish()
    controller.abort(new Error('too late'))
    await finish()
    await Promise.all(calls)
    expect(begun).toEqual(['a', 'b'])
  })
})

describe('throttled: which calls wait', () => {
  const expiresAt = new Date('2030-01-01')
  const CALLS: readonly (readonly [string, (driver: Driver) => Promise<unknown> | undefined])[] = [
    ['read', (driver) => driver.read('a', {})],
    ['write', (driver) => driver.write('b', toContent('b'), {})],
    ['delete', (driver) => driver.delete(['b'], {})],
    ['list', (driver) => driver.list('', {})],
    ['copy', (driver) => driver.copy('a', 'c', {})],
    ['move', (driver) => driver.move('a', 'a', {})],
    ['append', (driver) => driver.append?.('a', toContent('b'), {})],
    ['visibility', (driver) => driver.visibility?.get('a', {})],
    ['setVisibility', (driver) => driver.visibility?.set('a', 'public', {})],
    ['directoryExists', (driver) => driver.directories?.exists('a', {})],
    ['makeDirectory', (driver) => driver.directories?.create('d', {})],
    ['deleteDirectory', (driver) => driver.directories?.delete('d', {})],
    ['multipart.create', (driver) => driver.multipart?.create('a', {})],
    ['multipart.part', async (driver) => driver.multipart?.part('a', 'upload-2', 1, toContent(''), {})],
    ['multipart.list', async (driver) => driver.multipart?.list('a', 'upload-2', {})],
    ['multipart.complete', async (driver) => driver.multipart?.complete('a', 'upload-2', [], {})],
    ['multipart.abort', (driver) => driver.multipart?.abort('a', 'upload-2', {})],
  ]

  it.each(CALLS)('%s does', async (name, call) => {
    const store = recorded()
    await store.memory.write('a', toContent('a'), {})
    await store.memory.multipart.create('a', {})
    const { driver: blocking, begun, finish } = gate()
    const disk = throttled({ maxConcurrency: 1 })({ ...store, stat: (path, options) => blocking.stat(path, options) })
    const held = disk.stat('a', {})
    const waiting = call(disk)
    await settled()
    expect(begun).toEqual(['a'])
    expect(store.calls).toEqual([])
    await finish()
    await held
    await waiting
    expect(store.calls.map((made) => made.split(' ')[0])).toEqual([name])
  })

  it('signing and public URLs do not', async () => {
    const store = recorded()
    const { driver: blocking, finish } = gate()
    const disk = throttled({ maxConcurrency: 1 })({ ...store, stat: (path, options) => blocking.stat(path, options) })
    const held = disk.stat('a', {})
    expect(await disk.publicUrl?.('a')).toBe('https://files.test/a')
    expect(await disk.signUrl?.('a', { method: 'GET', expiresAt })).toMatchObject({ method: 'GET' })
    await finish()
    await held
  })
})

describe('throttled: options and abilities', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '', 'many', '0'])('refuses maxConcurrency %j', (maxConcurrency) => {
    expect(() => throttled({ maxConcurrency })).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('takes a numeric string', async () => {
    const { driver, begun, finish } = gate()
    const disk = throttled({ maxConcurrency: '1' })(driver)
    const calls = [disk.stat('a', {}), disk.stat('b', {})]
    await settled()
    expect(begun).toEqual(['a'])
    await finish()
    await finish()
    await Promise.all(calls)
  })

  it('has the abilities of what it wraps, and says what it is', async () => {
    const store = recorded()
    const one = throttled({ maxConcurrency: 1 })
    const poor = one({
      ...store,
      append: undefined,
      visibility: undefined,
      directories: undefined,
      multipart: undefined,
      publicUrl: undefined,
      signUrl: undefined,
    })
    expect([poor.append, poor.visibility, poor.directories, poor.multipart, poor.publicUrl, poor.signUrl]).toEqual(Array(6).fill(undefined))
    expect(one(store)).toMatchObject({ kind: 'throttled', name: 'throttled(recorded)', supports: store.supports })
    expect(one(store).locate('a')).toEqual(store.locate('a'))
    await one(store).close()
    expect(store.calls).toEqual([])
  })
})
