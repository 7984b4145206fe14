import { beforeEach, describe, expect, it } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import type { FileSource } from '../../../src/file-content.ts'
import { recorded } from '../../support/recorded.ts'
import { stub } from '../../support/stubs.ts'

let disk: Disk

beforeEach(() => {
  disk = new Disk(new MemoryDriver(), { name: 'main' })
})

describe('putting a file', () => {
  it('tells the normal path, the size and the etag', async () => {
    expect(await disk.put('/a//b.txt', 'é')).toEqual({ path: 'a/b.txt', size: 2, etag: expect.any(String) })
    expect(await disk.writeStream('c', 'text')).toMatchObject({ path: 'c', size: 4 })
  })

  it('replaces what is there, with its facts', async () => {
    await disk.put('a.txt', 'old', { metadata: { k: 'v' }, contentType: 'x/y' })
    await disk.put('a.txt', 'new')
    expect(await disk.stat('a.txt')).toMatchObject({ size: 3, contentType: 'text/plain' })
    expect((await disk.stat('a.txt')).metadata).toBeUndefined()
  })

  it('keeps the bytes as they were, whatever the caller does to them later', async () => {
    const bytes = Buffer.from('old')
    const array = new Uint8Array(Buffer.from('old'))
    const shared = array.buffer
    const metadata = { k: 'v' }
    await disk.put('a', bytes, { metadata })
    await disk.put('b', array)
    await disk.put('c', shared)
    await disk.put('e', 'x')
    await disk.append('e', bytes)
    bytes.fill(0)
    array.fill(0)
    metadata.k = 'changed'
    expect([await disk.text('a'), await disk.text('b'), await disk.text('c'), await disk.text('e')]).toEqual(['old', 'old', 'old', 'xold'])
    expect((await disk.stat('a')).metadata).toEqual({ k: 'v' })
  })

  it('keeps the old file when the checksum does not fit', async () => {
    await disk.put('a', 'old')
    const checksum = { algorithm: 'md5', value: '5d41402abc4b2a76b9719d911017c592' } as const
    for (const contents of ['hallo', ['hal', 'lo'], Readable.from(['hallo']), new Blob(['hallo'])]) {
      await expect(disk.put('a', contents, { checksum })).rejects.toMatchObject({ code: 'corrupted', path: 'a' })
      expect(await disk.text('a')).toBe('old')
    }
    await disk.put('a', Readable.from(['hel', 'lo']), { checksum })
    expect(await disk.text('a')).toBe('hello')
  })

  it('tells its progress, and fails when that fails', async () => {
    const told: object[] = []
    await disk.put('a', Readable.from([Buffer.alloc(3), Buffer.alloc(2)]), { onProgress: (step) => told.push(step) })
    expect(told).toEqual([{ loaded: 3 }, { loaded: 5 }])
    told.length = 0
    await disk.put('a', new Blob(['abc']), { onProgress: (step) => told.push(step) })
    expect(told.at(-1)).toEqual({ loaded: 3, total: 3 })
    const onProgress = (): never => {
      throw new Error('no more')
    }
    await expect(disk.put('a', 'new', { onProgress })).rejects.toMatchObject({ code: 'unknown', cause: { message: 'no more' } })
    expect(await disk.text('a')).toBe('abc')
  })

  it('has conditions', async () => {
    const { etag } = await disk.put('a', 'one', { ifAbsent: true })
    await expect(disk.put('a', 'two', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists', path: 'a' })
    const second = await disk.put('a', 'two', { ifMatch: etag })
    await expect(disk.put('a', 'three', { ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed', path: 'a' })
    expect(await disk.text('a')).toBe('two')
    expect(second.etag).not.toBe(etag)
    await expect(disk.put('none', 'x', { ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed' })
  })

  it("has the disk's visibility where the call has none and the store has any", async () => {
    const open = new Disk(new MemoryDriver(), { visibility: 'public' })
    await open.put('a', 'x')
    await open.put('b', 'x', { visibility: 'private' })
    await open.put('c', 'x', { visibility: undefined })
    await open.append('d', 'x')
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((path) => open.visibility(path)))).toEqual(['public', 'private', 'public', 'public'])
    const store = stub({ visibility: undefined })
    await new Disk(store, { visibility: 'public' }).put('a', 'x')
    expect(store.calls).toEqual(['write a'])
  })

  it('takes the type that a Blob says, unless told', async () => {
    await disk.put('a', new Blob(['x'], { type: 'image/png' }))
    await disk.put('b', new Blob(['x'], { type: 'image/png' }), { contentType: 'image/webp' })
    await disk.put('c.txt', new Blob(['x']))
    expect([await disk.mimeType('a'), await disk.mimeType('b'), await disk.mimeType('c.txt')]).toEqual([
      'image/png',
      'image/webp',
      'text/plain',
    ])
  })

  it('is refused over a directory and below a file', async () => {
    await disk.put('d/a', 'x')
    await expect(disk.put('d', 'x')).rejects.toMatchObject({ code: 'already_exists', path: 'd' })
    await expect(disk.put('d/a/b', 'x')).rejects.toMatchObject({ code: 'already_exists', path: 'd/a/b' })
  })
})

describe('putting an uploaded file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stowage-put-file-'))
  const local = join(folder, 'Photo.JPG')
  writeFileSync(local, 'hello')
  // oxlint-disable-next-line jest/require-hook -- the folder is needed by the table of cases
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

  const KINDS: readonly (readonly [string, () => FileSource, RegExp, string | undefined])[] = [
    ['a local path', () => local, /^up\/[0-9a-f]{40}\.jpg$/, 'image/jpeg'],
    ['a file: URL', () => pathToFileURL(local), /^up\/[0-9a-f]{40}\.jpg$/, 'image/jpeg'],
    ['a File', () => new File(['hello'], 'a.PNG', { type: 'image/png' }), /^up\/[0-9a-f]{40}\.png$/, 'image/png'],
    ['a File whose name is dangerous', () => new File(['hello'], '../../x.p/h p'), /^up\/[0-9a-f]{40}$/, undefined],
    ['a File with two extensions', () => new File(['hello'], 'a.tar.gz'), /^up\/[0-9a-f]{40}\.gz$/, 'application/gzip'],
    ['a File with a long extension', () => new File(['hello'], `a.${'x'.repeat(40)}`), /^up\/[0-9a-f]{40}$/, undefined],
    ['a Blob', () => new Blob(['hello'], { type: 'text/css' }), /^up\/[0-9a-f]{40}$/, 'text/css'],
    ['bytes', () => Buffer.from('hello'), /^up\/[0-9a-f]{40}$/, undefined],
    ['an ArrayBuffer', () => new Uint8Array(Buffer.from('hello')).buffer, /^up\/[0-9a-f]{40}$/, undefined],
    ['a Node stream', () => Readable.from(['hel', 'lo']), /^up\/[0-9a-f]{40}$/, undefined],
    ['a web stream', () => new Blob(['hello']).stream(), /^up\/[0-9a-f]{40}$/, undefined],
    ['an iterable', () => ['hel', 'lo'], /^up\/[0-9a-f]{40}$/, undefined],
  ]

  it.each(KINDS)('%s', async (_, make, name, type) => {
    const { path, size } = await disk.putFile('up', make())
    expect(path).toMatch(name)
    expect(size).toBe(5)
    expect(await disk.text(path)).toBe('hello')
    expect(await disk.mimeType(path)).toBe(type)
    expect(await disk.putFileAs('/up/', make(), 'named.txt', { contentType: 'text/x-own' })).toMatchObject({
      path: 'up/named.txt',
      size: 5,
    })
    expect(await disk.text('up/named.txt')).toBe('hello')
    expect(await disk.mimeType('up/named.txt')).toBe('text/x-own')
    expect(await disk.putFileAs('', make(), 'root.txt')).toMatchObject({ path: 'root.txt' })
  })

  it('never gives two files one name', async () => {
    const paths = await Promise.all(Array.from({ length: 50 }, () => disk.putFile('', Buffer.from('x'))))
    expect(new Set(paths.map(({ path }) => path)).size).toBe(50)
  })

  it.each(['', '.', '..', 'a/b', '../x', '/x', 'a\\b', 'a\0', undefined, null, 5])(
    'refuses the name %j before it looks at the file',
    async (name) => {
      await expect(disk.putFileAs('up', '/nowhere/at/all', name as never)).rejects.toMatchObject({ code: 'invalid_path', disk: 'main' })
    },
  )

  it.each([undefined, null, 5, {}, new URL('https://example.test/a'), folder])('refuses %p, which is no file', async (file) => {
    await expect(disk.putFile('up', file as never)).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('tells that a local file is missing', async () => {
    await expect(disk.putFile('up', join(folder, 'nope'))).rejects.toMatchObject({ code: 'not_found', operation: 'write' })
    await expect(disk.putFileAs('up', pathToFileURL(join(folder, 'nope')), 'a')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('names the file in an error, not its directory', async () => {
    await disk.put('up/a', 'x')
    await expect(disk.putFileAs('up', Buffer.from('y'), 'a', { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
      path: 'up/a',
    })
  })
})

describe('appending and prepending', () => {
  const drivers = [
    ['where the store can', () => recorded()],
    ['where it has to be rewritten', () => stub({ append: undefined })],
  ] as const

  it.each(drivers)('%s: creates, adds, separates and keeps the facts', async (_, make) => {
    disk = new Disk(make(), { name: 'main' })
    expect(await disk.append('log.txt', 'b', { separator: '\n' })).toMatchObject({ path: 'log.txt', size: 1 })
    await disk.setVisibility('log.txt', 'public')
    expect(await disk.append('log.txt', Readable.from(['c', 'd']), { separator: '\n' })).toMatchObject({ path: 'log.txt', size: 4 })
    expect(await disk.prepend('log.txt', 'a', { separator: '\n' })).toMatchObject({ path: 'log.txt', size: 6, etag: expect.any(String) })
    expect(await disk.text('log.txt')).toBe('a\nb\ncd')
    expect(await disk.visibility('log.txt')).toBe('public')
    await disk.put('kept', 'x', { contentType: 'x/y', metadata: { k: 'v' }, cacheControl: 'no-store' })
    await disk.append('kept', 'y')
    await disk.prepend('kept', 'w')
    expect(await disk.stat('kept')).toMatchObject({ size: 3, contentType: 'x/y', metadata: { k: 'v' }, cacheControl: 'no-store' })
    await disk.put('empty', '')
    await disk.append('empty', 'x', { separator: ', ' })
    await disk.prepend('empty', 'w', { separator: ', ' })
    expect(await disk.text('empty')).toBe('w, x')
  })

  it.each(drivers)('%s: loses nothing of twenty at once', async (_, make) => {
    disk = new Disk(make())
    const lines = Array.from({ length: 20 }, (_unused, index) => `line ${index}`)
    await Promise.all(lines.map((line) => disk.append('log', line, { separator: '\n' })))
    expect((await disk.text('log')).split('\n').sort()).toEqual(lines.sort())
  })

  it('is refused where the store can neither append nor compare', async () => {
    const store = recorded()
    disk = new Disk({ ...store, append: undefined, supports: { ...store.supports, ifMatch: false } })
    await expect(disk.append('a', 'x')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(disk.prepend('a', 'x')).rejects.toMatchObject({ code: 'unsupported' })
    expect(store.calls).toEqual([])
  })
})

describe('a disk that is read-only', () => {
  it('says so, and is not asked', async () => {
    const store = recorded()
    await store.memory.write('a', (await import('../../../src/content.ts')).toContent('x'), {})
    const frozen = new Disk(store, { name: 'main' }).readOnly()
    const calls = [
      frozen.put('a', 'y'),
      frozen.put('a', 'y', { ifAbsent: true }),
      frozen.append('a', 'y'),
      frozen.prepend('a', 'y'),
      frozen.putFile('', Buffer.from('y')),
      frozen.delete('a'),
      frozen.copy('a', 'b'),
      frozen.move('a', 'b'),
      frozen.setVisibility('a', 'public'),
      frozen.makeDirectory('d'),
      frozen.deleteDirectory('d'),
      frozen.temporaryUploadUrl('a'),
      frozen.moveTo(disk, 'a'),
      disk.put('a', 'x').then(() => disk.copyTo(frozen, 'a')),
    ].map((call) =>
      call.then(
        () => 'it was fulfilled',
        (error: unknown) => error,
      ),
    )
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'read_only', disk: 'main' })
    expect(store.calls).toEqual([])
    expect(await frozen.text('a')).toBe('x')
  })
})
