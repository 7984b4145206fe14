/** What each driver and stack that ships can do: an ability that gets lost, or is claimed by mistake, shows here. */
import { describe, expect, it } from '@jest/globals'
import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { cdn } from '../../src/decorators/cdn/cdn.ts'
import { cached } from '../../src/decorators/cached/cached.ts'
import { fallback } from '../../src/decorators/fallback/fallback.ts'
import { logged } from '../../src/decorators/logged.ts'
import { mirrored } from '../../src/decorators/mirrored/mirrored.ts'
import { readOnly } from '../../src/decorators/read-only.ts'
import { retrying } from '../../src/decorators/retrying.ts'
import { scoped } from '../../src/decorators/scoped.ts'
import { served } from '../../src/decorators/served.ts'
import { throttled } from '../../src/decorators/throttled.ts'
import type { Decorator, Driver } from '../../src/driver.ts'
import { AzureDriver } from '../../src/drivers/azure/azure-driver.ts'
import { FtpDriver } from '../../src/drivers/ftp/ftp-driver.ts'
import { GcsDriver } from '../../src/drivers/gcs/gcs-driver.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { S3Driver, type S3DriverOptions } from '../../src/drivers/s3/s3-driver.ts'
import { FakeDisk } from '../../src/testing/fake-disk.ts'
import { faulty } from '../../src/testing/faulty.ts'

const ABILITIES = ['visibility', 'directories', 'multipart', 'append', 'publicUrl', 'signUrl'] as const
const STORE = 'ifAbsent ifMatch rangedRead serverSideCopy metadata'
const MEMORY = `visibility directories multipart append ${STORE}`
const LOCAL = `visibility directories append ${STORE}`
const URLS = 'publicUrl signUrl temporaryUrl temporaryUploadUrl'

const S3 = `multipart ${URLS} ${STORE} versions`

const GCS = `multipart append versions ${STORE} ${URLS}`

const url = served({ disk: 'a', secret: 'a secret of the kit' })
const network = cdn({ url: 'https://cdn', provider: { type: 'bunny', securityKey: 'k', apiKey: 'k' } })
const memory = (): Driver => new MemoryDriver()
const local = (): Driver => new LocalDriver({ root: 'never-made' })
const s3 = (options: Partial<S3DriverOptions> = {}): Driver => new S3Driver({ bucket: 'never-asked', ...options })
const sealed = encrypted({ key: generateKey() })
const bound = encrypted({ key: generateKey(), bind: 'path' })
const stack = (driver: Driver, ...decorators: Decorator[]): Driver => decorators.reduce((inner, decorate) => decorate(inner), driver)

const TABLE: readonly (readonly [stack: string, driver: Driver, abilities: string])[] = [
  ['memory', memory(), MEMORY],
  ['local', local(), LOCAL],
  ['azure', new AzureDriver({ container: 'never-asked', accountName: 'nobody' }), `append ${STORE} ${URLS}`],
  ['azure', new AzureDriver({ container: 'never-asked', accountName: 'nobody', sasToken: 'sig=x' }), `append publicUrl ${STORE}`],
  ['azure', new AzureDriver({ container: 'never-asked', accountName: 'nobody', versions: true }), `append versions ${STORE} ${URLS}`],
  ['ftp', new FtpDriver({ host: 'never-connected' }), 'visibility directories append rangedRead'],
  ['gcs', new GcsDriver({ bucket: 'never-asked' }), GCS],
  ['gcs', new GcsDriver({ bucket: 'never-asked', uniformAccess: false }), `visibility ${GCS}`],
  ['scoped(gcs)', stack(new GcsDriver({ bucket: 'never-asked' }), scoped('a')), GCS],
  ['s3', s3(), S3],
  ['s3', s3({ acl: true }), `visibility ${S3}`],
  ['s3:minio', s3({ preset: 'minio', endpoint: 'https://minio.example.com' }), S3],
  ['s3:r2', s3({ preset: 'r2', accountId: 'a' }), S3.replace('publicUrl ', '').replace(' versions', '')],
  ['s3:spaces', s3({ preset: 'spaces', region: 'fra1' }), S3.replace('ifAbsent ifMatch ', '')],
  ['s3:wasabi', s3({ preset: 'wasabi' }), S3.replace('ifAbsent ifMatch ', '')],
  ['s3:b2', s3({ preset: 'b2', region: 'eu-central-003' }), S3.replace('ifAbsent ifMatch ', '')],
  [
    's3:supabase',
    s3({ preset: 'supabase', endpoint: 'https://a.supabase.co/storage/v1/s3' }),
    S3.replace('ifAbsent ifMatch ', '').replace(' versions', ''),
  ],
  ['scoped(s3)', stack(s3(), scoped('a')), S3],
  ['retrying(faulty(s3))', stack(faulty(s3()), retrying()), S3],
  ['scoped(memory)', stack(memory(), scoped('a')), MEMORY],
  ['scoped(local)', stack(local(), scoped('a')), LOCAL],
  ['retrying(memory)', stack(memory(), retrying()), MEMORY],
  ['throttled(memory)', stack(memory(), throttled({ maxConcurrency: 1 })), MEMORY],
  ['logged(memory)', stack(memory(), logged()), MEMORY],
  ['faulty(memory)', faulty(memory()), MEMORY],
  ['served(memory)', stack(memory(), url), `${MEMORY} ${URLS}`],
  ['served(local)', stack(local(), url), `${LOCAL} ${URLS}`],
  ['served(local)', stack(local(), served({ disk: 'a', publicUrl: '/files' })), `${LOCAL} publicUrl`],
  ['cdn(memory)', stack(memory(), cdn({ url: 'https://cdn' })), `${MEMORY} publicUrl`],
  ['cdn(s3)', stack(s3(), cdn({ url: 'https://cdn' })), S3],
  ['cdn(ftp)', stack(new FtpDriver({ host: 'h' }), network), 'visibility directories append rangedRead publicUrl signUrl temporaryUrl'],
  ['cdn(memory)', stack(memory(), network), `${MEMORY} publicUrl signUrl temporaryUrl`],
  ['read-only(memory)', stack(memory(), readOnly()), 'visibility directories rangedRead metadata'],
  ['read-only(local)', stack(local(), readOnly()), 'visibility directories rangedRead metadata'],
  [
    'read-only(served(memory))',
    stack(memory(), url, readOnly()),
    'visibility directories rangedRead metadata publicUrl signUrl temporaryUrl',
  ],
  ['served(read-only(memory))', stack(memory(), readOnly(), url), `visibility directories rangedRead metadata ${URLS}`],
  ['scoped(throttled(retrying(local)))', stack(local(), retrying(), throttled({ maxConcurrency: 1 }), scoped('a')), LOCAL],
  ['encrypted(memory)', stack(memory(), sealed), `visibility directories ${STORE} encryptedAtRest`],
  ['encrypted(local)', stack(local(), sealed), `visibility directories ${STORE} encryptedAtRest`],
  ['encrypted(local)', stack(local(), bound), `visibility directories ${STORE.replace('serverSideCopy ', '')} encryptedAtRest`],
  ['encrypted(s3)', stack(s3(), sealed), `${STORE} versions encryptedAtRest`],
  ['encrypted(ftp)', stack(new FtpDriver({ host: 'never-connected' }), sealed), 'visibility directories rangedRead encryptedAtRest'],
  ['served(encrypted(local))', stack(local(), sealed, url), `visibility directories ${STORE} encryptedAtRest ${URLS}`],
  ['cached(memory)', stack(memory(), cached()), MEMORY],
  ['cached(s3, local)', stack(s3(), cached({ store: { driver: 'disk', disk: local() } })), S3],
  ['cached(served(local))', stack(local(), url, cached({ store: { driver: 'redis' } })), `${LOCAL} ${URLS}`],
  [
    'fallback(memory, local)',
    stack(memory(), fallback({ fallbacks: [local()] })),
    'visibility directories multipart append ifAbsent ifMatch rangedRead metadata',
  ],
  [
    'mirrored(memory, local)',
    stack(memory(), mirrored({ mirrors: [local()] })),
    'visibility directories ifAbsent ifMatch rangedRead metadata',
  ],
  ['fake', new FakeDisk().driver, `${MEMORY} ${URLS}`],
]

function abilitiesOf(driver: Driver): string[] {
  const flags = Object.entries(driver.supports).filter(([, supported]) => supported)
  return [...ABILITIES.filter((ability) => driver[ability] !== undefined), ...flags.map(([flag]) => flag)].sort()
}

describe('the abilities of', () => {
  it.each(TABLE)('%s', (name, driver, abilities) => {
    expect(driver.name).toBe(name)
    expect(abilitiesOf(driver)).toEqual(abilities.split(' ').sort())
  })
})
