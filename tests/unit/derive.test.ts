import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { contentBytes, toContent } from '../../src/content.ts'
import {
  changed,
  copyThroughStream,
  deleteTree,
  keptOptions,
  moveByCopy,
  pageOf,
  resolveRange,
  sortKey,
  statOptions,
} from '../../src/derive.ts'
import type { Entry, FileStat } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { InvalidArgumentError, UnavailableError } from '../../src/errors.ts'
import { parentsOf } from '../../src/path.ts'
import { recorded } from '../support/recorded.ts'
import { answer, stub } from '../support/stubs.ts'

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const fileEntry = (path: string): Entry => ({ type: 'file', path })

/** The listing by definition: every file and every directory above one, in order, those after `after`. */
function expected(
  files: readonly string[],
  made: readonly string[],
  directory: string,
  { recursive, after }: { recursive: boolean; after: string },
): Entry[] {
  const directories = new Set([...made, ...made.flatMap(parentsOf), ...files.flatMap(parentsOf)])
  const entries: Entry[] = [...files.map(fileEntry), ...Array.from(directories, (path): Entry => ({ type: 'directory', path }))]
  const prefix = directory === '' ? '' : `${directory}/`
  return entries
    .filter(({ path }) => path.startsWith(prefix) && path !== directory && (recursive || !path.slice(prefix.length).includes('/')))
    .sort((a, b) => byBytes(sortKey(a), sortKey(b)))
    .filter((entry) => byBytes(sortKey(entry), after) > 0)
}

const segment = fc.constantFrom('a', 'b', 'a0', 'a.', 'a!', 'é', '😀', '\uffff', 'photos', 'photos2')
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))

describe('a listing in pages', () => {
  it('has every entry once, in order, whatever the limit, the directory and where it begins', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(path, { maxLength: 25 }),
        fc.uniqueArray(path, { maxLength: 6 }),
        fc.oneof(fc.constant(''), path),
        fc.boolean(),
        fc.integer({ min: 1, max: 7 }),
        fc.oneof(
          fc.constant(''),
          path,
          path.map((p) => `${p}/`),
        ),
        (names, made, directory, recursive, limit, after) => {
          // A file is nobody's directory.
          const files = names.filter((name) => ![...names, ...made].some((other) => other.startsWith(`${name}/`)) && !made.includes(name))
          const directories = made.filter((name) => !files.some((file) => name === file || name.startsWith(`${file}/`)))
          const keys = [
            ...files,
            ...new Set([...directories, ...directories.flatMap(parentsOf), ...files.flatMap(parentsOf)].map((d) => `${d}/`)),
          ].sort(byBytes)
          for (const listed of [keys, [...files].sort(byBytes)]) {
            const found: Entry[] = []
            let cursor: string | undefined
            do {
              const page = pageOf(listed, directory, { recursive, limit, cursor, after: after || undefined }, fileEntry)
              expect(page.entries.length).toBeLessThanOrEqual(limit)
              found.push(...page.entries)
              cursor = page.cursor
            } while (cursor !== undefined)
            expect(found).toEqual(expected(files, listed === keys ? directories : [], directory, { recursive, after }))
          }
        },
      ),
      { numRuns: 3_000 },
    )
  }, 30_000)

  it('never matches "photos2" for "photos"', () => {
    expect(pageOf(['photos/a', 'photos2/b'], 'photos', { recursive: true }, fileEntry).entries).toEqual([fileEntry('photos/a')])
    expect(pageOf(['a/b'], 'a/b', {}, fileEntry).entries).toEqual([])
  })

  it('neither skips nor repeats while files come and go', () => {
    const first = pageOf(['a', 'b', 'c', 'd'], '', { limit: 2 }, fileEntry)
    expect(pageOf(['a', 'aa', 'c', 'd'], '', { limit: 2, cursor: first.cursor }, fileEntry).entries).toEqual([
      fileEntry('c'),
      fileEntry('d'),
    ])
  })
})

describe('ranges', () => {
  it.each([
    [undefined, 10, 0, 10],
    [{ start: 3 }, 10, 3, 10],
    [{ start: 3, end: 5 }, 10, 3, 5],
    [{ start: 3, end: 50 }, 10, 3, 10],
    [{ suffix: 3 }, 10, 7, 10],
    [{ suffix: 30 }, 10, 0, 10],
    [{ start: 0 }, 0, 0, 0],
    [{ start: 0, end: 5 }, 0, 0, 0],
    [{ suffix: 3 }, 0, 0, 0],
  ] as const)('%j of %i bytes', (range, size, start, end) => {
    expect(resolveRange(range, size)).toEqual({ start, end })
  })

  it('begin within the file', () => {
    for (const range of [{ start: 10 }, { start: 11, end: 12 }, { suffix: 0 }])
      expect(() => resolveRange(range, 10)).toThrow(InvalidArgumentError)
    expect(() => resolveRange({ start: 1 }, 0)).toThrow(InvalidArgumentError)
  })
})

describe('what a copy keeps', () => {
  const stat: FileStat = {
    path: 'a',
    size: 1,
    lastModified: new Date(0),
    contentType: 'x/y',
    metadata: { k: 'v' },
    visibility: 'public',
    etag: '"1"',
  }

  it('is headers and metadata, but for those given; undefined gives nothing', () => {
    expect(keptOptions(stat, { contentType: undefined, metadata: undefined, cacheControl: 'no-store' })).toEqual({
      contentType: 'x/y',
      metadata: { k: 'v' },
      cacheControl: 'no-store',
    })
    expect(keptOptions(stat, { contentType: 'z/z', metadata: {} })).toEqual({ contentType: 'z/z', metadata: {} })
  })

  it('is of one version: a file has changed when its etag has, or without one its size or time', () => {
    expect(changed(stat, { ...stat, size: 2 })).toBe(false)
    expect(changed(stat, { ...stat, etag: '"2"' })).toBe(true)
    const bare: FileStat = { path: 'a', size: 1, lastModified: new Date(0) }
    expect([
      changed(bare, { ...bare, lastModified: new Date(0) }),
      changed(bare, { ...bare, size: 2 }),
      changed(bare, { ...bare, lastModified: new Date(1) }),
      changed(stat, bare),
    ]).toEqual([false, true, true, false])
  })

  it('asks a stat for no range', () => {
    expect(statOptions({ range: { start: 1 }, ifMatch: 'e', versionId: 'v' })).toEqual({ ifMatch: 'e', versionId: 'v', signal: undefined })
  })
})

describe('fallbacks of drivers', () => {
  it('copy through this process, and leave the old file when the source ends early', async () => {
    const [from, to] = [new MemoryDriver(), new MemoryDriver()]
    await from.write('a', toContent('content'), { metadata: { k: 'v' }, visibility: 'public' })
    await copyThroughStream(from, 'a', to, 'b', {})
    expect(await to.stat('b', {})).toMatchObject({ size: 7, metadata: { k: 'v' }, visibility: 'public' })
    const short = stub({ read: async () => answer(toContent(['con']).stream(), 7) })
    await expect(copyThroughStream(short, 'a', to, 'b', {})).rejects.toMatchObject({ code: 'unavailable' })
    expect(Buffer.from(await contentBytes({ ...toContent(''), bytes: undefined, stream: () => bodyOf(to, 'b') })).toString()).toBe(
      'content',
    )
  })

  it('move by copy: onto itself nothing, over a change neither', async () => {
    const store = recorded()
    await store.memory.write('a', toContent('x'), {})
    await moveByCopy(store, 'a', 'a', {})
    await expect(moveByCopy(store, 'a', 'a', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await expect(moveByCopy(store, 'nope', 'nope', {})).rejects.toMatchObject({ code: 'not_found' })
    await moveByCopy(store, 'a', 'b', {})
    expect([...store.memory.files.keys()]).toEqual(['b'])
    const changing = stub(
      {
        copy: async (path, copy, options) => {
          await store.memory.copy(path, copy, options)
          await store.memory.write(path, toContent('changed'), {})
        },
      },
      store,
    )
    await expect(moveByCopy(changing, 'b', 'c', {})).rejects.toMatchObject({ code: 'precondition_failed' })
    const undeletable = stub({ delete: async () => [{ path: 'b', error: new UnavailableError() }] }, store)
    await expect(moveByCopy(undeletable, 'b', 'd', {})).rejects.toMatchObject({ code: 'unavailable' })
    expect([...store.memory.files.keys()].sort()).toEqual(['b', 'c', 'd'])
  })

  it('delete a tree page by page, and nothing beside it', async () => {
    const store = recorded()
    for (let i = 0; i < 1_050; i++) await store.memory.write(`users/1/${i}`, toContent(''), {})
    await store.memory.write('users/10/a', toContent(''), {})
    store.calls.length = 0
    expect(await deleteTree(store, 'users/1', {})).toBe(1_050)
    expect(store.calls.filter((call) => call.startsWith('delete'))).toHaveLength(2)
    expect([...store.memory.files.keys()]).toEqual(['users/10/a'])
    expect(await deleteTree(store, 'nope', {})).toBe(0)
    const undeletable = stub({ delete: async () => [{ path: 'users/10/a', error: new UnavailableError() }] }, store)
    await expect(deleteTree(undeletable, 'users', {})).rejects.toMatchObject({
      code: 'partial_failure',
      failures: [{ path: 'users/10/a' }],
    })
  })
})

async function* bodyOf(driver: MemoryDriver, path: string): AsyncGenerator<Uint8Array> {
  yield* (await driver.read(path, {})).body
}
