/** Files under another header: nothing of them is lost, whatever happens meanwhile. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { bytesContent } from '../../../src/content.ts'
import { type EncryptedOptions, encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { recoveryIdentity } from '../../../src/decorators/encrypted/identities.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver, ReadOptions } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const one = generateKey()
const two = generateKey()
const disk = (memory: Driver, options: EncryptedOptions): Disk => new Disk(encrypted(options)(memory))
const before: EncryptedOptions = { keys: { k1: one } }
const after: EncryptedOptions = { keys: { k2: two, k1: one } }
const content = randomBytes(200_000)

/** A store without conditions, and without etags where it says so: an FTP server. */
function unconditional(memory: MemoryDriver, etags: boolean): Driver {
  const [read, stat] = [memory.read.bind(memory), memory.stat.bind(memory)]
  Object.defineProperty(memory, 'supports', { value: { ...memory.supports, ifMatch: false } })
  if (etags) return memory
  memory.stat = async (...args) => ({ ...(await stat(...args)), etag: undefined })
  memory.read = async (...args) => {
    const result = await read(...args)
    return { ...result, stat: { ...result.stat, etag: undefined } }
  }
  return memory
}

describe('rewrap', () => {
  it.each<[string, EncryptedOptions]>([
    ['age', {}],
    ['tink', { format: 'tink' }],
  ])('keeps type, encoding, metadata and visibility, %s', async (_format, options) => {
    const memory = new MemoryDriver()
    const facts = {
      contentType: 'image/png',
      contentEncoding: 'gzip',
      cacheControl: 'no-store',
      metadata: { by: 'ada' },
      visibility: 'public',
    } as const
    await disk(memory, { ...before, ...options }).put('a.bin', content, facts)
    const [stat, read] = [memory.stat.bind(memory), memory.read.bind(memory)]
    // Some stores tell the visibility only when they are asked for it.
    memory.stat = async (...args) => ({ ...(await stat(...args)), visibility: undefined })
    memory.read = async (...args) => {
      const result = await read(...args)
      return { ...result, stat: { ...result.stat, visibility: undefined } }
    }
    const both = disk(memory, { ...after, ...options })
    await expect(both.layer('encrypted')?.rewrap('a.bin')).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    const only = disk(memory, { keys: { k2: two }, ...options })
    expect((await only.get('a.bin')).equals(content)).toBe(true)
    await expect(only.stat('a.bin')).resolves.toMatchObject({ size: 200_000, ...facts, visibility: undefined })
    await expect(only.visibility('a.bin')).resolves.toBe('public')
  })

  it.each([
    ['with conditions', (memory: MemoryDriver): Driver => memory],
    ['with etags alone', (memory: MemoryDriver): Driver => unconditional(memory, true)],
    ['without etags', (memory: MemoryDriver): Driver => unconditional(memory, false)],
  ])('leaves what somebody wrote meanwhile, on a store %s', async (_title, storeOf) => {
    for (const format of ['age', 'tink'] as const) {
      const memory = new MemoryDriver()
      await disk(memory, { ...before, format }).put('a.bin', content)
      const store = storeOf(memory)
      const write = memory.write.bind(memory)
      let raced = false
      memory.write = async (path, bytes, options) => {
        if (!raced) {
          raced = true
          await disk(store, { ...after, format }).put('a.bin', 'the newer one')
        }
        return write(path, bytes, options)
      }
      const layer = disk(store, { ...after, format }).layer('encrypted')
      await expect(layer?.rewrap('a.bin')).rejects.toMatchObject({ code: 'precondition_failed' })
      await expect(disk(store, { ...after, format }).text('a.bin')).resolves.toBe('the newer one')
    }
  })

  it('leaves the file as it is when its bytes end early, and when the store fails', async () => {
    for (const format of ['age', 'tink'] as const) {
      const memory = new MemoryDriver()
      await disk(memory, { ...before, format }).put('a.bin', content)
      const stored = memory.files.get('a.bin')
      const layer = disk(memory, { ...after, format }).layer('encrypted')
      const [read, write] = [memory.read.bind(memory), memory.write.bind(memory)]
      memory.read = async (path: string, options: ReadOptions) => {
        const { stat, body } = await read(path, options)
        const cut = Buffer.from(await (body.bytes as () => Promise<Uint8Array>)()).subarray(0, 150_000)
        return { stat, body: bytesContent(cut).stream() }
      }
      await expect(layer?.rewrap('a.bin')).rejects.toMatchObject({ code: 'unavailable' })
      memory.read = read
      memory.write = () => Promise.reject(new Error('the store is gone'))
      await expect(layer?.rewrap('a.bin')).rejects.toThrow('the store is gone')
      memory.write = write
      expect(memory.files.get('a.bin')).toBe(stored)
      expect((await disk(memory, { ...before, format }).get('a.bin')).equals(content)).toBe(true)
    }
  })

  it('adds a recovery stanza where there is none, and for another recipient when told to', async () => {
    const memory = new MemoryDriver()
    await disk(memory, { key: one }).put('a.bin', content)
    const recovering = disk(memory, { key: one, recovery: true }).layer('encrypted')
    await expect(recovering?.rewrap('')).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    await expect(recovering?.rewrap('')).resolves.toEqual({ rewrapped: 0, unchanged: 1 })
    await expect(recovering?.rewrap('', { all: true })).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    const rescued = disk(memory, { key: two, recover: recoveryIdentity(one) })
    expect((await rescued.get('a.bin')).equals(content)).toBe(true)
  })

  it('binds files that are bound to nothing only when told to, and never those that are bound elsewhere', async () => {
    const memory = new MemoryDriver()
    await disk(memory, { key: one }).put('a.bin', content)
    const bound = disk(memory, { key: one, bind: 'path' })
    const layer = bound.layer('encrypted')
    await expect(layer?.rewrap('a.bin')).rejects.toMatchObject({ code: 'corrupted' })
    await expect(layer?.rewrap('a.bin', { unbound: true })).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    expect((await bound.get('a.bin')).equals(content)).toBe(true)
    await new Disk(memory).copy('a.bin', 'b.bin')
    await expect(layer?.rewrap('b.bin', { unbound: true })).rejects.toMatchObject({ code: 'corrupted' })
  })

  it('encrypts what is not while migrating', async () => {
    const memory = new MemoryDriver()
    await new Disk(memory).put('a.txt', 'plain', { metadata: { by: 'ada' }, visibility: 'public' })
    const migrating = disk(memory, { key: one, passthrough: 'read' })
    await expect(migrating.layer('encrypted')?.rewrap('')).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    await expect(migrating.layer('encrypted')?.rewrap('')).resolves.toEqual({ rewrapped: 0, unchanged: 1 })
    const strict = disk(memory, { key: one })
    await expect(strict.text('a.txt')).resolves.toBe('plain')
    await expect(strict.stat('a.txt')).resolves.toMatchObject({ contentType: 'text/plain', metadata: { by: 'ada' } })
    await expect(strict.visibility('a.txt')).resolves.toBe('public')
  })
})

describe('a copy', () => {
  it.each<[string, EncryptedOptions]>([
    ['on ciphertext', { key: one }],
    ['bound', { key: one, bind: 'path' }],
    ['bound, as Tink', { key: one, bind: 'path', format: 'tink' }],
    ['bound, while migrating', { key: one, bind: 'path', passthrough: 'read' }],
  ])('keeps what is not said, and takes what is: %s', async (_title, options) => {
    const vault = disk(new MemoryDriver(), options)
    await vault.put('a.bin', content, { contentType: 'image/png', metadata: { by: 'ada' }, visibility: 'public' })
    await vault.copy('a.bin', 'b.bin')
    await vault.copy('a.bin', 'c.bin', { contentType: 'image/gif', metadata: { by: 'bob' } })
    await expect(vault.stat('b.bin')).resolves.toMatchObject({ contentType: 'image/png', metadata: { by: 'ada' } })
    await expect(vault.stat('c.bin')).resolves.toMatchObject({ contentType: 'image/gif', metadata: { by: 'bob' } })
    await expect(vault.visibility('b.bin')).resolves.toBe('public')
    await expect(vault.copy('a.bin', 'b.bin', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await expect(vault.move('a.bin', 'b.bin', { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await vault.move('a.bin', 'd.bin')
    for (const path of ['b.bin', 'c.bin', 'd.bin']) expect((await vault.get(path)).equals(content)).toBe(true)
    await expect(vault.exists('a.bin')).resolves.toBe(false)
  })

  it('between two encrypted disks is decrypted and encrypted, with its type', async () => {
    const [left, right] = [new MemoryDriver(), new MemoryDriver()]
    const from = disk(left, { key: one })
    const to = disk(right, { key: two, format: 'tink' })
    await from.put('a.bin', content, { contentType: 'image/png', metadata: { by: 'ada' } })
    await from.copyTo(to, 'a.bin', 'b.bin')
    await from.moveTo(to, 'a.bin', 'c.bin')
    for (const path of ['b.bin', 'c.bin']) {
      expect((await to.get(path)).equals(content)).toBe(true)
      await expect(to.stat(path)).resolves.toMatchObject({ contentType: 'image/png', metadata: { by: 'ada' }, size: 200_000 })
    }
    expect(left.files.size).toBe(0)
    expect(right.files.get('b.bin')?.stat.contentType).toBe('application/octet-stream')
  })
})

describe('a write', () => {
  it('tells the size of what was given, checks the checksum of it, and appends by rewriting', async () => {
    const memory = new MemoryDriver()
    const vault = disk(memory, { key: one })
    await expect(vault.put('a.txt', 'hello')).resolves.toMatchObject({ size: 5 })
    const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    await vault.put('a.txt', 'hello', { checksum: { algorithm: 'sha256', value: sha256 } })
    await expect(vault.checksum('a.txt')).resolves.toMatch(sha256)
    await expect(vault.put('a.txt', 'other', { checksum: { algorithm: 'sha256', value: sha256 } })).rejects.toMatchObject({
      code: 'corrupted',
    })
    await expect(vault.append('a.txt', ' world')).resolves.toMatchObject({ size: 11 })
    await expect(vault.text('a.txt')).resolves.toBe('hello world')
  })

  it('seals small content anew for every stream, and once for those who take its bytes', async () => {
    const memory = new MemoryDriver()
    const heads = new Set<string>()
    memory.write = async (_path, { bytes, ...rest }, _options) => {
      if (bytes === undefined) throw new Error('small content is bytes')
      expect(rest.size).toBe(bytes.byteLength)
      heads.add(Buffer.from(bytes).toString('latin1', 0, 528))
      for (let reading = 0; reading < 2; reading++)
        for await (const chunk of rest.stream()) heads.add(Buffer.from(chunk).toString('latin1', 0, 528))
      return { size: bytes.byteLength }
    }
    await disk(memory, { key: one }).put('a.txt', 'hello')
    expect(heads.size).toBe(3)
  })
})
