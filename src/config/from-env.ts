/**
 * A configuration made of environment variables alone, for apps without a configuration file: one disk, `default`.
 *
 *   STORAGE_BACKEND ──▶ that one
 *   else RAILWAY_VOLUME_MOUNT_PATH ──▶ local · AWS_ACCESS_KEY_ID, STORAGE_S3_BUCKET ──▶ s3 · GOOGLE_APPLICATION_CREDENTIALS ──▶ gcs
 *   else memory, with one warning
 *
 * An empty variable counts as unset. What is missing is reported when the disk is first used, with the variables that were asked.
 */
import type { Visibility } from '../driver.ts'
import { ConfigurationError, quote } from '../errors.ts'
import type { CommonDiskConfig, DiskConfig, DiskConfigOf, StorageConfig } from './disk-config.ts'
import { rememberNames } from './env.ts'
import { amount, count, countOrZero, flag, type Kind, port } from './kinds.ts'
import { didYouMean } from './nearest.ts'

type Environment = Readonly<Record<string, string | undefined>>
type BackendName = 'local' | 's3' | 'minio' | 'gcs' | 'azure' | 'ftp' | 'memory'

const S3_BUCKET = ['STORAGE_S3_BUCKET', 'STORAGE_BUCKET', 'AWS_BUCKET'] as const
const S3_ENDPOINT = ['STORAGE_S3_ENDPOINT', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT'] as const
const GCS_BUCKET = ['STORAGE_GCS_BUCKET', 'STORAGE_BUCKET'] as const
const AZURE_CONTAINER = ['STORAGE_AZURE_CONTAINER', 'STORAGE_BUCKET'] as const

const BACKENDS: { readonly [Name in BackendName]: (env: Reader) => DiskConfig } = {
  local: (env) => ({ driver: 'local', root: localRoot(env), ...servedUrls(env), ...common(env), ...limited(env) }),
  s3: (env) => ({ driver: 's3', ...s3Keys(env) }),
  minio: (env) => ({ driver: 'minio', ...s3Keys(env) }),
  gcs: (env) => ({
    driver: 'gcs',
    bucket: env.text(...GCS_BUCKET),
    projectId: env.text('STORAGE_GCS_PROJECT'),
    keyFile: env.text('GOOGLE_APPLICATION_CREDENTIALS'),
    storageClass: env.text('STORAGE_DEFAULT_STORAGE_CLASS'),
    url: env.text('STORAGE_BASE_URL'),
    ...common(env),
    ...limited(env),
  }),
  azure: (env) => ({
    driver: 'azure',
    container: env.text(...AZURE_CONTAINER),
    ...azureAccount(env),
    tier: env.text('STORAGE_DEFAULT_STORAGE_CLASS'),
    url: env.text('STORAGE_BASE_URL'),
    ...common(env),
    ...limited(env),
  }),
  ftp: (env) => ({
    driver: 'ftp',
    host: env.text('STORAGE_FTP_HOST'),
    port: env.read(port, 'STORAGE_FTP_PORT'),
    username: env.text('STORAGE_FTP_USERNAME'),
    password: env.text('STORAGE_FTP_PASSWORD'),
    root: env.text('STORAGE_FTP_ROOT'),
    poolSize: env.read(count, 'STORAGE_MAX_POOL_CONNECTIONS'),
    ...servedUrls(env),
    ...common(env),
  }),
  memory: (env) => ({ driver: 'memory', ...servedUrls(env), ...common(env), ...limited(env) }),
}

/** The keys without which a disk cannot work, and the variables that hold them, for the message when none does. */
const ASKED: { readonly [Name in BackendName]: Readonly<Record<string, readonly string[]>> } = {
  local: {},
  memory: {},
  s3: { bucket: S3_BUCKET },
  minio: { bucket: S3_BUCKET, endpoint: S3_ENDPOINT },
  gcs: { bucket: GCS_BUCKET },
  azure: { container: AZURE_CONTAINER, accountName: ['STORAGE_AZURE_ACCOUNT', 'STORAGE_AZURE_CONNECTION_STRING'] },
  ftp: { host: ['STORAGE_FTP_HOST'] },
}

/**
 * One disk named `default`, of the store that the environment speaks of.
 * @throws ConfigurationError for an unknown STORAGE_BACKEND, one that is not supported, and numbers and flags that are none
 */
export function configFromEnv(env: Environment = process.env): StorageConfig<'default'> {
  const reader = new Reader(env)
  const name = backendOf(reader)
  const asked = ASKED[name]
  const entries = Object.entries(BACKENDS[name](reader))
  const disk = Object.fromEntries(entries.filter(([key, value]) => value !== undefined || Object.hasOwn(asked, key)))
  for (const [key, names] of Object.entries(asked)) rememberNames(disk, key, names)
  return { default: 'default', disks: { default: disk as unknown as DiskConfig } }
}

function backendOf(env: Reader): BackendName {
  const chosen = env.text('STORAGE_BACKEND')?.trim().toLowerCase()
  if (chosen === 'cloudinary') throw noCloudinary('STORAGE_BACKEND=cloudinary')
  if (chosen !== undefined) {
    if (Object.hasOwn(BACKENDS, chosen)) return chosen as BackendName
    const known = Object.keys(BACKENDS)
    throw new ConfigurationError(
      `STORAGE_BACKEND: unknown backend ${quote(chosen)}${didYouMean(chosen, known)}; known: ${known.join(', ')}`,
    )
  }
  if (env.text('RAILWAY_VOLUME_MOUNT_PATH')) return 'local'
  if (env.text('AWS_ACCESS_KEY_ID', 'STORAGE_S3_BUCKET')) return 's3'
  if (env.text('GOOGLE_APPLICATION_CREDENTIALS')) return 'gcs'
  if (env.text('CLOUDINARY_URL')) throw noCloudinary('CLOUDINARY_URL')
  warnOfMemory()
  return 'memory'
}

function noCloudinary(what: string): ConfigurationError {
  return new ConfigurationError(
    `${what}: Cloudinary is not supported yet; set STORAGE_BACKEND to one of ${Object.keys(BACKENDS).join(', ')}`,
  )
}

let warned = false

function warnOfMemory(): void {
  if (warned) return
  warned = true
  const message = 'no disk is configured: files are kept in memory and lost on restart. Set STORAGE_BACKEND, or write config/filesystems.ts'
  process.emitWarning(message, { type: 'StowageWarning', code: 'STOWAGE_MEMORY' })
}

function localRoot(env: Reader): string {
  return env.text('STORAGE_BASE_PATH', 'RAILWAY_VOLUME_MOUNT_PATH') ?? 'storage/app/private'
}

/** For stores without signed URLs: with a secret the disk signs its own; a base URL alone is where a web server shows the files. */
function servedUrls(env: Reader): Pick<CommonDiskConfig, 'serve' | 'url'> {
  const url = env.text('STORAGE_BASE_URL')
  const secret = env.text('STORAGE_URL_SECRET')
  return secret === undefined ? { url } : { serve: { url: url ?? '/storage', secret } }
}

function common(env: Reader): Pick<CommonDiskConfig, 'visibility' | 'retry' | 'timeoutMs' | 'urlExpiration'> {
  const retries = env.read(countOrZero, 'STORAGE_MAX_RETRIES')
  return { ...defaults(env), retry: retries === undefined || retries === 0 ? undefined : retries + 1 }
}

function defaults(env: Reader): Pick<CommonDiskConfig, 'visibility' | 'timeoutMs' | 'urlExpiration'> {
  const seconds = env.read(amount, 'STORAGE_TIMEOUT')
  const urlExpiration = env.read(count, 'STORAGE_URL_EXPIRATION')
  return { visibility: aclVisibility(env), timeoutMs: seconds === undefined ? undefined : seconds * 1_000, urlExpiration }
}

function limited(env: Reader): Pick<CommonDiskConfig, 'maxConcurrency'> {
  return { maxConcurrency: env.read(count, 'STORAGE_MAX_POOL_CONNECTIONS') }
}

function azureAccount(env: Reader): Pick<DiskConfigOf<'azure'>, 'connectionString' | 'accountName' | 'accountKey'> {
  const connectionString = env.text('STORAGE_AZURE_CONNECTION_STRING')
  // It has both, so they would contradict it.
  if (connectionString !== undefined) return { connectionString }
  return { accountName: env.text('STORAGE_AZURE_ACCOUNT'), accountKey: env.text('STORAGE_AZURE_KEY') }
}

function s3Keys(env: Reader): Omit<DiskConfigOf<'s3'>, 'driver' | 'endpoint'> & { endpoint: string | undefined } {
  return {
    bucket: env.text(...S3_BUCKET),
    region: env.text('STORAGE_S3_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'),
    ...s3Credentials(env),
    endpoint: s3Endpoint(env),
    pathStyle: env.read(flag, 'AWS_USE_PATH_STYLE_ENDPOINT'),
    url: env.text('STORAGE_BASE_URL', 'AWS_URL'),
    acl: hasAcl(env) || undefined,
    storageClass: env.text('STORAGE_DEFAULT_STORAGE_CLASS'),
    maxSockets: env.read(count, 'STORAGE_MAX_POOL_CONNECTIONS'),
    retries: env.read(countOrZero, 'STORAGE_MAX_RETRIES'),
    tls: env.read(flag, 'STORAGE_S3_VERIFY_SSL') === false ? { rejectUnauthorized: false } : undefined,
    ...defaults(env),
  }
}

/** A session token belongs to the key that it was made with. */
function s3Credentials(env: Reader): Pick<DiskConfigOf<'s3'>, 'key' | 'secret' | 'token'> {
  const own = env.text('STORAGE_S3_ACCESS_KEY')
  return {
    key: own ?? env.text('AWS_ACCESS_KEY_ID'),
    secret: env.text('STORAGE_S3_SECRET_KEY', 'AWS_SECRET_ACCESS_KEY'),
    token: own === undefined ? env.text('AWS_SESSION_TOKEN') : undefined,
  }
}

function s3Endpoint(env: Reader): string | undefined {
  const scheme = env.read(flag, 'STORAGE_S3_USE_SSL') === false ? 'http' : 'https'
  const endpoint = env.text(...S3_ENDPOINT)
  return endpoint === undefined || /^https?:\/\//i.test(endpoint) ? endpoint : `${scheme}://${endpoint}`
}

function hasAcl(env: Reader): boolean {
  const acl = env.text('STORAGE_DEFAULT_ACL')
  return acl !== undefined && acl !== 'false' && acl !== '0'
}

const ACL_VISIBILITY: ReadonlyMap<string, Visibility | undefined> = new Map([
  ['public-read', 'public'],
  ['public', 'public'],
  ['private', 'private'],
  ['true', undefined],
  ['1', undefined],
  ['false', undefined],
  ['0', undefined],
])

function aclVisibility(env: Reader): Visibility | undefined {
  const acl = env.text('STORAGE_DEFAULT_ACL')
  if (acl === undefined || ACL_VISIBILITY.has(acl)) return acl === undefined ? undefined : ACL_VISIBILITY.get(acl)
  throw new ConfigurationError(`STORAGE_DEFAULT_ACL must be public-read, private, true or false${didYouMean(acl, ACL_VISIBILITY.keys())}`)
}

class Reader {
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** The first of these variables that is set. */
  text(...names: readonly string[]): string | undefined {
    return names.map((name) => this.#env[name]).find((value) => value !== undefined && value !== '')
  }

  /** @throws ConfigurationError when the variable is of another kind */
  read<Value>(kind: Kind<Value>, name: string): Value | undefined {
    const value = this.text(name)
    return value === undefined ? undefined : kind(value.trim().toLowerCase(), { owner: 'the environment', key: name })
  }
}
