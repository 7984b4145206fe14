import { beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { PermissionDeniedError, UnavailableError } from '../../../src/errors.ts'
import { FakeDisk } from '../../../src/testing/fake-disk.ts'

let disk: FakeDisk

beforeEach(() => {
  disk = new FakeDisk('photos')
})

/** What an assertion says when it fails. */
function failure(assertion: () => unknown): string {
  try {
    assertion()
  } catch (error) {
    expect(error).toMatchObject({ name: 'AssertionError' })
    return (error as Error).message
  }
  throw new Error('the assertion held')
}

describe('assertExists and assertMissing', () => {
  beforeEach(async () => {
    await disk.put('d/a.txt', 'content')
  })

  it('hold for what is there, in either writing', () => {
    expect(disk.assertExists('d/a.txt')).toBe(disk)
    disk.assertExists('d/a.txt', 'content').assertExists('/d//a.txt', Buffer.from('content')).assertExists(['d', 'd/a.txt'])
    expect(disk.assertMissing('nope')).toBe(disk)
    disk.assertMissing(['nope', 'd/a', 'd/a.txt2'])
  })

  it('fail at once, and say what is there', () => {
    expect(failure(() => disk.assertExists('nope'))).toBe('Expected "nope" on disk "photos" to exist, but there is:\n  "d/a.txt"')
    expect(failure(() => disk.assertExists(['d', 'nope']))).toContain('"nope"')
    expect(failure(() => disk.assertExists('d', 'content'))).toContain('"d"')
    expect(failure(() => disk.assertMissing('d/a.txt'))).toBe('Expected "d/a.txt" on disk "photos" to be missing, but it is a file.')
    expect(failure(() => disk.assertMissing(['nope', 'd']))).toBe('Expected "d" on disk "photos" to be missing, but it is a directory.')
    expect(failure(() => new FakeDisk('empty').assertExists('a'))).toContain('(no files)')
  })

  it('compare content to the byte, text as text and the rest by its first difference', async () => {
    expect(failure(() => disk.assertExists('d/a.txt', 'Content'))).toBe(
      'Expected "d/a.txt" on disk "photos" to hold other content.\nExpected: "Content"\nThere is: "content"',
    )
    expect(failure(() => disk.assertExists('d/a.txt', 'conten'))).toContain('"conten"')
    await disk.put('b', Buffer.from([1, 2, 0xff, 4]))
    expect(failure(() => disk.assertExists('b', Buffer.from([1, 2, 0xfe, 4, 5])))).toContain(
      'Expected 5 bytes, there are 4; they differ from byte 2 on.',
    )
    await disk.put('empty', '')
    disk.assertExists('empty', '')
    expect(failure(() => disk.assertExists('empty', 'x'))).toContain('There is: ""')
  })

  it('name no more than twenty files', async () => {
    for (let i = 0; i < 30; i++) await disk.put(`n/${i}`, '')
    expect(failure(() => disk.assertExists('nope'))).toContain('… and 11 more')
  })
})

describe('assertCount, assertDirectoryEmpty and assertEmpty', () => {
  beforeEach(async () => {
    await disk.put('photos/1', '')
    await disk.put('photos/2', '')
    await disk.put('photos/deep/3', '')
    await disk.put('photos2/4', '')
    await disk.makeDirectory('tmp/inner')
  })

  it('hold', () => {
    disk
      .assertCount('photos', 2)
      .assertCount('photos', 3, { recursive: true })
      .assertCount('', 0)
      .assertCount('', 4, { recursive: true })
      .assertCount('nope', 0)
    disk.assertDirectoryEmpty('tmp').assertDirectoryEmpty('nope').assertDirectoryEmpty('phot')
    new FakeDisk().assertEmpty()
  })

  it('fail, and list what is there', () => {
    expect(failure(() => disk.assertCount('photos', 3))).toBe(
      'Expected "photos" on disk "photos" to hold 3 files, but there are 2:\n  "photos/1"\n  "photos/2"',
    )
    expect(failure(() => disk.assertCount('photos', 2, { recursive: true }))).toContain('"photos/deep/3"')
    expect(failure(() => disk.assertDirectoryEmpty('photos/deep'))).toBe(
      'Expected "photos/deep" on disk "photos" to be empty, but there is:\n  "photos/deep/3"',
    )
    expect(failure(() => disk.assertEmpty())).toContain('"photos2/4"')
  })

  it('take a disk of empty directories for empty', async () => {
    const other = new FakeDisk()
    await other.makeDirectory('a/b')
    other.assertEmpty().assertExists('a/b')
  })
})

describe('assertVisibility and assertContentType', () => {
  it('hold, and fail with what it is', async () => {
    await disk.put('a.txt', 'x', { visibility: 'public' })
    await disk.put('b', 'x')
    disk.assertVisibility('a.txt', 'public').assertVisibility('b', 'private').assertContentType('a.txt', 'text/plain')
    expect(failure(() => disk.assertVisibility('b', 'public'))).toBe('Expected "b" on disk "photos" to be public, but it is private.')
    expect(failure(() => disk.assertContentType('a.txt', 'text/html'))).toBe(
      'Expected "a.txt" on disk "photos" to be of type "text/html", but it is "text/plain".',
    )
    expect(failure(() => disk.assertContentType('b', 'text/html'))).toContain('of none')
    expect(failure(() => disk.assertVisibility('nope', 'private'))).toContain('to exist')
    expect(failure(() => disk.assertContentType('nope', 'x'))).toContain('to exist')
    await disk.setVisibility('b', 'public')
    disk.assertVisibility('b', 'public')
  })
})

describe('what was called', () => {
  it('is told in order, with what was asked to be stored', async () => {
    await disk.put('/a//x.txt', 'x', { contentType: 'x/y', visibility: 'public', signal: AbortSignal.timeout(60_000) })
    await disk.get('a/x.txt')
    await disk.append('a/x.txt', 'y')
    await disk.copy('a/x.txt', 'b')
    await disk.move('b', 'c')
    await disk.delete(['c', 'd'])
    await disk.files('a')
    await disk.makeDirectory('e')
    await disk.deleteDirectory('e')
    await disk.setVisibility('a/x.txt', 'private')
    await disk.url('a/x.txt')
    await disk.temporaryUrl('a/x.txt')
    expect(disk.operations.map(({ operation, path, to }) => [operation, path, to].filter((part) => part !== undefined).join(' '))).toEqual([
      'write a/x.txt',
      'read a/x.txt',
      'append a/x.txt',
      'stat a/x.txt',
      'copy a/x.txt b',
      'move b c',
      'delete c',
      'delete d',
      'list a',
      'makeDirectory e',
      'deleteDirectory e',
      'setVisibility a/x.txt',
      'publicUrl a/x.txt',
      'signUrl a/x.txt',
    ])
    expect(disk.operations[0]).toEqual({ operation: 'write', path: 'a/x.txt', options: { contentType: 'x/y', visibility: 'public' } })
  })

  it('leaves out what never reached the disk', async () => {
    await expect(disk.put('../a', 'x')).rejects.toMatchObject({ code: 'invalid_path' })
    expect(disk.operations).toEqual([])
  })

  it('decides assertNothingWritten', async () => {
    disk.assertNothingWritten()
    await disk.exists('a')
    await disk.files()
    await disk.delete('a')
    expect(disk.assertNothingWritten()).toBe(disk)
    await disk.put('a', 'x')
    await disk.delete('a')
    expect(failure(() => disk.assertNothingWritten())).toBe('Expected nothing to be written on disk "photos", but there was:\n  write "a"')
    for (const write of [(d: FakeDisk) => d.append('s', 'x'), (d: FakeDisk) => d.copy('s', 't'), (d: FakeDisk) => d.move('s', 't')]) {
      const other = new FakeDisk('other', { seed: { s: 'x' } })
      other.assertNothingWritten()
      await write(other)
      failure(() => other.assertNothingWritten())
    }
  })
})

describe('failNext', () => {
  it('fails the next call of that operation, once, on the very error', async () => {
    const error = new PermissionDeniedError()
    expect(disk.failNext('write', error)).toBe(disk)
    expect(await disk.exists('a')).toBe(false)
    await expect(disk.put('a', 'x')).rejects.toBe(error)
    expect(error).toMatchObject({ operation: 'write', path: 'a', disk: 'photos' })
    disk.assertMissing('a')
    await disk.put('a', 'x')
  })

  it('fails as often as it was called, with UnavailableError unless told', async () => {
    disk.failNext('read').failNext('read', new UnavailableError('second'))
    await disk.put('a', 'x')
    await expect(disk.get('a')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(disk.readStream('a')).rejects.toThrow('second')
    expect(await disk.text('a')).toBe('x')
  })

  it.each([
    ['stat', (d: FakeDisk) => d.size('a')],
    ['list', (d: FakeDisk) => d.files()],
    ['delete', (d: FakeDisk) => d.delete('a')],
    ['copy', (d: FakeDisk) => d.copy('a', 'b')],
    ['move', (d: FakeDisk) => d.move('a', 'b')],
    ['append', (d: FakeDisk) => d.append('a', 'x')],
    ['visibility', (d: FakeDisk) => d.visibility('a')],
    ['setVisibility', (d: FakeDisk) => d.setVisibility('a', 'public')],
    ['makeDirectory', (d: FakeDisk) => d.makeDirectory('d')],
    ['deleteDirectory', (d: FakeDisk) => d.deleteDirectory('d')],
    ['publicUrl', (d: FakeDisk) => d.url('a')],
    ['signUrl', (d: FakeDisk) => d.temporaryUrl('a')],
  ] as const)('knows %s', async (operation, call) => {
    await disk.put('a', 'x')
    disk.failNext(operation)
    await expect(call(disk)).rejects.toMatchObject({ code: 'unavailable', operation })
    await call(disk)
  })

  it('takes errors that are none of ours', async () => {
    disk.failNext('write', new TypeError('odd'))
    await expect(disk.put('a', 'x')).rejects.toMatchObject({ code: 'unknown', cause: { message: 'odd' } })
  })
})

describe('a fake disk', () => {
  it('can do what a real one can, signed URLs included', async () => {
    for (const ability of 'visibility publicUrl temporaryUrl temporaryUploadUrl append multipart ifAbsent ifMatch rangedRead serverSideCopy metadata'.split(
      ' ',
    )) {
      expect([ability, disk.supports(ability)]).toEqual([ability, true])
    }
    expect(disk).toBeInstanceOf(Disk)
    await disk.put('a b.txt', 'x')
    expect(await disk.url('a b.txt')).toMatch(/a%20b\.txt$/)
    expect(await disk.temporaryUrl('a b.txt', 60, { download: true })).toMatch(/a%20b\.txt\?.+/)
    expect(await disk.temporaryUploadUrl('c', 60, { contentType: 'text/plain', maxSize: 5 })).toMatchObject({
      method: 'PUT',
      expiresAt: expect.any(Date),
    })
    expect(await disk.check()).toMatchObject({ ok: true })
  })

  it('begins with its seed, which no write made', () => {
    const seeded = new FakeDisk('s', { seed: { '/a//b.txt': 'x', c: Buffer.from('y') } })
    seeded.assertExists('a/b.txt', 'x').assertExists('c', 'y').assertContentType('a/b.txt', 'text/plain').assertNothingWritten()
    expect(() => new FakeDisk('s', { seed: { '../x': '' } })).toThrow(expect.objectContaining({ code: 'invalid_path' }))
  })

  it('has assertions that cannot be forgotten: none returns a promise', () => {
    for (const name of Object.getOwnPropertyNames(FakeDisk.prototype).filter((key) => key.startsWith('assert'))) {
      const method = FakeDisk.prototype[name as 'assertEmpty'] as (...args: unknown[]) => unknown
      let result: unknown
      try {
        result = method.call(new FakeDisk(), 'a', 0)
      } catch (error) {
        result = error
      }
      expect([name, typeof (result as { then?: unknown }).then]).toEqual([name, 'undefined'])
    }
  })

  it('can be wrapped, and the other end of a copy', async () => {
    await disk.scope('in').put('a', 'x')
    disk.assertExists('in/a', 'x')
    const other = new Disk(new MemoryDriver())
    await disk.moveTo(other, 'in/a', 'b')
    disk.assertMissing('in/a')
    expect(await other.text('b')).toBe('x')
  })
})

describe('what failed', () => {
  it('was asked for, but wrote nothing', async () => {
    const fake = new FakeDisk('s3')
    fake.failNext('write')
    await expect(fake.put('a', 'x')).rejects.toMatchObject({ code: 'unavailable' })
    expect(fake.operations).toMatchObject([{ operation: 'write', path: 'a', failed: true }])
    fake.assertNothingWritten()
    await fake.put('a', 'x')
    expect(() => fake.assertNothingWritten()).toThrow()
  })

  it('has to be an operation that there is, and what is looked for a path', () => {
    const fake = new FakeDisk('s3')
    expect(() => fake.failNext('wirte' as never)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(() => fake.assertExists([])).toThrow('at least one path')
  })
})
