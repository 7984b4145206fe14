import { beforeEach, describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../../src/content.ts'
import { readOnly } from '../../../src/decorators/read-only.ts'
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
