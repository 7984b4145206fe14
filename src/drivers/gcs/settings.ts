/**
 * What a Google Cloud Storage disk is configured with, judged without any I/O and completed with defaults: everything below this
 * file reads `GcsSettings` and never the options.
 */
import { ConfigurationError, quote } from '../../errors.ts'

/** What `new GcsDriver(options)` takes. Every key also takes undefined, the same as leaving it out. */
export interface GcsDriverOptions {
  readonly bucket: string
  /** Only needed to create and list buckets. Default: the project of the credentials. */
  readonly projectId?: string | undefined
  /** A service account's key file. Default: application default credentials. */
  readonly keyFile?: string | undefined
  /** What is in such a file, as an object or as its JSON. */
  readonly credentials?: object | string | undefined
  /** The address of an emulator, or of a private or regional endpoint of Google's. Default: STORAGE_EMULATOR_HOST, else Google's. */
  readonly endpoint?: string | undefined
  /** The bucket has uniform bucket-level access, so files have no visibility of their own. Default: true. */
  readonly uniformAccess?: boolean | undefined
  /** For files that are written without one. Default: the bucket's. */
  readonly storageClass?: string | undefined
  /** A `Storage` of `@google-cloud/storage` that was made elsewhere, instead of the keys that make one. */
  readonly client?: object | undefined
  /** Bytes of one request of a resumable upload, a multiple of 256 KiB. A smaller file is one request. Default: 8 MiB. */
  readonly chunkSize?: number | undefined
  /** Connections at once. Default: 64. */
  readonly maxSockets?: number | undefined
  /** How often a failed request is repeated. Default: the injected client's, else 3. */
  readonly retries?: number | undefined
  /** Milliseconds without a byte in either direction, while an answer is awaited. Default: 60,000. */
  readonly socketTimeoutMs?: number | undefined
}

/** What the driver works with. */
export interface GcsSettings {
  readonly bucket: string
  readonly projectId: string | undefined
  readonly keyFile: string | undefined
  readonly credentials: Readonly<Record<string, unknown>> | undefined
  /** With a scheme, without a slash at the end. */
  readonly endpoint: string | undefined
  readonly uniformAccess: boolean
  readonly storageClass: string | undefined
  readonly client: object | undefined
  readonly chunkSize: number
  readonly maxSockets: number
  readonly retries: number | undefined
  readonly socketTimeoutMs: number
}

const KiB = 1024
/** Cloud Storage documentation, "Resumable uploads": chunks are multiples of 256 KiB, and 8 MiB is what it recommends at least. */
const CHUNK_STEP = 256 * KiB
const CHUNK_BYTES = 32 * CHUNK_STEP

/** @throws ConfigurationError for what cannot work, whatever the store answers */
export function settingsOf(options: GcsDriverOptions): GcsSettings {
  const { bucket, client, chunkSize = CHUNK_BYTES } = options
  if (typeof bucket !== 'string' || bucket === '') throw new ConfigurationError('a Google Cloud Storage disk needs "bucket"')
  if (/[/?#\s]/.test(bucket))
    throw new ConfigurationError(`"bucket" is a bucket's name, without a scheme or a path: ${quote(bucket)} is not`)
  judgeSources(options)
  if (!Number.isInteger(chunkSize) || chunkSize <= 0 || chunkSize % CHUNK_STEP !== 0)
    throw new ConfigurationError(`"chunkSize" is a multiple of ${CHUNK_STEP} bytes (256 KiB): the store takes no others`)
  return {
    bucket,
    projectId: options.projectId,
    keyFile: options.keyFile,
    credentials: options.credentials === undefined ? undefined : credentialsOf(options.credentials),
    endpoint: addressOf(options.endpoint),
    uniformAccess: options.uniformAccess ?? true,
    storageClass: options.storageClass,
    client,
    chunkSize,
    maxSockets: atLeast('maxSockets', options.maxSockets ?? 64, 1),
    retries: options.retries === undefined ? undefined : atLeast('retries', options.retries, 0),
    socketTimeoutMs: atLeast('socketTimeoutMs', options.socketTimeoutMs ?? 60_000, 1),
  }
}

function judgeSources(options: GcsDriverOptions): void {
  if (options.keyFile !== undefined && options.credentials !== undefined)
    throw new ConfigurationError('"keyFile" and "credentials" are two keys: leave one out')
  if (options.client === undefined) return
  const given = (['keyFile', 'credentials', 'endpoint'] as const).filter((key) => options[key] !== undefined)
  if (given.length > 0)
    throw new ConfigurationError(`"client" has its own credentials and endpoint: leave out ${given.map(quote).join(', ')}`)
  if (!('authClient' in options.client) || !('apiEndpoint' in options.client))
    throw new ConfigurationError('"client" is not a Storage of @google-cloud/storage')
}

/** Never says what is in it. */
function credentialsOf(given: object | string): Readonly<Record<string, unknown>> {
  const credentials = typeof given === 'string' ? parsedKey(given, '"credentials"') : (given as Readonly<Record<string, unknown>>)
  return judgedKey(credentials, '"credentials"')
}

/** A key in JSON. @throws ConfigurationError when it is none; the message holds nothing of the text */
export function parsedKey(json: string, where: string): Readonly<Record<string, unknown>> {
  try {
    return judgedKey(JSON.parse(json) as Readonly<Record<string, unknown>>, where)
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError(`${where} is not JSON: it has to be the key file that Google Cloud gave out, as it is`)
  }
}

function judgedKey(key: Readonly<Record<string, unknown>>, where: string): Readonly<Record<string, unknown>> {
  const isObject = typeof key === 'object' && key !== null && !Array.isArray(key)
  if (!isObject) throw new ConfigurationError(`${where} has to be an object with "client_email" and "private_key"`)
  const isServiceAccount = typeof key['client_email'] === 'string' && typeof key['private_key'] === 'string'
  // Other types (authorized_user, external_account, impersonated_service_account) have other members, which the SDK judges.
  if (!isServiceAccount && (key['type'] === undefined || key['type'] === 'service_account'))
    throw new ConfigurationError(`${where} needs "client_email" and "private_key", as in a service account's key file`)
  return key
}

/** As the SDK reads it: without a scheme it is https, and the path of the API may be there or not. */
function addressOf(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  const address = /^https?:\/\//i.test(value) ? value : `https://${value}`
  const url = URL.parse(address)
  if (url === null || /^[a-z]+:\/\/[^/]*:\/\//i.test(address)) throw new ConfigurationError(`"endpoint" is not an address: ${quote(value)}`)
  if (url.username !== '' || url.password !== '')
    throw new ConfigurationError('"endpoint" holds credentials: they are "keyFile" or "credentials"')
  if (url.search !== '' || url.hash !== '') throw new ConfigurationError('"endpoint" is an address without a query')
  return address.replace(/\/+$/, '').replace(/\/storage\/v1$/, '')
}

function atLeast(key: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least) throw new ConfigurationError(`"${key}" is a whole number from ${least} on`)
  return value
}
