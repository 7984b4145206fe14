import { describe, expect, it, jest } from '@jest/globals'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import { configFromEnv } from '../../../src/config/from-env.ts'
import { buildDriver } from '../../../src/config/registry.ts'
import { validateConfig } from '../../../src/config/validate.ts'
import { isStorageError } from '../../../src/errors.ts'

type Variables = Record<string, string>

function diskOf(env: Variables): DiskConfig {
  const config = configFromEnv(env)
  const unjudged: unknown = config
  validateConfig(unjudged)
  expect(Object.keys(config.disks)).toEqual(['default'])
  expect(config.default).toBe('default')
  return config.disks.default
}

/** The message of the ConfigurationError that this throws. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isStorageError(error) && error.code === 'configuration') return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

function noOther(): never {
  throw new Error('no other disk is asked for')
}

describe('the store', () => {
  it.each<[Variables, string]>([
    [{ STORAGE_BACKEND: 'local' }, 'local'],
    [{ STORAGE_BACKEND: 's3', RAILWAY_VOLUME_MOUNT_PATH: '/data' }, 's3'],
    [{ STORAGE_BACKEND: 'minio' }, 'minio'],
    [{ STORAGE_BACKEND: 'gcs', AWS_ACCESS_KEY_ID: 'x' }, 'gcs'],
    [{ STORAGE_BACKEND: 'azure' }, 'azure'],
    [{ STORAGE_BACKEND: 'ftp' }, 'ftp'],
    [{ STORAGE_BACKEND: ' Memory ' }, 'memory'],
    [{ RAILWAY_VOLUME_MOUNT_PATH: '/data', AWS_ACCESS_KEY_ID: 'x', GOOGLE_APPLICATION_CREDENTIALS: 'x' }, 'local'],
    [{ AWS_ACCESS_KEY_ID: 'x', GOOGLE_APPLICATION_CREDENTIALS: 'x' }, 's3'],
    [{ STORAGE_S3_BUCKET: 'b', GOOGLE_APPLICATION_CREDENTIALS: 'x' }, 's3'],
    [{ GOOGLE_APPLICATION_CREDENTIALS: 'x', CLOUDINARY_URL: 'x' }, 'gcs'],
    [{ STORAGE_BACKEND: '', RAILWAY_VOLUME_MOUNT_PATH: '', AWS_ACCESS_KEY_ID: 'x' }, 's3'],
    [{ STORAGE_BACKEND: 'local', CLOUDINARY_URL: 'x' }, 'local'],
  ])('%j is %s', (env, driver) => {
    expect(diskOf(env).driver).toBe(driver)
  })

  it('is memory when nothing speaks of another one, with one warning', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockReturnValue()
    expect(diskOf({ STORAGE_BACKEND: 'memory' })).toEqual({ driver: 'memory' })
    expect(emitWarning).not.toHaveBeenCalled()
    expect(diskOf({})).toEqual({ driver: 'memory' })
    expect(diskOf({ AWS_BUCKET: 'b' })).toEqual({ driver: 'memory' })
    expect(emitWarning.mock.calls).toEqual([[expect.stringContaining('lost on restart'), expect.anything()]])
    emitWarning.mockRestore()
  })

  it.each<[Variables, string]>([
    [{ CLOUDINARY_URL: 'cloudinary://key:hunter2@x' }, 'Cloudinary is not supported yet'],
    [{ STORAGE_BACKEND: 'cloudinary' }, 'Cloudinary is not supported yet'],
    [
      { STORAGE_BACKEND: 'minoi' },
      'STORAGE_BACKEND: unknown backend "minoi", did you mean "minio"?; known: local, s3, minio, gcs, azure, ftp, memory',
    ],
    [{ STORAGE_BACKEND: 'constructor' }, 'unknown backend "constructor"'],
  ])('%j is refused', (env, message) => {
    const refused = refusal(() => configFromEnv(env))
    expect(refused).toContain(message)
    expect(refused).not.toContain('hunter2')
  })
})

describe('the keys', () => {
  it.each<[Variables, DiskConfig]>([
    [{ STORAGE_BACKEND: 'local' }, { driver: 'local', root: 'storage/app/private' }],
    [
      { STORAGE_BACKEND: 'local', RAILWAY_VOLUME_MOUNT_PATH: '/data' },
      { driver: 'local', root: '/data' },
    ],
    [
      { RAILWAY_VOLUME_MOUNT_PATH: '/data', STORAGE_BASE_PATH: '/mine' },
      { driver: 'local', root: '/mine' },
    ],
    [
      { STORAGE_BACKEND: 'local', STORAGE_BASE_URL: 'https://x/files' },
      { driver: 'local', root: 'storage/app/private', url: 'https://x/files' },
    ],
    [
      { STORAGE_BACKEND: 'memory', STORAGE_URL_SECRET: 's', STORAGE_URL_EXPIRATION: '60' },
      { driver: 'memory', serve: { url: '/storage', secret: 's' }, urlExpiration: 60 },
    ],
    [
      { STORAGE_BACKEND: 'memory', STORAGE_BASE_URL: 'https://x', STORAGE_URL_SECRET: 's' },
      { driver: 'memory', serve: { url: 'https://x', secret: 's' } },
    ],
    [
      { STORAGE_BACKEND: 'memory', STORAGE_MAX_RETRIES: '2', STORAGE_TIMEOUT: '1.5', STORAGE_MAX_POOL_CONNECTIONS: '8' },
      { driver: 'memory', retry: 3, timeoutMs: 1500, maxConcurrency: 8 },
    ],
    [{ STORAGE_BACKEND: 'memory', STORAGE_MAX_RETRIES: '0' }, { driver: 'memory' }],
    [
      { STORAGE_BACKEND: 'memory', STORAGE_DEFAULT_ACL: 'public-read' },
      { driver: 'memory', visibility: 'public' },
    ],
    [
      {
        STORAGE_S3_BUCKET: 'b',
        STORAGE_S3_REGION: 'eu-west-1',
        STORAGE_S3_ENDPOINT: 'store:9000',
        STORAGE_S3_ACCESS_KEY: 'k',
        STORAGE_S3_SECRET_KEY: 's',
        STORAGE_S3_USE_SSL: 'False',
        STORAGE_S3_VERIFY_SSL: 'false',
        STORAGE_DEFAULT_ACL: 'private',
        STORAGE_DEFAULT_STORAGE_CLASS: 'STANDARD_IA',
        STORAGE_MAX_RETRIES: '5',
        STORAGE_TIMEOUT: '30',
        STORAGE_MAX_POOL_CONNECTIONS: '20',
        STORAGE_BASE_URL: 'https://cdn',
        AWS_SESSION_TOKEN: 'of another key',
      },
      {
        driver: 's3',
        bucket: 'b',
        region: 'eu-west-1',
        endpoint: 'http://store:9000',
        key: 'k',
        secret: 's',
        tls: { rejectUnauthorized: false },
        acl: true,
        visibility: 'private',
        storageClass: 'STANDARD_IA',
        retries: 5,
        timeoutMs: 30_000,
        maxSockets: 20,
        url: 'https://cdn',
      },
    ],
    [
      {
        AWS_ACCESS_KEY_ID: 'k',
        AWS_SECRET_ACCESS_KEY: 's',
        AWS_SESSION_TOKEN: 't',
        AWS_BUCKET: 'b',
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_ENDPOINT: 'https://e',
        AWS_USE_PATH_STYLE_ENDPOINT: 'true',
        AWS_URL: 'https://u',
      },
      {
        driver: 's3',
        key: 'k',
        secret: 's',
        token: 't',
        bucket: 'b',
        region: 'us-east-1',
        endpoint: 'https://e',
        pathStyle: true,
        url: 'https://u',
      },
    ],
    [
      { STORAGE_BACKEND: 'minio', STORAGE_BUCKET: 'b', STORAGE_S3_ENDPOINT: 'minio.example', STORAGE_DEFAULT_ACL: 'true' },
      { driver: 'minio', bucket: 'b', endpoint: 'https://minio.example', acl: true },
    ],
    [
      { STORAGE_BACKEND: 's3', STORAGE_BUCKET: 'b', STORAGE_S3_BUCKET: 'own', AWS_BUCKET: 'aws' },
      { driver: 's3', bucket: 'own' },
    ],
    [
      { STORAGE_BACKEND: 'gcs', STORAGE_GCS_BUCKET: 'b', STORAGE_GCS_PROJECT: 'p', GOOGLE_APPLICATION_CREDENTIALS: '/key.json' },
      { driver: 'gcs', bucket: 'b', projectId: 'p', keyFile: '/key.json' },
    ],
    [
      { STORAGE_BACKEND: 'azure', STORAGE_AZURE_CONTAINER: 'c', STORAGE_AZURE_ACCOUNT: 'a', STORAGE_AZURE_KEY: 'k' },
      { driver: 'azure', container: 'c', accountName: 'a', accountKey: 'k' },
    ],
    [
      { STORAGE_BACKEND: 'azure', STORAGE_BUCKET: 'c', STORAGE_AZURE_CONNECTION_STRING: 's', STORAGE_AZURE_KEY: 'k' },
      { driver: 'azure', container: 'c', connectionString: 's' },
    ],
    [
      {
        STORAGE_BACKEND: 'ftp',
        STORAGE_FTP_HOST: 'h',
        STORAGE_FTP_PORT: '2121',
        STORAGE_FTP_USERNAME: 'u',
        STORAGE_FTP_PASSWORD: 'p',
        STORAGE_FTP_ROOT: '/r',
        STORAGE_MAX_POOL_CONNECTIONS: '3',
      },
      { driver: 'ftp', host: 'h', port: 2121, username: 'u', password: 'p', root: '/r', poolSize: 3 },
    ],
  ])('of %j', (env, disk) => {
    expect(diskOf(env)).toEqual(disk)
  })

  it.each<[Variables, string]>([
    [{ STORAGE_TIMEOUT: 'soon' }, '"STORAGE_TIMEOUT" must be a number that is not negative'],
    [{ STORAGE_MAX_RETRIES: '-1' }, '"STORAGE_MAX_RETRIES" must be a whole number'],
    [{ STORAGE_MAX_POOL_CONNECTIONS: '0' }, '"STORAGE_MAX_POOL_CONNECTIONS" must be a whole number, 1 or more'],
    [{ STORAGE_URL_EXPIRATION: '1h' }, '"STORAGE_URL_EXPIRATION" must be a whole number, 1 or more'],
    [{ STORAGE_S3_USE_SSL: 'maybe' }, '"STORAGE_S3_USE_SSL" must be true or false'],
    [
      { STORAGE_DEFAULT_ACL: 'public-reed' },
      'STORAGE_DEFAULT_ACL must be public-read, private, true or false, did you mean "public-read"?',
    ],
  ])('%j is refused', (env, message) => {
    expect(refusal(() => configFromEnv({ STORAGE_BACKEND: 's3', ...env }))).toContain(message)
  })

  it.each<[string, string]>([
    ['s3', 'disk "default" needs "bucket" (unset: STORAGE_S3_BUCKET, STORAGE_BUCKET, AWS_BUCKET)'],
    ['gcs', 'disk "default" needs "bucket" (unset: STORAGE_GCS_BUCKET, STORAGE_BUCKET)'],
    ['azure', 'disk "default" needs "container" and "accountName" (unset: STORAGE_AZURE_CONTAINER, STORAGE_BUCKET, STORAGE_AZURE_ACCOUNT'],
    ['ftp', 'disk "default" needs "host" (unset: STORAGE_FTP_HOST)'],
  ])('that %s needs and does not have are named at the first use, with their variables', (backend, message) => {
    const disk = diskOf({ STORAGE_BACKEND: backend })
    const context = { name: 'default', resolve: noOther }
    expect(refusal(() => buildDriver(disk, context, new Map()))).toContain(message)
  })
})
