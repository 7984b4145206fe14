import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type EncryptedOptions, encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { recoveryIdentity } from '../../../src/decorators/encrypted/identities.ts'
import {
  envKeys,
  fileKeys,
  type KeyManagement,
  kmsKeys,
  passphraseKey,
  wrapNewKey,
} from '../../../src/decorators/encrypted/key-providers.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const one = generateKey()
const two = generateKey()

function disk(memory: MemoryDriver, options: EncryptedOptions): Disk {
  return new Disk(encrypted(options)(memory), { name: 'vault' })
}

async function written(options: EncryptedOptions): Promise<MemoryDriver> {
  const memory = new MemoryDriver()
  await disk(memory, options).put('a.txt', 'a secret')
  return memory
}

function refusal(options: EncryptedOptions): string {
  try {
    encrypted(options)
  } catch (error) {
    expect(error).toMatchObject({ code: 'configuration' })
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('a key', () => {
  it('is 32 random bytes in base64', () => {
    expect(Buffer.from(one, 'base64')).toHaveLength(32)
    expect(one).not.toBe(two)
  })

  it.each(['', 'short', 'x'.repeat(32), Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), `${one}!`])(
    'is not %j',
    (key) => {
      const message = refusal({ key })
      expect(message).toContain('generateKey()')
      if (key.length > 5) expect(message).not.toContain(key)
    },
  )

  it('may have the prefix that Laravel writes, and a line feed from a file', async () => {
    const memory = await written({ key: `base64:${one}\n` })
    await expect(disk(memory, { key: one }).text('a.txt')).resolves.toBe('a secret')
  })

  it.each<[string, EncryptedOptions]>([
    ['none', {}],
    ['two ways', { key: one, keys: { k: one } }],
    ['no keys', { keys: {} }],
    ['only unset keys', { keys: { k1: undefined } }],
    ['a primary that is none', { keys: { k1: one }, primary: 'k2' }],
    ['a primary of a single key', { key: one, primary: 'k1' }],
    ['an id with a space', { keys: { 'k 1': one } }],
    ['a recipient that is none', { key: one, recovery: 'age1qqqq' }],
    ['an identity that is none', { key: one, recover: 'AGE-SECRET-KEY-1QQQQ' }],
  ])('is refused when there is %s', (_title, options) => {
    expect(refusal(options)).not.toContain(one)
  })

  it('that is wrong is an IntegrityError, and one that is not there a KeyNotFoundError that names it', async () => {
    const single = await written({ key: one })
    await expect(disk(single, { key: two }).get('a.txt')).rejects.toMatchObject({ code: 'corrupted', path: 'a.txt', disk: 'vault' })
    const named = await written({ keys: { k1: one } })
    await expect(disk(named, { keys: { k1: two } }).get('a.txt')).rejects.toMatchObject({ code: 'corrupted' })
    await expect(disk(named, { keys: { k2: one } }).get('a.txt')).rejects.toMatchObject({
      code: 'key_not_found',
      message: expect.stringContaining('"k1"'),
    })
    const tink = await written({ key: one, format: 'tink' })
    await expect(disk(tink, { key: two, format: 'tink' }).get('a.txt')).rejects.toMatchObject({ code: 'corrupted' })
  })

  it('can be given a name later, and more keys beside it', async () => {
    const memory = await written({ key: one })
    await expect(disk(memory, { keys: { k2: two, k1: one } }).text('a.txt')).resolves.toBe('a secret')
    const named = await written({ keys: { k1: one } })
    await expect(disk(named, { key: one }).text('a.txt')).resolves.toBe('a secret')
    await expect(disk(named, { key: two }).text('a.txt')).rejects.toMatchObject({ code: 'key_not_found' })
  })

  it('of several opens what each of them encrypted', async () => {
    for (const format of ['age', 'tink'] as const) {
      const memory = await written({ keys: { k1: one }, format })
      const both = disk(memory, { keys: { k1: one, k2: two }, primary: 'k2', format })
      await both.put('b.txt', 'another')
      await expect(both.text('a.txt')).resolves.toBe('a secret')
      await expect(disk(memory, { keys: { k2: two }, format }).text('b.txt')).resolves.toBe('another')
      await expect(disk(memory, { keys: { k1: one }, format }).text('b.txt')).rejects.toMatchObject({
        code: format === 'age' ? 'key_not_found' : 'corrupted',
      })
    }
  })
})

describe('a file that is not encrypted', () => {
  it('is an error, unless it may be read while migrating', async () => {
    const memory = new MemoryDriver()
    const plain = new Disk(memory)
    for (const [path, content] of Object.entries({ 'long.txt': 'plain text '.repeat(100), 'short.txt': 'x', 'empty.txt': '' })) {
      await plain.put(path, content)
      const strict = disk(memory, { key: one })
      await expect(strict.get(path)).rejects.toMatchObject({ code: 'corrupted' })
      const migrating = disk(memory, { key: one, passthrough: 'read' })
      await expect(migrating.text(path)).resolves.toBe(content)
      await expect(migrating.size(path)).resolves.toBe(content.length)
      if (content.length > 10) await expect(migrating.text(path, { range: { start: 2, end: 9 } })).resolves.toBe(content.slice(2, 9))
      await migrating.put(path, await migrating.get(path))
      await expect(strict.text(path)).resolves.toBe(content)
    }
  })
})

describe('a file bound to its path', () => {
  it('opens at no other path, and moves and copies through the disk', async () => {
    for (const format of ['age', 'tink'] as const) {
      const memory = new MemoryDriver()
      const bound = disk(memory, { key: one, bind: 'path', format })
      await bound.put('a.txt', 'for a')
      await bound.put('b.txt', 'for b')
      await new Disk(memory).copy('a.txt', 'b.txt')
      await expect(bound.get('b.txt')).rejects.toMatchObject({ code: 'corrupted' })
      await bound.copy('a.txt', 'c.txt')
      await bound.move('a.txt', 'd.txt')
      await expect(bound.text('c.txt')).resolves.toBe('for a')
      await expect(bound.text('d.txt')).resolves.toBe('for a')
      await expect(bound.exists('a.txt')).resolves.toBe(false)
    }
  })
})

describe('rewrap', () => {
  it('puts files under the primary key and leaves their payloads as they are', async () => {
    const memory = await written({ keys: { k1: one } })
    const old = disk(memory, { keys: { k1: one } })
    await old.put('deep/b.bin', Buffer.alloc(300_000, 7), { metadata: { by: 'ada' }, contentType: 'image/png' })
    const before = await new Disk(memory).get('deep/b.bin')
    const both = disk(memory, { keys: { k1: one, k2: two }, primary: 'k2' })
    const layer = both.layer('encrypted')
    await both.put('new.txt', 'new')
    await expect(layer?.rewrap('')).resolves.toEqual({ rewrapped: 2, unchanged: 1 })
    await expect(layer?.rewrap('deep/b.bin')).resolves.toEqual({ rewrapped: 0, unchanged: 1 })
    const after = await new Disk(memory).get('deep/b.bin')
    expect(after.subarray(512).equals(before.subarray(512))).toBe(true)
    expect(after.subarray(0, 512).equals(before.subarray(0, 512))).toBe(false)
    const only = disk(memory, { keys: { k2: two } })
    await expect(only.text('a.txt')).resolves.toBe('a secret')
    await expect(only.stat('deep/b.bin')).resolves.toMatchObject({ size: 300_000, contentType: 'image/png', metadata: { by: 'ada' } })
    await expect(old.get('a.txt')).rejects.toMatchObject({ code: 'key_not_found' })
  })

  it('binds files that were not, and encrypts anew with Tink', async () => {
    const memory = await written({ key: one })
    const bound = disk(memory, { key: one, bind: 'path' })
    await expect(bound.get('a.txt')).rejects.toMatchObject({ code: 'corrupted' })
    const tink = await written({ keys: { k1: one }, format: 'tink' })
    const both = disk(tink, { keys: { k2: two, k1: one }, format: 'tink' })
    await expect(both.layer('encrypted')?.rewrap('')).resolves.toEqual({ rewrapped: 1, unchanged: 0 })
    await expect(disk(tink, { keys: { k2: two }, format: 'tink' }).text('a.txt')).resolves.toBe('a secret')
  })

  it('reports the files that it had to leave, and does the others', async () => {
    const memory = await written({ keys: { k1: one } })
    await new Disk(memory).put('plain.txt', 'not encrypted')
    const both = disk(memory, { keys: { k2: two, k1: one } })
    await expect(both.layer('encrypted')?.rewrap('')).rejects.toMatchObject({
      code: 'partial_failure',
      failures: [{ path: 'plain.txt', error: { code: 'corrupted' } }],
    })
    await expect(disk(memory, { keys: { k2: two } }).text('a.txt')).resolves.toBe('a secret')
    await expect(new Disk(memory).text('plain.txt')).resolves.toBe('not encrypted')
  })
})

describe('keys that come from elsewhere', () => {
  let folder: string
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'stowage-keys-'))))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('are read from the environment, or named when they are not there', async () => {
    const keyProvider = envKeys({ k2: 'KEY_2', k1: 'KEY_1' }, { KEY_1: one, KEY_2: two })
    const memory = await written({ keyProvider })
    await expect(disk(memory, { keys: { k2: two } }).text('a.txt')).resolves.toBe('a secret')
    const missing = disk(memory, { keyProvider: envKeys({ k2: 'KEY_2' }, {}) })
    await expect(missing.get('a.txt')).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining('KEY_2') })
  })

  it('are read from a file: one, or several by id', async () => {
    await writeFile(join(folder, 'key'), `${one}\n`)
    await writeFile(join(folder, 'keys.json'), JSON.stringify({ primary: 'k1', keys: { k2: two, k1: one } }))
    await writeFile(join(folder, 'wrong.json'), `{ "keys": ${one}`)
    const memory = await written({ keyProvider: fileKeys(join(folder, 'keys.json')) })
    await expect(disk(memory, { keys: { k1: one } }).text('a.txt')).resolves.toBe('a secret')
    await expect(disk(await written({ key: one }), { keyProvider: fileKeys(join(folder, 'key')) }).text('a.txt')).resolves.toBe('a secret')
    for (const name of ['wrong.json', 'missing']) {
      const failure = await disk(memory, { keyProvider: fileKeys(join(folder, name)) })
        .get('a.txt')
        .catch((error: unknown) => error as Error)
      expect(failure).toMatchObject({ code: 'configuration' })
      expect(String((failure as Error).message)).not.toContain(one)
    }
  })

  it('follow from a passphrase and a salt', async () => {
    const memory = await written({ keyProvider: passphraseKey('correct horse', { salt: 'vault', cost: 14 }) })
    await expect(disk(memory, { keyProvider: passphraseKey('correct horse', { salt: 'vault', cost: 14 }) }).text('a.txt')).resolves.toBe(
      'a secret',
    )
    for (const [passphrase, salt] of [
      ['correct horse', 'other'],
      ['wrong', 'vault'],
    ] as const) {
      await expect(disk(memory, { keyProvider: passphraseKey(passphrase, { salt, cost: 14 }) }).get('a.txt')).rejects.toMatchObject({
        code: 'corrupted',
      })
    }
  })

  it('are unwrapped once by a key management service, and again after a failure', async () => {
    let calls = 0
    let fail = true
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x5a)
    const kms: KeyManagement = {
      wrap: async (bytes) => flip(bytes),
      unwrap: async (bytes) => {
        calls++
        if (fail) throw new Error('not now')
        return flip(bytes)
      },
    }
    const vault = disk(new MemoryDriver(), { keyProvider: kmsKeys(kms, { wrapped: { k1: await wrapNewKey(kms, 'k1') } }) })
    await expect(vault.put('a.txt', 'x')).rejects.toMatchObject({ message: expect.stringContaining('not now') })
    fail = false
    await Promise.all([vault.put('a.txt', 'x'), vault.put('b.txt', 'y')])
    await expect(vault.text('a.txt')).resolves.toBe('x')
    expect(calls).toBe(2)
  })
})

it('the recovery identity follows from the key', () => {
  expect(recoveryIdentity(one)).toMatch(/^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/)
  expect(recoveryIdentity(one)).toBe(recoveryIdentity(`base64:${one}`))
  expect(recoveryIdentity(one)).not.toBe(recoveryIdentity(two))
})
