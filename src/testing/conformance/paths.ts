/** Paths: what folds, what is refused by every method before anything is done, and names that come back as they went in. */
import { Buffer } from 'node:buffer'
import type { Disk } from '../../disk.ts'
import { codeOf, entriesOf, expectError, expectFile, expectFiles, expectUnchanged, listed, putAll, rejectionOf } from './assertions.ts'
import { type ConformanceTest, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'

/** What no method takes, anywhere in a path. */
const BAD_PATHS = [
  '..',
  '../a.txt',
  '/..',
  './../a.txt',
  'a/../../a.txt',
  'a/b/../../../etc/passwd',
  'a\\b',
  '..\\a.txt',
  'a.txt\0',
  '\0',
  'a\nb',
  'a/\r',
  '\u001f',
  'a\u007f',
  'a\u0085b',
  '\u009f',
  '\ud800',
  'a/\udc00.txt',
  '\udc00\ud800',
  undefined,
  null,
  5,
  {},
] as unknown as readonly string[]

type Calls = (disk: Disk, path: string) => Readonly<Record<string, () => Promise<unknown>>>

const READS: Calls = (disk, path) => ({
  get: () => disk.get(path),
  getOrNull: () => disk.getOrNull(path),
  text: () => disk.text(path),
  json: () => disk.json(path),
  readStream: () => disk.readStream(path),
  exists: () => disk.exists(path),
  missing: () => disk.missing(path),
  fileExists: () => disk.fileExists(path),
  directoryExists: () => disk.directoryExists(path),
  stat: () => disk.stat(path),
  metadata: () => disk.metadata(path),
  size: () => disk.size(path),
  lastModified: () => disk.lastModified(path),
  mimeType: () => disk.mimeType(path),
  checksum: () => disk.checksum(path),
  visibility: () => disk.visibility(path),
  url: () => disk.url(path),
  temporaryUrl: () => disk.temporaryUrl(path),
  temporaryUrls: () => disk.temporaryUrls([path]),
  temporaryUploadUrl: () => disk.temporaryUploadUrl(path),
})

/** These take undefined for the root. */
const LISTS: Calls = (disk, path) => ({
  list: () => entriesOf(disk, path),
  listPage: () => disk.listPage(path),
  files: () => disk.files(path),
  allFiles: () => disk.allFiles(path),
  directories: () => disk.directories(path),
  allDirectories: () => disk.allDirectories(path),
})

const WRITES: Calls = (disk, path) => ({
  put: () => disk.put(path, 'x'),
  writeStream: () => disk.writeStream(path, unread()),
  putFile: () => disk.putFile(path, Buffer.from('x')),
  putFileAs: () => disk.putFileAs(path, Buffer.from('x'), 'name.txt'),
  append: () => disk.append(path, 'x'),
  prepend: () => disk.prepend(path, 'x'),
  setVisibility: () => disk.setVisibility(path, 'public'),
  makeDirectory: () => disk.makeDirectory(path),
  deleteDirectory: () => disk.deleteDirectory(path, { allowRoot: true }),
  delete: () => disk.delete(path),
  'delete of many': () => disk.delete(['a.txt', path]),
  'copy from': () => disk.copy(path, 'b.txt'),
  'copy to': () => disk.copy('a.txt', path),
  'move from': () => disk.move(path, 'b.txt'),
  'move to': () => disk.move('a.txt', path),
  'copyTo from': () => disk.copyTo(disk, path, 'b.txt'),
  'moveTo from': () => disk.moveTo(disk, path, 'b.txt'),
})

/** The target of these is optional. */
const TRANSFERS: Calls = (disk, path) => ({
  'copyTo to': () => disk.copyTo(disk, 'a.txt', path),
  'moveTo to': () => disk.moveTo(disk, 'a.txt', path),
})

/** Names that somebody will have: each comes back to the byte. */
export const NAMES: readonly string[] = [
  'with spaces in it.txt',
  "plus+percent%hash#question?and&quote's(round)@at.txt",
  '%2e%2e%2fencoded',
  '%',
  'é',
  'e\u0301',
  '公司/年度報告.pdf',
  '👩‍👩‍👧/👍🏽.png',
  '[0]/{name}/$var/~user/^caret/!bang/*star',
  'a=b;c,d:e|f"g<h>i`j',
  '.hidden',
  '.config/.env',
  '..dots',
  '...',
  'a../b',
  'trailing dot.',
  'trailing space ',
  ' leading space',
  '-dash',
  'UPPER.TXT',
  '__proto__',
  'constructor',
  '\u00a0\u2028\ufeff',
  '\u202egnp.exe',
  '\u{10ffff}\uffff\ufffd',
  'CON',
  `${'n'.repeat(200)}.txt`,
  Array.from({ length: 8 }, (_, depth) => `${depth}`.repeat(80)).join('/'),
]

export const paths: readonly ConformanceTest[] = [
  reads('refuses every path that leaves the root, or has what no path has, by every method, and changes nothing', async (t) => {
    await t.seed.put('a.txt', 'x')
    await expectUnchanged(t, async () => {
      for (const path of BAD_PATHS) {
        const lists = path === undefined ? [LISTS, TRANSFERS] : []
        for (const calls of [READS, LISTS, WRITES, TRANSFERS].filter((calls) => !lists.includes(calls))) {
          for (const [method, call] of Object.entries(calls(t.disk, path))) await expectInvalid(method, path, call)
        }
      }
    })
  }),

  reads('refuses the root where a file has to be named', async (t) => {
    await t.seed.put('a.txt', 'x')
    await expectUnchanged(t, async () => {
      for (const root of ['', '/', '.', 'a/..', '//./']) {
        await expectError(t.disk.put(root, 'x'), 'invalid_path', { operation: 'write' })
        await expectError(t.disk.append(root, 'x'), 'invalid_path', { operation: 'append' })
        await expectError(t.disk.delete(root), 'invalid_path', { operation: 'delete' })
        await expectError(t.disk.delete(['a.txt', root]), 'invalid_path', { operation: 'delete' })
        await expectError(t.disk.copy('a.txt', root), 'invalid_path', { operation: 'copy' })
        await expectError(t.disk.move('a.txt', root), 'invalid_path', { operation: 'move' })
        await expectError(t.disk.get(root), 'not_found', { operation: 'read' })
        await expectError(t.disk.stat(root), 'not_found', { operation: 'stat' })
        await expectError(t.disk.copy(root, 'b.txt'), 'not_found', { operation: 'copy' })
      }
    })
    expect([await t.disk.directoryExists(''), await t.disk.fileExists(''), await t.disk.exists('/')]).toEqual([true, false, true])
  }),

  reads('refuses names that are not one segment', async (t) => {
    await expectUnchanged(t, async () => {
      for (const name of ['', '.', '..', 'a/b', '/', 'a\\b', 'a\0', '\ud800']) {
        await expectError(t.disk.putFileAs('uploads', Buffer.from('x'), name), 'invalid_path', { operation: 'write' }, JSON.stringify(name))
      }
    })
  }),

  reads('folds slashes and dots, for every method alike', async ({ disk, seed }) => {
    await seed.put('a/b/c.txt', 'x')
    for (const path of ['a/b/c.txt', '/a/b/c.txt', 'a//b///c.txt', './a/./b/c.txt/', 'a/x/../b/c.txt', 'z/../a/b/y/../c.txt']) {
      await expectFile(disk, path, 'x')
      expect((await disk.stat(path)).path).toBe('a/b/c.txt')
      expect(await disk.exists(path)).toBe(true)
    }
    for (const path of ['a/b', '/a/b/', 'a//b', './a/c/../b/.']) expect(await disk.files(path)).toEqual(['a/b/c.txt'])
  }),

  writes('folds slashes and dots where it writes', async ({ disk }) => {
    expect((await disk.put('//a/./b//../c.txt', 'x')).path).toBe('a/c.txt')
    await disk.copy('/a/c.txt', 'd//e.txt')
    await disk.move('d/./e.txt', '/f/../g.txt')
    expect(await disk.allFiles()).toEqual(['a/c.txt', 'g.txt'])
    await disk.delete('/a//c.txt/')
    expect(await disk.allFiles()).toEqual(['g.txt'])
  }),

  reads('gives unusual names back as they are, from stat and from listings', async ({ disk, seed }) => {
    await putAll(seed, NAMES)
    for (const path of NAMES) {
      await expectFile(disk, path, path)
      expect((await disk.stat(path)).path).toBe(path)
      const directory = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
      expect((await disk.files(directory)).includes(path)).toBe(true)
    }
    expect(new Set(await disk.allFiles())).toEqual(new Set(NAMES))
  }),

  writes('copies, moves and deletes files of unusual names, and no others', async ({ disk }) => {
    for (const path of NAMES) {
      await disk.put(path, path)
      await disk.copy(path, `copied/${path}`)
      await disk.move(path, `moved/${path}`)
      await expectFiles(disk, { [`copied/${path}`]: path, [`moved/${path}`]: path })
      await disk.delete([`copied/${path}`, `moved/${path}`])
      expect(await disk.allFiles()).toEqual([])
    }
  }),

  writes('keeps names apart that differ in Unicode form only', async ({ disk }) => {
    await disk.put('caf\u00e9.txt', 'composed')
    await disk.put('cafe\u0301.txt', 'decomposed')
    await expectFiles(disk, { 'caf\u00e9.txt': 'composed', 'cafe\u0301.txt': 'decomposed' })
    await disk.delete('caf\u00e9.txt')
    await expectFiles(disk, { 'cafe\u0301.txt': 'decomposed' })
  }),

  writes('keeps names apart that differ in case only', async ({ disk }) => {
    await disk.put('a.txt', 'lower')
    await disk.put('A.txt', 'upper')
    await expectFiles(disk, { 'A.txt': 'upper', 'a.txt': 'lower' })
  }),

  writes('takes a path however long, or refuses it and changes nothing', async (t) => {
    for (const path of ['n'.repeat(300), 'é'.repeat(200), Array.from({ length: 100 }, () => 'd'.repeat(99)).join('/')]) {
      const taken = await t.disk.put(path, 'x').then(
        () => true,
        (error: unknown) => codeOf(error),
      )
      if (taken !== true) {
        expect(taken).toBe('invalid_path')
        expect(codeOf(await rejectionOf(t.disk.put(path, unread())))).toBe('invalid_path')
        expect(await listed(t.disk)).toEqual([])
      } else {
        expect(await t.disk.allFiles()).toEqual([path])
        await t.disk.deleteDirectory('', { allowRoot: true })
      }
    }
  }),
]

async function expectInvalid(method: string, path: unknown, call: () => Promise<unknown>): Promise<void> {
  const what = `${method} of ${JSON.stringify(path)}`
  const code = codeOf(await rejectionOf(call(), what))
  expect(`${what}: ${code}`).toBe(`${what}: invalid_path`)
}

/** A source that must not be touched. */
// oxlint-disable-next-line require-yield -- it throws before it could
async function* unread(): AsyncGenerator<string> {
  throw new Error('the source was read, though the path was to be refused')
}
