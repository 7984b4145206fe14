/** Options that are none are refused: what is misspelt would fail open. And no message has a key. */
import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { envKeys, fileKeys } from '../../../src/decorators/encrypted/key-providers.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const key = generateKey()

describe('options', () => {
  it.each<[string, object]>([
    ['a format that is none', { key, format: 'aes' }],
    ['a bind that is none', { key, bind: true }],
    ['a passthrough that is none', { key, passthrough: true }],
    ['recovery with Tink', { key, format: 'tink', recovery: true }],
    ['identities with Tink', { key, format: 'tink', recover: true }],
    ['numbers as ids without a primary', { keys: { 2: key, 1: generateKey() } }],
    ['a key in the place of its id', { keys: { [key]: 'k1' } }],
    ['a key in the place of the primary', { keys: { k1: key }, primary: key }],
    ['a key that is no text', { keys: { k1: null } }],
  ])('are refused: %s', (_title, options) => {
    let failure: unknown
    try {
      encrypted(options)
    } catch (error) {
      failure = error
    }
    expect(failure).toMatchObject({ code: 'configuration' })
    expect(inspect(failure, { depth: 9 })).not.toContain(key)
  })

  it('take numbers as ids with a primary', async () => {
    const disk = new Disk(encrypted({ keys: { 2: key, 1: generateKey() }, primary: '2' })(new MemoryDriver()))
    await disk.put('a', 'x')
    await expect(disk.text('a')).resolves.toBe('x')
  })

  it('open files of a key that got a name, also with identities at hand', async () => {
    const memory = new MemoryDriver()
    await new Disk(encrypted({ key })(memory)).put('a', 'x')
    await expect(new Disk(encrypted({ keys: { k1: key }, recover: true })(memory)).text('a')).resolves.toBe('x')
    await new Disk(encrypted({ keys: { k9: key } })(memory)).put('b', 'x')
    const others = new Disk(encrypted({ keys: { k1: generateKey() }, recover: true })(memory))
    await expect(others.get('b')).rejects.toMatchObject({ code: 'key_not_found', message: expect.stringContaining('"k9"') })
  })
})

describe('a secret', () => {
  it('is in no error of a provider that was given a value in the place of a name', async () => {
    const failure = await envKeys({ k1: key }, {})
      .load()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'configuration' })
    expect(inspect(failure, { depth: 9 })).not.toContain(key)
    await expect(fileKeys('/nowhere/keys.json').load()).rejects.toMatchObject({ code: 'configuration' })
  })

  it('is in nothing that shows a disk, its layer, or a failure', async () => {
    const memory = new MemoryDriver()
    const disk = new Disk(encrypted({ key, recovery: true, recover: true })(memory), { name: 'vault' })
    await disk.put('a', 'content')
    await memory.write('a', { size: 1, replayable: true, bytes: Buffer.from('x'), stream: async function* () {} }, {})
    const failure = await disk.get('a').catch((error: unknown) => error)
    const raw = Buffer.from(key, 'base64')
    for (const value of [disk, disk.layer('encrypted'), failure]) {
      const shown = inspect(value, { depth: 12, showHidden: true }) + String(JSON.stringify(value)) + String(value)
      for (const secret of [key, raw.toString('hex'), raw.toString('latin1')]) expect(shown).not.toContain(secret)
    }
  })
})
