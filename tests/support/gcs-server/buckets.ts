/** `storage.buckets`: insert, get, list, patch, update, delete, policies and permissions, and the lock of a retention policy. */
import { grants, predefinedBucketAcl, predefinedDefaultAcl, PROJECT_PRIVATE } from './acl.ts'
import { allow, bucketOf, type Call, type Handler, holds, ok, publicAccessPrevented, readJson, showing } from './call.ts'
import { conditionNotMet, conflict, GcsError, invalid, required } from './errors.ts'
import { limitOf } from './listing.ts'
import { compareNames, type Json, ObjectTable, type StoredBucket } from './model.ts'
import { checkPreconditions } from './preconditions.ts'
import { bucketResource, etagOf, isUniform, policyResource, time } from './resources.ts'
import { checkStorageClass } from './settings.ts'

/** What callers may set, and the names that `bucketResource` gives on its own do not stand here. */
const WRITABLE = [
  'autoclass',
  'billing',
  'cors',
  'customPlacementConfig',
  'defaultEventBasedHold',
  'encryption',
  'hierarchicalNamespace',
  'iamConfiguration',
  'ipFilter',
  'labels',
  'lifecycle',
  'logging',
  'retentionPolicy',
  'rpo',
  'softDeletePolicy',
  'storageClass',
  'versioning',
  'website',
]
const AT_BIRTH = ['location', 'objectRetention']

export const insertBucket: Handler = async (call) => {
  const body = await readJson(call)
  allow(call, 'storage.buckets.create')
  const { state, query } = call
  if (!query.has('project')) throw required('project')
  const name = checkBucketName(body['name'])
  if (state.buckets.has(name)) {
    throw conflict('Your previous request to create the named bucket succeeded and you already own it.', 'BucketAlreadyOwnedByYou')
  }
  const now = state.now()
  const bucket: StoredBucket = {
    name,
    metageneration: 1,
    generation: state.nextGeneration(),
    created: now,
    updated: now,
    settings: settingsAtBirth(body, query, now),
    acl: body['acl'] === undefined ? PROJECT_PRIVATE : grants(body['acl']),
    defaultObjectAcl: body['defaultObjectAcl'] === undefined ? PROJECT_PRIVATE : grants(body['defaultObjectAcl']),
    policy: { bindings: [], version: 1, revision: 1 },
    objects: new ObjectTable(),
  }
  applyPredefined(call, bucket)
  state.buckets.set(name, bucket)
  return ok(bucketResource(bucket, showing(call, body['acl'] === undefined ? 'noAcl' : 'full')))
}

function settingsAtBirth(body: Json, query: URLSearchParams, now: number): Json {
  const born = Object.fromEntries(AT_BIRTH.filter((field) => body[field] !== undefined).map((field) => [field, body[field]]))
  const standard: Json = {
    location: 'US',
    locationType: 'multi-region',
    storageClass: 'STANDARD',
    rpo: 'DEFAULT',
    // Off: soft deletion is not played here.
    softDeletePolicy: { retentionDurationSeconds: '0' },
    iamConfiguration: {
      bucketPolicyOnly: { enabled: false },
      uniformBucketLevelAccess: { enabled: false },
      publicAccessPrevention: 'inherited',
    },
    ...(query.get('enableObjectRetention') === 'true' ? { objectRetention: { mode: 'Enabled' } } : {}),
  }
  const settings = patchedSettings({ ...standard, ...born }, body, now)
  return { ...settings, location: String(settings['location']).toUpperCase() }
}

/** @throws 400 */
function checkBucketName(name: unknown): string {
  if (typeof name !== 'string') throw required('name')
  const isGood = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name) && !name.startsWith('goog') && !/^\d+\.\d+\.\d+\.\d+$/.test(name)
  if (!isGood) throw new GcsError(400, { reason: 'invalid', message: `Invalid bucket name: '${name}'`, xmlCode: 'InvalidBucketName' })
  return name
}

/** Objects in it are merged, one level deep, as JSON merge patch does; `null` removes. */
function patchedSettings(current: Json, patch: Json, now: number): Json {
  const settings: Record<string, unknown> = { ...current }
  for (const field of WRITABLE) {
    const value = patch[field]
    if (value === undefined) continue
    if (value === null) delete settings[field]
    else settings[field] = merge(settings[field], value)
  }
  settings['storageClass'] = checkStorageClass(settings['storageClass'] ?? 'STANDARD')
  settings['iamConfiguration'] = accessConfiguration(settings['iamConfiguration'], now)
  checkLifecycle(settings['lifecycle'])
  if (isEmptyRecord(settings['labels'])) delete settings['labels']
  const retention = settings['retentionPolicy'] as Json | undefined
  if (retention !== undefined)
    settings['retentionPolicy'] = { effectiveTime: time(now), ...retention, retentionPeriod: String(retention['retentionPeriod']) }
  return settings
}

function merge(current: unknown, patch: unknown): unknown {
  if (!isRecord(patch) || !isRecord(current)) return isRecord(patch) ? withoutNulls(patch) : patch
  const merged = { ...current }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = merge(merged[key], value)
  }
  return merged
}

function withoutNulls(record: Record<string, unknown>): Json {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEmptyRecord(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0
}

/** `bucketPolicyOnly` is the old name of uniform access, and always says the same. */
function accessConfiguration(given: unknown, now: number): Json {
  const settings = isRecord(given) ? given : {}
  const uniform = (settings['uniformBucketLevelAccess'] ?? settings['bucketPolicyOnly'] ?? { enabled: false }) as Json
  const isOn = uniform['enabled'] === true
  const shown = { enabled: isOn, ...(isOn ? { lockedTime: uniform['lockedTime'] ?? time(now + 90 * 24 * 3600 * 1000) } : {}) }
  return { publicAccessPrevention: 'inherited', ...settings, uniformBucketLevelAccess: shown, bucketPolicyOnly: shown }
}

function checkLifecycle(lifecycle: unknown): void {
  const rules = isRecord(lifecycle) ? (lifecycle['rule'] as readonly Json[] | undefined) : undefined
  for (const { action, condition } of rules ?? []) {
    const type = (action as Json | undefined)?.['type']
    if (type !== 'Delete' && type !== 'SetStorageClass' && type !== 'AbortIncompleteMultipartUpload') {
      throw invalid(`Invalid argument: lifecycle action ${String(type)}`)
    }
    if (type === 'SetStorageClass') checkStorageClass((action as Json)['storageClass'])
    if (!isRecord(condition) || isEmptyRecord(condition)) throw invalid('A lifecycle management rule must have at least one condition.')
  }
}

function applyPredefined({ query }: Call, bucket: StoredBucket): void {
  const own = query.get('predefinedAcl')
  const ofObjects = query.get('predefinedDefaultObjectAcl')
  if (own === null && ofObjects === null) return
  if (isUniform(bucket)) {
    const more = 'Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access'
    throw invalid(`Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled. ${more}`)
  }
  if (own !== null) bucket.acl = predefinedBucketAcl(own)
  if (ofObjects !== null) bucket.defaultObjectAcl = predefinedDefaultAcl(ofObjects)
}

export const getBucket: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.buckets.get')
  checkPreconditions(call.query, bucket, { reading: true })
  return ok(bucketResource(bucket, showing(call)))
}

export const listBuckets: Handler = (call) => {
  const { query, state } = call
  if (!query.has('project')) throw required('project')
  allow(call, 'storage.buckets.list')
  const after = query.get('pageToken')
  const prefix = query.get('prefix') ?? ''
  const names = [...state.buckets.keys()].sort(compareNames)
  const left = names.filter((name) => name.startsWith(prefix) && (after === null || compareNames(name, after) > 0))
  const page = left.slice(0, limitOf(query))
  const last = left.length > page.length ? page.at(-1) : undefined
  const items = page.map((name) => bucketResource(bucketOf(call, name), showing(call)))
  return ok({ kind: 'storage#buckets', ...(last === undefined ? {} : { nextPageToken: last }), ...(items.length === 0 ? {} : { items }) })
}

function changing(isPatch: boolean): Handler {
  return async (call, names) => {
    const body = await readJson(call)
    const bucket = bucketOf(call, names['bucket'])
    allow(call, 'storage.buckets.update')
    checkPreconditions(call.query, bucket)
    const { location, locationType, objectRetention, storageClass } = bucket.settings
    const fixed = {
      location,
      locationType,
      ...(objectRetention === undefined ? {} : { objectRetention }),
      ...(isPatch ? {} : { storageClass }),
    }
    const settings = patchedSettings(isPatch ? bucket.settings : fixed, body, call.state.now())
    checkRetentionLock(bucket, settings)
    bucket.settings = settings
    if (body['acl'] !== undefined && !isUniform(bucket)) bucket.acl = grants(body['acl'])
    if (body['defaultObjectAcl'] !== undefined && !isUniform(bucket)) bucket.defaultObjectAcl = grants(body['defaultObjectAcl'])
    applyPredefined(call, bucket)
    touch(call, bucket)
    return ok(bucketResource(bucket, showing(call, 'full')))
  }
}

function checkRetentionLock({ settings: before }: StoredBucket, after: Json): void {
  const old = before['retentionPolicy'] as { isLocked?: boolean; retentionPeriod?: string } | undefined
  if (old?.isLocked !== true) return
  const next = after['retentionPolicy'] as { retentionPeriod?: string } | undefined
  if (Number(next?.retentionPeriod ?? 0) >= Number(old.retentionPeriod)) return
  throw new GcsError(403, { reason: 'forbidden', message: 'Cannot reduce retention duration of a locked Retention Policy for the bucket.' })
}

function touch({ state }: Call, bucket: StoredBucket): void {
  bucket.metageneration++
  bucket.updated = state.now()
}

export const patchBucket: Handler = changing(true)
export const updateBucket: Handler = changing(false)

export const deleteBucket: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.buckets.delete')
  checkPreconditions(call.query, bucket)
  if (!bucket.objects.isEmpty) throw conflict('The bucket you tried to delete is not empty.', 'BucketNotEmpty')
  call.state.buckets.delete(bucket.name)
  return { status: 204 }
}

export const lockRetention: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.buckets.update')
  if (!call.query.has('ifMetagenerationMatch')) throw required('ifMetagenerationMatch')
  checkPreconditions(call.query, bucket)
  const policy = bucket.settings['retentionPolicy'] as Json | undefined
  if (policy === undefined) throw invalid('Retention policy does not exist on the bucket.')
  bucket.settings = { ...bucket.settings, retentionPolicy: { ...policy, isLocked: true } }
  touch(call, bucket)
  return ok(bucketResource(bucket, showing(call, 'full')))
}

export const getPolicy: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.buckets.getIamPolicy')
  return ok(policyResource(bucket))
}

export const setPolicy: Handler = async (call, names) => {
  const body = await readJson(call)
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.buckets.setIamPolicy')
  const { bindings = [], etag, version = 1 } = body
  if (typeof etag === 'string' && etag !== etagOf(bucket.policy.revision, 1)) throw conditionNotMet()
  if (!Array.isArray(bindings)) throw invalid('Invalid value for: bindings')
  checkMembers(bucket, bindings as readonly Json[])
  bucket.policy = { bindings: bindings as readonly Json[], version: Number(version), revision: bucket.policy.revision + 1 }
  return ok(policyResource(bucket))
}

function checkMembers(bucket: StoredBucket, bindings: readonly Json[]): void {
  const isOpen = bindings.some(({ members }) =>
    (members as readonly string[] | undefined)?.some((member) => /^all(Authenticated)?Users$/.test(member)),
  )
  if (!isOpen || !publicAccessPrevented(bucket)) return
  const message = 'The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.'
  throw new GcsError(412, { reason: 'conditionNotMet', message })
}

/** What the caller holds of what they ask about; no policy is weighed. */
export const testPermissions: Handler = (call, names) => {
  bucketOf(call, names['bucket'])
  const permissions = call.query.getAll('permissions').filter((permission) => holds(call.caller, permission))
  return ok({ kind: 'storage#testIamPermissionsResponse', ...(permissions.length === 0 ? {} : { permissions }) })
}

export const serviceAccount: Handler = (call, names) => {
  return ok({
    kind: 'storage#serviceAccount',
    email_address: `service-${names['project'] ?? ''}@gs-project-accounts.iam.gserviceaccount.com`,
  })
}
