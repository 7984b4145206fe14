import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { defineConfig } from '../../../src/config/define-config.ts'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import { env, rememberUnset } from '../../../src/config/env.ts'
import { COMMON_KEYS } from '../../../src/config/keys.ts'
import { buildDriver, builtInNames, definitionOf, type DiskContext, diskDefaults, type Extensions } from '../../../src/config/registry.ts'
import { bytesContent } from '../../../src/content.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { isStorageError } from '../../../src/errors.ts'

const NONE: Extensions = new Map()
const inner = new MemoryDriver()
const context = (name = 'a'): DiskContext => ({
  name,
  resolve: (disk) => (typeof disk === 'string' ? inner : built(disk, `${name}.inline`)),
})

function built(config: unknown, name = 'a', extensions = NONE): Driver {
  const driver = buildDriver(config as DiskConfig, context(name), extensions)
  if ('then' in driver) throw new Error('the driver is a promise')
  return driver
}

/** The message of the ConfigurationError that building throws. */
function refusal(config: unknown, extensions = NONE): string {
  try {
    built(config, 'a', extensions)
  } catch (error) {
    if (isStorageError(error) && error.code === 'configuration') return error.message
    throw error
  }
  throw new Error('the disk was built')
}

const text = async (driver: Driver, path: string): Promise<string> => {
  const { body } = await driver.read(path, {})
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const before = { ...process.env }
afterEach(() => {
  process.env = { ...before }
})

describe('built-in drivers', () => {
  it.each([
    [{ driver: 'memory' }, 'memory'],
    [{ driver: 'local', root: 'storage' }, 'local'],
    [{ driver: 'scoped', disk: 'other', prefix: 'x' }, 'scoped(memory)'],
    [{ driver: 'azure', container: 'files', accountName: 'acct', retry: 3 }, 'retrying(azure)'],
    [{ driver: 'read-only', disk: 'other' }, 'read-only(memory)'],
    [{ driver: 'scoped', disk: { driver: 'memory', prefix: 'y' }, prefix: 'x' }, 'scoped(scoped(memory))'],
  ])('%j is built at once', (config, name) => {
    expect(built(config).name).toBe(name)
  })

  it('share the driver of the disk that they wrap', () => {
    expect(built({ driver: 'scoped', disk: 'other', prefix: 'x' }).inner[0]).toBe(inner)
  })

  describe('of the local disk', () => {
    let root = ''
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'stowage-registry-'))
    })
    afterEach(() => rm(root, { recursive: true, force: true }))

    it('get the keys of their disk, its visibility too', async () => {
      const disk = built({ driver: 'local', root, visibility: 'public', permissions: { file: { public: 0o604 } }, durable: 'false' })
      await disk.write('a.txt', bytesContent(Buffer.from('x')), {})
      expect((await stat(join(root, 'a.txt'))).mode & 0o777).toBe(0o604)
    })
  })

  it.each<[string, object]>([
    ['encrypted', { key: Buffer.alloc(32).toString('base64') }],
    ['cached', {}],
    ['cdn', { url: 'https://cdn.example.com' }],
    ['fallback', { fallbacks: ['other'] }],
    ['mirrored', { mirrors: ['other'] }],
    ['scoped', { prefix: 'a' }],
    ['read-only', {}],
  ])('%s stands on another disk', (driver, keys) => {
    expect(built({ driver, disk: 'other', ...keys }).inner[0]).toBe(inner)
  })

  it('are all named', () => {
    expect(builtInNames()).toHaveLength(19)
    for (const name of builtInNames()) expect(definitionOf(name)).toBeDefined()
    expect(definitionOf('constructor')).toBeUndefined()
  })
})

describe('an unknown driver', () => {
  it.each([
    ['locl', 'disk "a": unknown driver "locl", did you mean "local"?'],
    ['drpbox', 'disk "a": unknown driver "drpbox", did you mean "dropbox"?'],
    ['zebra', 'disk "a": unknown driver "zebra"; known are local, memory'],
    ['constructor', 'disk "a": unknown driver "constructor"'],
  ])('%s', (driver, message) => {
    expect(refusal({ driver }, new Map([['dropbox', { factory: () => inner }]]))).toContain(message)
  })
})

describe('a required key that is missing', () => {
  beforeEach(() => rememberUnset({}))

  it.each<[string, () => DiskConfig, string]>([
    ['with its variable', () => ({ driver: 's3', bucket: env('R_BUCKET') }), 'disk "a" needs "bucket" (unset: R_BUCKET)'],
    [
      'with its variable among others',
      () => ({ driver: 's3', region: env('R_REGION'), bucket: env('R_BUCKET'), key: env('R_KEY') }),
      'disk "a" needs "bucket" (unset: R_BUCKET)',
    ],
    ['as one of several', () => ({ driver: 'encrypted', disk: 'other', key: env('R_KEY') }), 'disk "a" needs "key" (unset: R_KEY)'],
    ['that was never asked for', () => ({ driver: 'encrypted', disk: 'other' }), 'disk "a" needs "key", "keys" or "keyProvider"'],
    [
      'and another one',
      () => ({ driver: 'minio', bucket: env('R_BUCKET'), endpoint: env('R_ENDPOINT') }),
      'disk "a" needs "bucket" and "endpoint" (unset: R_BUCKET, R_ENDPOINT)',
    ],
    ['because it is empty', () => ({ driver: 'local', root: '' }), 'disk "a" needs "root"'],
    [
      'whose variable cannot be told',
      () => {
        const shared = env('R_SHARED')
        return { driver: 's3', bucket: shared, region: shared, key: env('R_KEY') }
      },
      'disk "a" needs "bucket" (unset: R_SHARED, R_KEY)',
    ],
  ])('is named: %s', (_, make, message) => {
    const { disks } = defineConfig({ disks: { a: make() } })
    expect(refusal(disks.a)).toBe(message)
  })

  it('is none where something else will do', () => {
    expect(refusal({ driver: 'encrypted', disk: 'other', keys: { k: 'x' } })).toContain('an encryption key is 32 bytes in base64')
    expect(built({ driver: 'r2', bucket: 'b', client: { send: () => undefined } }).name).toBe('s3:r2')
  })
})

describe('the keys that every disk takes', () => {
  it.each<[Record<string, unknown>, string]>([
    [{}, 'memory'],
    [{ prefix: 'x' }, 'scoped(memory)'],
    [{ prefix: '' }, 'memory'],
    [{ readOnly: true }, 'read-only(memory)'],
    [{ readOnly: 'false' }, 'memory'],
    [{ retry: true }, 'retrying(memory)'],
    [{ retry: 3 }, 'retrying(memory)'],
    [{ retry: 'false' }, 'memory'],
    [{ maxConcurrency: '2' }, 'throttled(memory)'],
    [{ url: 'https://x' }, 'served(memory)'],
    [{ serve: true }, 'served(memory)'],
    [{ serve: false }, 'memory'],
    [{ visibility: 'public', timeoutMs: 5 }, 'memory'],
    [
      { maxConcurrency: 2, retry: true, prefix: 'x', serve: true, readOnly: true },
      'read-only(served(scoped(retrying(throttled(memory)))))',
    ],
    [{ prefix: undefined, readOnly: undefined, retry: undefined, url: undefined, serve: undefined, maxConcurrency: undefined }, 'memory'],
  ])('%j', (keys, name) => {
    expect(built({ driver: 'memory', ...keys }).name).toBe(name)
  })

  it('keep a prefix below the public base URL', async () => {
    const urlOf = (keys: object): Promise<string> | undefined => built({ driver: 'memory', ...keys }).publicUrl?.('b c.txt')
    expect(await urlOf({ url: '/storage' })).toBe('/storage/b%20c.txt')
    expect(await urlOf({ url: 'https://x/s/', prefix: '/a 1/' })).toBe('https://x/s/a%201/b%20c.txt')
  })

  it('serve the disk by its name, as the environment says', async () => {
    process.env['STORAGE_BASE_URL'] = 'https://files.example'
    process.env['STORAGE_URL_SECRET'] = 'a secret that is long enough'
    const signed = await built({ driver: 'memory', serve: true, prefix: 'x' }, 'mine').signUrl?.('a.txt', {
      method: 'GET',
      expiresAt: new Date(Date.now() + 60_000),
    })
    expect(signed?.url).toMatch(/^https:\/\/files\.example\/mine\/a\.txt\?/)
    expect(signed?.url).not.toContain('secret')
  })

  it.each([
    [{ serve: true }, '/storage/mine/a.txt'],
    [{ serve: { url: '/files' } }, '/files/mine/a.txt'],
    [{ serve: true, url: 'https://cdn.example' }, 'https://cdn.example/a.txt'],
  ])('%j makes the public URL %s', async (keys, url) => {
    delete process.env['STORAGE_BASE_URL']
    expect(await built({ driver: 'memory', ...keys }, 'mine').publicUrl?.('a.txt')).toBe(url)
  })

  it('work together: what is written through them is below the prefix', async () => {
    const disk = built({ driver: 'scoped', disk: 'other', prefix: 'scope', retry: 2, maxConcurrency: '1' })
    await disk.write('a.txt', bytesContent(Buffer.from('here')), {})
    expect(await text(inner, 'scope/a.txt')).toBe('here')
  })

  it('are judged when the disk is used, too', () => {
    expect(refusal({ driver: 'memory', maxConcurrency: 0 })).toContain('"maxConcurrency" must be')
    expect(refusal({ driver: 'memory', rot: 0 })).toContain('unknown key "rot"')
  })
})

describe('what a disk puts into the options of calls', () => {
  it('is what its configuration says, as numbers', () => {
    const config: DiskConfig = { driver: 'memory', visibility: 'public', timeoutMs: '1500', urlExpiration: '60' }
    expect(diskDefaults(config, 'a', NONE)).toEqual({ visibility: 'public', timeoutMs: 1500, urlExpiration: 60 })
    expect(diskDefaults({ driver: 'memory' }, 'a', NONE)).toEqual({})
  })

  it('leaves out what the driver handles itself', () => {
    const extensions: Extensions = new Map([['own', { factory: () => inner, keys: ['timeoutMs'] }]])
    const config = { driver: 'own', timeoutMs: { connect: 5 }, visibility: 'private' } as unknown as DiskConfig
    expect(diskDefaults(config, 'a', extensions)).toEqual({ visibility: 'private' })
  })
})

describe('a driver that was added', () => {
  it('is given its configuration and the disk', () => {
    const seen: unknown[] = []
    const config = { driver: 'own', token: 'x', anything: { goes: true } }
    const extensions: Extensions = new Map([
      [
        'own',
        {
          factory: (given: unknown, { name, resolve }: DiskContext) => {
            seen.push(given, name, resolve('other'))
            return inner
          },
        },
      ],
    ])
    expect(built(config, 'mine', extensions)).toBe(inner)
    expect(seen).toEqual([config, 'mine', inner])
  })

  it('gets the decorators of the common keys', () => {
    const extensions: Extensions = new Map([['own', { factory: () => inner }]])
    expect(built({ driver: 'own', prefix: 'x', readOnly: true }, 'a', extensions).name).toBe('read-only(scoped(memory))')
    expect(refusal({ driver: 'own', prefix: 5 }, extensions)).toBe('disk "a": "prefix" must be a string, not another number')
  })

  it.each(Object.keys(COMMON_KEYS))('handles "%s" itself when it declares it', (key) => {
    const extensions: Extensions = new Map([['own', { factory: () => inner, keys: [key] }]])
    expect(built({ driver: 'own', [key]: { of: 'its own kind' } }, 'a', extensions)).toBe(inner)
  })

  it('takes the place of a built-in one', () => {
    const own = new MemoryDriver()
    expect(built({ driver: 'memory' }, 'a', new Map([['memory', { factory: () => own }]]))).toBe(own)
  })

  it('may come as a promise', async () => {
    const extensions: Extensions = new Map([['own', { factory: () => Promise.resolve(inner) }]])
    const driver = buildDriver({ driver: 'own', prefix: 'x' } as unknown as DiskConfig, context(), extensions)
    expect('then' in driver).toBe(true)
    expect((await driver).name).toBe('scoped(memory)')
  })

  it.each([undefined, null, {}, 'memory'])('must be a driver: %j is none', async (value) => {
    const config = { driver: 'own' }
    const message = 'disk "a": what was added with extend("own", …) did not return a driver'
    expect(refusal(config, new Map([['own', { factory: () => value as never }]]))).toBe(message)
    const later = buildDriver(config as never, context(), new Map([['own', { factory: () => Promise.resolve(value as never) }]]))
    await expect(later).rejects.toMatchObject({ code: 'configuration', message })
  })
})
