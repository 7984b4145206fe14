/** Buckets of a project, and their settings, as the JSON API has them (`buckets`). */
import type {
  BucketEncryption,
  BucketEntry,
  BucketInfo,
  BucketSetting,
  BucketVersioning,
  CallOptions,
  LifecycleRule,
} from '../../driver.ts'
import { InvalidArgumentError, isStorageError, PreconditionFailedError } from '../../errors.ts'
import { bucketPath, type GcsApi, objectPath } from './api.ts'
import { GcsFailure } from './gcs-errors.ts'
import { fromLifecycle, type LifecycleResource, toLifecycle } from './lifecycle.ts'
import type { GcsBuckets, GcsCreateBucketOptions } from './gcs-buckets.ts'
import type { ObjectResource } from './objects.ts'

/** What Google's discovery document calls a Bucket, as far as it is needed. */
interface BucketResource {
  readonly name: string
  readonly timeCreated?: string
  readonly location?: string
  readonly versioning?: { readonly enabled?: boolean }
  readonly encryption?: { readonly defaultKmsKeyName?: string }
  readonly iamConfiguration?: { readonly publicAccessPrevention?: string }
  readonly lifecycle?: LifecycleResource
}

const CONCURRENCY = 16

export function bucketsOf(api: GcsApi): GcsBuckets {
  const own = api.settings.bucket
  return {
    create: async (name = own, options = {}) => create(api, name, options),
    list: async ({ signal } = {}) => listBuckets(api, signal),
    exists: async (name = own, { signal } = {}) => {
      signal?.throwIfAborted()
      return api.hasBucket(name, signal)
    },
    info: async (name = own, { signal } = {}) => infoOf(await get(api, name, signal)),
    delete: async (name = own, { force = false, signal } = {}) => remove(api, name, { force, signal }),
    encryption: setting<BucketEncryption | undefined>(api, {
      get: ({ encryption }) => encryptionOf(encryption),
      set: (value) => ({ encryption: keyOf(value) }),
    }),
    versioning: setting<BucketVersioning>(api, {
      get: ({ versioning }) => versioningOf(versioning),
      set: (value) => ({ versioning: { enabled: value === 'enabled' } }),
    }),
    lifecycle: setting<readonly LifecycleRule[]>(api, {
      get: ({ lifecycle }) => fromLifecycle(lifecycle),
      set: (rules) => ({ lifecycle: toLifecycle(rules) }),
    }),
  }
}

function setting<Value>(
  api: GcsApi,
  { get: read, set: write }: { readonly get: (bucket: BucketResource) => Value; readonly set: (value: Value) => object },
): BucketSetting<Value> {
  return {
    get: async (name = api.settings.bucket, { signal } = {}) => read(await get(api, name, signal)),
    set: async (value, name = api.settings.bucket, { signal } = {}) => {
      const json = write(value)
      await api.json({ method: 'PATCH', path: bucketPath(name), json, missing: 'bucket', bucket: name, signal })
    },
  }
}

async function create(api: GcsApi, name: string, { region, signal }: GcsCreateBucketOptions): Promise<void> {
  const { projectId } = await api.connection()
  const { uniformAccess, storageClass } = api.settings
  const json = {
    name,
    ...(region !== undefined && { location: region }),
    iamConfiguration: { uniformBucketLevelAccess: { enabled: uniformAccess } },
    ...(storageClass !== undefined && { storageClass }),
  }
  await api.json({
    method: 'POST',
    path: '/b',
    query: { project: await projectId() },
    json,
    repeatable: 'conditional',
    bucket: name,
    signal,
  })
}

async function listBuckets(api: GcsApi, signal: AbortSignal | undefined): Promise<readonly BucketEntry[]> {
  const project = await (await api.connection()).projectId()
  const buckets: BucketEntry[] = []
  let pageToken: string | undefined
  do {
    const query = { project, pageToken, fields: 'items(name,timeCreated),nextPageToken' }
    const page = await api.json<{ items?: readonly BucketResource[]; nextPageToken?: string }>({ path: '/b', query, signal })
    buckets.push(...(page.items ?? []).map(entryOf))
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return buckets.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function get(api: GcsApi, name: string, signal: AbortSignal | undefined): Promise<BucketResource> {
  const fields = 'name,timeCreated,location,versioning,encryption,iamConfiguration,lifecycle'
  return api.json<BucketResource>({ path: bucketPath(name), query: { fields }, missing: 'bucket', bucket: name, signal })
}

async function remove(api: GcsApi, name: string, { force, signal }: CallOptions & { readonly force: boolean }): Promise<void> {
  try {
    if (force) await empty(api, name, signal)
    await api.json({ method: 'DELETE', path: bucketPath(name), missing: 'bucket', bucket: name, signal })
  } catch (error) {
    if (!isStorageError(error)) throw error
    if (error.code === 'already_exists')
      throw new PreconditionFailedError('the bucket is not empty: delete what is in it, or set "force"', { cause: error.cause })
    const gone = error.code === 'configuration' && error.cause instanceof GcsFailure && error.cause.status === 404
    if (!gone) throw error
  }
  if (name === api.settings.bucket) api.forgetBucket()
}

/** Files and all their versions. */
async function empty(api: GcsApi, bucket: string, signal: AbortSignal | undefined): Promise<void> {
  let pageToken: string | undefined
  do {
    const page = await api.json<{ items?: readonly ObjectResource[]; nextPageToken?: string }>({
      path: `${bucketPath(bucket)}/o`,
      query: { versions: true, pageToken, fields: 'items(name,generation),nextPageToken' },
      missing: 'bucket',
      bucket,
      signal,
    })
    const queue = (page.items ?? []).values()
    const work = async (): Promise<void> => {
      for (const { name, generation } of queue) await removeVersion(api, objectPath(bucket, name), { generation, bucket, signal })
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
}

async function removeVersion(
  api: GcsApi,
  path: string,
  { generation, bucket, signal }: CallOptions & { readonly generation: string | undefined; readonly bucket: string },
): Promise<void> {
  try {
    await api.json({ method: 'DELETE', path, query: { generation }, bucket, signal })
  } catch (error) {
    if (!isStorageError(error) || error.code !== 'not_found') throw error
  }
}

function entryOf({ name, timeCreated }: BucketResource): BucketEntry {
  return { name, ...(timeCreated !== undefined && { created: new Date(timeCreated) }) }
}

function infoOf(bucket: BucketResource): BucketInfo {
  const { location, versioning, encryption, iamConfiguration } = bucket
  const isBlocked = iamConfiguration?.publicAccessPrevention === 'enforced'
  return {
    ...entryOf(bucket),
    ...(location !== undefined && { region: location.toLowerCase() }),
    versioning: versioningOf(versioning),
    encryption: encryptionOf(encryption) ?? { type: 'store' },
    ...(iamConfiguration !== undefined && { publicAccess: isBlocked ? 'blocked' : 'allowed' }),
  }
}

function versioningOf(versioning: BucketResource['versioning']): BucketVersioning {
  if (versioning?.enabled === undefined) return 'off'
  return versioning.enabled ? 'enabled' : 'suspended'
}

function encryptionOf(encryption: BucketResource['encryption']): BucketEncryption | undefined {
  const keyId = encryption?.defaultKmsKeyName
  return keyId === undefined ? undefined : { type: 'kms', keyId }
}

function keyOf(encryption: BucketEncryption | undefined): object | null {
  if (encryption === undefined || encryption.type === 'store') return null
  if (encryption.keyId === undefined)
    throw new InvalidArgumentError(
      'Google Cloud Storage has no KMS key of its own: say which, as projects/…/locations/…/keyRings/…/cryptoKeys/…',
    )
  return { defaultKmsKeyName: encryption.keyId }
}
