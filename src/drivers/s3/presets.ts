/**
 * What differs between the stores that speak S3's protocol, as data: the driver asks these tables and never who the store is.
 *
 * A preset gives defaults for an endpoint, a region and path style, and says what its store lacks, so that an option that it would
 * ignore or answer with an error is refused before any I/O. What an app configures itself goes before a preset's default.
 */
import { ConfigurationError } from '../../errors.ts'

/** The stores that have a preset. */
export type S3Preset = 'minio' | 'r2' | 'spaces' | 'wasabi' | 'b2' | 'supabase'

/** What a store has of what Amazon S3 has. */
export interface S3Features {
  /** ACLs of objects. */
  readonly acl: boolean
  readonly tags: boolean
  readonly versions: boolean
  /** Browser uploads by form (POST), which alone can limit a size. */
  readonly postPolicy: boolean
  /** `If-None-Match: *` on writes. */
  readonly ifAbsent: boolean
  /** `If-Match` on writes. */
  readonly ifMatch: boolean
  /** Addresses that anyone may read public objects at, without a `url` in the configuration. */
  readonly publicUrl: boolean
  /** The parts of a multipart upload may differ in size. */
  readonly unequalParts: boolean
  /** Server-side encryption that a request asks for. */
  readonly serverSideEncryption: boolean
}

/** What a preset builds its defaults from. */
export interface PresetKeys {
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly accountId?: string | undefined
  readonly client?: object | undefined
}

export interface Profile {
  /** As the driver is named: `s3` without a preset. */
  readonly name: string
  readonly features: S3Features
  readonly pathStyle: boolean
  /** Of which region a request is signed for, when none is configured. */
  readonly region: string | undefined
  /** The endpoint when none is configured. */
  readonly endpoint: (keys: PresetKeys) => string | undefined
  /** The region that an endpoint names. */
  readonly regionOf: (endpoint: string) => string | undefined
  /** Where public objects of a bucket are, for stores whose public addresses are not their API's. */
  readonly publicBase: ((endpoint: string, bucket: string) => string) | undefined
}

const ALL: S3Features = {
  acl: true,
  tags: true,
  versions: true,
  postPolicy: true,
  ifAbsent: true,
  ifMatch: true,
  publicUrl: true,
  unequalParts: true,
  serverSideEncryption: true,
}

/** Amazon S3, and any other store: what it lacks, it has to say itself. */
const AMAZON: Profile = {
  name: 's3',
  features: ALL,
  pathStyle: false,
  region: undefined,
  endpoint: () => undefined,
  regionOf: () => undefined,
  publicBase: undefined,
}

const PRESETS: Readonly<Record<S3Preset, Profile>> = {
  minio: { ...AMAZON, name: 'minio', features: { ...ALL, acl: false }, pathStyle: true, region: 'us-east-1' },
  r2: {
    ...AMAZON,
    name: 'r2',
    features: {
      ...ALL,
      acl: false,
      tags: false,
      versions: false,
      postPolicy: false,
      publicUrl: false,
      unequalParts: false,
    },
    pathStyle: true,
    region: 'auto',
    endpoint: ({ accountId }) => accountId && `https://${accountId}.r2.cloudflarestorage.com`,
  },
  spaces: {
    ...AMAZON,
    name: 'spaces',
    features: { ...ALL, tags: false, ifAbsent: false, ifMatch: false },
    endpoint: ({ region }) => region && `https://${region}.digitaloceanspaces.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^([\w-]+)\.digitaloceanspaces\.com$/),
  },
  wasabi: {
    ...AMAZON,
    name: 'wasabi',
    region: 'us-east-1',
    endpoint: ({ region = 'us-east-1' }) => `https://s3.${region}.wasabisys.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^s3\.([\w-]+)\.wasabisys\.com$/),
  },
  b2: {
    ...AMAZON,
    name: 'b2',
    features: { ...ALL, acl: false, tags: false, postPolicy: false, ifAbsent: false, ifMatch: false },
    endpoint: ({ region }) => region && `https://s3.${region}.backblazeb2.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^s3\.([\w-]+)\.backblazeb2\.com$/),
  },
  supabase: {
    ...AMAZON,
    name: 'supabase',
    features: {
      ...ALL,
      acl: false,
      tags: false,
      versions: false,
      postPolicy: false,
      ifAbsent: false,
      ifMatch: false,
      serverSideEncryption: false,
    },
    pathStyle: true,
    publicBase: (endpoint, bucket) => `${endpoint.replace(/\/s3\/?$/, '')}/object/public/${bucket}`,
  },
}

/** @throws ConfigurationError for a preset that is not known */
export function profileOf(preset: string | undefined): Profile {
  if (preset === undefined) return AMAZON
  if (!Object.hasOwn(PRESETS, preset)) {
    throw new ConfigurationError(`there is no preset ${JSON.stringify(preset)}; known are ${Object.keys(PRESETS).join(', ')}`)
  }
  return PRESETS[preset as S3Preset]
}

function hostPart(endpoint: string, pattern: RegExp): string | undefined {
  return pattern.exec(URL.parse(endpoint)?.hostname ?? '')?.[1]
}
