import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Entry, ListOptions } from '../../../src/driver.ts'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { freshDirectory, put } from './local-disk.ts'

let directory: Awaited<ReturnType<typeof freshDirectory>>
let driver: LocalDriver

beforeEach(async () => {
  directory = await freshDirectory()
  driver = new LocalDriver({ root: directory.path })
})

afterEach(async () => {
  await driver.close()
  await directory.remove()
})

function placeOf(entry: Entry): string {
  return entry.type === 'file' ? entry.path : `${entry.path}/`
}

/** Every place, over pages of `limit`; each page by a fresh disk when nothing may be remembered. */
async function places(options: ListOptions, { fresh = false, path = '' } = {}): Promise<string[]> {
  const found: string[] = []
  let cursor: string | undefined
  do {
    const reader = fresh ? new LocalDriver({ root: directory.path }) : driver
    const page = await reader.list(path, { ...options, cursor })
    expect(page.entries.length).toBeLessThanOrEqual(options.limit ?? 1_000)
    found.push(...page.entries.map(placeOf))
    cursor = page.cursor
    if (fresh) await reader.close()
  } while (cursor !== undefined)
  return found
}

const TREE = ['a', 'a-b/x', 'a.txt', 'a/b/c/deep', 'a/b/c.txt', 'a/z', 'a0', 'b/1', 'b/2', 'b/3', '😀/x', '\uffee', 'é/é', 'zz']

const EXPECTED = [
  'a-b/',
  'a-b/x',
  'a.txt',
  'a/',
  'a/b/',
  'a/b/c.txt',
  'a/b/c/',
  'a/b/c/deep',
  'a/z',
  'a0',
  'b/',
  'b/1',
  'b/2',
  'b/3',
  'zz',
  'é/',
  'é/é',
  '\uffee',
  '😀/',
  '😀/x',
]

async function plant(): Promise<void> {
  for (const path of TREE.slice(1)) await put(driver, path, 'x')
}

describe('listing', () => {
  it('is in the order of UTF-8 bytes, a directory as its path and a slash', async () => {
    await plant()
    expect(await places({ recursive: true })).toEqual(EXPECTED)
    expect(await places({})).toEqual(EXPECTED.filter((place) => !place.replace(/\/$/, '').includes('/')))
    expect(await places({ recursive: true }, { path: 'a' })).toEqual(EXPECTED.filter((place) => place.startsWith('a/') && place !== 'a/'))
  })

  it.each([1, 2, 3, 7, 1_000])('pages without gaps or repeats, remembered or not: %d at a time', async (limit) => {
    await plant()
    for (const stat of [true, false]) {
      expect(await places({ recursive: true, limit, stat })).toEqual(EXPECTED)
      expect(await places({ recursive: true, limit, stat }, { fresh: true })).toEqual(EXPECTED)
    }
    expect(await places({ limit }, { fresh: true })).toEqual(await places({}))
  })

  it('begins after any place, there or not', async () => {
    await plant()
    const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
    for (const after of [...EXPECTED, 'a', 'a/b', 'a/b/c/zzz', 'b/25', 'b0', '', 'zzz', '😀/y', 'a/b/c.tx']) {
      expect(await places({ recursive: true, after, limit: 3 })).toEqual(EXPECTED.filter((place) => compare(place, after) > 0))
    }
  })

  it('gives size, date and etag, and leaves them out on request', async () => {
    await put(driver, 'd/a', 'four')
    const { etag, lastModified } = await driver.stat('d/a', {})
    expect((await driver.list('d', {})).entries).toEqual([{ type: 'file', path: 'd/a', size: 4, lastModified, etag }])
    expect((await driver.list('', { recursive: true, stat: false })).entries).toEqual([
      { type: 'directory', path: 'd' },
      { type: 'file', path: 'd/a' },
    ])
  })

  it('is empty for a missing directory and for a file', async () => {
    await put(driver, 'd/a', 'x')
    for (const path of ['none', 'd/a', 'd/a/b']) expect(await driver.list(path, {})).toEqual({ entries: [] })
  })

  it('has one cursor less than pages', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await put(driver, name, 'x')
    expect((await driver.list('', { limit: 4 })).cursor).toBeUndefined()
    const { cursor } = await driver.list('', { limit: 2 })
    expect(await driver.list('', { limit: 2, cursor })).toMatchObject({ entries: [{ path: 'c' }, { path: 'd' }] })
    expect((await driver.list('', { limit: 2, cursor })).entries.map(placeOf)).toEqual(['c', 'd'])
  })

  it('lets several readers page the same directory at once', async () => {
    await Promise.all(Array.from({ length: 250 }, (_, n) => put(driver, `f${String(n).padStart(3, '0')}`, 'x')))
    const all = await places({ limit: 7, stat: false })
    const runs = await Promise.all(Array.from({ length: 12 }, () => places({ limit: 7, stat: false })))
    expect(all).toHaveLength(250)
    for (const run of runs) expect(run).toEqual(all)
  })

  it('goes on when what it stands on is deleted between two pages', async () => {
    await plant()
    const first = await driver.list('', { recursive: true, limit: 7 })
    expect(first.cursor).toBe('a/b/c/')
    await rm(join(directory.path, 'a/b'), { recursive: true })
    const fresh = new LocalDriver({ root: directory.path })
    expect((await fresh.list('', { recursive: true, cursor: first.cursor })).entries.map(placeOf)).toEqual(EXPECTED.slice(8))
    await fresh.close()
  })

  it('leaves out files that are deleted while it is under way, and directories that become something else', async () => {
    await put(driver, 'd/a', 'x')
    await put(driver, 'e/b', 'x')
    const { cursor } = await driver.list('', { recursive: true, limit: 1 })
    await rename(join(directory.path, 'e'), join(directory.path, 'was'))
    await writeFile(join(directory.path, 'e'), 'a file now')
    await rm(join(directory.path, 'd/a'))
    const rest: Entry[] = []
    for (let next = cursor; next !== undefined; ) {
      const page = await driver.list('', { recursive: true, limit: 1, cursor: next })
      rest.push(...page.entries)
      next = page.cursor
    }
    expect(rest.map(placeOf)).toEqual(['e/'])
  })

  it('forgets what it kept when it is closed, and goes on all the same', async () => {
    await plant()
    const { entries, cursor } = await driver.list('', { recursive: true, limit: 5 })
    await driver.close()
    const rest = await driver.list('', { recursive: true, cursor })
    expect([...entries, ...rest.entries].map(placeOf)).toEqual(EXPECTED)
  })
})
