/** What a reader asks the store for, and that it gives everything back. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { bytesContent, collect, discard, toReadable } from '../../../src/content.ts'
import { type EncryptedOptions, encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import type { Driver, Range, ReadOptions, ReadResult } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const key = generateKey()
const HEADER = 528
const SEGMENT = 65_536 + 16

interface Watched {
  readonly memory: MemoryDriver
  readonly driver: Driver
  /** The ranges that were asked for, and how many bytes each gave. */
  readonly reads: { readonly range: Range | undefined; bytes: number }[]
  /** Bodies that were neither read to their end nor given back. */
  readonly open: () => number
}

interface WatchOptions extends EncryptedOptions {
  readonly etags?: boolean
  readonly chunkBytes?: number
  /** Happens before a read, by its number. */
  readonly before?: (number: number) => Promise<void>
}

/** A store whose reads are counted, over a memory disk; its chunks are used again, as a pool would. */
function watch({ etags = true, chunkBytes = 100_000, before, ...options }: WatchOptions = { key }): Watched {
  const memory = new MemoryDriver()
  const reads: Watched['reads'] = []
  let open = 0
  const read = async (path: string, readOptions: ReadOptions): Promise<ReadResult> => {
    await before?.(reads.length)
    const { stat, body } = await MemoryDriver.prototype.read.call(memory, path, readOptions)
    const bytes = await collect(body)
    const seen = { range: readOptions.range, bytes: 0 }
    reads.push(seen)
    open++
    const pool = Buffer.alloc(chunkBytes)
    let at = 0
    let closed = false
    const close = (): void => {
      if (!closed) open--
      closed = true
    }
    const iterator: AsyncIterator<Uint8Array> = {
      next: async () => {
        if (closed || at >= bytes.byteLength) {
          close()
          return { done: true, value: undefined }
        }
        const length = bytes.copy(pool, 0, at, at + chunkBytes)
        at += length
        seen.bytes += length
        return { done: false, value: pool.subarray(0, length) }
      },
      return: async () => {
        close()
        return { done: true, value: undefined }
      },
    }
    return { stat: etags ? stat : { ...stat, etag: undefined }, body: { [Symbol.asyncIterator]: () => iterator } }
  }
  memory.read = read
  return { memory, reads, driver: encrypted(options)(memory), open: () => open }
}

async function bytesOf(driver: Driver, path: string, options: ReadOptions = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await driver.read(path, options)).body) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

describe('a range', () => {
  const plaintext = randomBytes(10 * 65_536 + 77)

  it.each<[string, Range, readonly (Range | undefined)[]]>([
    ['in the first segment: one read of header and segment', { start: 0, end: 1 }, [{ start: 0, end: HEADER + SEGMENT }]],
    ['over the first two segments: the same', { start: 65_000, end: 66_000 }, [{ start: 0, end: HEADER + 2 * SEGMENT }]],
    [
      'in the sixth segment: the header, and that segment',
      { start: 5 * 65_536, end: 5 * 65_536 + 9 },
      [
        { start: 0, end: HEADER },
        { start: HEADER + 5 * SEGMENT, end: HEADER + 6 * SEGMENT },
      ],
    ],
    [
      'at the end: the header, and the last segment',
      { suffix: 7 },
      [
        { start: 0, end: HEADER },
        { start: HEADER + 10 * SEGMENT, end: HEADER + 10 * SEGMENT + 77 + 16 },
      ],
    ],
    ['that is everything: the file as it is', { start: 0 }, [undefined]],
  ])('%s', async (_title, range, expected) => {
    const { driver, reads, open } = watch()
    await driver.write('file', bytesContent(plaintext), {})
    const slice = range.suffix === undefined ? plaintext.subarray(range.start, range.end) : plaintext.subarray(-range.suffix)
    expect((await bytesOf(driver, 'file', { range })).equals(slice)).toBe(true)
    expect(reads.map(({ range: asked }) => asked)).toEqual(expected)
    for (const { range: asked, bytes } of reads)
      if (asked?.start !== undefined) expect(bytes).toBeLessThanOrEqual((asked.end ?? 0) - asked.start)
    expect(open()).toBe(0)
  })

  it('is one read the second time, and says what the store says now', async () => {
    const { driver, memory, reads } = watch()
    await driver.write('file', bytesContent(plaintext), { visibility: 'private' })
    await bytesOf(driver, 'file', { range: { start: 200_000, end: 200_001 } })
    reads.length = 0
    await memory.visibility.set('file', 'public', {})
    const { stat, body } = await driver.read('file', { range: { start: 400_000, end: 500_000 } })
    expect((await collect(body)).equals(plaintext.subarray(400_000, 500_000))).toBe(true)
    expect(reads).toHaveLength(1)
    expect(stat).toMatchObject({ size: plaintext.byteLength, visibility: 'public' })
  })

  it.each([true, false])('never mixes two versions while others overwrite the file (etags: %s)', async (etags) => {
    const versions = [1, 2, 3].map((version) => Buffer.alloc(300_000, version))
    const written: Buffer[] = []
    const store: { driver?: Driver } = {}
    const overwrite = async (number: number): Promise<void> => {
      const next = number === 1 || number === 2 ? versions[number] : undefined
      if (next !== undefined) await store.driver?.write('file', bytesContent(next), {})
    }
    const watched = watch({ key, etags, before: overwrite })
    store.driver = watched.driver
    await watched.driver.write('file', bytesContent(versions[0] as Buffer), {})
    const range = { start: 70_000, end: 290_000 }
    const outcome = await bytesOf(watched.driver, 'file', { range }).catch((error: unknown) => (error as { code: string }).code)
    if (typeof outcome === 'string')
      expect(outcome).toBe('corrupted') // without etags a segment of another version does not open
    else written.push(outcome)
    for (const bytes of written) expect(versions.some((version) => version.subarray(range.start, range.end).equals(bytes))).toBe(true)
    expect(typeof outcome === 'string').toBe(!etags)
    // What was read before does not stand in the way of what is there now.
    expect((await bytesOf(watched.driver, 'file', { range: { start: 299_000, end: 300_000 } })).every((byte) => byte === 3)).toBe(true)
    expect(watched.open()).toBe(0)
  })

  it('asks again where nothing tells whether the file is the same', async () => {
    const { driver, memory } = watch({ key, etags: false })
    for (const content of ['first version', 'other version']) {
      await driver.write('file', bytesContent(Buffer.from(content)), {})
      expect((await bytesOf(driver, 'file', { range: { start: 2, end: 5 } })).toString()).toBe(content.slice(2, 5))
    }
    expect(memory.files.size).toBe(1)
  })

  it('of a version that is no longer there is refused, however often it was read', async () => {
    const { driver } = watch()
    await driver.write('file', bytesContent(plaintext), {})
    const { etag: ifMatch } = await driver.stat('file', {})
    await bytesOf(driver, 'file', { range: { start: 100_000, end: 100_001 }, ifMatch })
    await driver.write('file', bytesContent(plaintext), {})
    await expect(driver.read('file', { range: { start: 100_000, end: 100_001 }, ifMatch })).rejects.toMatchObject({
      code: 'precondition_failed',
    })
    await expect(driver.stat('file', { ifMatch })).rejects.toMatchObject({ code: 'precondition_failed' })
  })
})

describe('a body', () => {
  const plaintext = randomBytes(1_000_000)

  it.each([1_000, 100_000, 2_000_000])('is given back wherever it is left, in chunks of %i bytes', async (chunkBytes) => {
    const { driver, open } = watch({ key, chunkBytes })
    await driver.write('file', bytesContent(plaintext), {})
    for (const range of [undefined, { start: 0, end: 70_000 }, { start: 300_000, end: 900_000 }, { suffix: 400_000 }]) {
      await discard((await driver.read('file', { range })).body)
      expect(open()).toBe(0)
      for await (const chunk of (await driver.read('file', { range })).body) if (chunk.byteLength > 0) break
      expect(open()).toBe(0)
      const stream = toReadable((await driver.read('file', { range })).body)
      stream.destroy()
      await new Promise((resolve) => stream.once('close', resolve))
      expect(open()).toBe(0)
    }
  })

  it('is given back when it is damaged, cut, no encrypted file, or of a key that nobody has', async () => {
    const { driver, memory, open } = watch({ key })
    await driver.write('file', bytesContent(plaintext), {})
    const bytes = Buffer.from(memory.files.get('file')?.bytes ?? [])
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(200_000) ^ 1, 200_000)
    const flippedHeader = Buffer.from(bytes)
    flippedHeader.writeUInt8(flippedHeader.readUInt8(60) ^ 1, 60)
    const other = new MemoryDriver()
    await encrypted({ keys: { other: generateKey() } })(other).write('file', bytesContent(plaintext), {})
    const others = Buffer.from(other.files.get('file')?.bytes ?? [])
    // 500 + 8 makes a length that no file has, behind a header that is right.
    for (const damaged of [flipped, flippedHeader, bytes.subarray(0, 300), bytes.subarray(0, HEADER + 8), Buffer.from('plain'), others]) {
      await memory.write('file', bytesContent(damaged), {})
      for (const range of [undefined, { start: 199_000, end: 201_000 }, { start: 0, end: 1 }]) {
        await bytesOf(driver, 'file', { range }).catch((error: unknown) => error)
        expect(open()).toBe(0)
      }
    }
  })

  it('comes through chunks of a byte, and chunks that are used again', async () => {
    const { driver } = watch({ key, chunkBytes: 1 })
    await driver.write('file', bytesContent(plaintext.subarray(0, 70_000)), {})
    expect((await bytesOf(driver, 'file')).equals(plaintext.subarray(0, 70_000))).toBe(true)
    expect((await bytesOf(driver, 'file', { range: { start: 10, end: 69_999 } })).equals(plaintext.subarray(10, 69_999))).toBe(true)
  })

  it('that waits for a chunk gives its source back at once', async () => {
    const { memory } = watch()
    const inner = encrypted({ key })(memory)
    await inner.write('file', bytesContent(plaintext), {})
    let given = false
    let finish = (): void => undefined
    const stalled: AsyncIterator<Uint8Array> = {
      next: () => new Promise((resolve) => void (finish = () => resolve({ done: true, value: undefined }))),
      return: async () => {
        given = true
        finish()
        return { done: true, value: undefined }
      },
    }
    const first = (memory.files.get('file')?.bytes ?? new Uint8Array()).subarray(0, HEADER + 10)
    let sent = false
    const next = stalled.next.bind(stalled)
    stalled.next = () => (sent ? next() : ((sent = true), Promise.resolve({ done: false, value: first })))
    const stat = await memory.stat('file', {})
    memory.read = async () => ({ stat, body: { [Symbol.asyncIterator]: () => stalled } })
    const stream = toReadable((await inner.read('file', {})).body)
    stream.on('error', () => undefined).resume()
    await new Promise((resolve) => setImmediate(resolve))
    stream.destroy()
    await new Promise((resolve) => stream.once('close', resolve))
    expect(given).toBe(true)
  })
})

describe('an aborted call', () => {
  it('asks neither the store nor for keys', async () => {
    const { memory, reads } = watch()
    let asked = 0
    const keyProvider = { load: async () => ({ keys: { k1: (asked++, key) } }) }
    const driver = encrypted({ keyProvider })(memory)
    const signal = AbortSignal.abort('enough')
    await expect(driver.stat('file', { signal })).rejects.toBe('enough')
    await expect(driver.read('file', { signal })).rejects.toBe('enough')
    await expect(driver.write('file', bytesContent(Buffer.from('x')), { signal })).rejects.toBe('enough')
    expect([asked, reads.length]).toEqual([0, 0])
  })
})

describe('a listing', () => {
  it('has the sizes of what is inside, also where plain files lie beside encrypted ones', async () => {
    const { driver, memory, reads } = watch({ key, passthrough: 'read' })
    await driver.write('a', bytesContent(Buffer.alloc(70_000)), {})
    await memory.write('b', bytesContent(Buffer.alloc(70_000)), {})
    const sizes = async (stat?: boolean): Promise<unknown> =>
      (await driver.list('', { stat })).entries.map((entry) => 'size' in entry && entry.size)
    await expect(sizes()).resolves.toEqual([70_000, 70_000])
    reads.length = 0
    await expect(sizes(false)).resolves.toEqual([false, false])
    expect(reads).toHaveLength(0)
  })

  it('leaves the size out of what is no encrypted file', async () => {
    const { driver, memory } = watch()
    await memory.write('a', bytesContent(Buffer.alloc(100)), {})
    expect((await driver.list('', {})).entries).toEqual([
      { type: 'file', path: 'a', lastModified: expect.any(Date), etag: expect.any(String) },
    ])
  })
})
