/**
 * What disk-config.ts declares, once more for run time: every key of every built-in driver and the kind of its value.
 * Their types hold the two together: a key that is in one and not in the other does not compile.
 */
import type {
  BuiltInConfigs,
  CommonDiskConfig,
  FtpConfig,
  GcsConfig,
  RetryConfig,
  S3Config,
  ServeConfig,
  StorageConfig,
} from './disk-config.ts'
import {
  amount,
  callable,
  count,
  countOrZero,
  disk,
  disks,
  either,
  flag,
  type Kind,
  mode,
  object,
  oneOf,
  options,
  port,
  tagged,
  text,
  textMap,
  texts,
} from './kinds.ts'

type KeysOf<Config> = { readonly [Key in keyof Config]-?: Kind }

const SERVE: KeysOf<ServeConfig> = { url: text, secret: either('a string, or an object of strings by key id', text, textMap) }
const RETRY: KeysOf<RetryConfig> = { attempts: count, baseDelayMs: amount, maxDelayMs: amount }
const MODES: Kind = options({ public: mode, private: mode })
const isOptions = (value: unknown): boolean => typeof value === 'object' && value !== null

/** The keys at the top of a configuration; `validate.ts` looks into the disks. */
export const TOP_KEYS: KeysOf<StorageConfig> = { default: text, disks: object, links: textMap }

/** The keys that every disk takes. */
export const COMMON_KEYS: KeysOf<CommonDiskConfig> = {
  prefix: text,
  readOnly: flag,
  visibility: oneOf('public', 'private'),
  url: text,
  serve: (value, place) => (isOptions(value) ? options(SERVE)(value, place) : flag(value, place)),
  // A number before a flag: '1' is one attempt.
  retry: (value, place) =>
    isOptions(value) ? options(RETRY)(value, place) : either('true, false, a number of attempts, or an object', count, flag)(value, place),
  timeoutMs: amount,
  maxConcurrency: count,
  urlExpiration: count,
}

const S3: KeysOf<S3Config> = {
  bucket: text,
  region: text,
  key: text,
  secret: text,
  token: text,
  credentials: either('an object, or a function that gives one', object, callable),
  url: text,
  endpoint: text,
  publicEndpoint: text,
  pathStyle: flag,
  acl: flag,
  storageClass: text,
  serverSideEncryption: text,
  kmsKeyId: text,
  sseCustomerKey: text,
  checksums: oneOf('whenRequired', 'whenSupported'),
  partSize: count,
  partConcurrency: count,
  maxSockets: count,
  retries: countOrZero,
  retryMode: oneOf('standard', 'adaptive'),
  connectTimeoutMs: count,
  socketTimeoutMs: count,
  accelerate: flag,
  tls: object,
  agent: object,
  transport: oneOf('lean', 'sdk'),
  signPayload: flag,
  client: object,
}

const GCS: KeysOf<GcsConfig> = {
  bucket: text,
  projectId: text,
  keyFile: text,
  credentials: either('an object, or its JSON', object, text),
  endpoint: text,
  uniformAccess: flag,
  storageClass: text,
  client: object,
}

const FTP: KeysOf<FtpConfig> = {
  host: text,
  port,
  username: text,
  password: text,
  secure: oneOf('explicit', 'implicit', false),
  root: text,
  poolSize: count,
  tls: object,
  passiveHost: text,
  permissions: flag,
}

const CACHE_STORE: Kind = tagged('driver', {
  memory: options({ driver: text, maxBytes: count }),
  redis: options({ driver: text, url: text, client: object, prefix: text, memory: count, budgetMs: count }, [['url', 'client']]),
  disk: options({ driver: text, disk, maxBytes: count }),
})

const HASH: Kind = oneOf('sha1', 'sha256')

const CDN_PROVIDER: Kind = tagged('type', {
  cloudfront: options({
    type: text,
    apiUrl: text,
    keyPairId: text,
    privateKey: text,
    hash: HASH,
    distributionId: text,
    credentials: object,
  }),
  bunny: options({ type: text, apiUrl: text, securityKey: text, scheme: oneOf('hs256', 'sha256', 'md5'), apiKey: text }),
  cloudflare: options({ type: text, apiUrl: text, secret: text, zoneId: text, apiToken: text }),
  fastly: options({ type: text, apiUrl: text, tokenKey: text, hash: HASH, serviceId: text, apiToken: text }),
  spaces: options({ type: text, apiUrl: text, endpointId: text, apiToken: text }),
})

/** The keys that each built-in driver declares itself. */
export const DRIVER_KEYS: { readonly [Name in keyof BuiltInConfigs]: KeysOf<BuiltInConfigs[Name]> } = {
  local: { root: text, permissions: options({ file: MODES, dir: MODES }), links: oneOf('skip', 'error', 'follow'), durable: flag },
  memory: {},
  s3: S3,
  minio: S3,
  r2: { ...S3, accountId: text },
  spaces: S3,
  wasabi: S3,
  b2: S3,
  supabase: S3,
  gcs: GCS,
  azure: {
    container: text,
    accountName: text,
    accountKey: text,
    connectionString: text,
    sasToken: text,
    endpoint: text,
    tier: text,
    versions: flag,
    retries: countOrZero,
    client: object,
  },
  ftp: FTP,
  encrypted: {
    disk,
    key: text,
    keys: textMap,
    primary: text,
    keyProvider: object,
    format: oneOf('age', 'tink'),
    recovery: either('true, false, or an age recipient', flag, text),
    recover: either('true, false, an identity, or a list of them', flag, text, texts),
    bind: oneOf('path'),
    passthrough: oneOf('read', false),
  },
  cached: {
    disk,
    store: CACHE_STORE,
    ttl: amount,
    metadataTtl: amount,
    maxFileSize: count,
    staleIfError: amount,
    plaintextCache: flag,
  },
  cdn: { disk, url: text, provider: CDN_PROVIDER, purge: oneOf('background', 'await', false) },
  scoped: { disk, prefix: text },
  'read-only': { disk },
  fallback: { disk, fallbacks: disks, promote: flag },
  mirrored: { disk, mirrors: disks, mode: oneOf('all', 'background') },
}
