/** Reading: whole files, every range rule, streams, and what is not there. */
import { discard } from '../../content.ts'
import type { Range } from '../../driver.ts'
import { bytesFor, codeOf, drained, expectBytes, expectError, expectFile, rejectionOf } from './assertions.ts'
import { type ConformanceTest, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import type { Subject } from './subject.ts'

const LETTERS = 'abcdefghij'
const LARGE = bytesFor(300 * 1024 + 1, 7) // more than a driver reads at once

const RANGES: readonly (readonly [Range, string])[] = [
  [{ start: 0, end: 1 }, 'a'],
  [{ start: 2, end: 5 }, 'cde'],
  [{ start: 9, end: 10 }, 'j'],
  [{ start: 0 }, LETTERS],
  [{ start: 4 }, 'efghij'],
  [{ start: 9 }, 'j'],
  [{ start: 0, end: 10 }, LETTERS],
  [{ start: 5, end: 100 }, 'fghij'],
  [{ suffix: 1 }, 'j'],
  [{ suffix: 3 }, 'hij'],
  [{ suffix: 10 }, LETTERS],
  [{ suffix: 99 }, LETTERS],
]

const BAD_RANGES = [
  { start: 10 },
  { start: 11, end: 12 },
  { suffix: 0 },
  { suffix: -1 },
  { start: -1 },
  { start: 1.5 },
  { start: 3, end: 3 },
  { start: 3, end: 2 },
  { start: Number.NaN },
  { start: 0, suffix: 1 },
] as unknown as readonly Range[]

export const reading: readonly ConformanceTest[] = [
  reads('gives a file back in whole, as text, as JSON and as a stream', async ({ disk, seed }) => {
    await seed.put('a/data.json', '{"é":[1,2]}')
    await expectFile(disk, 'a/data.json', '{"é":[1,2]}')
    expect(await disk.text('a/data.json')).toBe('{"é":[1,2]}')
    expect(await disk.json('a/data.json')).toEqual({ é: [1, 2] })
    expectBytes(await drained(await disk.readStream('a/data.json')), '{"é":[1,2]}')
    expect((await disk.getOrNull('a/data.json'))?.byteLength).toBe(12)
  }),

  reads('reads ranges: the end is exclusive, an end past the end is cut, a suffix counts from the end', async ({ disk, seed }) => {
    await seed.put('a.txt', LETTERS)
    for (const [range, wanted] of RANGES) {
      expectBytes(await disk.get('a.txt', { range }), wanted, JSON.stringify(range))
      expectBytes(await drained(await disk.readStream('a.txt', { range })), wanted, `a stream of ${JSON.stringify(range)}`)
      expect(await disk.text('a.txt', { range })).toBe(wanted)
    }
  }),

  reads('reads ranges of a large file at and around its edges', async ({ disk, seed }) => {
    await seed.put('large.bin', LARGE)
    const { length } = LARGE
    for (const [start, end] of [
      [0, 1],
      [1, length],
      [65_535, 65_537],
      [262_143, 262_145],
      [10, length - 10],
      [length - 1, length],
    ] as const) {
      expectBytes(await disk.get('large.bin', { range: { start, end } }), LARGE.subarray(start, end), `bytes ${start} to ${end}`)
      const stream = await disk.readStream('large.bin', { range: { start, end } })
      expectBytes(await drained(stream), LARGE.subarray(start, end), `a stream of bytes ${start} to ${end}`)
    }
    expectBytes(await disk.get('large.bin', { range: { suffix: length - 1 } }), LARGE.subarray(1), 'all but the first byte')
  }),

  reads('refuses ranges that begin past the end, are empty or contradict themselves', async ({ disk, seed }) => {
    await seed.put('a.txt', LETTERS)
    for (const range of BAD_RANGES) {
      const what = JSON.stringify(range)
      await expectError(disk.get('a.txt', { range }), 'invalid_argument', { operation: 'read', path: 'a.txt' }, what)
      await expectError(disk.readStream('a.txt', { range }), 'invalid_argument', { operation: 'read', path: 'a.txt' }, what)
    }
  }),

  reads('reads no bytes of an empty file, and refuses ranges that begin past its end', async ({ disk, seed }) => {
    await seed.put('empty', '')
    for (const range of [undefined, { start: 0 }, { start: 0, end: 5 }, { suffix: 5 }]) {
      expectBytes(await disk.get('empty', { range }), '', JSON.stringify(range))
      expectBytes(await drained(await disk.readStream('empty', { range })), '', JSON.stringify(range))
    }
    await expectError(disk.get('empty', { range: { start: 1 } }), 'invalid_argument')
    expect((await disk.stat('empty')).size).toBe(0)
  }),

  reads('tells the facts of the whole file with a range', async ({ driver, seed }) => {
    await seed.put('a.txt', LETTERS)
    const { stat, body } = await driver.read('a.txt', { range: { start: 2, end: 5 } })
    expect({ path: stat.path, size: stat.size }).toEqual({ path: 'a.txt', size: 10 })
    expectBytes(await drained(body), 'cde')
  }),

  reads('reads no more than maxBytes allow', async ({ disk, seed }) => {
    await seed.put('a.txt', LETTERS)
    await expectError(disk.get('a.txt', { maxBytes: 9 }), 'quota_exceeded', { operation: 'read', path: 'a.txt' })
    expectBytes(await disk.get('a.txt', { maxBytes: 10 }), LETTERS)
    expectBytes(await disk.get('a.txt', { maxBytes: 3, range: { start: 0, end: 3 } }), 'abc')
  }),

  reads('reads only the version that ifMatch names, where files have etags', async ({ driver, seed }) => {
    await seed.put('a.txt', 'old')
    const { etag } = await driver.stat('a.txt', {})
    if (etag === undefined) return
    await discard((await driver.read('a.txt', { ifMatch: etag })).body)
    await seed.put('a.txt', 'newer')
    expect(codeOf(await rejectionOf(driver.read('a.txt', { ifMatch: etag })))).toBe('precondition_failed')
    expect(codeOf(await rejectionOf(driver.stat('a.txt', { ifMatch: etag })))).toBe('precondition_failed')
  }),

  reads('is not_found for a missing file, from every verb that reads', async (t) => {
    await t.seed.put('there.txt', 'x')
    await expectNotFound(t, 'missing.txt')
    await expectNotFound(t, 'there.txt.bak')
    await expectNotFound(t, 'no/such/directory/a.txt')
  }),

  reads('is not_found for a directory', async (t) => {
    await t.seed.put('photos/a.txt', 'x')
    await expectNotFound(t, 'photos')
    expect(await t.disk.fileExists('photos')).toBe(false)
    expect(await t.disk.directoryExists('photos')).toBe(true)
  }),

  reads('tells files from directories, and both from nothing', async ({ disk, seed }) => {
    await seed.put('photos/2024/a.txt', 'x')
    const kinds: Record<string, string> = {}
    for (const path of ['', 'photos', 'photos/2024', 'photos/2024/a.txt', 'photo', 'photos/2', 'photos/2024/a', 'photos/2024/a.txt/b']) {
      const [file, directory, exists] = [await disk.fileExists(path), await disk.directoryExists(path), await disk.exists(path)]
      expect(await disk.missing(path)).toBe(!exists)
      expect(exists).toBe(file || directory)
      kinds[path] = file ? 'file' : directory ? 'directory' : 'nothing'
    }
    expect(kinds).toEqual({
      '': 'directory',
      photos: 'directory',
      'photos/2024': 'directory',
      'photos/2024/a.txt': 'file',
      photo: 'nothing',
      'photos/2': 'nothing',
      'photos/2024/a': 'nothing',
      'photos/2024/a.txt/b': 'nothing',
    })
  }),

  writes('lets a reader finish with the file it began with, or fail, when the file is replaced', async ({ disk }) => {
    const [before, after] = [bytesFor(1_300_000, 3), bytesFor(1_300_000, 4)]
    await disk.put('a.bin', before)
    const stream = await disk.readStream('a.bin')
    const chunks: Buffer[] = []
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (chunks.push(chunk) === 1) await disk.put('a.bin', after)
      }
    } catch {
      return // a reader that is told is not deceived
    }
    expectBytes(Buffer.concat(chunks), before, 'the file that the reader began with')
  }),
]

async function expectNotFound({ disk, driver }: Subject, path: string): Promise<void> {
  const read = { operation: 'read', path } as const
  const stat = { operation: 'stat', path } as const
  await expectError(disk.get(path), 'not_found', read)
  await expectError(disk.get(path, { range: { start: 5 } }), 'not_found', read)
  await expectError(disk.text(path), 'not_found', read)
  await expectError(disk.json(path), 'not_found', read)
  await expectError(disk.readStream(path), 'not_found', read)
  await expectError(disk.checksum(path), 'not_found', read)
  await expectError(disk.stat(path), 'not_found', stat)
  await expectError(disk.metadata(path), 'not_found', stat)
  await expectError(disk.size(path), 'not_found', stat)
  await expectError(disk.lastModified(path), 'not_found', stat)
  await expectError(disk.mimeType(path), 'not_found', stat)
  if (driver.visibility !== undefined) await expectError(disk.visibility(path), 'not_found', { operation: 'visibility', path })
  expect(await disk.getOrNull(path)).toBe(null)
}
