/** Errors: the store's codes as ours, the same from every method, and nothing secret in them. */
import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import type { Disk } from '../../../src/disk.ts'
import type { StorageError } from '../../../src/errors.ts'
import { StorageManager } from '../../../src/storage-manager.ts'
import { slowDown } from '../../support/fault-proxy.ts'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { PART, s3Fixture } from './s3-fixture.ts'

const s3 = s3Fixture()

const errorOf = (promise: Promise<unknown>): Promise<StorageError> =>
  promise.then(
    (value) => {
      throw new Error(`it resolved: ${String(value)}`)
    },
    (error: unknown) => error as StorageError,
  )

/** Every method that asks the store, of a file that may or may not be there. */
const CALLS: Readonly<Record<string, (disk: Disk) => Promise<unknown>>> = {
  get: (disk) => disk.get('a.txt'),
  getOrNull: (disk) => disk.getOrNull('a.txt'),
  range: (disk) => disk.get('a.txt', { range: { start: 1 } }),
  readStream: (disk) => disk.readStream('a.txt'),
  put: (disk) => disk.put('a.txt', 'x'),
  ifAbsent: (disk) => disk.put('a.txt', 'x', { ifAbsent: true }),
  large: (disk) => disk.put('a.txt', bytesFor(PART + 1)),
  append: (disk) => disk.append('a.txt', 'x'),
  delete: (disk) => disk.delete('a.txt'),
  'delete of many': (disk) => disk.delete(['a.txt', 'b.txt']),
  deleteDirectory: (disk) => disk.deleteDirectory('a'),
  list: (disk) => disk.allFiles(),
  directoryExists: (disk) => disk.directoryExists('a'),
  copy: (disk) => disk.copy('a.txt', 'b.txt'),
  'copy with ifAbsent': (disk) => disk.copy('a.txt', 'b.txt', { ifAbsent: true }),
  'copy onto itself': (disk) => disk.copy('a.txt', 'a.txt'),
  move: (disk) => disk.move('a.txt', 'b.txt'),
  stat: (disk) => disk.stat('a.txt'),
  exists: (disk) => disk.exists('a.txt'),
  fileExists: (disk) => disk.fileExists('a.txt'),
  'multipart.create': (disk) => (disk.driver.multipart as NonNullable<Disk['driver']['multipart']>).create('a.txt', {}),
  'multipart.list': (disk) => (disk.driver.multipart as NonNullable<Disk['driver']['multipart']>).list('a.txt', 'id', {}),
}

describe('a missing bucket', () => {
  it('is a mistake in the configuration that names it, from every method', async () => {
    for (const [method, call] of Object.entries(CALLS)) {
      const { code, message } = await errorOf(call(s3.disk({ bucket: 'no-such-bucket' })))
      expect({ method, code, named: message.includes('"no-such-bucket"') }).toEqual({ method, code: 'configuration', named: true })
    }
  })

  it('is asked for at most once a minute, and only when a file is missing', async () => {
    const { disk, proxy } = await s3.recorded()
    for (let turn = 0; turn < 3; turn++) expect(await disk.exists('missing.txt')).toBe(false)
    const heads = proxy.requests.filter(({ method, path }) => method === 'HEAD' && !path.endsWith('missing.txt'))
    expect(heads).toHaveLength(1)
  })
})

describe('wrong credentials', () => {
  it('are unauthenticated from every method, also those whose answer has no body', async () => {
    for (const keys of [{ secret: 'wrong' }, { key: 'nobody' }]) {
      for (const [method, call] of Object.entries(CALLS)) {
        const { code } = await errorOf(call(s3.disk(keys)))
        expect([method, code]).toEqual([method, 'unauthenticated'])
      }
    }
  })

  it('that cannot be found say what to set', async () => {
    const credentials = () => Promise.reject(Object.assign(new Error('none'), { name: 'CredentialsProviderError' }))
    const error = await errorOf(s3.disk({ key: undefined, secret: undefined, credentials }).get('a.txt'))
    expect(error.code).toBe('unauthenticated')
    expect(error.message).toContain('"key"')
  })

  it('show up nowhere in an error', async () => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    const { key = '', secret = '' } = s3.bucket.options()
    const fail = (answer: { status: number; body?: string }): void => proxy.inject({}, { answer })
    const errors: unknown[] = []
    for (const status of [400, 403, 404, 500]) {
      fail({ status, body: `<Error><Code>Odd${status}</Code><AWSAccessKeyId>${key}</AWSAccessKeyId></Error>` })
      errors.push(await errorOf(disk.put('a.txt', 'x')))
    }
    proxy.inject({}, { resetResponse: 0 })
    errors.push(await errorOf(disk.get('a.txt')))
    errors.push(await errorOf(s3.disk({ secret: `${secret}x` }).get('a.txt')))
    const told = inspect(errors, { depth: 20, showHidden: true })
    for (const hidden of [key, secret, 'Signature=', 'authorization']) expect(told).not.toContain(hidden)
  })
})

describe('an error of the store', () => {
  it.each([
    [404, 'NoSuchKey', 'not_found', false],
    [403, 'AccessDenied', 'permission_denied', false],
    [403, 'InvalidAccessKeyId', 'unauthenticated', false],
    [403, 'SignatureDoesNotMatch', 'unauthenticated', false],
    [400, 'ExpiredToken', 'unauthenticated', false],
    [403, 'RequestTimeTooSkewed', 'unauthenticated', false],
    [503, 'SlowDown', 'rate_limited', true],
    [429, 'SomethingElse', 'rate_limited', true],
    [503, 'SomethingElse', 'rate_limited', true],
    [500, 'InternalError', 'unavailable', true],
    [502, undefined, 'unavailable', true],
    [400, 'RequestTimeout', 'unavailable', true],
    [404, 'NoSuchBucket', 'configuration', false],
    [301, 'PermanentRedirect', 'configuration', false],
    [400, 'AuthorizationHeaderMalformed', 'configuration', false],
    [400, 'EntityTooLarge', 'quota_exceeded', false],
    [400, 'BadDigest', 'corrupted', false],
    [400, 'KeyTooLongError', 'invalid_path', false],
    [501, 'NotImplemented', 'unsupported', false],
    [400, 'AccessControlListNotSupported', 'unsupported', false],
    [400, 'NeverHeardOf', 'invalid_argument', false],
  ])('%d %s is %s', async (status, given, code, retryable) => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    const body = given === undefined ? '<html>Bad Gateway</html>' : `<Error><Code>${given}</Code><Message>why</Message></Error>`
    proxy.inject({}, { answer: { status, headers: { 'x-amz-request-id': 'REQ', 'x-amz-id-2': 'ID2' }, body } })
    const error = await errorOf(disk.put('a.txt', 'x'))
    expect(error).toMatchObject({ code, retryable, operation: 'write', path: 'a.txt', disk: 's3' })
    expect(error.cause).toMatchObject({ status, requestId: 'REQ', extendedRequestId: 'ID2', ...(given !== undefined && { code: given }) })
  })

  it('of HEAD is known by its status alone', async () => {
    for (const [status, code] of Object.entries({
      412: 'precondition_failed',
      429: 'rate_limited',
      500: 'unavailable',
      503: 'rate_limited',
    })) {
      const { disk, proxy } = await s3.faulty({ retries: 0 })
      proxy.inject({}, { answer: { status: Number(status) } })
      expect([status, (await errorOf(disk.stat('a.txt'))).code]).toEqual([status, code])
    }
  })

  it('that is cut before it says what is missing is asked for again', async () => {
    const { proxy, disk } = await s3.faulty({ bucket: 'no-such-bucket' })
    proxy.inject({ method: 'GET' }, { truncate: 20 })
    expect((await errorOf(disk.get('a.txt'))).code).toBe('configuration')
    expect(proxy.requests).toHaveLength(2)
  })

  it('of the connection is unavailable; of a certificate a mistake in the configuration', async () => {
    const disk = s3.disk({ endpoint: 'http://127.0.0.1:9', retries: 0 })
    expect(await errorOf(disk.get('a.txt'))).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNREFUSED' } })
    const { proxy, disk: reset } = await s3.faulty({ retries: 0 })
    proxy.inject({}, { resetRequest: 0 })
    expect(await errorOf(reset.put('a.txt', 'x'))).toMatchObject({ code: 'unavailable', retryable: true })
    const { tlsEndpoint, ca } = s3.bucket.server
    expect(await errorOf(s3.disk({ endpoint: tlsEndpoint, retries: 0 }).get('a.txt'))).toMatchObject({ code: 'configuration' })
    const trusting = s3.disk({ endpoint: tlsEndpoint, tls: { ca } })
    await trusting.put('a.txt', 'over TLS')
    expect(await trusting.text('a.txt')).toBe('over TLS')
  })
})

describe('retries', () => {
  it('are as many as configured, and none where the disk has its own', async () => {
    const { proxy } = await s3.faulty()
    const options = { ...s3.bucket.options(), endpoint: proxy.endpoint }
    const count = async (more: object): Promise<number> => {
      proxy.reset()
      proxy.inject({ times: 50 }, slowDown('s3'))
      await using storage = new StorageManager({ disks: { a: { driver: 's3', ...options, ...more } } })
      expect((await errorOf(storage.disk('a').put('a.txt', 'x'))).code).toBe('rate_limited')
      return proxy.requests.length
    }
    expect(await count({ retries: 0 })).toBe(1)
    expect(await count({ retries: 1 })).toBe(2)
    expect(await count({ retry: { attempts: 2, baseDelayMs: 1 } })).toBe(2)
    expect(await count({ retry: { attempts: 2, baseDelayMs: 1 }, retries: 3 })).toBe(2)
  })
})
