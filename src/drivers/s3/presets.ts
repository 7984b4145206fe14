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
  /** More than one storage class; else the header is left out, because it is refused or means nothing. */
  readonly storageClasses: boolean
  /** Whose keys the store can be asked to encrypt with: its own, those of a key service, the caller's. */
  readonly encryption: { readonly store: boolean; readonly kms: boolean; readonly customer: boolean }
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
  storageClasses: true,
  encryption: { store: true, kms: true, customer: true },
}

/** Conditions that a store does not document are not sent: one that is ignored would overwrite. */
const UNCONDITIONAL = { ifAbsent: false, ifMatch: false }

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
  // MinIO, "S3 API Compatibility": no GetObjectAcl and PutObjectAcl.
  minio: { ...AMAZON, name: 'minio', features: { ...ALL, acl: false }, pathStyle: true, region: 'us-east-1' },

  // Cloudflare, "S3 API compatibility" and "Conditional operations".
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
      encryption: { store: false, kms: false, customer: true },
    },
    pathStyle: true,
    region: 'auto',
    endpoint: ({ accountId }) => accountId && `https://${accountId}.r2.cloudflarestorage.com`,
    regionOf: () => 'auto',
  },

  // DigitalOcean, "Spaces S3 Compatibility".
  spaces: {
    ...AMAZON,
    name: 'spaces',
    features: { ...ALL, ...UNCONDITIONAL, storageClasses: false, encryption: { store: false, kms: false, customer: true } },
    endpoint: ({ region }) => region && `https://${region}.digitaloceanspaces.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^([\w-]+)\.digitaloceanspaces\.com$/),
  },

  // Wasabi, "Wasabi S3 API Reference" and "Service URLs for Wasabi's Storage Regions".
  wasabi: {
    ...AMAZON,
    name: 'wasabi',
    features: { ...ALL, ...UNCONDITIONAL, storageClasses: false, encryption: { store: true, kms: false, customer: true } },
    region: 'us-east-1',
    endpoint: ({ region = 'us-east-1' }) => `https://s3.${region}.wasabisys.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^s3\.([\w-]+)\.wasabisys\.com$/),
  },

  // Backblaze, "S3-Compatible API": ACLs are of buckets, tags are refused, forms are not among the calls.
  b2: {
    ...AMAZON,
    name: 'b2',
    features: {
      ...ALL,
      ...UNCONDITIONAL,
      acl: false,
      tags: false,
      postPolicy: false,
      storageClasses: false,
      encryption: { store: true, kms: false, customer: true },
    },
    endpoint: ({ region }) => region && `https://s3.${region}.backblazeb2.com`,
    regionOf: (endpoint) => hostPart(endpoint, /^s3\.([\w-]+)\.backblazeb2\.com$/),
  },

  // Supabase, "S3 Compatibility".
  supabase: {
    ...AMAZON,
    name: 'supabase',
    features: {
      ...ALL,
      ...UNCONDITIONAL,
      acl: false,
      tags: false,
      versions: false,
      postPolicy: false,
      storageClasses: false,
      encryption: { store: false, kms: false, customer: false },
    },
    pathStyle: true,
    publicBase: (endpoint, bucket) => `${endpoint.replace(/\/s3$/, '')}/object/public/${bucket}`,
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
