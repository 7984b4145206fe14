import { beforeEach, describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../../src/content.ts'
import { readOnly } from '../../../src/decorators/read-only.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'

const expiresAt = new Date('2030-01-01')
let store: RecordedDriver
let disk: Driver

beforeEach(async () => {
  store = recorded()
  disk = readOnly()(store)
  await store.memory.write('dir/a.txt', toContent('hello'), { visibility: 'public' })
})

describe('readOnly', () => {
  it('passes everything that reads', async () => {
    expect((await disk.stat('dir/a.txt', {})).size).toBe(5)
    const { body } = await disk.read('dir/a.txt', { range: { start: 1, end: 3 } })
    expect((await collect(body)).toString()).toBe('el')
    expect((await disk.list('', { recursive: true })).entries.map((entry) => entry.path)).toEqual(['dir', 'dir/a.txt'])
    expect(await disk.visibility?.get('dir/a.txt', {})).toBe('public')
    expect(await disk.directories?.exists('dir', {})).toBe(true)
    expect(await disk.publicUrl?.('dir/a.txt')).toBe('https://files.test/dir/a.txt')
    expect(disk.locate('dir/a.txt')).toEqual(store.locate('dir/a.txt'))
  })

  it.each<[string, (driver: Driver) => Promise<unknown> | undefined]>([
    ['write', (driver) => driver.write('x', toContent('x'), {})],
    ['a conditional write', (driver) => driver.write('x', toContent('x'), { ifAbsent: true })],
    ['delete', (driver) => driver.delete(['dir/a.txt'], {})],
    ['delete of nothing', (driver) => driver.delete([], {})],
    ['copy', (driver) => driver.copy('dir/a.txt', 'b', {})],
    ['move', (driver) => driver.move('dir/a.txt', 'b', {})],
    ['setVisibility', (driver) => driver.visibility?.set('dir/a.txt', 'private', {})],
    ['makeDirectory', (driver) => driver.directories?.create('new', {})],
    ['deleteDirectory', (driver) => driver.directories?.delete('dir', {})],
    ['signing an upload', (driver) => driver.signUrl?.('x', { method: 'PUT', expiresAt })],
  ])('refuses %s with read_only, before the inner driver is asked', async (_name, call) => {
    await expect(call(disk)).rejects.toMatchObject({ code: 'read_only', retryable: false })
    expect(store.calls).toEqual([])
  })

  it.each(['GET', 'HEAD'] as const)('signs %s', async (method) => {
    expect(await disk.signUrl?.('dir/a.txt', { method, expiresAt })).toMatchObject({ method })
  })

  it('drops what only ever writes', () => {
    expect(disk.append).toBeUndefined()
    expect(disk.multipart).toBeUndefined()
    expect(disk.supports).toEqual({
      ...store.supports,
      ifAbsent: false,
      ifMatch: false,
      serverSideCopy: false,
      temporaryUploadUrl: false,
    })
  })

  it('invents no ability', () => {
    const bare = readOnly()({
      ...store,
      visibility: undefined,
      directories: undefined,
      publicUrl: undefined,
      signUrl: undefined,
    })
    expect([bare.visibility, bare.directories, bare.publicUrl, bare.signUrl]).toEqual([undefined, undefined, undefined, undefined])
  })

  it('says what it is, and closes nothing', async () => {
    expect(disk).toMatchObject({ kind: 'read-only', name: 'read-only(recorded)' })
    expect(disk.inner).toEqual([store])
    await disk.close()
    expect(store.calls).toEqual([])
  })
})

describe('a disk that is read-only', () => {
  const CALLS: readonly (readonly [string, (disk: Disk) => Promise<unknown>])[] = [
    ['put', (disk) => disk.put('a', 'x')],
    ['put with ifAbsent', (disk) => disk.put('a', 'x', { ifAbsent: true })],
    ['put with ifMatch', (disk) => disk.put('a', 'x', { ifMatch: '"1"' })],
    ['append', (disk) => disk.append('dir/a.txt', 'x')],
    ['append to a missing file', (disk) => disk.append('new', 'x')],
    ['prepend', (disk) => disk.prepend('dir/a.txt', 'x')],
    ['delete', (disk) => disk.delete('dir/a.txt')],
    ['deleteDirectory', (disk) => disk.deleteDirectory('dir')],
    ['makeDirectory', (disk) => disk.makeDirectory('new')],
    ['copy', (disk) => disk.copy('dir/a.txt', 'b')],
    ['copyTo itself', (disk) => disk.copyTo(disk, 'dir/a.txt', 'b')],
    ['moveTo another', (disk) => disk.moveTo(new Disk(recorded()), 'dir/a.txt', 'b')],
    ['setVisibility', (disk) => disk.setVisibility('dir/a.txt', 'private')],
    ['temporaryUploadUrl', (disk) => disk.temporaryUploadUrl('a')],
  ]

  it.each(CALLS)('says so of %s, rather than what it lacks, and changes nothing', async (_name, call) => {
    const before = (await store.memory.list('', { recursive: true })).entries
    await expect(call(new Disk(store).readOnly())).rejects.toMatchObject({ code: 'read_only' })
    expect((await store.memory.list('', { recursive: true })).entries).toEqual(before)
  })

  it.each(CALLS)('says so of %s through a scope of it too', async (_name, call) => {
    await store.memory.write('s/dir/a.txt', toContent('hello'), {})
    await expect(call(new Disk(store).readOnly().scope('s'))).rejects.toMatchObject({ code: 'read_only' })
  })
})
