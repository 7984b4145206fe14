/**
 * What an S3 disk is configured with, judged without any I/O and completed with defaults: everything below this file reads
 * `S3Settings` and never the options.
 *
 *   options ──▶ preset (endpoint, region, quirks) ──▶ judged ──▶ S3Settings
 */
import type { Agent } from 'node:http'
import type { ConnectionOptions } from 'node:tls'
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError, quote } from '../../errors.ts'
import { type Profile, profileOf, type S3Features, type S3Preset } from './presets.ts'

/** What `new S3Driver(options)` takes. Every key also takes undefined, the same as leaving it out. */
export interface S3DriverOptions {
  readonly bucket: string
  /** A store whose endpoint, region and quirks are known. Default: Amazon S3. */
  readonly preset?: S3Preset | undefined
  /** Default: the SDK's own search (AWS_REGION, profile); with an `endpoint`, us-east-1 where that finds none. */
  readonly region?: string | undefined
  /** Access key id. Default: the SDK's own search for credentials. */
  readonly key?: string | undefined
  readonly secret?: string | undefined
  /** Session token of temporary credentials. */
  readonly token?: string | undefined
  /** Credentials, or a function that gives them, as the SDK takes them; in place of `key` and `secret`. */
  readonly credentials?: S3Credentials | undefined
  /** Base of public URLs. Default: the bucket's own address. */
  readonly url?: string | undefined
  /** The store's address, with its scheme. Default: AWS of the region, or the preset's. */
  readonly endpoint?: string | undefined
  /** The address that signed URLs are made for, where browsers see another one. Default: `endpoint`. */
  readonly publicEndpoint?: string | undefined
  /** For the preset `r2`: makes the endpoint. */
  readonly accountId?: string | undefined
  /** The bucket goes into the path instead of the host name. Default: as the preset has it, else false. */
  readonly pathStyle?: boolean | undefined
  /** The bucket has ACLs: visibility is sent as one. Default: false, no ACL header is ever sent. */
  readonly acl?: boolean | undefined
  /** For files that are written without one. Default: the bucket's. */
  readonly storageClass?: string | undefined
  /** `AES256`, `aws:kms`, `aws:kms:dsse`. Default: the bucket's. */
  readonly serverSideEncryption?: string | undefined
  /** The KMS key of `aws:kms`. Default: the account's key for S3. */
  readonly kmsKeyId?: string | undefined
  /** SSE-C: 32 bytes in base64 that the store encrypts with and does not keep. */
  readonly sseCustomerKey?: string | undefined
  /** Whether checksums go with every request. Default: `whenRequired` with an endpoint, else `whenSupported`. */
  readonly checksums?: 'whenRequired' | 'whenSupported' | undefined
  /** Bytes of one part, 5 MiB to 5 GiB. Default: 8 MiB, more where 10,000 parts would not do. */
  readonly partSize?: number | undefined
  /** Parts in flight at once, each on a connection of its own. Default: 3. */
  readonly partConcurrency?: number | undefined
  /** Connections at once; further requests wait in turn. Default: 50. */
  readonly maxSockets?: number | undefined
  /** How often a failed request is repeated. Default: 3. */
  readonly retries?: number | undefined
  /** `adaptive` also slows down when the store asks for it. Default: `standard`. */
  readonly retryMode?: 'standard' | 'adaptive' | undefined
  /** Milliseconds to connect. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** Milliseconds without a byte in either direction. Default: 120,000. */
  readonly socketTimeoutMs?: number | undefined
  /** Transfer acceleration. Default: false. */
  readonly accelerate?: boolean | undefined
  /** As `tls.connect` takes it: `ca`, `cert`, `key`, `rejectUnauthorized`. With an `agent` these are the agent's. */
  readonly tls?: ConnectionOptions | undefined
  /**
   * An agent of Node's `http` or `https` that makes the connections, through a proxy say; requests then go by `node:http`. It is not closed.
   * Default: none. The disk has sockets of its own, which `node:http`, what patches it, and variables like `HTTPS_PROXY` have no part in.
   */
  readonly agent?: object | undefined
  /**
   * Who moves the bytes: `lean` signs and sends by itself, over HTTP/1.1, `sdk` leaves it to @aws-sdk/client-s3, which does everything else
   * either way.
   * Default: `lean`; `sdk` with a `client`, with `retryMode: 'adaptive'`, and for access points and directory buckets.
   */
  readonly transport?: 'lean' | 'sdk' | undefined
  /** Whether the SHA-256 of what is sent is signed by `lean`. Default: false over TLS, which protects it already; else true. */
  readonly signPayload?: boolean | undefined
  /** An `S3Client` that was made elsewhere, instead of the keys that make one. It is not closed. */
  readonly client?: object | undefined
}

/** As the SDK has them: an identity, or a function that gives one. */
export type S3Credentials = S3Identity | (() => Promise<S3Identity>)

export interface S3Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** What the driver works with. */
export interface S3Settings {
  /** As people read it: `s3`, or the preset's name. */
  readonly name: string
  readonly features: S3Features
  readonly bucket: string
  /** Undefined: the SDK looks for it, or the injected client has it. */
  readonly region: string | undefined
  /** With a scheme, without a slash at the end. Undefined: Amazon's, or the injected client has it. */
  readonly endpoint: string | undefined
  readonly publicEndpoint: string | undefined
  /** Base of public URLs, without a slash at the end. */
  readonly url: string | undefined
  readonly pathStyle: boolean
  readonly acl: boolean
  readonly storageClass: string | undefined
  readonly serverSideEncryption: string | undefined
  readonly kmsKeyId: string | undefined
  readonly sseCustomer: SseCustomer | undefined
  readonly checksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED'
  readonly partSize: number
  readonly partConcurrency: number
  readonly maxSockets: number
  readonly retries: number
  readonly retryMode: 'standard' | 'adaptive'
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
  readonly accelerate: boolean
  readonly credentials: S3Credentials | undefined
  readonly tls: ConnectionOptions | undefined
  readonly agent: Agent | undefined
  readonly transport: 'lean' | 'sdk'
  /** Undefined: without TLS. */
  readonly signPayload: boolean | undefined
  readonly client: object | undefined
}

/** The three headers of SSE-C, as the SDK names their values. */
export interface SseCustomer {
  readonly algorithm: 'AES256'
  /** Base64. */
  readonly key: string
  /** Base64. */
  readonly keyMd5: string
}

const MiB = 1024 * 1024
/** S3 user guide, "Amazon S3 multipart upload limits". */
const PART_SIZE = { min: 5 * MiB, max: 5 * 1024 * MiB, usual: 8 * MiB }
const MAX_PART_COUNT = 10_000

/** @throws ConfigurationError for what cannot work, whatever the store answers */
export function settingsOf(options: S3DriverOptions, env: Environment = process.env): S3Settings {
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('an S3 disk needs "bucket"')
  const profile = profileOf(options.preset)
  if (typeof options.bucket !== 'string' || options.bucket === '') throw new ConfigurationError('an S3 disk needs "bucket"')
  judgeNames(options)
  judgeClient(options)
  const endpoint = addressOf('endpoint', options.endpoint ?? profile.endpoint(options) ?? endpointIn(env, options))
  if (endpoint === undefined && options.client === undefined && options.preset !== undefined)
    throw new ConfigurationError(NEEDS[options.preset])
  judgeAcl(options, profile)
  judgeAcceleration(options)
  judgeAgent(options)
  return {
    name: profile.name,
    features: profile.features,
    bucket: options.bucket,
    ...places(options, profile, endpoint),
    pathStyle: options.pathStyle ?? (profile.pathStyle || isLocalhost(endpoint)),
    acl: options.acl ?? false,
    storageClass: profile.features.storageClasses ? options.storageClass : undefined,
    ...encryption(options, profile),
    checksums:
      (options.checksums ?? (endpoint === undefined ? 'whenSupported' : 'whenRequired')) === 'whenRequired'
        ? 'WHEN_REQUIRED'
        : 'WHEN_SUPPORTED',
    ...amounts(options),
    retryMode: options.retryMode ?? 'standard',
    accelerate: options.accelerate ?? false,
    credentials: credentialsOf(options),
    tls: options.tls,
    agent: options.agent as Agent | undefined,
    transport: transportOf(options),
    signPayload: options.signPayload,
    client: options.client,
  }
}

/** Names below `localhost` are known to few machines. */
function isLocalhost(endpoint: string | undefined): boolean {
  return endpoint !== undefined && new URL(endpoint).hostname === 'localhost'
}

const NEEDS = {
  minio: 'a MinIO disk needs "endpoint"',
  r2: 'an R2 disk needs "accountId" or "endpoint"',
  spaces: 'a Spaces disk needs "region" or "endpoint"',
  wasabi: 'a Wasabi disk needs "region" or "endpoint"',
  b2: 'a B2 disk needs "region" or "endpoint"',
  supabase: 'a Supabase disk needs "endpoint"',
} satisfies Record<S3Preset, string>

function places(
  options: S3DriverOptions,
  profile: Profile,
  endpoint: string | undefined,
): Pick<S3Settings, 'region' | 'endpoint' | 'publicEndpoint' | 'url'> {
  const given = addressOf('url', options.url)
  const region = options.region ?? (endpoint === undefined ? undefined : profile.regionOf(endpoint)) ?? profile.region
  return {
    region,
    endpoint,
    publicEndpoint: addressOf('publicEndpoint', options.publicEndpoint),
    url: given ?? (endpoint === undefined ? undefined : profile.publicBase?.(endpoint, options.bucket)),
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** The SDK would use it, and so addresses and checksums have to agree with it. AWS SDKs reference guide, "Service-specific endpoints". */
function endpointIn(env: Environment, { client, preset, accelerate }: S3DriverOptions): string | undefined {
  if (client !== undefined || preset !== undefined || accelerate === true) return undefined
  if (env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true') return undefined
  return env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined
}

/** Without slashes at its end. */
function addressOf(key: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError(`"${key}" needs a scheme, as in ${quote(`https://${value.replace(/^[^/]*\/\//, '')}`)}`)
  }
  if (url.username !== '' || url.password !== '') throw new ConfigurationError(`"${key}" holds credentials: they are "key" and "secret"`)
  if (url.search !== '' || url.hash !== '') throw new ConfigurationError(`"${key}" is an address without a query`)
  return value.replace(/\/+$/, '')
}

/** They go into addresses: what could end a host name or a segment there would send signed requests elsewhere. */
function judgeNames({ bucket, region, accountId }: S3DriverOptions): void {
  if (!bucket.startsWith('arn:') && /[/\\?#\s\p{Cc}]/u.test(bucket)) throw new ConfigurationError('"bucket" is a name, without a path')
  for (const [key, name] of Object.entries({ region, accountId })) {
    if (name !== undefined && !/^[\w.-]+$/.test(name)) throw new ConfigurationError(`"${key}" is a name of letters, digits and hyphens`)
  }
}

function judgeClient(options: S3DriverOptions): void {
  if (options.client === undefined) return
  const given = (['key', 'secret', 'token', 'credentials'] as const).filter((key) => options[key] !== undefined)
  if (given.length > 0) throw new ConfigurationError(`"client" has its own credentials: leave out ${given.map(quote).join(', ')}`)
  if (typeof options.client !== 'object' || options.client === null || !('send' in options.client))
    throw new ConfigurationError('"client" is not an S3Client of @aws-sdk/client-s3')
}

function judgeAcl({ acl, preset }: S3DriverOptions, { features }: Profile): void {
  if (acl === true && !features.acl) throw new ConfigurationError(`"acl" cannot be true: ${preset} has no ACLs of files`)
}

/** S3 user guide, "Requirements for using Amazon S3 Transfer Acceleration". */
function judgeAcceleration({ accelerate, endpoint, preset, pathStyle, bucket }: S3DriverOptions): void {
  if (accelerate !== true) return
  if (endpoint !== undefined || preset !== undefined)
    throw new ConfigurationError('"accelerate" is of Amazon S3 alone: leave out the endpoint')
  if (pathStyle === true) throw new ConfigurationError('"accelerate" needs the bucket in the host name: leave out "pathStyle"')
  if (bucket.includes('.')) throw new ConfigurationError('"accelerate" does not work for a bucket with dots in its name')
}

function credentialsOf({ key, secret, token, credentials }: S3DriverOptions): S3Credentials | undefined {
  if (credentials !== undefined) {
    if (key !== undefined || secret !== undefined) throw new ConfigurationError('"credentials" stands in place of "key" and "secret"')
    return credentials
  }
  if (key === undefined && secret === undefined) {
    if (token !== undefined) throw new ConfigurationError('"token" needs "key" and "secret"')
    return undefined
  }
  if (!key || !secret) throw new ConfigurationError('"key" and "secret" go together')
  return { accessKeyId: key, secretAccessKey: secret, ...(token !== undefined && { sessionToken: token }) }
}

function encryption(
  options: S3DriverOptions,
  { name, features }: Profile,
): Pick<S3Settings, 'serverSideEncryption' | 'kmsKeyId' | 'sseCustomer'> {
  const { serverSideEncryption, kmsKeyId, sseCustomerKey } = options
  const { store, kms, customer } = features.encryption
  if (sseCustomerKey !== undefined && !customer)
    throw new ConfigurationError(`"sseCustomerKey": ${name} does not encrypt with keys of others`)
  if (serverSideEncryption !== undefined && !(serverSideEncryption.startsWith('aws:kms') ? kms : store)) {
    throw new ConfigurationError(`"serverSideEncryption" cannot be ${quote(serverSideEncryption)}: ${name} does not have it`)
  }
  if (kmsKeyId !== undefined && serverSideEncryption?.startsWith('aws:kms') !== true) {
    throw new ConfigurationError('"kmsKeyId" needs "serverSideEncryption" to be "aws:kms"')
  }
  if (sseCustomerKey === undefined) return { serverSideEncryption, kmsKeyId, sseCustomer: undefined }
  if (serverSideEncryption !== undefined) throw new ConfigurationError('"sseCustomerKey" stands in place of "serverSideEncryption"')
  const key = Buffer.from(sseCustomerKey, 'base64')
  if (key.byteLength !== 32 || key.toString('base64') !== sseCustomerKey)
    throw new ConfigurationError('"sseCustomerKey" is 32 bytes in base64')
  const keyMd5 = nodeCrypto().createHash('md5').update(key).digest('base64')
  return { serverSideEncryption, kmsKeyId, sseCustomer: { algorithm: 'AES256', key: sseCustomerKey, keyMd5 } }
}

/** What only the SDK can do goes to it; asked for both, nobody could. */
function transportOf({ transport, client, retryMode, bucket }: S3DriverOptions): 'lean' | 'sdk' {
  const needsSdk = Object.entries({
    '"client"': client !== undefined,
    '"retryMode": "adaptive"': retryMode === 'adaptive',
    'an access point': bucket.startsWith('arn:'),
    'a directory bucket': bucket.endsWith('--x-s3'),
  }).find(([, isSo]) => isSo)?.[0]
  if (transport === 'lean' && needsSdk !== undefined)
    throw new ConfigurationError(`"transport" cannot be "lean": ${needsSdk} needs the SDK`)
  if (transport !== undefined && transport !== 'lean' && transport !== 'sdk') throw new ConfigurationError('"transport" is "lean" or "sdk"')
  return transport ?? (needsSdk === undefined ? 'lean' : 'sdk')
}

function judgeAgent({ agent, client, tls }: S3DriverOptions): void {
  if (agent === undefined) return
  if (client !== undefined) throw new ConfigurationError('"client" makes its own connections: leave out "agent"')
  if (tls !== undefined) throw new ConfigurationError('"agent" makes the connections: give "tls" to it, as its options')
  if (typeof agent !== 'object' || agent === null || !('addRequest' in agent))
    throw new ConfigurationError('"agent" is not an agent of node:http or node:https')
}

type Amounts = 'partSize' | 'partConcurrency' | 'maxSockets' | 'retries' | 'connectTimeoutMs' | 'socketTimeoutMs'

function amounts(options: S3DriverOptions): Pick<S3Settings, Amounts> {
  const partSize = options.partSize ?? PART_SIZE.usual
  if (!Number.isInteger(partSize) || partSize < PART_SIZE.min || partSize > PART_SIZE.max) {
    throw new ConfigurationError(`"partSize" is in bytes, 5 MiB (${PART_SIZE.min}) to 5 GiB (${PART_SIZE.max})`)
  }
  return {
    partSize,
    partConcurrency: count('partConcurrency', options.partConcurrency ?? 3, { min: 1, max: MAX_PART_COUNT }),
    maxSockets: count('maxSockets', options.maxSockets ?? 50, { min: 1 }),
    retries: count('retries', options.retries ?? 3, { min: 0 }),
    connectTimeoutMs: count('connectTimeoutMs', options.connectTimeoutMs ?? 10_000, { min: 1 }),
    socketTimeoutMs: count('socketTimeoutMs', options.socketTimeoutMs ?? 120_000, { min: 1 }),
  }
}

function count(
  key: string,
  value: number,
  { min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number },
): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new ConfigurationError(`"${key}" is a whole number, at least ${min}`)
}
