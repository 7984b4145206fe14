import { beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import type { Range } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { PermissionDeniedError } from '../../../src/errors.ts'
import type { StandardSchema } from '../../../src/options.ts'
import { faulty } from '../../../src/testing/faulty.ts'
import { recorded } from '../../support/recorded.ts'
import { answer, stub } from '../../support/stubs.ts'

let disk: Disk

beforeEach(async () => {
  disk = new Disk(new MemoryDriver(), { name: 'main' })
  await disk.put('digits', '0123456789')
  await disk.put('empty', '')
})

/** The same file from a driver that only streams. */
function streaming(text: string): Disk {
  const store = recorded()
  return new Disk(
    stub(
      {
        read: async () => {
          async function* body(): AsyncGenerator<Uint8Array> {
            for (const byte of Buffer.from(text)) yield Uint8Array.of(byte)
          }
          return answer(body(), text.length)
        },
      },
      store,
    ),
  )
}

describe('reading a file', () => {
  it('gives its bytes as a Buffer', async () => {
    const bytes = await disk.get('digits')
    expect(Buffer.isBuffer(bytes)).toBe(true)
    expect(bytes.toString()).toBe('0123456789')
    expect((await streaming('abc').get('a')).toString()).toBe('abc')
    expect(await disk.get('empty')).toHaveLength(0)
  })

  it('gives a buffer of its own: changing it changes no file', async () => {
    for (const contents of ['text', Buffer.from('text'), new Uint8Array(Buffer.from('text')), ['te', 'xt']]) {
      await disk.put('a', contents)
      ;(await disk.get('a')).fill(0)
      ;(await disk.get('a', { range: { start: 1 } })).fill(0)
      for await (const chunk of await disk.readStream('a')) (chunk as Buffer).fill(0)
      expect(await disk.text('a')).toBe('text')
    }
  })

  it('rejects when it is missing, or is a directory', async () => {
    await disk.put('d/a', 'x')
    for (const path of ['nope', 'd']) {
      for (const call of [
        disk.get(path),
        disk.text(path),
        disk.json(path),
        disk.readStream(path),
        disk.stat(path),
        disk.checksum(path),
        disk.size(path),
      ].map((p) => p.catch((error: unknown) => error))) {
        expect(await call).toMatchObject({ code: 'not_found', path, disk: 'main' })
      }
    }
  })

  it('is null only for a file that does not exist', async () => {
    expect(await disk.getOrNull('nope')).toBeNull()
    expect((await disk.getOrNull('digits'))?.toString()).toBe('0123456789')
    expect(await disk.getOrNull('empty')).toHaveLength(0)
    await expect(disk.getOrNull('../x')).rejects.toMatchObject({ code: 'invalid_path' })
    await expect(new Disk(faulty(new MemoryDriver(), { error: new PermissionDeniedError() })).getOrNull('a')).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })

  it('stops at maxBytes', async () => {
    expect(await disk.get('digits', { maxBytes: 10 })).toHaveLength(10)
    await expect(disk.get('digits', { maxBytes: 9 })).rejects.toMatchObject({ code: 'quota_exceeded', path: 'digits' })
    await expect(disk.text('digits', { maxBytes: 0 })).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(await disk.get('empty', { maxBytes: 0 })).toHaveLength(0)
    expect(await disk.text('digits', { maxBytes: 2, range: { suffix: 2 } })).toBe('89')
    await expect(streaming('abc').get('a', { maxBytes: 2 })).rejects.toMatchObject({ code: 'quota_exceeded' })
  })

  it('takes encodings', async () => {
    await disk.put('b', Buffer.from([0xe9]))
    expect(await disk.text('b', { encoding: 'latin1' })).toBe('é')
    expect(await disk.text('b', { encoding: 'hex' })).toBe('e9')
  })
})

describe('ranges', () => {
  const RANGES: readonly (readonly [Range, string])[] = [
    [{ start: 0 }, '0123456789'],
    [{ start: 0, end: 1 }, '0'],
    [{ start: 3, end: 6 }, '345'],
    [{ start: 9 }, '9'],
    [{ start: 8, end: 100 }, '89'],
    [{ start: 2, end: undefined }, '23456789'],
    [{ suffix: 3 }, '789'],
    [{ suffix: 10 }, '0123456789'],
    [{ suffix: 100 }, '0123456789'],
  ]

  it.each(RANGES)('%j is %j', async (range, expected) => {
    expect(await disk.text('digits', { range })).toBe(expected)
    expect(Buffer.concat(await (await disk.readStream('digits', { range })).toArray()).toString()).toBe(expected)
  })

  it.each([{ start: 10 }, { start: 11 }, { start: 10, end: 20 }])('%j begins past the end', async (range) => {
    await expect(disk.get('digits', { range })).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(disk.readStream('digits', { range })).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('of an empty file: from 0 and any suffix are no bytes', async () => {
    for (const range of [{ start: 0 }, { start: 0, end: 5 }, { suffix: 5 }]) expect(await disk.get('empty', { range })).toHaveLength(0)
    await expect(disk.get('empty', { range: { start: 1 } })).rejects.toMatchObject({ code: 'invalid_argument' })
  })
})

describe('JSON', () => {
  const positive = (async: boolean): StandardSchema<number> => ({
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        const result = typeof value === 'number' && value > 0 ? { value: value * 2 } : { issues: [{ message: 'not positive' }] }
        return async ? Promise.resolve(result) : result
      },
    },
  })

  it('is parsed, with or without a byte order mark', async () => {
    await disk.put('a.json', '\ufeff{"a":[1]}')
    expect(await disk.json('a.json')).toEqual({ a: [1] })
  })

  it('is an IntegrityError when it is none', async () => {
    for (const text of ['', '{', 'undefined', "{'a':1}"]) {
      await disk.put('a.json', text)
      await expect(disk.json('a.json')).rejects.toMatchObject({ code: 'corrupted', path: 'a.json', operation: 'read' })
    }
  })

  it.each([false, true])('is what a schema makes of it (async: %p)', async (async) => {
    await disk.put('n', '21')
    expect(await disk.json('n', { schema: positive(async) })).toBe(42)
    await disk.put('n', '-1')
    await expect(disk.json('n', { schema: positive(async) })).rejects.toMatchObject({ code: 'invalid_argument', path: 'n' })
    await disk.put('n', '{')
    await expect(disk.json('n', { schema: positive(async) })).rejects.toMatchObject({ code: 'corrupted' })
  })

  it('takes schemas that are functions', async () => {
    await disk.put('n', '4')
    const schema = Object.assign(() => undefined, positive(false))
    expect(await disk.json('n', { schema })).toBe(8)
  })
})

describe('facts', () => {
  it('come from one stat', async () => {
    await disk.put('a.txt', 'abc', { metadata: { k: 'v' }, visibility: 'public', cacheControl: 'no-store' })
    const stat = await disk.stat('a.txt')
    expect(stat).toMatchObject({
      path: 'a.txt',
      size: 3,
      contentType: 'text/plain',
      metadata: { k: 'v' },
      visibility: 'public',
      cacheControl: 'no-store',
    })
    expect(await disk.metadata('a.txt')).toEqual(stat)
    expect(await disk.size('a.txt')).toBe(3)
    expect(await disk.lastModified('a.txt')).toEqual(stat.lastModified)
    expect(await disk.mimeType('a.txt')).toBe('text/plain')
    expect(await disk.mimeType('digits')).toBeUndefined()
    expect(await disk.visibility('a.txt')).toBe('public')
    expect(await disk.visibility('digits')).toBe('private')
    await disk.setVisibility('a.txt', 'private')
    expect(await disk.visibility('a.txt')).toBe('private')
    await expect(disk.setVisibility('nope', 'public')).rejects.toMatchObject({ code: 'not_found', operation: 'setVisibility' })
    await expect(disk.setVisibility('a.txt', 'open' as never)).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('name files, directories, and both', async () => {
    await disk.put('d/e/a', 'x')
    const kinds = async (path: string): Promise<boolean[]> => [
      await disk.exists(path),
      await disk.missing(path),
      await disk.fileExists(path),
      await disk.directoryExists(path),
    ]
    expect(await kinds('d/e/a')).toEqual([true, false, true, false])
    expect(await kinds('d/e')).toEqual([true, false, false, true])
    expect(await kinds('d/e/')).toEqual(await kinds('d/e'))
    expect(await kinds('')).toEqual([true, false, false, true])
    expect(await kinds('nope')).toEqual([false, true, false, false])
    expect(await kinds('d/e/a/b')).toEqual([false, true, false, false])
  })

  it('of directories that are only implied', async () => {
    const store = recorded()
    const implied = new Disk(stub({ directories: undefined }, store))
    await implied.put('photos2/a', 'x')
    expect([await implied.directoryExists('photos2'), await implied.directoryExists('photos'), await implied.exists('photos')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('are no guess when the store does not say', async () => {
    const denied = new Disk(faulty(new MemoryDriver(), { error: new PermissionDeniedError() }))
    for (const call of [denied.exists('a'), denied.missing('a'), denied.fileExists('a'), denied.directoryExists('a')].map((p) =>
      p.catch((e: unknown) => e),
    )) {
      expect(await call).toMatchObject({ code: 'permission_denied' })
    }
  })

  it('have no visibility where the store has none', async () => {
    const none = new Disk(stub({ visibility: undefined }))
    await expect(none.visibility('a')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(none.setVisibility('a', 'public')).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('include checksums of the content', async () => {
    expect(await disk.checksum('digits')).toBe('84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882')
    expect(await disk.checksum('digits', { algorithm: 'md5', encoding: 'base64' })).toBe('eB5eJF1ptWaXm4bijSPyxw==')
    expect(await disk.checksum('digits', { algorithm: undefined, encoding: undefined })).toHaveLength(64)
    await expect(streamingShort().checksum('a')).rejects.toMatchObject({ code: 'unavailable' })
  })
})

function streamingShort(): Disk {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('ab')
  }
  return new Disk(stub({ read: async () => answer(body(), 5) }))
}

describe('a body that is not as long as its stat', () => {
  it('is never handed out as the file', async () => {
    await expect(streamingShort().get('a')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(streamingShort().text('a')).rejects.toMatchObject({ code: 'unavailable' })
  })
})
