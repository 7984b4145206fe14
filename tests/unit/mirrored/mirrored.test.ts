import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type MirroredOptions, mirrored } from '../../../src/decorators/mirrored/mirrored.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { UnavailableError } from '../../../src/errors.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { ROOT } from '../../support/source-tree.ts'

interface Disks {
  readonly disk: Disk
  readonly primary: Disk
  readonly mirror: Disk
}

function disks(mode: MirroredOptions['mode'], mirror: Driver = new MemoryDriver(), primary: Driver = new MemoryDriver()): Disks {
  const driver = mirrored({ mirrors: [mirror], mode })(primary)
  return { disk: new Disk(driver, { name: 'both' }), primary: new Disk(primary), mirror: new Disk(mirror) }
}

async function contents(disk: Disk): Promise<Record<string, string>> {
  const files = (await disk.allFiles()).filter((path) => !path.startsWith('stowage-journal/'))
  return Object.fromEntries(await Promise.all(files.map(async (path) => [path, await disk.text(path)])))
}

/** Fails until it is told not to. */
function gone(): { readonly driver: Driver; readonly memory: MemoryDriver; back: () => void } {
  const memory = new MemoryDriver()
  let isGone = true
  const write = memory.write.bind(memory)
  memory.write = async (path, content, options) => {
    if (isGone) throw new UnavailableError('the mirror is gone')
    return write(path, content, options)
  }
  return { driver: memory, memory, back: () => void (isGone = false) }
}

describe.each(['all', 'background'] as const)('a mirrored disk, mode %s', (mode) => {
  it('has every file everywhere, with all that belongs to it', async () => {
    const { disk, primary, mirror } = disks(mode)
    await disk.put('a/b.txt', 'one', { contentType: 'text/x', metadata: { by: 'ada' }, visibility: 'public' })
    await disk.put('c.txt', 'two')
    await disk.copy('c.txt', 'd.txt')
    await disk.move('c.txt', 'e.txt')
    await disk.append('e.txt', ' and three')
    await disk.setVisibility('d.txt', 'public')
    await disk.put('gone.txt', 'x')
    await disk.delete('gone.txt')
    await disk.layer('mirrored')?.flush()
    const expected = { 'a/b.txt': 'one', 'd.txt': 'two', 'e.txt': 'two and three' }
    expect(await contents(primary)).toEqual(expected)
    expect(await contents(mirror)).toEqual(expected)
    await expect(mirror.stat('a/b.txt')).resolves.toMatchObject({ contentType: 'text/x', metadata: { by: 'ada' }, visibility: 'public' })
    await expect(mirror.visibility('d.txt')).resolves.toBe('public')
    await expect(disk.layer('mirrored')?.verify({ checksum: true })).resolves.toEqual([])
    expect((await primary.allFiles('stowage-journal')).length).toBe(0)
  })

  it('deletes directories everywhere', async () => {
    const { disk, primary, mirror } = disks(mode)
    for (const path of ['a/b.txt', 'a/c/d.txt', 'e.txt']) await disk.put(path, path)
    await expect(disk.deleteDirectory('a')).resolves.toEqual({ deleted: 2 })
    await disk.layer('mirrored')?.flush()
    expect(Object.keys(await contents(mirror))).toEqual(['e.txt'])
    await expect(disk.deleteDirectory('', { allowRoot: true })).resolves.toEqual({ deleted: 1 })
    await disk.layer('mirrored')?.flush()
    expect(await contents(primary)).toEqual({})
    expect(await contents(mirror)).toEqual({})
  })

  it('lets the primary decide about conditions', async () => {
    const { disk, mirror } = disks(mode)
    await mirror.put('a.txt', 'already on the mirror')
    await disk.put('a.txt', 'first', { ifAbsent: true })
    await expect(disk.put('a.txt', 'second', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await disk.layer('mirrored')?.flush()
    await expect(mirror.text('a.txt')).resolves.toBe('first')
  })

  it('ends with the newest everywhere when many write at once', async () => {
    const { disk, primary, mirror } = disks(mode)
    await Promise.all(Array.from({ length: 40 }, (_, index) => disk.put('a.txt', `version ${index}`)))
    await disk.layer('mirrored')?.flush()
    await expect(mirror.text('a.txt')).resolves.toBe(await primary.text('a.txt'))
  })

  it('keeps its journal to itself', async () => {
    const { disk } = disks(mode)
    await expect(disk.put('stowage-journal/x', 'x')).rejects.toMatchObject({ code: 'invalid_path' })
    await expect(disk.get('stowage-journal')).rejects.toMatchObject({ code: 'invalid_path' })
  })
})

describe('a mirror that fails', () => {
  it('is told, with what is where, and gets its file when it is back', async () => {
    const { driver, back } = gone()
    const { disk, primary, mirror } = disks('all', driver)
    const failure = await disk.put('a.txt', 'x').catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ code: 'partial_failure', failures: [{ path: 'a.txt', error: { code: 'unavailable' } }] })
    expect((failure as Error).message).toContain('the primary has the change, but these mirrors do not: memory (the mirror is gone)')
    await expect(primary.text('a.txt')).resolves.toBe('x')
    back()
    await disk.layer('mirrored')?.flush()
    await expect(mirror.text('a.txt')).resolves.toBe('x')
  })

  it('is told for each path of a delete', async () => {
    const mirror = new MemoryDriver()
    const broken = faulty(mirror, { operation: 'delete', error: new UnavailableError(), every: 1 })
    const { disk, primary } = disks('all', broken)
    await disk.put('a.txt', 'x')
    await expect(disk.delete('a.txt')).rejects.toMatchObject({ code: 'partial_failure' })
    await expect(primary.exists('a.txt')).resolves.toBe(false)
    await disk.close()
  })

  it('keeps nobody waiting in the background', async () => {
    const { driver, back } = gone()
    const { disk, primary, mirror } = disks('background', driver)
    await disk.put('a.txt', 'x')
    expect((await primary.allFiles('stowage-journal')).length).toBe(1)
    back()
    await disk.layer('mirrored')?.flush()
    await expect(mirror.text('a.txt')).resolves.toBe('x')
    expect((await primary.allFiles('stowage-journal')).length).toBe(0)
  })
})

describe('verify and repair', () => {
  it('find and mend what is missing, different or too much', async () => {
    const { disk, primary, mirror } = disks('all')
    for (let index = 0; index < 30; index++) await disk.put(`files/${index}.txt`, `content ${index}`)
    await mirror.delete('files/3.txt')
    await mirror.put('files/4.txt', 'longer than it was')
    await mirror.put('files/5.txt', 'content X')
    await mirror.put('extra/6.txt', 'x')
    const layer = disk.layer('mirrored')
    const sizes = [
      { path: 'extra/6.txt', mirror: 'memory', kind: 'extra' },
      { path: 'files/3.txt', mirror: 'memory', kind: 'missing' },
      { path: 'files/4.txt', mirror: 'memory', kind: 'different' },
    ]
    await expect(layer?.verify()).resolves.toEqual(sizes)
    await expect(layer?.verify({ checksum: true })).resolves.toEqual([
      ...sizes,
      { path: 'files/5.txt', mirror: 'memory', kind: 'different' },
    ])
    await expect(layer?.repair({ checksum: true })).resolves.toBe(4)
    await expect(layer?.verify({ checksum: true })).resolves.toEqual([])
    expect(await contents(mirror)).toEqual(await contents(primary))
  })
})

describe('a process that is killed', () => {
  let folder: string
  let child: ChildProcess | undefined
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'stowage-mirrored-'))))
  afterEach(async () => {
    child?.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  it('leaves a journal that the next one works off', async () => {
    const source = (name: string): string => JSON.stringify(join(ROOT, 'src', name))
    const code = `
      import { mirrored } from ${source('decorators/mirrored/mirrored.ts')}
      import { LocalDriver } from ${source('drivers/local/local-driver.ts')}
      import { MemoryDriver } from ${source('drivers/memory-driver.ts')}
      import { Disk } from ${source('disk.ts')}
      const never = new MemoryDriver()
      never.write = () => new Promise(() => {})
      const disk = new Disk(mirrored({ mirrors: [never], mode: 'background' })(new LocalDriver({ root: ${JSON.stringify(join(folder, 'primary'))} })))
      for (let index = 0; index < 25; index++) await disk.put('files/' + index + '.txt', 'content ' + index)
      await disk.delete('files/0.txt')
      process.stdout.write('written')
      setInterval(() => {}, 1_000)`
    child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      child?.stdout?.once('data', () => resolve())
      child?.once('exit', () => reject(new Error('the process ended before it had written')))
    })
    child.kill('SIGKILL')

    const { disk, primary, mirror } = disks(
      'background',
      new LocalDriver({ root: join(folder, 'mirror') }),
      new LocalDriver({ root: join(folder, 'primary') }),
    )
    await disk.layer('mirrored')?.flush()
    expect(Object.keys(await contents(mirror))).toHaveLength(24)
    expect(await contents(mirror)).toEqual(await contents(primary))
    await disk.close()
  })
})

it('needs a mirror', () => {
  expect(() => mirrored({ mirrors: [] })).toThrow('"mirrors" needs at least one disk')
})
