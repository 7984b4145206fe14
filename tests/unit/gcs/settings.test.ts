/** What can be judged about a configuration without asking anybody. */
import { describe, expect, it } from '@jest/globals'
import { GcsDriver, type GcsDriverOptions } from '../../../src/drivers/gcs/gcs-driver.ts'
import { ConfigurationError } from '../../../src/errors.ts'
import { StorageManager } from '../../../src/storage-manager.ts'

const KEY = { client_email: 'a@example.iam.gserviceaccount.com', private_key: 'SECRET-KEY' }
const client = { authClient: {}, apiEndpoint: 'https://storage.googleapis.com' }

function refusal(options: object): string {
  try {
    void new GcsDriver(options as GcsDriverOptions)
    return 'taken'
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }
}

describe('the configuration of a Google Cloud Storage disk', () => {
  it.each([
    [{}],
    [{ bucket: '' }],
    [{ bucket: 5 }],
    [{ bucket: 'gs://bucket' }],
    [{ bucket: 'bucket/folder' }],
    [{ bucket: 'b', keyFile: 'a.json', credentials: KEY }],
    [{ bucket: 'b', client, credentials: KEY }],
    [{ bucket: 'b', client, keyFile: 'a.json' }],
    [{ bucket: 'b', client, endpoint: 'http://localhost' }],
    [{ bucket: 'b', client: {} }],
    [{ bucket: 'b', credentials: 'not JSON SECRET-KEY' }],
    [{ bucket: 'b', credentials: '"text"' }],
    [{ bucket: 'b', credentials: 'null' }],
    [{ bucket: 'b', credentials: [] }],
    [{ bucket: 'b', credentials: { private_key: 'SECRET-KEY' } }],
    [{ bucket: 'b', credentials: { type: 'service_account', client_email: 'x' } }],
    [{ bucket: 'b', endpoint: 'ftp://host://x' }],
    [{ bucket: 'b', endpoint: 'https://user:SECRET-KEY@host' }],
    [{ bucket: 'b', endpoint: 'https://host?x=1' }],
    [{ bucket: 'b', chunkSize: 0 }],
    [{ bucket: 'b', chunkSize: 1_000_000 }],
    [{ bucket: 'b', maxSockets: 0 }],
    [{ bucket: 'b', retries: -1 }],
    [{ bucket: 'b', retries: 1.5 }],
    [{ bucket: 'b', socketTimeoutMs: 0 }],
  ])('is refused: %j', (options) => {
    const message = refusal(options)
    expect(message).not.toBe('taken')
    expect(message).not.toContain('SECRET-KEY')
  })

  it.each([
    [{ bucket: 'b' }],
    [{ bucket: 'b', credentials: KEY }],
    [{ bucket: 'b', credentials: JSON.stringify(KEY) }],
    [{ bucket: 'b', credentials: { type: 'external_account' } }],
    [{ bucket: 'b', keyFile: 'missing.json' }],
    [{ bucket: 'b', client }],
    [{ bucket: 'b', endpoint: 'localhost:4443' }],
    [{ bucket: 'b', endpoint: 'http://localhost:4443/storage/v1/', keyFile: undefined, uniformAccess: undefined }],
    [{ bucket: 'b', chunkSize: 256 * 1024, maxSockets: 1, retries: 0, socketTimeoutMs: 1 }],
  ])('is taken, and nothing is opened: %j', (options) => {
    expect(refusal(options)).toBe('taken')
  })

  it('has visibility only where access is not uniform', () => {
    expect(new GcsDriver({ bucket: 'b' }).visibility).toBeUndefined()
    expect(new GcsDriver({ bucket: 'b', uniformAccess: true }).visibility).toBeUndefined()
    expect(typeof new GcsDriver({ bucket: 'b', uniformAccess: false }).visibility).toBe('object')
  })

  it('makes a disk by its name, with credentials as an object or as JSON', () => {
    for (const credentials of [KEY, JSON.stringify(KEY), undefined]) {
      const storage = new StorageManager({ disks: { gcs: { driver: 'gcs', bucket: 'b', credentials, uniformAccess: 'false' } } })
      expect([storage.driver.kind, storage.supports('visibility')]).toEqual(['gcs', true])
    }
  })

  it('locates by endpoint and bucket', () => {
    const places = [
      new GcsDriver({ bucket: 'b' }).locate('k'),
      new GcsDriver({ bucket: 'b', endpoint: 'https://storage.googleapis.com/' }).locate('k'),
      new GcsDriver({ bucket: 'b', client }).locate('k'),
    ]
    expect(new Set(places.map(({ store, key }) => `${store} ${key}`)).size).toBe(1)
    expect(new GcsDriver({ bucket: 'b', endpoint: 'http://localhost' }).locate('k').store).not.toBe(places[0]?.store)
    expect(new GcsDriver({ bucket: 'c' }).locate('k').store).not.toBe(places[0]?.store)
  })

  it('gives public URLs without asking anybody', async () => {
    expect(await new GcsDriver({ bucket: 'b' }).publicUrl('a/é b.txt')).toBe('https://storage.googleapis.com/b/a/%C3%A9%20b.txt')
    expect(await new GcsDriver({ bucket: 'b', endpoint: 'localhost:4443' }).publicUrl('a')).toBe('https://localhost:4443/b/a')
  })
})
