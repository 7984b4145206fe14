import { describe, expect, it } from '@jest/globals'
import { fallback } from '../../../src/decorators/fallback/fallback.ts'
import { readOnly } from '../../../src/decorators/read-only.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { UnavailableError } from '../../../src/errors.ts'
import { faulty } from '../../../src/testing/faulty.ts'

interface Disks {
  readonly disk: Disk
  readonly primary: Disk
  readonly old: Disk
}

/** The old disk refuses everything that writes. */
async function disks(options: { promote?: boolean; primary?: Driver; old?: Driver } = {}): Promise<Disks> {
  const primary = options.primary ?? new MemoryDriver()
  const old = options.old ?? new MemoryDriver()
  const oldDisk = new Disk(old)
  await oldDisk.put('photos/old.jpg', 'old photo', { contentType: 'image/x-old', metadata: { by: 'ada' }, visibility: 'public' })
  await oldDisk.put('notes.txt', 'old notes')
  const driver = fallback({ fallbacks: [readOnly()(old)], promote: options.promote })(primary)
  return { disk: new Disk(driver, { name: 'both' }), primary: new Disk(primary), old: oldDisk }
}

async function names(disk: Disk, recursive = true): Promise<string[]> {
  return (await Array.fromAsync(disk.list('', { recursive }))).map(({ path, type }) => (type === 'directory' ? `${path}/` : path))
}

describe('a disk with a fallback', () => {
  it('reads what only the fallback has, and prefers the primary', async () => {
    const { disk, primary } = await disks()
    await primary.put('notes.txt', 'new notes')
    await expect(disk.text('notes.txt')).resolves.toBe('new notes')
    await expect(disk.text('photos/old.jpg')).resolves.toBe('old photo')
    await expect(disk.text('photos/old.jpg', { range: { start: 4 } })).resolves.toBe('photo')
    await expect(disk.stat('photos/old.jpg')).resolves.toMatchObject({ size: 9, contentType: 'image/x-old', metadata: { by: 'ada' } })
    await expect(disk.visibility('photos/old.jpg')).resolves.toBe('public')
    await expect(disk.directoryExists('photos')).resolves.toBe(true)
    await expect(disk.get('nowhere')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('lists both, each name once', async () => {
    const { disk, primary } = await disks()
    await primary.put('notes.txt', 'new')
    await primary.put('photos/new.jpg', 'new')
    await expect(names(disk)).resolves.toEqual(['notes.txt', 'photos/', 'photos/new.jpg', 'photos/old.jpg'])
    const entry = (await Array.fromAsync(disk.list(''))).find(({ path }) => path === 'notes.txt')
    expect(entry).toMatchObject({ size: 3 })
  })

  it('lists by pages without gaps, however names are spread', async () => {
    const { disk, primary, old } = await disks()
    const wanted = Array.from({ length: 60 }, (_, index) => `many/${String(index).padStart(2, '0')}`)
    for (const [index, path] of wanted.entries()) await (index % 3 === 0 ? primary : old).put(path, 'x')
    for (const path of wanted.filter((_, index) => index % 4 === 1)) await disk.delete(path)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await disk.listPage('many', { limit: 7, cursor })
      seen.push(...page.entries.map(({ path }) => path))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(wanted.filter((_, index) => index % 4 !== 1))
  })

  it('never shows again what was deleted, and leaves the fallback as it is', async () => {
    const { disk, old } = await disks()
    await disk.delete(['photos/old.jpg', 'nowhere.txt'])
    await expect(disk.exists('photos/old.jpg')).resolves.toBe(false)
    await expect(disk.getOrNull('photos/old.jpg')).resolves.toBeNull()
    await expect(disk.directoryExists('photos')).resolves.toBe(false)
    await expect(names(disk)).resolves.toEqual(['notes.txt'])
    await expect(names(disk, false)).resolves.toEqual(['notes.txt'])
    await expect(old.text('photos/old.jpg')).resolves.toBe('old photo')
    await disk.put('photos/old.jpg', 'back')
    await expect(disk.text('photos/old.jpg')).resolves.toBe('back')
    await disk.delete('photos/old.jpg')
    await expect(disk.exists('photos/old.jpg')).resolves.toBe(false)
  })

  it('deletes directories with what fallbacks have in them', async () => {
    const { disk, primary, old } = await disks()
    await primary.put('photos/new.jpg', 'new')
    await expect(disk.deleteDirectory('photos')).resolves.toEqual({ deleted: 2 })
    await expect(names(disk)).resolves.toEqual(['notes.txt'])
    await expect(disk.deleteDirectory('', { allowRoot: true })).resolves.toEqual({ deleted: 1 })
    await expect(names(disk)).resolves.toEqual([])
    expect((await old.allFiles()).length).toBe(2)
  })

  it('moves and copies away from the fallback', async () => {
    const { disk, primary, old } = await disks()
    await disk.move('photos/old.jpg', 'album/first.jpg')
    await expect(disk.exists('photos/old.jpg')).resolves.toBe(false)
    await expect(primary.stat('album/first.jpg')).resolves.toMatchObject({ contentType: 'image/x-old', metadata: { by: 'ada' } })
    await disk.copy('notes.txt', 'copy.txt')
    await expect(primary.text('copy.txt')).resolves.toBe('old notes')
    await primary.put('notes.txt', 'newer notes')
    await disk.move('notes.txt', 'moved.txt')
    await expect(disk.exists('notes.txt')).resolves.toBe(false)
    await expect(disk.text('moved.txt')).resolves.toBe('newer notes')
    await expect(old.text('notes.txt')).resolves.toBe('old notes')
  })

  it('takes a file of the fallback for one that is there', async () => {
    const { disk } = await disks()
    await expect(disk.put('notes.txt', 'x', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await expect(disk.copy('photos/old.jpg', 'notes.txt', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    const { etag } = await disk.stat('notes.txt')
    await expect(disk.put('notes.txt', 'x', { ifMatch: 'another' })).rejects.toMatchObject({ code: 'precondition_failed' })
    await disk.put('notes.txt', 'replaced', { ifMatch: etag })
    await expect(disk.text('notes.txt')).resolves.toBe('replaced')
    await expect(disk.put('notes.txt', 'again', { ifMatch: etag })).rejects.toMatchObject({ code: 'precondition_failed' })
    await disk.delete('photos/old.jpg')
    await disk.put('photos/old.jpg', 'new', { ifAbsent: true })
  })

  it('adds to a file of the fallback', async () => {
    const { disk, old } = await disks()
    await disk.append('notes.txt', ' and more')
    await expect(disk.text('notes.txt')).resolves.toBe('old notes and more')
    await disk.prepend('photos/old.jpg', 'an ')
    await expect(disk.stat('photos/old.jpg')).resolves.toMatchObject({ size: 12, metadata: { by: 'ada' } })
    await disk.setVisibility('notes.txt', 'public')
    await expect(old.text('notes.txt')).resolves.toBe('old notes')
  })

  it('never answers with an older file because the primary cannot be reached', async () => {
    const primary = faulty(new MemoryDriver(), { error: new UnavailableError(), every: 1 })
    const { disk } = await disks({ primary })
    await expect(disk.get('notes.txt')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(disk.exists('notes.txt')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(names(disk)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('keeps a file when its tombstone cannot be written', async () => {
    const primary = faulty(new MemoryDriver(), { operation: 'write', error: new UnavailableError(), every: 1 })
    const { disk } = await disks({ primary })
    await expect(disk.delete(['notes.txt', 'photos/old.jpg'])).rejects.toMatchObject({ code: 'partial_failure', failures: { length: 2 } })
    await expect(disk.text('notes.txt')).resolves.toBe('old notes')
  })

  it('keeps its own directory to itself', async () => {
    const { disk } = await disks()
    await disk.delete('notes.txt')
    for (const path of ['stowage-tombstones', 'stowage-tombstones/x']) {
      await expect(disk.put(path, 'x')).rejects.toMatchObject({ code: 'invalid_path' })
      await expect(disk.get(path)).rejects.toMatchObject({ code: 'invalid_path' })
    }
    await expect(names(disk, false)).resolves.toEqual(['photos/'])
  })
})

describe('promotion', () => {
  it('brings a whole file to the primary when it is read, with all that belongs to it', async () => {
    const { disk, primary } = await disks({ promote: true })
    await disk.stat('photos/old.jpg')
    await disk.get('photos/old.jpg', { range: { start: 1 } })
    await expect(primary.exists('photos/old.jpg')).resolves.toBe(false)
    await expect(disk.text('photos/old.jpg')).resolves.toBe('old photo')
    await expect(primary.stat('photos/old.jpg')).resolves.toMatchObject({
      size: 9,
      contentType: 'image/x-old',
      metadata: { by: 'ada' },
      visibility: 'public',
    })
  })

  it('that fails is no reason not to read', async () => {
    const primary = faulty(new MemoryDriver(), { operation: 'write', error: new UnavailableError(), every: 1 })
    const { disk } = await disks({ promote: true, primary })
    await expect(disk.text('photos/old.jpg')).resolves.toBe('old photo')
  })

  it('gives way to a delete that comes meanwhile', async () => {
    const memory = new MemoryDriver()
    const write = memory.write.bind(memory)
    let other: Disk | undefined
    memory.write = async (path, content, options) => {
      const isPromotion = path === 'notes.txt'
      if (isPromotion) await other?.delete('notes.txt')
      return write(path, content, options)
    }
    const { disk, primary } = await disks({ promote: true, primary: memory })
    other = disk
    await disk.text('notes.txt').catch(() => undefined)
    await expect(disk.exists('notes.txt')).resolves.toBe(false)
    await expect(primary.exists('notes.txt')).resolves.toBe(false)
  })

  it('of many at once brings one file', async () => {
    const { disk, primary } = await disks({ promote: true })
    const texts = await Promise.all(Array.from({ length: 20 }, () => disk.text('notes.txt')))
    expect(new Set(texts)).toEqual(new Set(['old notes']))
    await expect(primary.text('notes.txt')).resolves.toBe('old notes')
  })
})

it('needs a fallback', () => {
  expect(() => fallback({ fallbacks: [] })).toThrow('"fallbacks" needs at least one disk')
})
