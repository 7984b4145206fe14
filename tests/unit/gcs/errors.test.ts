/** What Google answers, and what the network does, as errors: by status and reason, with a cause that can be shown to anybody. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { codeOf, GcsFailure } from '../../../src/drivers/gcs/gcs-errors.ts'
import { GcsDriver } from '../../../src/drivers/gcs/gcs-driver.ts'
import type { StorageError } from '../../../src/errors.ts'
import { rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { type Listening, listen } from '../../support/listen.ts'

let server: Listening | undefined
afterEach(async () => server?.close())

type Answer = (req: IncomingMessage, res: ServerResponse) => void

/** A disk whose store answers everything like this, but says that the bucket is there. */
async function diskOn(answer: Answer, options: { retries?: number; bucketStatus?: number; socketTimeoutMs?: number } = {}): Promise<Disk> {
  const { bucketStatus = 200, ...more } = options
  server = await listen((req, res) => {
    req.resume()
    if (req.url?.startsWith('/storage/v1/b/bucket?')) res.writeHead(bucketStatus).end('{}')
    else answer(req, res)
  })
  return new Disk(new GcsDriver({ bucket: 'bucket', endpoint: server.origin, retries: 0, ...more }), { name: 'gcs' })
}

function saying(status: number, reason?: string): Answer {
  return (_req, res) => {
    const error = { code: status, message: 'a message that nobody decides by', errors: [{ message: 'm', domain: 'global', reason }] }
    res.writeHead(status, { 'content-type': 'application/json', 'x-guploader-uploadid': 'request-1' }).end(JSON.stringify({ error }))
  }
}

const TABLE: readonly (readonly [status: number, reason: string | undefined, code: string, retryable: boolean])[] = [
  [400, 'invalid', 'invalid_argument', false],
  [400, 'userRateLimitExceeded', 'rate_limited', true],
  [401, 'authError', 'unauthenticated', false],
  [401, 'required', 'unauthenticated', false],
  [401, undefined, 'unauthenticated', false],
  [403, 'forbidden', 'permission_denied', false],
  [403, 'accountDisabled', 'permission_denied', false],
  [403, 'insufficientPermissions', 'permission_denied', false],
  [403, 'rateLimitExceeded', 'rate_limited', true],
  [403, 'userRateLimitExceeded', 'rate_limited', true],
  [403, 'quotaExceeded', 'quota_exceeded', false],
  [404, 'notFound', 'not_found', false],
  [408, undefined, 'unavailable', true],
  [409, 'conflict', 'already_exists', false],
  [412, 'conditionNotMet', 'precondition_failed', false],
  [418, 'teapot', 'unknown', false],
  [429, 'rateLimitExceeded', 'rate_limited', true],
  [500, 'backendError', 'unavailable', true],
  [501, 'notImplemented', 'unsupported', false],
  [502, undefined, 'unavailable', true],
  [503, 'backendError', 'rate_limited', true],
  [504, undefined, 'unavailable', true],
]

describe('what Google Cloud Storage answers', () => {
  it.each(TABLE)('%i %s is %s', async (status, reason, code, retryable) => {
    const disk = await diskOn(saying(status, reason))
    const error = (await rejectionOf(disk.stat('a/b.txt'))) as StorageError
    expect(error).toMatchObject({ code, retryable, operation: 'stat', path: 'a/b.txt', disk: 'gcs' })
    expect(error.cause).toMatchObject({ status, reason, requestId: 'request-1' })
  })

  it.each(['<html>not JSON</html>', '', '{"error":"text"}', 'null', '[]'])('is judged by its status when it says %j', async (body) => {
    const disk = await diskOn((_req, res) => res.writeHead(503).end(body))
    expect(await rejectionOf(disk.stat('a.txt'))).toMatchObject({ code: 'rate_limited', cause: { status: 503 } })
  })

  it('is unavailable when it is no JSON at all', async () => {
    const disk = await diskOn((_req, res) => res.writeHead(200).end('<html>a portal</html>'))
    expect(await rejectionOf(disk.stat('a.txt'))).toMatchObject({ code: 'unavailable' })
  })

  it('is unauthenticated for many at once too: it is not about single files', async () => {
    const disk = await diskOn(saying(401, 'authError'))
    expect(await rejectionOf(disk.delete(['a', 'b', 'c']))).toMatchObject({ code: 'unauthenticated' })
  })

  it('names a bucket that is missing, from every method', async () => {
    const disk = await diskOn(saying(404, 'notFound'), { bucketStatus: 404 })
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      get: () => disk.get('a'),
      getOrNull: () => disk.getOrNull('a'),
      stream: () => disk.readStream('a'),
      stat: () => disk.stat('a'),
      exists: () => disk.exists('a'),
      fileExists: () => disk.fileExists('a'),
      directoryExists: () => disk.directoryExists('a'),
      put: () => disk.put('a', 'x'),
      writeStream: () => disk.writeStream('a', new Blob(['x']).stream()),
      append: () => disk.append('a', 'x'),
      delete: () => disk.delete('a'),
      'delete of many': () => disk.delete(['a', 'b']),
      deleteDirectory: () => disk.deleteDirectory('a'),
      list: () => disk.files(),
      copy: () => disk.copy('a', 'b'),
      move: () => disk.move('a', 'b'),
      multipart: async () => disk.layer('gcs')?.multipart.create('a', {}),
      prune: async () => disk.layer('gcs')?.pruneIncompleteUploads({ olderThan: 0 }),
      info: async () => disk.buckets?.info(),
      versioning: async () => disk.buckets?.versioning?.get(),
    }
    for (const [method, call] of Object.entries(calls)) {
      const { code, message } = (await rejectionOf(call(), method)) as StorageError
      expect({ method, code, named: message.includes('"bucket"') }).toEqual({ method, code: 'configuration', named: true })
    }
  })

  it('does not ask for the bucket again within a minute of seeing it', async () => {
    let asked = 0
    server = await listen((req, res) => {
      req.resume()
      if (req.url?.startsWith('/storage/v1/b/bucket?')) asked++
      if (req.url?.startsWith('/storage/v1/b/bucket?')) res.end('{}')
      else saying(404, 'notFound')(req, res)
    })
    let now = 0
    const driver = new GcsDriver({ bucket: 'bucket', endpoint: server.origin }, () => new Date(now))
    for (const [moment, times] of [
      [0, 1],
      [59_000, 1],
      [60_001, 2],
    ] as const) {
      now = moment
      expect(await rejectionOf(driver.stat('a', {}))).toMatchObject({ code: 'not_found' })
      expect(asked).toBe(times)
    }
  })

  it('takes a bucket that may not be looked at for one that is there', async () => {
    const disk = await diskOn(saying(404, 'notFound'), { bucketStatus: 403 })
    expect(await rejectionOf(disk.stat('a'))).toMatchObject({ code: 'not_found' })
    expect(await disk.getOrNull('a')).toBe(null)
  })

  it('says of ACLs that the bucket has none', async () => {
    server = await listen((req, res) => {
      req.resume()
      saying(400, 'invalid')(req, res)
    })
    const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint: server.origin, uniformAccess: false }), { name: 'gcs' })
    expect(await rejectionOf(disk.setVisibility('a', 'public'))).toMatchObject({ code: 'unsupported' })
    expect(await rejectionOf(disk.setVisibility('a', 'private'))).toMatchObject({ code: 'unsupported' })
    expect(await rejectionOf(disk.put('a', 'x', { visibility: 'public' }))).toMatchObject({ code: 'unsupported' })
  })

  it('says of a public file that the bucket prevents such', async () => {
    server = await listen((req, res) => {
      req.resume()
      saying(412, 'conditionNotMet')(req, res)
    })
    const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint: server.origin, uniformAccess: false }), { name: 'gcs' })
    expect(await rejectionOf(disk.setVisibility('a', 'public'))).toMatchObject({ code: 'permission_denied' })
    expect(await rejectionOf(disk.put('a', 'x', { ifAbsent: true, visibility: 'public' }))).toMatchObject({ code: 'already_exists' })
  })

  it('refuses a visibility before any I/O where access is uniform', async () => {
    let requests = 0
    const disk = await diskOn((_req, res) => {
      requests++
      res.end('{}')
    })
    expect(await rejectionOf(disk.setVisibility('a', 'public'))).toMatchObject({ code: 'unsupported' })
    expect(await rejectionOf(disk.put('a', 'x', { visibility: 'public' }))).toMatchObject({ code: 'unsupported' })
    expect(await rejectionOf(disk.visibility('a'))).toMatchObject({ code: 'unsupported' })
    expect(requests).toBe(0)
  })
})

describe('what the network does', () => {
  it.each([
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'configuration'],
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'unavailable'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC', 'unavailable'],
  ])('%s is %s', (code, ours) => {
    expect(codeOf(new GcsFailure('said by TLS', { code }))).toBe(ours)
  })

  it('is unavailable when nobody listens', async () => {
    const gone = await listen(() => undefined)
    await gone.close()
    const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint: gone.origin, retries: 0 }), { name: 'gcs' })
    expect(await rejectionOf(disk.get('a'))).toMatchObject({ code: 'unavailable', retryable: true, cause: { code: 'ECONNREFUSED' } })
  })

  it('is unavailable when the connection is reset', async () => {
    const disk = await diskOn((req) => req.socket.resetAndDestroy())
    expect(await rejectionOf(disk.put('a', 'x'))).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNRESET' } })
  })

  it('is unavailable when no answer comes', async () => {
    const disk = await diskOn(() => undefined, { socketTimeoutMs: 30 })
    expect(await rejectionOf(disk.get('a'))).toMatchObject({ code: 'unavailable', cause: { code: 'ETIMEDOUT' } })
  })

  it('is a wrong endpoint when it speaks no TLS', async () => {
    server = await listen(() => undefined)
    const endpoint = server.origin.replace('http:', 'https:')
    const disk = new Disk(new GcsDriver({ bucket: 'bucket', endpoint, retries: 0 }), { name: 'gcs' })
    expect(await rejectionOf(disk.get('a'))).toMatchObject({ code: 'configuration' })
  })
})
