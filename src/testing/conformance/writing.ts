/** Writing: whole or not at all, whatever the file is made of and whoever looks on. */
import { Buffer } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { extname } from '../../path.ts'
import {
  bytesFor,
  drained,
  expectBytes,
  expectError,
  expectFile,
  expectFiles,
  expectNoLeftovers,
  expectUnchanged,
  listed,
  rejectionOf,
} from './assertions.ts'
import { type ConformanceTest, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import { chunks, pausedSource } from './sources.ts'
import type { Subject } from './subject.ts'

const READERS = 300

export const writing: readonly ConformanceTest[] = [
  writes('tells the path and the size of what it wrote, and the etag that stat tells', async ({ disk }) => {
    const { path, size, etag } = await disk.put('/a//b.txt/', 'é')
    expect({ path, size }).toEqual({ path: 'a/b.txt', size: 2 })
    const stat = await disk.stat('a/b.txt')
    if (etag !== undefined) expect(stat.etag).toBe(etag)
    expect({ path: stat.path, size: stat.size }).toEqual({ path: 'a/b.txt', size: 2 })
    expect(Number.isFinite(stat.lastModified.getTime())).toBe(true)
  }),

  writes('replaces a file, by a shorter one too', async ({ disk }) => {
    for (const content of ['first', 'a much longer second one', 'x', '', 'last']) {
      await disk.put('a.txt', content)
      await expectFile(disk, 'a.txt', content)
      expect(await disk.size('a.txt')).toBe(content.length)
    }
    expect(await listed(disk)).toEqual(['a.txt'])
  }),

  writes('changes the etag of a file with its content, where files have etags', async ({ disk }) => {
    await disk.put('a.txt', 'one')
    const { etag } = await disk.stat('a.txt')
    await disk.put('a.txt', 'two')
    if (etag !== undefined) expect((await disk.stat('a.txt')).etag === etag).toBe(false)
  }),

  writes('makes the parents that a file needs', async ({ disk }) => {
    await disk.put('a/b/c/d.txt', 'x')
    expect(await listed(disk)).toEqual(['a/', 'a/b/', 'a/b/c/', 'a/b/c/d.txt'])
  }),

  writes('stores what it was given, and not what becomes of the buffer', async ({ disk }) => {
    const buffer = Buffer.from('before')
    await disk.put('a.txt', buffer)
    buffer.fill('x')
    const read = await disk.get('a.txt')
    expectBytes(read, 'before')
    read.fill('y')
    await expectFile(disk, 'a.txt', 'before')
  }),

  writes('stores under a random name that keeps a safe extension, and under a name that it is given', async ({ disk }) => {
    const first = await disk.putFile('uploads', new File(['one'], 'photo.PNG', { type: 'image/png' }))
    const second = await disk.putFile('uploads', new File(['two'], 'photo.PNG', { type: 'image/png' }))
    expect(first.path === second.path).toBe(false)
    expect([first, second].map(({ path }) => path.startsWith('uploads/') && extname(path))).toEqual(['.png', '.png'])
    expect((await disk.putFileAs('uploads', Buffer.from('three'), 'c.txt')).path).toBe('uploads/c.txt')
    await expectFiles(disk, { [first.path]: 'one', [second.path]: 'two', 'uploads/c.txt': 'three' })
  }),

  writes('tells its progress up to the last byte', async ({ disk }) => {
    const bytes = bytesFor(2 * 1024 * 1024 + 1)
    const told: number[] = []
    await disk.put('a.bin', bytes, { onProgress: ({ loaded }) => told.push(loaded) })
    expect(told.at(-1)).toBe(bytes.length)
    expect(told).toEqual([...told].sort((a, b) => a - b))
    await expectFile(disk, 'a.bin', bytes)
  }),

  writes('writes only content that has the checksum it was promised to have', async (t) => {
    const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' // of hello
    await t.disk.put('a.txt', 'hello', { checksum: { algorithm: 'sha256', value: sha256 } })
    await t.disk.put('a.txt', chunks('hel', 'lo'), { checksum: { algorithm: 'sha256', value: sha256 } })
    await expectUnchanged(t, async () => {
      for (const content of ['other', chunks('oth', 'er')]) {
        const promised = { checksum: { algorithm: 'sha256', value: sha256 } } as const
        await expectError(t.disk.put('a.txt', content, promised), 'corrupted', { operation: 'write', path: 'a.txt' })
        await expectError(t.disk.put('new.txt', content, promised), 'corrupted', { operation: 'write', path: 'new.txt' })
      }
    })
    await expectNoLeftovers(t)
  }),

  writes('computes checksums over the content', async ({ disk }) => {
    await disk.put('a.txt', chunks('hel', 'lo'))
    const sums: Record<string, string> = {}
    for (const algorithm of ['md5', 'sha1', 'sha256', 'crc32', 'crc32c'] as const)
      sums[algorithm] = await disk.checksum('a.txt', { algorithm })
    expect(sums).toEqual({
      md5: '5d41402abc4b2a76b9719d911017c592',
      sha1: 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d',
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      crc32: '3610a686',
      crc32c: '9a71bb4c',
    })
    expect(await disk.checksum('a.txt', { algorithm: 'crc32', encoding: 'base64' })).toBe('NhCmhg==')
    expect(await disk.checksum('a.txt')).toBe(sums['sha256'])
  }),

  writes('leaves the old file, and no litter, when its source fails midway', async (t) => {
    await t.disk.put('old.txt', 'old')
    for (const path of ['old.txt', 'new.txt', 'some/where/new.txt']) {
      const error = await rejectionOf(t.disk.put(path, failing(path)))
      expect(reasonOf(error)).toBe(`${path} broke`)
      expect(reasonOf(await rejectionOf(t.disk.writeStream(path, failingStream(path))))).toBe(`${path} broke`)
    }
    await expectFiles(t.disk, { 'old.txt': 'old' })
    await expectNoLeftovers(t)
  }),

  writes('shows readers the old file until a write is done', async ({ disk }) => {
    await disk.put('a.txt', 'old')
    const { source, paused, finish } = pausedSource('n', 'ew')
    const writing = disk.put('a.txt', source)
    await paused
    const during = { text: await disk.text('a.txt'), size: await disk.size('a.txt'), listed: await listed(disk) }
    finish()
    await writing
    expect(during).toEqual({ text: 'old', size: 3, listed: ['a.txt'] })
    await expectFile(disk, 'a.txt', 'new')
  }),

  writes('shows 300 readers racing with overwrites whole files only', async ({ disk }) => {
    const versions = Array.from({ length: 4 }, (_, version) => bytesFor(256 * 1024 - version, version + 1))
    await disk.put('a.bin', versions[0] as Buffer)
    let reading = true
    const overwrite = async (): Promise<void> => {
      for (let turn = 1; reading; turn++) {
        await disk.put('a.bin', versions[turn % versions.length] as Buffer)
        await nextTurn() // a store in memory would never let the readers' streams have theirs
      }
    }
    const read = async (_: unknown, reader: number): Promise<void> => {
      const bytes = reader % 2 === 0 ? await disk.get('a.bin') : await drained(await disk.readStream('a.bin'))
      if (!versions.some((version) => version.equals(bytes))) throw new Error(`a reader saw ${bytes.byteLength} bytes of no version`)
    }
    const overwriting = overwrite()
    try {
      await Promise.all(Array.from({ length: READERS }, read))
    } finally {
      reading = false
      await overwriting
    }
  }),

  writes('leaves one of the files whole when many write at once', async (t) => {
    const contents = Array.from({ length: 20 }, (_, writer) => bytesFor(70_000 + writer, writer + 1))
    await Promise.all(contents.map((content, writer) => t.disk.put('a.bin', writer % 2 === 0 ? content : chunks(content))))
    const bytes = await t.disk.get('a.bin')
    expect(contents.filter((content) => content.equals(bytes)).length).toBe(1)
    expect(await listed(t.disk)).toEqual(['a.bin'])
    await expectNoLeftovers(t)
  }),

  writes('is already_exists for a file over a directory or below a file, where directories are real', async (t) => {
    await t.disk.put('photos/a.txt', 'x')
    if (t.driver.directories === undefined) return keysDoNotCollide(t)
    await expectUnchanged(t, async () => {
      await expectError(t.disk.put('photos', 'x'), 'already_exists', { operation: 'write', path: 'photos' })
      await expectError(t.disk.put('photos/a.txt/b.txt', 'x'), 'already_exists', { operation: 'write', path: 'photos/a.txt/b.txt' })
      await expectError(t.disk.put('photos/a.txt/b/c.txt', chunks('x')), 'already_exists', { operation: 'write' })
    })
    await expectNoLeftovers(t)
  }),
]

/** Without real directories a file and files below its name live side by side. */
async function keysDoNotCollide({ disk }: Subject): Promise<void> {
  await disk.put('photos', 'file')
  await expectFiles(disk, { photos: 'file', 'photos/a.txt': 'x' })
  expect(await listed(disk, '', {})).toEqual(['photos', 'photos/'])
}

async function* failing(path: string): AsyncGenerator<Uint8Array> {
  yield bytesFor(100_000)
  await nextTurn()
  throw new Error(`${path} broke`)
}

function failingStream(path: string): ReadableStream<Uint8Array> {
  let chunk = 0
  return new ReadableStream({
    pull(controller) {
      if (chunk++ === 0) controller.enqueue(bytesFor(100_000))
      else controller.error(new Error(`${path} broke`))
    },
  })
}

/** What the source threw, as it is or as the cause of an error of ours. */
function reasonOf(error: unknown): string | undefined {
  const { message, cause } = error as Error
  return cause === undefined ? message : (cause as Error).message
}
