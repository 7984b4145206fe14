/** What a store keeps with a file: content headers, metadata and visibility. */
import { expectError, expectFile, expectUnchanged } from './assertions.ts'
import { type ConformanceTest, needs, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'

const metadata = needs(
  (driver) => driver.supports.metadata,
  ({ disk }) => disk.put('a.txt', 'new', { metadata: { owner: 'ann' } }),
)
const visible = needs(
  (driver) => driver.visibility !== undefined,
  ({ disk }) => disk.visibility('a.txt'),
)

/** Everything that can be kept, none of it what would be derived. */
export const HEADERS = {
  contentType: 'application/x-kit; charset=utf-8',
  cacheControl: 'max-age=60, public',
  contentDisposition: 'attachment; filename="a.txt"',
  contentEncoding: 'identity',
  contentLanguage: 'de',
} as const
export const METADATA: Readonly<Record<string, string>> = { owner: 'ann', 'order-id': '42' }

export const facts: readonly ConformanceTest[] = [
  reads(
    'gives metadata and content headers back from stat and with the body',
    async ({ disk, seed, driver }) => {
      await seed.put('a.bin', 'content', { ...HEADERS, metadata: METADATA })
      const stat = await disk.stat('a.bin')
      expect(factsOf(stat)).toEqual({ ...HEADERS, metadata: METADATA })
      const { stat: read, body } = await driver.read('a.bin', {})
      for await (const _ of body) break
      expect(factsOf(read)).toEqual({ ...HEADERS, metadata: METADATA })
      expect(factsOf(await disk.metadata('a.bin'))).toEqual({ ...HEADERS, metadata: METADATA })
      expect(await disk.mimeType('a.bin')).toBe(HEADERS.contentType)
      await expectFile(disk, 'a.bin', 'content')
    },
    metadata,
  ),

  reads('tells the content type that the extension says, or none, where none was given', async ({ disk, seed }) => {
    for (const [path, wanted] of Object.entries({ 'a.txt': 'text/plain', 'b/c.json': 'application/json', 'd.PNG': 'image/png' })) {
      await seed.put(path, 'x')
      const type = await disk.mimeType(path)
      expect([undefined, 'application/octet-stream', wanted].includes(type?.replace(/;.*/, ''))).toBe(true)
    }
  }),

  writes('takes the type that a Blob says it has, and the caller’s word before that', async ({ disk }) => {
    const blob = new Blob(['x'], { type: 'image/avif' })
    await disk.put('a', blob)
    if ((await disk.stat('a')).contentType === undefined) return // a store that keeps no types
    expect(await disk.mimeType('a')).toBe('image/avif')
    await disk.put('a', blob, { contentType: 'image/webp' })
    expect(await disk.mimeType('a')).toBe('image/webp')
  }),

  writes(
    'forgets the metadata and headers of a file that is replaced',
    async ({ disk }) => {
      await disk.put('a.txt', 'old', { ...HEADERS, metadata: METADATA })
      await disk.put('a.txt', 'new')
      const { contentType, metadata: kept = {}, cacheControl, contentDisposition } = await disk.stat('a.txt')
      expect({ kept, cacheControl, contentDisposition }).toEqual({ kept: {}, cacheControl: undefined, contentDisposition: undefined })
      expect(contentType === HEADERS.contentType).toBe(false)
      await disk.put('a.txt', 'old', { metadata: METADATA })
      await disk.delete('a.txt')
      await disk.put('a.txt', 'new')
      expect((await disk.stat('a.txt')).metadata ?? {}).toEqual({})
    },
    metadata,
  ),

  writes('takes tags, whether it keeps such or not', async ({ disk }) => {
    await disk.put('a.txt', 'x', { tags: { project: 'kit' } })
    await expectFile(disk, 'a.txt', 'x')
  }),

  writes('refuses headers and metadata that would break out of their line', async (t) => {
    await t.disk.put('a.txt', 'old')
    await expectUnchanged(t, async () => {
      const place = { operation: 'write', path: 'a.txt' } as const
      await expectError(t.disk.put('a.txt', 'new', { contentType: 'text/plain\r\nX: y' }), 'invalid_argument', place)
      await expectError(t.disk.put('a.txt', 'new', { metadata: { 'a b': 'x' } }), 'invalid_argument', place)
      await expectError(t.disk.put('a.txt', 'new', { metadata: { a: 'x\ny' } }), 'invalid_argument', place)
    })
  }),

  reads(
    'tells the visibility that a file was written with',
    async ({ disk, seed }) => {
      for (const visibility of ['public', 'private', 'public'] as const) {
        await seed.put('a.txt', 'x', { visibility })
        expect(await disk.visibility('a.txt')).toBe(visibility)
        const stat = await disk.stat('a.txt')
        if (stat.visibility !== undefined) expect(stat.visibility).toBe(visibility)
      }
    },
    visible,
  ),

  writes(
    'changes the visibility of a file, and nothing else about it',
    async ({ disk, driver }) => {
      await disk.put('a.txt', 'x', { visibility: 'private', ...(driver.supports.metadata && { ...HEADERS, metadata: METADATA }) })
      const before = factsOf(await disk.stat('a.txt'))
      for (const visibility of ['public', 'private'] as const) {
        await disk.setVisibility('a.txt', visibility)
        expect(await disk.visibility('a.txt')).toBe(visibility)
        await expectFile(disk, 'a.txt', 'x')
        expect(factsOf(await disk.stat('a.txt'))).toEqual(before)
      }
    },
    needs(
      (driver) => driver.visibility !== undefined,
      ({ disk }) => disk.setVisibility('a.txt', 'public'),
    ),
  ),

  writes(
    'is not_found for the visibility of a missing file, and refuses others than public and private',
    async (t) => {
      await t.disk.put('a.txt', 'x')
      await expectUnchanged(t, async () => {
        await expectError(t.disk.visibility('missing'), 'not_found', { operation: 'visibility', path: 'missing' })
        await expectError(t.disk.setVisibility('missing', 'public'), 'not_found', { operation: 'setVisibility', path: 'missing' })
        await expectError(t.disk.setVisibility('a.txt', 'hidden' as 'public'), 'invalid_argument', { operation: 'setVisibility' })
        await expectError(t.disk.put('b.txt', 'x', { visibility: 'hidden' as 'public' }), 'invalid_argument', { operation: 'write' })
      })
    },
    needs(
      (driver) => driver.visibility !== undefined,
      ({ disk }) => disk.put('a.txt', 'new', { visibility: 'public' }),
    ),
  ),
]

/** What was stored with a file. */
export function factsOf(stat: { readonly [name: string]: unknown } | object): Readonly<Record<string, unknown>> {
  const all = stat as Readonly<Record<string, unknown>>
  const names = [...Object.keys(HEADERS), 'metadata'].filter((name) => all[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, all[name]]))
}
