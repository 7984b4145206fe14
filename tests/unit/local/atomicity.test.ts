import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { collect, discard, toContent, toReadable } from '../../../src/content.ts'
import { LocalDriver } from '../../../src/drivers/local/local-driver.ts'
import { codeOf, freshDirectory, namesIn, openDescriptors, put, text } from './local-disk.ts'

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

describe('replacing a file', () => {
  it('shows 300 readers the old or the new content, whole', async () => {
    const size = 256 * 1024
    await put(driver, 'file', Buffer.alloc(size, 'a'))
    let reading = true
    const writer = (async () => {
      for (let round = 0; reading; round++) await put(driver, 'file', Buffer.alloc(size, 'abcdefgh'[round % 8]))
    })()
    const readOne = async (): Promise<boolean> => {
      const bytes = await collect((await driver.read('file', {})).body)
      return bytes.byteLength === size && bytes.every((byte) => byte === bytes[0])
    }
    const whole = await Promise.all(Array.from({ length: 300 }, readOne))
    reading = false
    await writer
    expect(whole.filter(Boolean)).toHaveLength(300)
    expect(await namesIn(directory.path)).toEqual(['file'])
  })

  it('leaves the old file and no other when the source fails midway', async () => {
    await put(driver, 'file', 'old')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(300_000)
      yield Buffer.alloc(300_000)
      throw Object.assign(new Error('the source broke'), { code: 'ENOENT' })
    }
    await expect(put(driver, 'file', failing())).rejects.toThrow('the source broke')
    expect(await text(driver, 'file')).toBe('old')
    expect(await namesIn(directory.path)).toEqual(['file'])
  })

  it('leaves the old file and no other when it is aborted while the source hangs', async () => {
    await put(driver, 'file', 'old')
    const controller = new AbortController()
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10)
      await new Promise(() => undefined)
    }
    const writing = put(driver, 'file', hanging(), { signal: controller.signal })
    await sleep(20)
    controller.abort(new Error('enough'))
    await expect(writing).rejects.toThrow('enough')
    expect(await text(driver, 'file')).toBe('old')
    expect(await namesIn(directory.path)).toEqual(['file'])
  })

  it('touches nothing when the signal is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('no'))
    await expect(put(driver, 'a/b', 'x', { signal })).rejects.toThrow('no')
    await expect(driver.read('a/b', { signal })).rejects.toThrow('no')
    await expect(driver.list('', { signal })).rejects.toThrow('no')
    await expect(driver.delete(['a'], { signal })).rejects.toThrow('no')
    expect(await namesIn(directory.path)).toEqual([])
  })

  it('refuses content of another length than it says', async () => {
    await put(driver, 'file', 'old')
    const content = { ...toContent('short'), size: 9 }
    expect(await codeOf(driver.write('file', content, {}))).toBe('unavailable')
    expect(await text(driver, 'file')).toBe('old')
    expect(await namesIn(directory.path)).toEqual(['file'])
  })

  it('writes streams of many small chunks in their order', async () => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 20_000; n++) yield Buffer.from(`${n}\n`)
    }
    await put(driver, 'file', chunks())
    const lines = (await readFile(join(directory.path, 'file'), 'utf8')).trim().split('\n')
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, n) => String(n)))
  })

  it('makes a file durable on request', async () => {
    const durable = new LocalDriver({ root: join(directory.path, 'deep/root'), durable: true })
    await put(durable, 'a/b/c.txt', 'x', { metadata: { k: 'v' } })
    await durable.copy('a/b/c.txt', 'd/e.txt', {})
    await durable.move('d/e.txt', 'f/g.txt', {})
    await durable.append('f/h.txt', toContent('y'), {})
    expect(await text(durable, 'f/g.txt')).toBe('x')
    expect((await durable.stat('f/g.txt', {})).metadata).toEqual({ k: 'v' })
    await durable.close()
  })
})

describe('conditions', () => {
  it.each([false, true])('lets one of 50 concurrent ifAbsent writers win (with metadata: %p)', async (withMetadata) => {
    const writers = Array.from({ length: 50 }, (_, n) =>
      codeOf(
        put(new LocalDriver({ root: directory.path }), 'a/one', `writer ${n}`, {
          ifAbsent: true,
          ...(withMetadata && { metadata: { n: String(n) } }),
        }),
      ),
    )
    const codes = await Promise.all(writers)
    expect(codes.filter((code) => code === undefined)).toHaveLength(1)
    expect(codes.filter((code) => code === 'already_exists')).toHaveLength(49)
    const winner = codes.indexOf(undefined)
    expect(await text(driver, 'a/one')).toBe(`writer ${winner}`)
    expect((await driver.stat('a/one', {})).metadata).toEqual(withMetadata ? { n: String(winner) } : undefined)
    expect((await namesIn(join(directory.path, 'a'))).filter((name) => !name.includes('-meta-'))).toEqual(['one'])
  })

  it('loses no increment of 50 that write only over what they read', async () => {
    await put(driver, 'counter', '0')
    const increment = async (): Promise<void> => {
      for (;;) {
        const { stat, body } = await driver.read('counter', {})
        const next = String(Number(await collect(body)) + 1)
        if ((await codeOf(put(driver, 'counter', next, { ifMatch: stat.etag }))) === undefined) return
      }
    }
    await Promise.all(Array.from({ length: 50 }, increment))
    expect(await text(driver, 'counter')).toBe('50')
    expect(await namesIn(directory.path)).toEqual(['counter'])
  })

  it('never gives two versions that were written under a condition one etag', async () => {
    let etag = (await put(driver, 'file', 'x')).etag
    const seen = new Set([etag])
    for (let n = 0; n < 200; n++) {
      etag = (await put(driver, 'file', 'x', { ifMatch: etag })).etag
      seen.add(etag)
    }
    expect(seen.size).toBe(201)
    expect((await driver.stat('file', {})).etag).toBe(etag)
  })

  it('refuses ifMatch on a missing file, and on one that changed in place', async () => {
    expect(await codeOf(put(driver, 'none', 'x', { ifMatch: '"1"' }))).toBe('precondition_failed')
    const { etag } = await put(driver, 'file', 'one')
    await writeFile(join(directory.path, 'file'), 'other')
    expect(await codeOf(put(driver, 'file', 'x', { ifMatch: etag }))).toBe('precondition_failed')
    expect(await codeOf(driver.read('file', { ifMatch: etag }))).toBe('precondition_failed')
    expect(await codeOf(driver.stat('file', { ifMatch: etag }))).toBe('precondition_failed')
    expect(await text(driver, 'file')).toBe('other')
    expect(await namesIn(directory.path)).toEqual(['file'])
  })

  it('replaces a name that is reserved where there are no hard links', async () => {
    const { renameOverReservation } = await import('../../../src/drivers/local/atomic-write.ts')
    const { rename } = await import('node:fs/promises')
    await writeFile(join(directory.path, 'temp'), 'new')
    await renameOverReservation(join(directory.path, 'temp'), join(directory.path, 'file'), rename)
    expect(await text(driver, 'file')).toBe('new')
    await writeFile(join(directory.path, 'temp'), 'newer')
    await expect(renameOverReservation(join(directory.path, 'temp'), join(directory.path, 'file'), rename)).rejects.toMatchObject({
      code: 'EEXIST',
    })
    expect(await text(driver, 'file')).toBe('new')
  })
})

describe('bodies', () => {
  it('leak no descriptor when 50 are destroyed early, unread, or discarded', async () => {
    await put(driver, 'big', Buffer.alloc(3_000_000, 1))
    await driver.close()
    const before = await openDescriptors()
    for (let n = 0; n < 50; n++) {
      const stream = toReadable((await driver.read('big', {})).body)
      if (n % 2 === 0) await new Promise((resolve) => stream.once('data', resolve))
      await new Promise((resolve) => stream.once('close', resolve).destroy())
      await discard((await driver.read('big', {})).body)
      const iterator = (await driver.read('big', {})).body[Symbol.asyncIterator]()
      await iterator.next()
      await iterator.return?.()
    }
    expect(await openDescriptors()).toBe(before)
  })

  it('of small files hold nothing, read or not', async () => {
    await put(driver, 'small', Buffer.alloc(1_000))
    await driver.close()
    const before = await openDescriptors()
    const held = await Promise.all(Array.from({ length: 20 }, () => driver.read('small', {})))
    expect(await openDescriptors()).toBe(before)
    expect(held).toHaveLength(20)
  })

  it('are what was opened, also when the file is replaced or deleted meanwhile', async () => {
    await put(driver, 'big', Buffer.alloc(3_000_000, 'a'))
    const { body } = await driver.read('big', {})
    await put(driver, 'big', 'replaced')
    await driver.delete(['big'], {})
    expect((await collect(body)).equals(Buffer.alloc(3_000_000, 'a'))).toBe(true)
  })

  it('give ranges by offset, large and small', async () => {
    const bytes = Buffer.from(Array.from({ length: 2_000_000 }, (_, n) => n % 251))
    await put(driver, 'big', bytes)
    const range = async (range: object): Promise<Buffer> => collect((await driver.read('big', { range: range as { start: number } })).body)
    expect((await range({ start: 10, end: 20 })).equals(bytes.subarray(10, 20))).toBe(true)
    expect((await range({ start: 5, end: 1_500_000 })).equals(bytes.subarray(5, 1_500_000))).toBe(true)
    expect((await range({ suffix: 3 })).equals(bytes.subarray(-3))).toBe(true)
    expect((await range({ start: 1_999_999, end: 9e9 })).equals(bytes.subarray(-1))).toBe(true)
    expect(await codeOf(range({ start: 2_000_000 }))).toBe('invalid_argument')
  })

  it('say so when the file is cut while it is read', async () => {
    await put(driver, 'big', Buffer.alloc(3_000_000))
    const { body } = await driver.read('big', {})
    await writeFile(join(directory.path, 'big'), 'short')
    expect(await codeOf(collect(body))).toBe('unavailable')
  })

  it('end with the reason of an abort, and close', async () => {
    await put(driver, 'big', Buffer.alloc(3_000_000))
    await driver.close()
    const before = await openDescriptors()
    const controller = new AbortController()
    const { body } = await driver.read('big', { signal: controller.signal })
    const iterator = body[Symbol.asyncIterator]()
    await iterator.next()
    controller.abort(new Error('enough'))
    await expect(iterator.next()).rejects.toThrow('enough')
    expect(await openDescriptors()).toBe(before)
  })
})
