/** Where credentials come from, where tokens go, and what is said when there are none. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Storage } from '@google-cloud/storage'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { GcsDriver, type GcsDriverOptions } from '../../../src/drivers/gcs/gcs-driver.ts'
import type { StorageError } from '../../../src/errors.ts'
import { rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { type Listening, listen } from '../../support/listen.ts'

const KEY = {
  type: 'service_account',
  project_id: 'project-of-the-key',
  client_email: 'signer@example.iam.gserviceaccount.com',
  private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
}
const SIGN = { method: 'GET', expiresAt: new Date(Date.now() + 60_000) } as const

let folder = ''
let keyFile = ''
let server: Listening
const seen: { url: string | undefined; authorization: string | undefined }[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-gcs-'))
  keyFile = join(folder, 'key.json')
  await writeFile(keyFile, JSON.stringify(KEY))
  server = await listen((req, res) => {
    seen.push({ url: req.url, authorization: req.headers.authorization })
    req.resume()
    res.end(JSON.stringify({ name: 'a', size: '1', generation: '1', updated: new Date().toISOString(), items: [] }))
  })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})
afterEach(() => {
  seen.length = 0
  delete process.env['GOOGLE_APPLICATION_CREDENTIALS']
  delete process.env['STORAGE_EMULATOR_HOST']
})

async function signerOf(options: Partial<GcsDriverOptions>): Promise<string> {
  const { url } = await new GcsDriver({ bucket: 'bucket', ...options }).signUrl('a.txt', SIGN)
  return new URL(url).searchParams.get('X-Goog-Credential')?.split('/')[0] ?? ''
}

describe('credentials', () => {
  it.each([
    ['an object', () => ({ credentials: KEY })],
    ['JSON', () => ({ credentials: JSON.stringify(KEY) })],
    ['a key file', () => ({ keyFile })],
    ['an injected client', () => ({ client: clientWithKey() })],
  ] as const)('are taken from %s, without a word', async (_what, options) => {
    const spies = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'error'), jest.spyOn(process, 'emitWarning')]
    try {
      expect(await signerOf(options())).toBe(KEY.client_email)
      for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  })

  it('are taken from the environment, as everywhere at Google', async () => {
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = keyFile
    expect(await signerOf({})).toBe(KEY.client_email)
  })

  it('leave the object that was given as it is', async () => {
    const given = Object.freeze({ ...KEY })
    expect(await signerOf({ credentials: given })).toBe(KEY.client_email)
  })

  it('that are not there, or no JSON, are a wrong configuration that shows nothing of the file', async () => {
    const broken = join(folder, 'broken.json')
    await writeFile(broken, '{"private_key": "SECRET-KEY"')
    for (const file of [join(folder, 'missing.json'), broken, folder]) {
      const error = (await rejectionOf(new GcsDriver({ bucket: 'bucket', keyFile: file }).stat('a', {}))) as StorageError
      expect(error.code).toBe('configuration')
      expect(`${error.message} ${String(error.cause)}`).not.toContain('SECRET-KEY')
    }
  })

  it('are looked for again after they were missing', async () => {
    const late = join(folder, 'late.json')
    const driver = new GcsDriver({ bucket: 'bucket', keyFile: late })
    expect(await rejectionOf(driver.signUrl('a', SIGN))).toMatchObject({ code: 'configuration' })
    await writeFile(late, JSON.stringify(KEY))
    expect((await driver.signUrl('a', SIGN)).method).toBe('GET')
  })
})

describe('tokens', () => {
  it('do not go to an emulator', async () => {
    await new GcsDriver({ bucket: 'bucket', endpoint: server.origin, credentials: KEY }).stat('a', {})
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  it('go where an injected client says', async () => {
    for (const useAuthWithCustomEndpoint of [true, false]) {
      const client = new Storage({ apiEndpoint: server.origin, authClient: tokens(), useAuthWithCustomEndpoint } as never)
      await new GcsDriver({ bucket: 'bucket', client }).stat('a', {})
    }
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer a-token', undefined])
  })

  it.each([
    [{ response: { status: 400, data: { error: 'invalid_grant' } } }, 'unauthenticated'],
    [{ response: { status: 401, data: { error: 'invalid_client' } } }, 'unauthenticated'],
    [{ response: { status: 403, data: 'text' } }, 'unauthenticated'],
    [{ response: { status: 503, data: '' } }, 'unavailable'],
    [{ response: { status: 429, data: '' } }, 'unavailable'],
    [{ code: 'ENOTFOUND' }, 'unavailable'],
    [{ code: 'ECONNRESET' }, 'unavailable'],
    [{ code: 'ERR_OSSL_UNSUPPORTED' }, 'configuration'],
    [{}, 'unauthenticated'],
  ])('that are refused with %j are %s, without the request in the cause', async (failure, code) => {
    const refusal = Object.assign(new Error('refused'), failure, { config: { data: 'assertion=SECRET' } })
    const authClient = tokens(() => Promise.reject(refusal))
    const client = new Storage({ apiEndpoint: server.origin, authClient, useAuthWithCustomEndpoint: true } as never)
    const error = (await rejectionOf(new GcsDriver({ bucket: 'bucket', client }).stat('a', {}))) as StorageError
    expect(error.code).toBe(code)
    expect(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause))).not.toContain('SECRET')
    expect(error.cause).not.toHaveProperty('config')
  })
})

describe('the endpoint', () => {
  it('has the API below /storage/v1', async () => {
    await new GcsDriver({ bucket: 'bucket', endpoint: `${server.origin}/` }).list('', {})
    expect(seen[0]?.url).toMatch(/^\/storage\/v1\/b\/bucket\/o\?/)
  })

  it('of STORAGE_EMULATOR_HOST has it at its root, and uploads where they always are', async () => {
    process.env['STORAGE_EMULATOR_HOST'] = server.origin
    const driver = new GcsDriver({ bucket: 'bucket' })
    await driver.list('', {})
    expect(seen[0]?.url).toMatch(/^\/b\/bucket\/o\?/)
    expect(await driver.publicUrl('a.txt')).toBe(`${server.origin}/bucket/a.txt`)
  })

  it('of an injected client is kept', async () => {
    await new GcsDriver({ bucket: 'bucket', client: new Storage({ apiEndpoint: server.origin }) }).list('', {})
    expect(seen[0]?.url).toMatch(/^\/storage\/v1\/b\/bucket\/o\?/)
  })
})

function clientWithKey(): Storage {
  const client = new Storage({ projectId: 'project' })
  client.authClient.jsonContent = KEY
  return client
}

/** As much of an AuthClient as the SDK asks of one. */
function tokens(authorization: () => Promise<Headers> = async () => new Headers({ authorization: 'Bearer a-token' })): object {
  return { getRequestHeaders: authorization, setGapicJWTValues: () => undefined, on: () => undefined }
}
