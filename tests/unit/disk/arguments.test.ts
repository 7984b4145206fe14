import { beforeEach, describe, expect, it } from '@jest/globals'
import { Disk, type Filesystem } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { isStorageError } from '../../../src/errors.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'
import { DIRECTORY_METHODS, FILE_METHODS, METHODS } from './methods.ts'

let store: RecordedDriver
let disk: Disk

beforeEach(() => {
  store = recorded()
  disk = new Disk(store, { name: 'main' })
})

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was fulfilled',
    (error: unknown) => error,
  )
}

const BAD_PATHS = ['..', '../a', '/../a', 'a/../../b', 'a\0', 'a\tb', 'a\u0085', 'a\\b', '..\\a', 'a\ud800', 'a\u007f']

describe.each(METHODS)('%s', (_, call) => {
  it.each(BAD_PATHS)('refuses %j before any I/O', async (path) => {
    expect(await rejection(call(disk, path))).toMatchObject({ code: 'invalid_path', path, disk: 'main' })
    expect(store.calls).toEqual([])
  })

  it.each([undefined, null, 5, {}, true, Buffer.from('a')])('refuses the path %p before any I/O', async (path) => {
    const error = await rejection(call(disk, path as never))
    // Directories and the targets of copyTo and moveTo may be left out.
    if (path !== undefined || (isStorageError(error) && error.code === 'invalid_path'))
      expect(error).toMatchObject({ code: 'invalid_path' })
    if (path !== undefined) expect(store.calls).toEqual([])
  })

  it.each(['public', null, 5, true])('refuses options that are %p', async (options) => {
    expect(await rejection(call(disk, 'a', options as never))).toMatchObject({ code: 'invalid_argument', disk: 'main' })
    expect(store.calls).toEqual([])
  })

  it.each([0, -1, Number.NaN, '5'])('refuses a timeoutMs of %p before any I/O', async (timeoutMs) => {
    expect(await rejection(call(disk, 'a', { timeoutMs: timeoutMs as never }))).toMatchObject({ code: 'invalid_argument', disk: 'main' })
    expect(store.calls).toEqual([])
  })

  it('takes a path that has to be folded', async () => {
    await disk.put('a', '{}')
    await rejection(call(disk, '/x/..//a/.'))
    expect(store.calls.filter((line) => line.includes('..') || line.includes('//'))).toEqual([])
  })

  it('takes limits that are undefined', async () => {
    await disk.put('a', '{}')
    await disk.put('ok', '{}')
    const error = await rejection(call(disk, 'a', { signal: undefined, timeoutMs: undefined }))
    if (error !== 'it was fulfilled') expect(error).toMatchObject({ code: 'already_exists' })
  })
})

describe('the root', () => {
  it.each(Object.entries(FILE_METHODS))('%s finds no file there', async (_, call) => {
    for (const path of ['', '/', '.', 'a/..']) {
      const error = await rejection(call(disk, path))
      if (error === null || error === 'it was fulfilled') continue
      expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid_path|not_found)$/) })
    }
    expect(store.calls.filter((line) => /^(write|delete|copy|move|append) *$/.test(line))).toEqual([])
    expect(await disk.allFiles()).toEqual([])
  })

  it.each(Object.entries(DIRECTORY_METHODS).filter(([name]) => name !== 'deleteDirectory'))('%s takes it', async (_, call) => {
    await call(disk, '/')
  })

  it('is never deleted without allowRoot, however it is written', async () => {
    await disk.put('a', 'a')
    for (const path of ['', '/', '.', 'x/..', '//']) {
      expect(await rejection(disk.deleteDirectory(path))).toMatchObject({ code: 'invalid_argument' })
      expect(await rejection(disk.deleteDirectory(path, { allowRoot: false }))).toMatchObject({ code: 'invalid_argument' })
      expect(await rejection(disk.scope('s').deleteDirectory(path))).toMatchObject({ code: 'invalid_argument' })
    }
    expect(await disk.deleteDirectory('', { allowRoot: true })).toEqual({ deleted: 1 })
    expect(await disk.allFiles()).toEqual([])
  })
})

describe('options of a write', () => {
  const writes: readonly (readonly [string, (options: object) => Promise<unknown>])[] = [
    ['put', (options) => disk.put('a', 'x', options)],
    ['writeStream', (options) => disk.writeStream('a', ['x'], options)],
    ['putFile', (options) => disk.putFile('', Buffer.from('x'), options)],
    ['putFileAs', (options) => disk.putFileAs('', Buffer.from('x'), 'a', options)],
    ['append', (options) => disk.append('a', 'x', options)],
    ['prepend', (options) => disk.prepend('a', 'x', options)],
    ['copy', (options) => disk.copy('a', 'b', options)],
    ['move', (options) => disk.move('a', 'b', options)],
    ['copyTo', (options) => disk.copyTo(new Disk(recorded(), { name: 'main' }), 'a', 'b', options)],
    ['moveTo', (options) => disk.moveTo(new Disk(recorded(), { name: 'main' }), 'a', 'b', options)],
  ]

  describe.each(writes)('%s', (_, write) => {
    it.each([
      { visibility: 'secret' },
      { visibility: null },
      { contentType: 'a\r\nb' },
      { contentType: 5 },
      { cacheControl: 'a\nb' },
      { contentDisposition: 'a\0b' },
      { metadata: 'a' },
      { metadata: { a: 5 } },
      { metadata: { 'a b': 'c' } },
      { metadata: { a: 'b\r\nc' } },
      { metadata: ['a'] },
      { tags: { a: null } },
      { tags: { '': 'a' } },
      { tags: { 'a\nb': 'c' } },
      { checksum: { algorithm: 'sha3', value: 'aa' } },
      { checksum: { algorithm: 'sha256', value: 'ABC' } },
      { checksum: { algorithm: 'sha256' } },
      { checksum: 'abc' },
      { checksum: null },
      { ifAbsent: true, ifMatch: '"1"' },
      { ifMatch: 5 },
    ])('refuses %j before any I/O', async (options) => {
      expect(await rejection(write(options))).toMatchObject({ code: 'invalid_argument', disk: 'main' })
      expect(store.calls).toEqual([])
    })
  })

  it.each(writes)('%s: what the store cannot keep is unsupported before any I/O', async (name, write) => {
    const poor = {
      ...store,
      visibility: undefined,
      append: undefined,
      supports: { ...store.supports, ifAbsent: false, ifMatch: false, metadata: false },
    }
    const rich = disk
    disk = new Disk(poor, { name: 'main' })
    for (const options of [{ ifAbsent: true }, { ifMatch: '"1"' }, { visibility: 'public' }, { metadata: { a: 'b' } }]) {
      if (name.endsWith('To')) continue // the target decides, and it can
      expect(await rejection(write(options))).toMatchObject({ code: 'unsupported' })
    }
    if (name === 'copyTo' || name === 'moveTo') {
      expect(await rejection(rich[name as 'copyTo'](disk, 'a', 'b', { ifAbsent: true }))).toMatchObject({ code: 'unsupported' })
    }
    expect(store.calls).toEqual([])
  })

  it('refuses an onProgress that is no function, and a separator that is no string', async () => {
    expect(await rejection(disk.put('a', 'x', { onProgress: 'yes' as never }))).toMatchObject({ code: 'invalid_argument' })
    expect(await rejection(disk.append('a', 'x', { separator: 5 as never }))).toMatchObject({ code: 'invalid_argument' })
    expect(await rejection(disk.prepend('a', 'x', { separator: 5 as never }))).toMatchObject({ code: 'invalid_argument' })
    expect(store.calls).toEqual([])
  })

  it('refuses conditions on append and prepend, instead of forgetting them', async () => {
    for (const options of [{ ifAbsent: true }, { ifMatch: '"1"' }]) {
      expect(await rejection(disk.append('a', 'x', options))).toMatchObject({ code: 'unsupported' })
      expect(await rejection(disk.prepend('a', 'x', options))).toMatchObject({ code: 'unsupported' })
    }
    expect(store.calls).toEqual([])
  })

  it('has tags whose names are no header names', async () => {
    await disk.put('a', 'x', { tags: { 'Cost Center': '7', 'team:owner': 'a/b', größe: 'L' } })
    expect(await disk.text('a')).toBe('x')
  })

  it('may all be undefined', async () => {
    const nothing = Object.fromEntries(
      'contentType cacheControl contentDisposition contentEncoding contentLanguage metadata tags visibility storageClass ifAbsent ifMatch checksum onProgress separator signal timeoutMs'
        .split(' ')
        .map((name) => [name, undefined]),
    )
    await disk.put('a', 'x', { contentType: 'text/x-own', metadata: { k: 'v' }, visibility: 'public' })
    await disk.append('a', 'y', nothing)
    await disk.copy('a', 'b', nothing)
    await disk.move('b', 'c', nothing)
    expect(await disk.stat('c')).toMatchObject({ contentType: 'text/x-own', metadata: { k: 'v' }, visibility: 'public', size: 2 })
    const file = await disk.putFile('', new File(['x'], 'a.bin', { type: 'image/png' }), nothing)
    expect(await disk.mimeType(file.path)).toBe('image/png')
  })
})

describe('options of a read', () => {
  it.each([
    { range: { start: -1 } },
    { range: { start: 1.5 } },
    { range: { start: 2, end: 2 } },
    { range: { start: 2, end: 1 } },
    { range: { end: 2 } },
    { range: {} },
    { range: null },
    { range: 'bytes=0-1' },
    { range: { suffix: 0 } },
    { range: { suffix: -1 } },
    { range: { start: 0, suffix: 1 } },
    { range: { end: 1, suffix: 1 } },
  ])('refuses %j before any I/O', async (options) => {
    expect(await rejection(disk.get('a', options as never))).toMatchObject({ code: 'invalid_argument', path: 'a' })
    expect(await rejection(disk.readStream('a', options as never))).toMatchObject({ code: 'invalid_argument', path: 'a' })
    expect(store.calls).toEqual([])
  })

  it('refuses a bad maxBytes, encoding, schema, algorithm and encoding of a checksum before any I/O', async () => {
    for (const error of await Promise.all(
      [
        disk.get('a', { maxBytes: -1 }),
        disk.get('a', { maxBytes: 1.5 }),
        disk.text('a', { encoding: 'klingon' as never }),
        disk.json('a', { schema: {} as never }),
        disk.json('a', { schema: 'x' as never }),
        disk.checksum('a', { algorithm: 'sha3' as never }),
        disk.checksum('a', { encoding: 'klingon' as never }),
      ].map(rejection),
    )) {
      expect(error).toMatchObject({ code: 'invalid_argument', path: 'a' })
    }
    expect(store.calls).toEqual([])
  })
})

describe('options of a listing', () => {
  async function all(entries: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of entries);
  }

  it('refuses a bad type, size of a page, after and cursor before any I/O', async () => {
    for (const error of await Promise.all(
      [
        all(disk.list('', { type: 'folder' as never })),
        all(disk.list('', { pageSize: 0 })),
        all(disk.list('', { pageSize: 1.5 })),
        all(disk.list('', { after: 5 as never })),
        disk.listPage('', { limit: 0 }),
        disk.listPage('', { limit: -1 }),
        disk.listPage('', { cursor: 5 as never }),
      ].map(rejection),
    )) {
      expect(error).toMatchObject({ code: 'invalid_argument' })
    }
    expect(store.calls).toEqual([])
  })
})

describe('options of URLs', () => {
  it.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY, new Date(0), new Date(Number.NaN), '60', {}])(
    'refuses the expiry %p',
    async (expires) => {
      for (const error of await Promise.all(
        [
          disk.temporaryUrl('a', expires as never),
          disk.temporaryUrls(['a'], expires as never),
          disk.temporaryUploadUrl('a', expires as never),
        ].map(rejection),
      )) {
        expect(error).toMatchObject({ code: 'invalid_argument' })
      }
      expect(store.calls).toEqual([])
    },
  )

  it('refuses what contradicts itself or would split a header', async () => {
    for (const error of await Promise.all(
      [
        disk.temporaryUrl('a', 60, { method: 'PUT' as never }),
        disk.temporaryUrl('a', 60, { contentType: 'a\r\nb' }),
        disk.temporaryUrl('a', 60, { download: 5 as never }),
        disk.temporaryUploadUrl('a', 60, { contentType: 'a\r\nb' }),
        disk.temporaryUploadUrl('a', 60, { maxSize: -1 }),
        disk.temporaryUploadUrl('a', 60, { minSize: 1.5 }),
        disk.temporaryUploadUrl('a', 60, { minSize: 10, maxSize: 5 }),
        disk.temporaryUploadUrl('a', 60, { metadata: { a: 5 as never } }),
      ].map(rejection),
    )) {
      expect(error).toMatchObject({ code: 'invalid_argument', path: 'a', operation: 'signUrl' })
    }
    expect(store.calls).toEqual([])
  })

  it('refuses paths that cannot be iterated', async () => {
    for (const paths of [5, null, undefined, {}]) {
      const error = await rejection(disk.temporaryUrls(paths as never))
      expect(isStorageError(error)).toBe(true)
    }
  })

  it('signs nothing when one of several paths is bad', async () => {
    expect(await rejection(disk.temporaryUrls(['a', '../b']))).toMatchObject({ code: 'invalid_path', path: '../b' })
    expect(store.calls).toEqual([])
  })
})

describe('a batch to delete', () => {
  it('is refused whole for one bad path', async () => {
    await disk.put('a', 'a')
    store.calls.length = 0
    expect(await rejection(disk.delete(['a', '../b']))).toMatchObject({ code: 'invalid_path', path: '../b', operation: 'delete' })
    expect(await rejection(disk.delete(['a', '']))).toMatchObject({ code: 'invalid_path' })
    expect(store.calls).toEqual([])
  })

  it('rejects with a StorageError when what gives the paths fails', async () => {
    const failing = (async function* () {
      yield 'a'
      throw new Error('cut')
    })()
    expect(await rejection(disk.delete(failing))).toMatchObject({
      code: 'unknown',
      operation: 'delete',
      disk: 'main',
      cause: { message: 'cut' },
    })
    expect(store.calls).toEqual([])
  })
})

describe('the other disk of a copy', () => {
  it.each([undefined, null, 'public', {}, recorded()])('must be a disk, not %p', async (other) => {
    expect(await rejection(disk.copyTo(other as Filesystem, 'a'))).toMatchObject({ code: 'invalid_argument' })
    expect(await rejection(disk.moveTo(other as Filesystem, 'a'))).toMatchObject({ code: 'invalid_argument' })
    expect(store.calls).toEqual([])
  })
})

describe('signals, conditions and sizes of the wrong kind', () => {
  it.each([{}, new AbortController(), 'abort', 5])('are refused: a signal that is %p', async (signal) => {
    expect(await rejection(disk.get('a', { signal: signal as never }))).toMatchObject({ code: 'invalid_argument', disk: 'main' })
    expect(store.calls).toEqual([])
  })

  it('are refused: conditions that are no booleans, checksums that are too short, and paths that leave the disk', async () => {
    for (const options of [{ ifAbsent: 'yes' }, { checksum: { algorithm: 'md5', value: 'abc' } }]) {
      expect(await rejection(disk.put('a', 'x', options as never))).toMatchObject({ code: 'invalid_argument' })
    }
    expect(await rejection(disk.deleteDirectory('', { allowRoot: 'no' as never }))).toMatchObject({ code: 'invalid_argument' })
    expect(await rejection(disk.listPage('', { after: '../x' }))).toMatchObject({ code: 'invalid_path' })
    expect(await rejection(disk.readStream(Symbol('a') as never))).toMatchObject({ code: 'invalid_path' })
    expect(store.calls).toEqual([])
  })
})

describe('a read-only disk over a store without directories of its own', () => {
  it('refuses to make and to delete directories', async () => {
    const flat: Driver = { ...store, kind: 'flat', directories: undefined }
    const fixed = new Disk(flat).readOnly()
    expect(await rejection(fixed.makeDirectory('a'))).toMatchObject({ code: 'read_only' })
    expect(await rejection(fixed.deleteDirectory('a'))).toMatchObject({ code: 'read_only' })
  })
})

describe('a condition that a copy lost', () => {
  it('is told of the target', async () => {
    await disk.put('a', '1')
    await disk.put('b', '2')
    expect(await rejection(disk.copy('a', 'b', { ifMatch: '"other"' }))).toMatchObject({ code: 'precondition_failed', path: 'b' })
    expect(await rejection(disk.copy('a', 'b', { ifAbsent: true }))).toMatchObject({ code: 'already_exists', path: 'b' })
  })
})
