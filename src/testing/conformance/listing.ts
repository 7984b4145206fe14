/** Listing: what is there, in the order of UTF-8 bytes, page after page. */
import { compareUtf8 } from '../../path.ts'
import type { Entry } from '../../driver.ts'
import type { Disk } from '../../disk.ts'
import { entriesOf, expectError, listed, placeOf, putAll } from './assertions.ts'
import { type ConformanceTest, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'

const MANY = 1_003 // more than a page has where nobody says
/** Names around the slash and beyond the BMP, where the order of UTF-8 bytes is not that of UTF-16 units. */
const TRICKY = ['a', 'a!b', 'a-b/c', 'a/b', 'a/b!', 'a/b/c', 'a0', 'aa/b', 'a/é', 'B', '\uff5e', '\u{1f600}', '\ue000', 'z', 'é']
/** The same for stores with real directories, where no file stands where a directory is. */
const PLAIN = TRICKY.filter((path) => path !== 'a' && path !== 'a/b')

export const listing: readonly ConformanceTest[] = [
  reads('lists nothing of an empty disk and of a missing directory', async ({ disk }) => {
    expect(await listed(disk)).toEqual([])
    expect(await listed(disk, 'missing/directory')).toEqual([])
    expect(await disk.listPage('missing')).toEqual({ entries: [] })
    expect([await disk.files(), await disk.allFiles('x'), await disk.directories(), await disk.allDirectories('x')]).toEqual([
      [],
      [],
      [],
      [],
    ])
  }),

  reads('lists the files and the directories of one directory, and with recursive those below', async ({ disk, seed }) => {
    await putAll(seed, ['a.txt', 'photos/b.txt', 'photos/2024/c.txt', 'photos/2024/05/d.txt', 'z/y.txt'])
    expect(await listed(disk, '', {})).toEqual(['a.txt', 'photos/', 'z/'])
    expect(await listed(disk, 'photos', {})).toEqual(['photos/2024/', 'photos/b.txt'])
    expect(await listed(disk, 'photos/2024')).toEqual(['photos/2024/05/', 'photos/2024/05/d.txt', 'photos/2024/c.txt'])
    expect(await disk.files('photos')).toEqual(['photos/b.txt'])
    expect(await disk.allFiles('photos')).toEqual(['photos/2024/05/d.txt', 'photos/2024/c.txt', 'photos/b.txt'])
    expect(await disk.directories('')).toEqual(['photos', 'z'])
    expect(await disk.allDirectories('')).toEqual(['photos', 'photos/2024', 'photos/2024/05', 'z'])
    expect(await listed(disk, '', { type: 'directory', recursive: true })).toEqual(['photos/', 'photos/2024/', 'photos/2024/05/', 'z/'])
    expect(await listed(disk, 'a.txt')).toEqual([])
  }),

  reads('does not treat "photos2" as inside "photos", nor "users/10" as inside "users/1"', async ({ disk, seed }) => {
    await putAll(seed, ['photos/a.txt', 'photos2/b.txt', 'photos.txt', 'users/1/a.txt', 'users/10/b.txt', 'users/100.txt'])
    expect(await disk.allFiles('photos')).toEqual(['photos/a.txt'])
    expect(await listed(disk, 'photos')).toEqual(['photos/a.txt'])
    expect(await disk.allFiles('users/1')).toEqual(['users/1/a.txt'])
    expect(await disk.allFiles('user')).toEqual([])
    expect(await disk.directories('users')).toEqual(['users/1', 'users/10'])
  }),

  reads('orders by UTF-8 bytes, a directory as its path and a slash', async ({ disk, seed, driver }) => {
    const paths = driver.directories === undefined ? TRICKY : PLAIN
    await putAll(seed, paths)
    const deep = placesOf(paths)
    const flat = [...new Set(paths.map((path) => (path.includes('/') ? path.slice(0, path.indexOf('/') + 1) : path)))].sort(compareUtf8)
    expect(await listed(disk, '', { recursive: true })).toEqual(deep)
    expect(await listed(disk, '', { recursive: false })).toEqual(flat)
    expect(await disk.allFiles()).toEqual([...paths].sort(compareUtf8))
    expect(await disk.files()).toEqual(paths.filter((path) => !path.includes('/')).sort(compareUtf8))
    const directories = deep.filter((place) => place.endsWith('/')).map((place) => place.slice(0, -1))
    expect(await disk.allDirectories()).toEqual(directories.sort(compareUtf8))
  }),

  reads('begins after the path that it is told, whether that is there or not', async ({ disk, seed, driver }) => {
    const paths = driver.directories === undefined ? TRICKY : PLAIN
    await putAll(seed, paths)
    const places = placesOf(paths)
    for (const after of [...places, 'a', 'a/', 'a/b/', 'aa', 'zz', '\u{10ffff}', '!']) {
      const wanted = places.filter((place) => compareUtf8(place, after) > 0)
      expect({ after, found: await listed(disk, '', { recursive: true, after }) }).toEqual({ after, found: wanted })
    }
    expect(await listed(disk, 'a', { after: 'a/b0' })).toEqual(['a/é'])
  }),

  reads('pages without gaps or repeats, however many entries a page has', async ({ disk, seed, driver }) => {
    const paths = driver.directories === undefined ? TRICKY : PLAIN
    await putAll(seed, paths)
    const places = placesOf(paths)
    const flat = await listed(disk, '', {})
    for (const limit of [1, 2, 3, 7, 1_000]) {
      expect({ limit, found: await paged(disk, { recursive: true, limit }) }).toEqual({ limit, found: places })
      expect({ limit, found: await paged(disk, { limit }) }).toEqual({ limit, found: flat })
      expect(await listed(disk, '', { recursive: true, pageSize: limit })).toEqual(places)
      const after = places[4] as string
      expect({ limit, found: await paged(disk, { recursive: true, limit, after }) }).toEqual({ limit, found: places.slice(5) })
    }
  }),

  reads('never loses an entry past 1,000, flat or in directories of their own', async ({ disk, seed }) => {
    const flat = Array.from({ length: MANY }, (_, index) => `flat/${String(index).padStart(5, '0')}`)
    const deep = Array.from({ length: 37 }, (_, index) => `deep/${String(index).padStart(2, '0')}/a/b`)
    await putAll(seed, [...flat, ...deep])
    const deepPlaces = placesOf(deep)
    expect(await disk.files('flat')).toEqual(flat)
    expect(await disk.allFiles()).toEqual([...deep, ...flat])
    expect(await paged(disk, { recursive: true, limit: 97 })).toEqual([...deepPlaces, 'flat/', ...flat])
    expect(await listed(disk)).toEqual([...deepPlaces, 'flat/', ...flat])
    const { entries, cursor } = await disk.listPage('flat')
    expect(entries.length === MANY).toBe(cursor === undefined)
  }),

  reads('says of each file what stat says, and leaves out nothing but facts without them', async ({ disk, seed }) => {
    await putAll(seed, ['a.txt', 'b/é.txt', 'b/empty'])
    await seed.put('b/empty', '')
    for (const entry of await entriesOf(disk)) {
      if (entry.type === 'directory') continue
      const { size, lastModified, etag } = await disk.stat(entry.path)
      expect({ size: entry.size, lastModified: secondOf(entry.lastModified) }).toEqual({ size, lastModified: secondOf(lastModified) })
      if (entry.etag !== undefined) expect(entry.etag).toBe(etag)
    }
    expect(await listed(disk, '', { recursive: true, stat: false })).toEqual(['a.txt', 'b/', 'b/empty', 'b/é.txt'])
  }),

  reads('refuses limits that are no limits', async ({ disk }) => {
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      await expectError(disk.listPage('', { limit }), 'invalid_argument', { operation: 'list' })
      await expectError(entriesOf(disk, '', { pageSize: limit }), 'invalid_argument', { operation: 'list' })
    }
  }),

  writes('goes on where it was while files that were listed are deleted', async ({ disk }) => {
    const paths = Array.from({ length: 25 }, (_, index) => `d/${String(index).padStart(2, '0')}`)
    await putAll(disk, paths)
    const seen: string[] = []
    for await (const { path } of disk.list('d', { pageSize: 4 })) {
      seen.push(path)
      await disk.delete(path)
    }
    expect(seen).toEqual(paths)
    expect(await disk.allFiles()).toEqual([])
  }),

  writes('lists what was there all along while others come and go', async ({ disk }) => {
    const kept = Array.from({ length: 20 }, (_, index) => `d/${String(index).padStart(2, '0')}-kept`)
    await putAll(disk, [...kept, 'd/05-gone', 'd/11-gone'])
    const seen: string[] = []
    for await (const { path } of disk.list('d', { pageSize: 3 })) {
      if (seen.push(path) === 4) {
        await disk.delete(['d/05-gone', 'd/11-gone'])
        await disk.put('d/00-early', 'x')
        await disk.put('d/18-late', 'x')
      }
    }
    expect(seen.filter((path) => path.endsWith('-kept'))).toEqual(kept)
    expect(new Set(seen).size).toBe(seen.length)
  }),
]

/** HTTP dates have no fractions, so that some stores say them in listings only. */
function secondOf(date: Date | undefined): number | undefined {
  return date && Math.floor(date.getTime() / 1_000)
}

/** The paths and every directory above one, in the order of a listing. */
function placesOf(paths: readonly string[]): string[] {
  const places = new Set(paths)
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) places.add(path.slice(0, slash + 1))
  }
  return [...places].sort(compareUtf8)
}

/** Everything, page after page, and no page above its limit. */
async function paged(disk: Disk, options: { limit: number; recursive?: boolean; after?: string }): Promise<string[]> {
  const entries: Entry[] = []
  let cursor: string | undefined
  do {
    const page = await disk.listPage('', { ...options, cursor })
    if (page.entries.length > options.limit)
      throw new Error(`a page has ${page.entries.length} entries, above its limit of ${options.limit}`)
    entries.push(...page.entries)
    cursor = page.cursor
  } while (cursor !== undefined)
  return entries.map(placeOf)
}
