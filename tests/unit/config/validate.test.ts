import { describe, expect, it } from '@jest/globals'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import type { Extensions } from '../../../src/config/registry.ts'
import { validateConfig, validateDisk } from '../../../src/config/validate.ts'
import { isStorageError } from '../../../src/errors.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const dropbox: Extensions = new Map([['dropbox', { factory: () => new MemoryDriver() }]])

/** The message of the ConfigurationError that a configuration is refused with. */
function refusal(config: unknown, extensions?: Extensions): string {
  try {
    validateConfig(config, extensions)
  } catch (error) {
    if (isStorageError(error) && error.code === 'configuration') return error.message
    throw error
  }
  throw new Error('the configuration was taken')
}

function refusalOfDisk(disk: unknown): string {
  return refusal({ disks: { a: disk, s3: { driver: 's3', bucket: 'b' } } })
}

describe('a good configuration', () => {
  it.each<[string, Record<string, unknown>]>([
    [
      'every common key',
      { driver: 'memory', prefix: 'a/b', readOnly: true, visibility: 'public', url: '/x', timeoutMs: 1.5, maxConcurrency: 2 },
    ],
    [
      'common keys from the environment',
      { driver: 'memory', readOnly: 'true', timeoutMs: '250', maxConcurrency: '4', urlExpiration: '60' },
    ],
    ['serve: true', { driver: 'memory', serve: true }],
    ['serve with keys', { driver: 'memory', serve: { url: '/files', secret: { k2: 'x', k1: 'y' } } }],
    ['retry: true', { driver: 'memory', retry: true }],
    ['retry: 3', { driver: 'memory', retry: 3 }],
    ['retry with options', { driver: 'memory', retry: { attempts: 2, baseDelayMs: '5', maxDelayMs: 50 } }],
    [
      'local',
      { driver: 'local', root: 'x', permissions: { file: { public: 0o644 }, dir: { private: 0o700 } }, links: 'follow', durable: '1' },
    ],
    ['a port in digits', { driver: 'ftp', host: 'h', port: '2121', secure: false }],
    ['a client', { driver: 's3', bucket: 'b', client: { send() {} } }],
    ['credentials', { driver: 's3', bucket: 'b', credentials: { accessKeyId: 'k', secretAccessKey: 's' } }],
    ['a provider of credentials', { driver: 's3', bucket: 'b', credentials: async () => ({ accessKeyId: 'k', secretAccessKey: 's' }) }],
    [
      'how s3 encrypts, retries and waits',
      {
        driver: 's3',
        bucket: 'b',
        serverSideEncryption: 'aws:kms',
        kmsKeyId: 'alias/files',
        retryMode: 'adaptive',
        connectTimeoutMs: '500',
        socketTimeoutMs: 60_000,
      },
    ],
    ['undefined everywhere', { driver: 's3', bucket: undefined, region: undefined, key: undefined, prefix: undefined, serve: undefined }],
    ['missing required keys', { driver: 's3' }],
    [
      'keys with a primary',
      { driver: 'encrypted', disk: 's3', keys: { k2: 'x', k1: 'y' }, primary: 'k2', recovery: 'age1x', passthrough: 'read' },
    ],
    ['a cache on redis', { driver: 'cached', disk: 's3', store: { driver: 'redis', url: 'redis://x' }, ttl: 60 }],
    ['a cache on a disk', { driver: 'cached', disk: 's3', store: { driver: 'disk', disk: { driver: 'memory' } } }],
    [
      'a network',
      { driver: 'cdn', disk: 's3', url: 'https://x', provider: { type: 'bunny', securityKey: 'x', scheme: 'md5' }, purge: false },
    ],
    ['inline disks', { driver: 'fallback', disk: { driver: 'memory' }, fallbacks: ['s3', { driver: 'scoped', disk: 's3', prefix: 'x' }] }],
    ['acl: false on r2', { driver: 'r2', bucket: 'b', accountId: 'x', acl: false }],
    ['a driver that may be added later', { driver: 'dropbox', token: 'x', url: 1 }],
    ['one that is close to a known driver', { driver: 'locl', rot: 1 }],
  ])('%s', (_, disk) => {
    validateConfig({ default: 'a', disks: { a: disk, s3: { driver: 's3', bucket: 'b' } }, links: { x: 'y' } })
  })

  it('may name disks that exist without a configuration', () => {
    const config = { default: 'other', disks: { a: { driver: 'scoped', disk: 'other', prefix: 'x' } } }
    expect(refusal(config)).toContain('"other"')
    validateConfig(config, undefined, ['other'])
  })

  it('has no judge for the keys of drivers that were added', () => {
    validateConfig({ disks: { a: { driver: 'dropbox', tokn: 1, disk: 'nope' } } }, dropbox)
  })

  it('may have no disks', () => {
    validateConfig({ disks: {} })
  })
})

describe('a configuration is refused', () => {
  it.each<[unknown, string]>([
    [undefined, 'the configuration must be an object with "disks"'],
    [null, 'the configuration must be an object with "disks"'],
    ['local', 'the configuration must be an object with "disks"'],
    [[], 'the configuration must be an object with "disks"'],
    [{}, 'the configuration has no "disks"'],
    [{ disk: {} }, 'the configuration has no "disks", is "disk" misspelt?'],
    [{ disks: [] }, 'the configuration must have an object of disks by name in "disks"'],
    [{ disks: { a: 'local' } }, 'disk "a" must be an object with a "driver"'],
    [{ disks: { a: null } }, 'disk "a" must be an object with a "driver"'],
    [{ disks: { a: {} } }, 'disk "a" needs "driver"'],
    [{ disks: { a: { drivr: 'local' } } }, 'disk "a" needs "driver", is "drivr" misspelt?'],
    [{ disks: { a: { driver: 1 } } }, 'disk "a" needs "driver"'],
    [{ disks: {}, defualt: 'a' }, 'the configuration: unknown key "defualt", did you mean "default"?'],
    [{ disks: {}, default: 1 }, 'the configuration: "default" must be a string, not another number'],
    [
      { disks: { local: { driver: 'memory' } }, default: 'locl' },
      'the configuration: "default" is "locl", which is no disk, did you mean "local"?',
    ],
    [
      { disks: { local: { driver: 'memory' } }, default: 'zebra' },
      'the configuration: "default" is "zebra", which is no disk; known: local',
    ],
    [{ disks: {}, default: 'a' }, 'the configuration: "default" is "a", which is no disk; known: none'],
    [{ disks: {}, links: { a: 1 } }, 'the configuration: "links.a" must be a string, not another number'],
    [{ disks: { 'a/b': { driver: 'memory' } } }, 'a disk\'s name has letters, digits, "_" and "-" only: "a/b" is none'],
    [{ disks: { 'a:b': { driver: 'memory' } } }, 'a disk\'s name has letters, digits, "_" and "-" only: "a:b" is none'],
    [{ disks: { '': { driver: 'memory' } } }, 'a disk\'s name has letters, digits, "_" and "-" only: "" is none'],
  ])('%j', (config, message) => {
    expect(refusal(config)).toContain(message)
  })
})

describe('a misspelt key is named with the nearest one', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ driver: 's3', buket: 'x' }, 'disk "a": unknown key "buket", did you mean "bucket"?'],
    [{ driver: 'local', rooot: 'x' }, 'disk "a": unknown key "rooot", did you mean "root"?'],
    [{ driver: 'memory', readonly: true }, 'disk "a": unknown key "readonly", did you mean "readOnly"?'],
    [{ driver: 'memory', prefx: 'x' }, 'disk "a": unknown key "prefx", did you mean "prefix"?'],
    [{ driver: 'memory', zzzzzz: 'x' }, 'disk "a": unknown key "zzzzzz"; known: driver, prefix'],
    [{ driver: 'memory', buket: undefined }, 'disk "a": unknown key "buket"'],
    [{ driver: 'memory', serve: { secert: 'x' } }, 'disk "a": unknown key "serve.secert", did you mean "serve.secret"?'],
    [{ driver: 'memory', retry: { atempts: 1 } }, 'disk "a": unknown key "retry.atempts", did you mean "retry.attempts"?'],
    [{ driver: 'local', permissions: { fil: {} } }, 'disk "a": unknown key "permissions.fil", did you mean "permissions.file"?'],
    [
      { driver: 'local', permissions: { file: { pblic: 1 } } },
      'unknown key "permissions.file.pblic", did you mean "permissions.file.public"?',
    ],
    [{ driver: 'cached', disk: 's3', store: { driver: 'redis', ur: 'x' } }, 'unknown key "store.ur", did you mean "store.url"?'],
    [{ driver: 'cached', disk: 's3', store: { driver: 'memory', url: 'x' } }, 'unknown key "store.url"'],
    [{ driver: 'cdn', disk: 's3', url: 'x', provider: { type: 'bunny', securtyKey: 'x' } }, 'did you mean "provider.securityKey"?'],
    [{ driver: 'scoped', disk: { driver: 'local', rot: 'x' }, prefix: 'x' }, 'disk "a.disk": unknown key "rot", did you mean "root"?'],
    [{ driver: 'mirrored', disk: 's3', mirrors: ['s3', { driver: 'local', rot: 'x' }] }, 'disk "a.mirrors.1": unknown key "rot"'],
  ])('%j', (disk, message) => {
    expect(refusalOfDisk(disk)).toContain(message)
  })
})

describe('a value of another kind is refused', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ driver: 'local', root: 1 }, '"root" must be a string, not another number'],
    [{ driver: 'local', root: null }, '"root" must be a string, not null'],
    [
      { driver: 'local', root: 'x', links: 'folow' },
      '"links" must be "skip", "error" or "follow", not another string, did you mean "follow"?',
    ],
    [{ driver: 'local', root: 'x', durable: 'yes' }, '"durable" must be true or false, not another string'],
    [{ driver: 'local', root: 'x', permissions: { file: { public: '0644' } } }, '"permissions.file.public" must be a mode as a number'],
    [{ driver: 'local', root: 'x', permissions: { file: { public: 0o10000 } } }, '"permissions.file.public" must be a mode as a number'],
    [{ driver: 'ftp', host: 'x', port: '21x' }, '"port" must be a port, 1 to 65535'],
    [{ driver: 'ftp', host: 'x', port: 65_536 }, '"port" must be a port, 1 to 65535'],
    [{ driver: 'ftp', host: 'x', secure: true }, '"secure" must be "explicit", "implicit" or false, not another boolean'],
    [{ driver: 'memory', visibility: 'pubic' }, '"visibility" must be "public" or "private", not another string, did you mean "public"?'],
    [{ driver: 'memory', serve: 'yes' }, '"serve" must be true or false, not another string'],
    [{ driver: 'memory', serve: { secret: 1 } }, '"serve.secret" must be a string, or an object of strings by key id'],
    [{ driver: 'memory', retry: 0 }, '"retry" must be true, false, a number of attempts, or an object'],
    [{ driver: 'memory', retry: { attempts: 1.5 } }, '"retry.attempts" must be a whole number, 1 or more'],
    [{ driver: 'memory', timeoutMs: -1 }, '"timeoutMs" must be a number that is not negative'],
    [{ driver: 'memory', timeoutMs: Number.NaN }, '"timeoutMs" must be a number that is not negative'],
    [{ driver: 'memory', maxConcurrency: 0 }, '"maxConcurrency" must be a whole number, 1 or more'],
    [{ driver: 'memory', prefix: '../x' }, '"prefix" must be a directory below the root of the disk'],
    [{ driver: 's3', bucket: 'b', client: 'x' }, '"client" must be an object'],
    [{ driver: 's3', bucket: 'b', credentials: 'x' }, '"credentials" must be an object, or a function that gives one'],
    [{ driver: 's3', bucket: 'b', retryMode: 'fast' }, '"retryMode" must be "standard" or "adaptive"'],
    [{ driver: 's3', bucket: 'b', socketTimeoutMs: 0 }, '"socketTimeoutMs" must be a whole number, 1 or more'],
    [{ driver: 'cached', disk: 's3', store: 'redis' }, '"store" must be an object'],
    [{ driver: 'cached', disk: 's3', store: { driver: 'reddis' } }, '"store.driver" must be "memory", "redis" or "disk"'],
    [{ driver: 'cdn', disk: 's3', url: 'x', provider: {} }, '"provider.type" must be'],
    [{ driver: 'scoped', disk: 1, prefix: 'x' }, '"disk" must be a disk\'s name or configuration'],
    [{ driver: 'fallback', disk: 's3', fallbacks: 's3' }, '"fallbacks" must be a list of disks'],
    [{ driver: 'encrypted', disk: 's3', keys: ['x'] }, '"keys" must be an object of strings, not a list'],
  ])('%j', (disk, message) => {
    expect(refusalOfDisk(disk)).toContain(`disk "a": ${message}`)
  })

  it('without printing it', () => {
    const message = refusalOfDisk({ driver: 'encrypted', disk: 's3', keys: { k1: 7, k2: 'hunter2' }, key: 'hunter2' })
    expect(message).not.toMatch(/hunter2|7/)
  })
})

describe('keys that exclude each other are refused', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ driver: 'encrypted', disk: 's3', key: 'x', keys: { k1: 'x' } }, '"key" and "keys" exclude each other'],
    [
      { driver: 'encrypted', disk: 's3', keys: { one: 'x' }, primary: 'onee' },
      '"primary" is not the id of one of "keys", did you mean "one"?',
    ],
    [
      { driver: 'cached', disk: 's3', store: { driver: 'redis', url: 'x', client: {} } },
      '"store.url" and "store.client" exclude each other',
    ],
    [{ driver: 's3', bucket: 'b', client: {}, secret: 'x' }, '"client" and "secret" exclude each other'],
    [{ driver: 's3', bucket: 'b', client: {}, credentials: {} }, '"client" and "credentials" exclude each other'],
    [{ driver: 's3', bucket: 'b', credentials: {}, key: 'x' }, '"credentials" and "key" exclude each other'],
    [{ driver: 'gcs', bucket: 'b', keyFile: 'x', credentials: {} }, '"keyFile" and "credentials" exclude each other'],
    [{ driver: 'azure', container: 'c', connectionString: 'x', accountKey: 'y' }, '"connectionString" and "accountKey" exclude each other'],
    [{ driver: 'r2', bucket: 'b', acl: true }, '"acl" cannot be true, because R2 has no ACLs'],
    [{ driver: 'r2', bucket: 'b', acl: 'true' }, '"acl" cannot be true, because R2 has no ACLs'],
  ])('%j', (disk, message) => {
    expect(refusalOfDisk(disk)).toContain(`disk "a": ${message}`)
  })

  it('unless one of them is undefined', () => {
    validateConfig({ disks: { a: { driver: 'encrypted', disk: { driver: 'memory' }, key: 'x', keys: undefined } } })
  })
})

describe('references between disks', () => {
  const to = (disk: unknown): Record<string, unknown> => ({ driver: 'scoped', disk, prefix: 'x' })

  it.each<[string, Record<string, unknown>, string]>([
    ['itself', { a: to('a') }, 'a → a'],
    ['two', { a: to('b'), b: to('a') }, 'a → b → a'],
    ['three', { a: to('b'), b: to('c'), c: to('a') }, 'a → b → c → a'],
    ['not the first', { x: to('a'), a: to('b'), b: to('a') }, 'a → b → a'],
    ['through an inline disk', { a: to(to('b')), b: to('a') }, 'a → b → a'],
    ['through a fallback', { a: { driver: 'fallback', disk: { driver: 'memory' }, fallbacks: ['b'] }, b: to('a') }, 'a → b → a'],
    ['through a mirror', { a: { driver: 'mirrored', disk: { driver: 'memory' }, mirrors: [to('a')] } }, 'a → a'],
    ['through a cache', { a: { driver: 'cached', disk: { driver: 'memory' }, store: { driver: 'disk', disk: 'a' } } }, 'a → a'],
  ])('must not run in a circle: %s', (_, disks, circle) => {
    expect(refusal({ disks })).toBe(`disks reference each other: ${circle}`)
  })

  it('must not run in a circle: an inline disk that holds itself', () => {
    const inline = to(undefined)
    inline['disk'] = inline
    expect(refusal({ disks: { a: to(inline) } })).toBe('disks reference each other: a → a')
  })

  it('may meet again without a circle', () => {
    const leaf = { driver: 'memory' }
    validateConfig({ disks: { a: to('c'), b: to('c'), c: to(leaf), d: { driver: 'mirrored', disk: 'a', mirrors: ['b', leaf] } } })
  })

  it('may name disks that come to exist later', () => {
    validateConfig({ disks: { vault: to('locl'), local: { driver: 'memory' } } })
  })
})

describe('a disk that is added', () => {
  const disks: Record<string, DiskConfig> = { local: { driver: 'memory' }, a: { driver: 'scoped', disk: 'local', prefix: 'x' } }
  const judged = (name: string, config: unknown, options: { unnamed?: boolean } = {}): unknown => {
    try {
      return validateDisk(name, config, { disks, ...options })
    } catch (error) {
      return (error as Error).message
    }
  }

  it('is judged among the others', () => {
    expect(judged('b', { driver: 'scoped', disk: 'a', prefix: 'y' })).toBeUndefined()
    expect(judged('b', { driver: 'scoped', disk: 'nope', prefix: 'y' })).toBeUndefined()
    expect(judged('b', { driver: 'memory', rot: 1 })).toContain('unknown key "rot"')
    expect(judged('b:c', { driver: 'memory' })).toContain("a disk's name")
  })

  it('may close a circle that was not there before', () => {
    expect(judged('local', { driver: 'scoped', disk: 'a', prefix: 'y' })).toBe('disks reference each other: local → a → local')
  })

  it('may bear the name of another one when nothing can reference it', () => {
    const config = { driver: 'scoped', disk: 'local', prefix: 'y' }
    expect(judged('local', config)).toBe('disks reference each other: local → local')
    expect(judged('local', config, { unnamed: true })).toBeUndefined()
    const circle: Record<string, unknown> = { driver: 'scoped', prefix: 'y' }
    circle['disk'] = circle
    expect(judged('b', circle, { unnamed: true })).toBe('disks reference each other: b → b')
  })
})
