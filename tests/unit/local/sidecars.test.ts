import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../../src/content.ts'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { codeOf, freshDirectory, namesIn, put, text } from './local-disk.ts'

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

const EXTRAS = { metadata: { owner: 'ann', é: '公司' }, cacheControl: 'no-store', contentType: 'x/special', contentDisposition: 'inline' }

async function hidden(): Promise<string[]> {
  return (await namesIn(directory.path)).filter((name) => name.includes('.stowage'))
}

describe('sidecars', () => {
  it('are written only for what the extension does not say', async () => {
    await put(driver, 'a.txt', 'x')
    await put(driver, 'b.txt', 'x', { contentType: 'text/plain', metadata: {} })
    await put(driver, 'c', 'x', { visibility: 'public', tags: { a: 'b' }, storageClass: 'COLD' })
    expect(await hidden()).toEqual([])
    expect(await driver.stat('a.txt', {})).toMatchObject({ contentType: 'text/plain', size: 1, visibility: 'private' })
    expect((await driver.stat('c', {})).contentType).toBeUndefined()
    await put(driver, 'd.txt', 'x', { contentType: 'text/html' })
    expect(await hidden()).toHaveLength(1)
    expect((await driver.stat('d.txt', {})).contentType).toBe('text/html')
  })

  it('bring back metadata and content headers, by stat and by read', async () => {
    await put(driver, 'dir/file.txt', 'x', EXTRAS)
    expect(await driver.stat('dir/file.txt', {})).toMatchObject(EXTRAS)
    expect((await driver.read('dir/file.txt', {})).stat).toMatchObject(EXTRAS)
    expect((await driver.list('', { recursive: true })).entries.map((entry) => entry.path)).toEqual(['dir', 'dir/file.txt'])
  })

  it('go with a put that has no metadata', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    await put(driver, 'a.txt', 'y')
    expect(await hidden()).toEqual([])
    expect((await driver.stat('a.txt', {})).metadata).toBeUndefined()
    await put(driver, 'a.txt', 'x', EXTRAS)
    await writeFile(join(directory.path, 'a.txt'), 'changed in place')
    await put(driver, 'a.txt', 'z')
    expect(await hidden()).toEqual([])
  })

  it('are ignored for a file that somebody else replaced or changed', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    await writeFile(join(directory.path, 'a.txt'), 'y')
    expect((await driver.stat('a.txt', {})).metadata).toBeUndefined()
    await put(driver, 'b.txt', 'x', EXTRAS)
    await utimes(join(directory.path, 'b.txt'), 1, 1)
    expect((await driver.stat('b.txt', {})).contentType).toBe('text/plain')
  })

  it('that are damaged, or of another file, are ignored', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    const [sidecar] = await hidden()
    await writeFile(join(directory.path, sidecar as string), '{ not json')
    expect((await driver.stat('a.txt', {})).metadata).toBeUndefined()
    await writeFile(join(directory.path, sidecar as string), '{"name":"other","files":[]}')
    expect((await driver.read('a.txt', {})).stat.metadata).toBeUndefined()
  })

  it('keep describing the old file until the new one has its name', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    await put(driver, 'a.txt', 'y', { metadata: { second: 'yes' } })
    const [sidecar] = await hidden()
    const { files } = JSON.parse(await readFile(join(directory.path, sidecar as string), 'utf8')) as { files: { metadata: unknown }[] }
    expect(files.map((file) => file.metadata)).toEqual([{ second: 'yes' }, EXTRAS.metadata])
    expect((await driver.stat('a.txt', {})).metadata).toEqual({ second: 'yes' })
    expect((await driver.stat('a.txt', {})).cacheControl).toBeUndefined()
  })

  it('follow a copy and a move, and go with a delete', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    await driver.copy('a.txt', 'b/copy.txt', {})
    await driver.move('a.txt', 'c/moved.bin', {})
    expect(await driver.stat('b/copy.txt', {})).toMatchObject(EXTRAS)
    expect(await driver.stat('c/moved.bin', {})).toMatchObject(EXTRAS)
    await driver.copy('b/copy.txt', 'd.txt', { metadata: { only: 'this' } })
    expect(await driver.stat('d.txt', {})).toMatchObject({ ...EXTRAS, metadata: { only: 'this' } })
    expect(await hidden()).toHaveLength(3)
    await driver.delete(['b/copy.txt', 'c/moved.bin', 'd.txt'], {})
    expect(await hidden()).toEqual([])
  })

  it('keep the content type of a file that is copied or moved to another extension', async () => {
    await put(driver, 'a.txt', 'x')
    await driver.copy('a.txt', 'b.bin', {})
    expect((await driver.stat('b.bin', {})).contentType).toBe('text/plain')
    await driver.move('a.txt', 'c.html', {})
    expect((await driver.stat('c.html', {})).contentType).toBe('text/plain')
    await driver.move('c.html', 'd.txt', {})
    expect((await driver.stat('d.txt', {})).contentType).toBe('text/plain')
    expect(await hidden()).toHaveLength(1)
  })

  it('of a target go when it is replaced by a copy or a move', async () => {
    for (const path of ['a.txt', 'b.txt']) await put(driver, path, 'x', EXTRAS)
    await put(driver, 'plain.txt', 'plain')
    await driver.copy('plain.txt', 'a.txt', {})
    await driver.move('plain.txt', 'b.txt', {})
    expect((await driver.stat('a.txt', {})).metadata).toBeUndefined()
    expect((await driver.stat('b.txt', {})).metadata).toBeUndefined()
    expect(await hidden()).toEqual([])
  })

  it('stay valid through an append and a change of visibility', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    await driver.append('a.txt', toContent('y'), {})
    await driver.visibility?.set('a.txt', 'public', {})
    expect(await driver.stat('a.txt', {})).toMatchObject({ ...EXTRAS, size: 2, visibility: 'public' })
    await driver.append('new.txt', toContent('y'), { metadata: { fresh: 'yes' } })
    await driver.append('new.txt', toContent('z'), { metadata: { ignored: 'yes' } })
    expect((await driver.stat('new.txt', {})).metadata).toEqual({ fresh: 'yes' })
    expect(await text(driver, 'new.txt')).toBe('yz')
  })

  it('are not changed by a write that loses its condition or finds a directory', async () => {
    await put(driver, 'a.txt', 'x', EXTRAS)
    expect(await codeOf(put(driver, 'a.txt', 'y', { ifAbsent: true, metadata: { lost: 'yes' } }))).toBe('already_exists')
    expect(await codeOf(put(driver, 'a.txt', 'y', { ifMatch: '"no"', metadata: { lost: 'yes' } }))).toBe('precondition_failed')
    expect(await driver.stat('a.txt', {})).toMatchObject(EXTRAS)
    await driver.directories.create('d', {})
    expect(await codeOf(put(driver, 'd', 'y', { metadata: { lost: 'yes' } }))).toBe('already_exists')
    expect(await hidden()).toHaveLength(1)
  })

  it('agree with the file whoever of many concurrent writers came last', async () => {
    const drivers = Array.from({ length: 4 }, () => new LocalDriver({ root: directory.path }))
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        put(drivers[n % 4] as LocalDriver, 'a.txt', `${n}`, n % 3 === 0 ? {} : { metadata: { n: `${n}` } }),
      ),
    )
    const n = Number(await text(driver, 'a.txt'))
    expect((await driver.stat('a.txt', {})).metadata).toEqual(n % 3 === 0 ? undefined : { n: `${n}` })
  })

  it('are those of the content that is read, however fast it is replaced', async () => {
    await put(driver, 'a.txt', '0', { metadata: { n: '0' } })
    let reading = true
    const writer = (async () => {
      for (let n = 1; reading; n++) await put(driver, 'a.txt', `${n}`, { metadata: { n: `${n}` } })
    })()
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(Array.from({ length: 10 }, () => driver.read('a.txt', {})))
      for (const { stat, body } of results) expect(stat.metadata).toEqual({ n: (await collect(body)).toString() })
    }
    reading = false
    await writer
  })

  it('refuse metadata that no sidecar can hold, and leave the old file', async () => {
    await put(driver, 'a.txt', 'old', EXTRAS)
    expect(await codeOf(put(driver, 'a.txt', 'new', { metadata: { big: 'x'.repeat(1_100_000) } }))).toBe('invalid_argument')
    expect(await text(driver, 'a.txt')).toBe('old')
    expect(await driver.stat('a.txt', {})).toMatchObject(EXTRAS)
    expect(await namesIn(directory.path)).toHaveLength(2)
  })
})
