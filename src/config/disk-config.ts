/**
 * What a configuration may say: the keys of every driver, with their units and defaults. Types only.
 *
 *   StorageConfig ── disks ──▶ DiskConfig = { driver: name } & DriverConfigs[name] & CommonDiskConfig
 *
 * Every key also takes undefined, which means the same as leaving it out, so `bucket: env('AWS_BUCKET')` compiles everywhere.
 * `keys.ts` judges the same keys at run time, and does not compile when it forgets one. SDK clients are `object`: no peer's types.
 * The package re-exports this module as a whole, because only then `declare module 'stowage'` reaches `DriverConfigs`.
 */
import type { ConnectionOptions } from 'node:tls'
import type { Visibility } from '../driver.ts'

/** A number, or the digits of one as they come from the environment. */
export type Numeric = number | string

/** A boolean, or what the environment says instead: `true`, `false`, `1`, `0`. */
export type Flag = boolean | string

/**
 * The keys of each driver, by the driver's name. Drivers that were added with `extend` merge theirs, so that TypeScript knows them:
 * `declare module 'stowage' { interface DriverConfigs { dropbox: { token: string } } }`.
 */
export interface DriverConfigs extends BuiltInConfigs {}

/** The drivers and decorators of this package. */
export interface BuiltInConfigs {
  local: LocalConfig
  memory: MemoryConfig
  s3: S3Config
  minio: MinioConfig
  r2: R2Config
  spaces: S3Config
  wasabi: S3Config
  b2: S3Config
  supabase: S3Config
  gcs: GcsConfig
  azure: AzureConfig
  ftp: FtpConfig
  encrypted: EncryptedConfig
  cached: CachedConfig
  cdn: CdnConfig
  scoped: ScopedConfig
  'read-only': ReadOnlyConfig
  fallback: FallbackConfig
  mirrored: MirroredConfig
}

/** One disk of one driver. A key that the driver declares itself takes the place of the common one. */
export type DiskConfigOf<Name extends keyof DriverConfigs> = {
  readonly driver: Name
} & OrUndefined<DriverConfigs[Name]> &
  Omit<CommonDiskConfig, keyof DriverConfigs[Name]>

/** The configuration of a disk, of any known driver. */
export type DiskConfig = { [Name in keyof DriverConfigs]: DiskConfigOf<Name> }[keyof DriverConfigs]

/** A disk's name, or the configuration of one that has no name. */
export type DiskReference = string | DiskConfig

/** What `defineConfig` returns and `configure` takes. */
export interface StorageConfig<Name extends string = string> {
  /** The disk that `Storage` itself is. Default: the only disk, or the one named `default`, else `local`. */
  readonly default?: NoInfer<Name> | (string & {}) | undefined
  readonly disks: Readonly<Record<Name, DiskConfig>>
  /** Symbolic links for `stowage link`: where the link goes → the folder it shows, both relative to the working directory. */
  readonly links?: Readonly<Record<string, string>> | undefined
}

type OrUndefined<T> = { readonly [Key in keyof T]: T[Key] | undefined }

/** The keys that every disk takes, whatever its driver. */
export interface CommonDiskConfig {
  /** Everything is kept below this directory of the store. */
  readonly prefix?: string | undefined
  /** Refuses everything that writes with ReadOnlyError. Default: false. */
  readonly readOnly?: Flag | undefined
  /** For files that are written without one. Default: the store's own, which is private. */
  readonly visibility?: Visibility | undefined
  /** The base of public URLs: a file's URL is this, the prefix and the path. */
  readonly url?: string | undefined
  /** Gives the disk signed URLs that `createHandler` of `stowage/http` answers. `true`: as the environment says. Default: false. */
  readonly serve?: boolean | ServeConfig | undefined
  /** Repeats what failed for a passing reason: `true` is four attempts, a number is that many. Default: false. */
  readonly retry?: Flag | Numeric | RetryConfig | undefined
  /** For calls that do not say: milliseconds until a call settles; for a stream, between chunks. Default: none. */
  readonly timeoutMs?: Numeric | undefined
  /** At most so many calls at once; others wait their turn. Default: no limit. */
  readonly maxConcurrency?: Numeric | undefined
  /** For temporary URLs that do not say: seconds that they are good for. Default: 3600. */
  readonly urlExpiration?: Numeric | undefined
}

/** Where a disk's own URLs point, and what signs them. */
export interface ServeConfig {
  /** Where the handler is mounted; URLs are `{url}/{disk name}/{path}`. Default: STORAGE_BASE_URL, else `/storage`. */
  readonly url?: string | undefined
  /** A secret, or several by key id: the first signs, all verify. Default: STORAGE_URL_SECRET; without any, signing is an error. */
  readonly secret?: string | Readonly<Record<string, string>> | undefined
}

/** Attempts wait a random time up to `baseDelayMs × 2^attempt`, at most `maxDelayMs` (full jitter). */
export interface RetryConfig {
  /** How often a call is made, the first time included. Default: 4. */
  readonly attempts?: Numeric | undefined
  /** Milliseconds. Default: 100. */
  readonly baseDelayMs?: Numeric | undefined
  /** Milliseconds. Default: 5,000. */
  readonly maxDelayMs?: Numeric | undefined
}

/** Files in a folder of this machine. */
export interface LocalConfig {
  /** The folder, relative to the working directory. It is made when the first file is written. */
  root: string
  /** Modes of the files and directories that are made. Default: 0644 and 0755 public, 0600 and 0700 private. */
  permissions?: PermissionsConfig
  /** Symbolic links: left out, an error, or followed as long as they stay inside the root. Default: `skip`. */
  links?: 'skip' | 'error' | 'follow'
  /** Waits until the disk itself has a file (fsync) before a write is done. Default: false. */
  durable?: Flag
}

/** Modes as numbers: `0o640`. */
export interface PermissionsConfig {
  readonly file?: ModesConfig | undefined
  readonly dir?: ModesConfig | undefined
}

export interface ModesConfig {
  readonly public?: number | undefined
  readonly private?: number | undefined
}

/** Files in memory, lost when the process ends. No keys of its own. */
// oxlint-disable-next-line no-empty-interface, no-empty-object-type -- it has no keys
export interface MemoryConfig {}

/** Amazon S3, or anything that speaks its protocol. */
export interface S3Config {
  bucket: string
  /** Default: the SDK's own search (AWS_REGION, profile); with an `endpoint`, us-east-1 where that finds none. */
  region?: string
  /** Access key id. Default: the SDK's own search for credentials. */
  key?: string
  /** Secret access key. */
  secret?: string
  /** Session token of temporary credentials. */
  token?: string
  /** Credentials, or a function that gives them, as the SDK's credential providers are; in place of `key` and `secret`. */
  credentials?: S3CredentialsConfig | (() => Promise<S3CredentialsConfig>)
  /** Base of public URLs. Default: the bucket's own address. */
  url?: string
  /** The store's address, with its scheme. Default: AWS of the region. */
  endpoint?: string
  /** The address that signed URLs are made for, where browsers see another one. Default: `endpoint`. */
  publicEndpoint?: string
  /** The bucket goes into the path instead of the host name. Default: as the preset has it, else false. */
  pathStyle?: Flag
  /** The bucket has ACLs: visibility is sent as one. Default: false, no ACL header is ever sent. */
  acl?: Flag
  /** For files that are written without one. Default: the bucket's. */
  storageClass?: string
  /** `AES256`, `aws:kms`, … Default: the bucket's. */
  serverSideEncryption?: string
  /** Which key `aws:kms` encrypts with: its id, ARN or alias. Default: the account's own key for S3. */
  kmsKeyId?: string
  /** SSE-C: 32 bytes in base64. The store encrypts with them and keeps no copy; without them files cannot be read. Default: none. */
  sseCustomerKey?: string
  /** Whether checksums go with every request. Default: `whenRequired` with an `endpoint`, else `whenSupported`. */
  checksums?: 'whenRequired' | 'whenSupported'
  /** Bytes of one part of a multipart upload. Default: 8 MiB, more where 10,000 parts would not do. */
  partSize?: Numeric
  /** Parts in flight at once, each on a connection of its own. Default: 3. */
  partConcurrency?: Numeric
  /** Connections at once. Default: 50. */
  maxSockets?: Numeric
  /** How often a failed request is repeated. Default: 3, or 0 with `retry`. */
  retries?: Numeric
  /** `adaptive` also slows this client down when the store asks for it. Default: `standard`. */
  retryMode?: 'standard' | 'adaptive'
  /** Milliseconds until a connection has to be there. Default: 10,000. */
  connectTimeoutMs?: Numeric
  /** Milliseconds that a connection may be silent in both directions while a request runs. Default: 120,000. */
  socketTimeoutMs?: Numeric
  /** Transfer acceleration. Default: false. */
  accelerate?: Flag
  /** How TLS is checked: a certificate authority of one's own, client certificates. */
  tls?: ConnectionOptions
  /** An agent of Node's `http` or `https` that makes the connections: through a proxy, say. It is not closed. Default: the disk's own. */
  agent?: object
  /**
   * Who moves the bytes: `lean` signs and sends by itself, `sdk` leaves it to @aws-sdk/client-s3, which does everything else either way.
   * Default: `lean`; `sdk` with a `client`, with `retryMode: 'adaptive'`, and for access points and directory buckets.
   */
  transport?: 'lean' | 'sdk'
  /** Whether the SHA-256 of what is sent is signed by `lean`. Default: false over TLS, which protects it already; else true. */
  signPayload?: Flag
  /** An `S3Client` that was made elsewhere, instead of the keys that make one. It is not closed. */
  client?: object
}

/** An access key as the SDK has it. */
export interface S3CredentialsConfig {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** A MinIO server: path style. */
export interface MinioConfig extends S3Config {
  endpoint: string
}

/** Cloudflare R2: no ACLs, region `auto`. */
export interface R2Config extends Omit<S3Config, 'acl'> {
  /** Makes the endpoint, where none is given. */
  accountId?: string
  /** R2 has none. */
  acl?: false | 'false' | '0'
}

/** Google Cloud Storage. */
export interface GcsConfig {
  bucket: string
  /** Default: the project of the credentials. */
  projectId?: string
  /** A service account's key file. Default: application default credentials. */
  keyFile?: string
  /** What is in such a file, in place of it: an object, or its JSON. */
  credentials?: object | string
  /** The address of an emulator. */
  endpoint?: string
  /** The bucket has uniform access, so files have no visibility of their own. Default: true. */
  uniformAccess?: Flag
  /** For files that are written without one. Default: the bucket's. */
  storageClass?: string
  /** A `Storage` of `@google-cloud/storage` that was made elsewhere. */
  client?: object
}

/** Azure Blob Storage. */
export interface AzureConfig {
  container: string
  accountName?: string
  /** Default: the environment's Azure identity. */
  accountKey?: string
  /** Account and key in one, in place of both. */
  connectionString?: string
  /** A shared access signature, in place of the key. */
  sasToken?: string
  /** The address of an emulator or a custom domain. */
  endpoint?: string
  /** Access tier of files that are written without a storage class: `Hot`, `Cool`, … Default: the account's. */
  tier?: string
  /** The account keeps versions, so that `versionId` may be asked for. Default: false. */
  versions?: Flag
  /** How often a failed request is repeated. Default: 4; none where the disk has `retry`. */
  retries?: Numeric
  /** A `BlobServiceClient` that was made elsewhere. */
  client?: object
}

/** An FTP or FTPS server. */
export interface FtpConfig {
  host: string
  /** Default: 21, or 990 with `secure: 'implicit'`. */
  port?: Numeric
  /** Default: `anonymous`. */
  username?: string
  password?: string
  /** TLS from the first byte, TLS by command, or none. Default: false. */
  secure?: 'explicit' | 'implicit' | false
  /** The directory on the server that is the disk's root. Default: where the login lands. */
  root?: string
  /** Operations at once, each on a connection of its own. Default: 2. */
  poolSize?: Numeric
  /** How TLS is checked. Certificates are, unless this says otherwise. */
  tls?: ConnectionOptions
  /** Where data connections go, for servers behind address translation. Default: where the control connection goes. */
  passiveHost?: string
  /** False for servers without SITE CHMOD: the disk then has no visibility. Default: true. */
  permissions?: Flag
}

/** Encrypts files on the way to another disk. One of `key` and `keys` is needed. */
export interface EncryptedConfig {
  disk: DiskReference
  /** 32 bytes in base64, as `generateKey()` makes them. */
  key?: string
  /** Several by id, so that keys can rotate: `primary` encrypts, all decrypt. */
  keys?: Readonly<Record<string, string | undefined>>
  /** The id that encrypts. Default: the first of `keys`. */
  primary?: string
  /** Gives the keys at the first operation, in place of `key` and `keys`: `envKeys()`, `fileKeys()`, `passphraseKey()`, `kmsKeys()`. */
  keyProvider?: object
  /** Default: `age`. */
  format?: 'age' | 'tink'
  /** Whether files can be opened with the recovery identity too: the key's own, or that of an age recipient. Default: false. */
  recovery?: boolean | (string & {})
  /** Identities (`AGE-SECRET-KEY-1…`): also read files that only name these. True: those of the disk's own keys. */
  recover?: boolean | (string & {}) | readonly string[]
  /** Ties a file to its path, so that swapped files are noticed; copies and moves then rewrite the header. Default: not tied. */
  bind?: 'path'
  /** `read`: files that are not encrypted are read as they are, while migrating. Default: they are an error. */
  passthrough?: 'read' | false
}

/** Keeps what was read from another disk close. */
export interface CachedConfig {
  disk: DiskReference
  /** Default: memory. */
  store?: CacheStoreConfig
  /** Seconds that content is kept. Default: 3600. */
  ttl?: Numeric
  /** Seconds that facts about files are kept. Default: `ttl`. */
  metadataTtl?: Numeric
  /** Bytes; larger files are not kept. */
  maxFileSize?: Numeric
  /** Seconds past its time that a file is still served when the disk fails. Default: 0. */
  staleIfError?: Numeric
  /** Allows a cache above an encrypted disk, which then holds plaintext. Default: false. */
  plaintextCache?: Flag
}

/** Where a cache keeps files. Sizes are bytes. */
export type CacheStoreConfig =
  | { readonly driver: 'memory'; readonly maxBytes?: Numeric | undefined }
  | {
      readonly driver: 'redis'
      readonly url?: string | undefined
      /** An ioredis client that was made elsewhere, in place of `url`. It is not closed. */
      readonly client?: object | undefined
      /** What keys begin with. Disks that share it share entries: give each disk its own. Default: made from where the files lie. */
      readonly prefix?: string | undefined
      /** Bytes of this process's own memory in front; other processes' writes then arrive a moment later. Default: none. */
      readonly memory?: Numeric | undefined
      /** Milliseconds that a call of Redis may take before the disk is asked in its place. Default: 100. */
      readonly budgetMs?: Numeric | undefined
    }
  | { readonly driver: 'disk'; readonly disk: DiskReference | undefined; readonly maxBytes?: Numeric | undefined }

/** Public URLs of a content delivery network in front of a disk, and purges after writes. */
export interface CdnConfig {
  disk: DiskReference
  /** The network's address. */
  url: string
  /** Who signs and purges. Default: nobody. */
  provider?: CdnProviderConfig
  /** Whether a write waits for its purge. Default: `background`. */
  purge?: 'background' | 'await' | false
}

interface ProviderOrigin {
  /** Replaces the origin of the provider's API. */
  readonly apiUrl?: string | undefined
}

/** A network and what signs and purges there; without the keys for one of them, that part is off. */
export type CdnProviderConfig =
  | (ProviderOrigin & {
      readonly type: 'cloudfront'
      readonly keyPairId?: string | undefined
      readonly privateKey?: string | undefined
      /** Of signatures. Default: sha1. */
      readonly hash?: 'sha1' | 'sha256' | undefined
      readonly distributionId?: string | undefined
      readonly credentials?: object | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'bunny'
      readonly securityKey?: string | undefined
      readonly scheme?: 'hs256' | 'sha256' | 'md5' | undefined
      readonly apiKey?: string | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'cloudflare'
      readonly secret?: string | undefined
      readonly zoneId?: string | undefined
      readonly apiToken?: string | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'fastly'
      readonly tokenKey?: string | undefined
      /** Of tokens. Default: sha256. */
      readonly hash?: 'sha1' | 'sha256' | undefined
      readonly serviceId?: string | undefined
      readonly apiToken?: string | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'spaces'
      readonly endpointId?: string | undefined
      readonly apiToken?: string | undefined
    })

/** A directory of another disk, as a disk. */
export interface ScopedConfig {
  disk: DiskReference
  prefix: string
}

/** Another disk, without what writes. */
export interface ReadOnlyConfig {
  disk: DiskReference
}

/** Reads what the first disk lacks from others. */
export interface FallbackConfig {
  /** Read first, and the one that is written. */
  disk: DiskReference
  fallbacks: readonly DiskReference[]
  /** Copies what a fallback had to the first disk. Default: false. */
  promote?: Flag
}

/** Writes to several disks. */
export interface MirroredConfig {
  /** The one that is read. */
  disk: DiskReference
  mirrors: readonly DiskReference[]
  /** Whether a write waits for all, or journals the rest. Default: `all`. */
  mode?: 'all' | 'background'
}
