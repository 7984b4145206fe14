/** `storage.objects`: get, patch, update, delete, and the one place where a new version comes to be. */
import { grants, objectAcl } from './acl.ts'
import type { Body } from './body-store.ts'
import {
  allow,
  allowRead,
  bucketOf,
  type Call,
  type Handler,
  objectOf,
  ok,
  ownerOf,
  readJson,
  showing,
  type State,
  type Upload,
} from './call.ts'
import { crc32cText } from './checksums.ts'
import { conditionNotMet, forbidden, invalid, noSuchBucket, notModified } from './errors.ts'
import { type Json, type StoredBucket, type StoredObject, textOf } from './model.ts'
import { checkPreconditions, whole } from './preconditions.ts'
import { etagOf, isUniform, keepsVersions, objectResource } from './resources.ts'
import { checkHolds, checkName, checkStorageClass, patchedSettings, settingsOf } from './settings.ts'
import { download } from './downloads.ts'

/** Stores a new live version, if all that was asked for holds now. Nothing is stored otherwise. @throws 400 403 404 412 */
export function commitObject(state: State, upload: Upload, body: Body, componentCount?: number): StoredObject {
  const { metadata, query, name, caller } = upload
  const bucket = state.buckets.get(upload.bucket)
  if (bucket === undefined) throw noSuchBucket()
  allow(upload, 'storage.objects.create')
  const current = bucket.objects.live(name)
  checkPreconditions(query, current)
  if (current !== undefined) allow(upload, 'storage.objects.delete')
  checkSums(metadata, body)
  checkHolds(bucket, current, state.now())
  const now = state.now()
  const owner = ownerOf({ caller, state })
  const kmsKeyName = query.get('kmsKeyName') ?? (metadata['kmsKeyName'] as string | undefined) ?? defaultKey(bucket)
  const isHeld = bucket.settings['defaultEventBasedHold'] === true ? { eventBasedHold: true } : {}
  const object: StoredObject = {
    bucket: bucket.name,
    name,
    generation: state.nextGeneration(),
    metageneration: 1,
    body,
    componentCount,
    created: now,
    updated: now,
    deleted: undefined,
    storageClass: checkStorageClass(metadata['storageClass'] ?? bucket.settings['storageClass']),
    storageClassUpdated: now,
    settings: {
      ...isHeld,
      ...settingsOf(metadata),
      ...(kmsKeyName === undefined ? {} : { kmsKeyName: `${kmsKeyName}/cryptoKeyVersions/1` }),
    },
    acl: objectAcl(bucket, { predefined: query.get('predefinedAcl'), listed: metadata['acl'], owner }),
  }
  bucket.objects.put(object, keepsVersions(bucket))
  return object
}

/** What can be refused before the bytes come. @throws 400 403 404 412 */
export function checkUpload(call: Call, { bucket: bucketName, name, metadata, query }: Upload): void {
  const bucket = bucketOf(call, bucketName)
  checkName(name)
  allow(call, 'storage.objects.create')
  checkPreconditions(query, bucket.objects.live(name))
  settingsOf(metadata)
  checkStorageClass(metadata['storageClass'] ?? bucket.settings['storageClass'])
  objectAcl(bucket, { predefined: query.get('predefinedAcl'), listed: metadata['acl'], owner: ownerOf(call) })
}

function defaultKey({ settings }: StoredBucket): string | undefined {
  return (settings['encryption'] as { defaultKmsKeyName?: string } | undefined)?.defaultKmsKeyName
}

function checkSums({ crc32c, md5Hash }: Json, body: Body): void {
  const sum = crc32cText(body.crc32c)
  if (crc32c !== undefined && crc32c !== null && crc32c !== sum) {
    throw invalid(`Provided CRC32C "${textOf(crc32c)}" doesn't match calculated CRC32C "${sum}".`)
  }
  if (md5Hash !== undefined && md5Hash !== null && body.md5 !== undefined && md5Hash !== body.md5) {
    throw invalid(`Provided MD5 hash "${textOf(md5Hash)}" doesn't match calculated MD5 hash "${body.md5}".`)
  }
}

export const getObject: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  const found = bucket.objects.find(names['object'] ?? '', whole(call.query, 'generation'))
  allowRead(call, bucket, found)
  const object = objectOf(call, bucket, names['object'] ?? '')
  checkPreconditions(call.query, object, { reading: true })
  checkEtags(call, object)
  if (call.query.get('alt') === 'media') return download(call, object, 'json')
  const full = showing(call)
  if (full.projection === 'full' && isUniform(bucket)) return ok(objectResource(object, { ...full, projection: 'noAcl' }))
  return { ...ok(objectResource(object, full)), headers: { etag: etagOf(object.generation, object.metageneration) } }
}

function checkEtags({ headers }: Call, { generation, metageneration }: StoredObject): void {
  const etag = etagOf(generation, metageneration)
  const names = (header: string): boolean =>
    header.split(',').some((each) => each.trim() === '*' || each.trim().replaceAll('"', '') === etag)
  if (headers['if-match'] !== undefined && !names(headers['if-match'])) throw conditionNotMet()
  if (headers['if-none-match'] !== undefined && names(headers['if-none-match'])) throw notModified()
}

/** PATCH merges; PUT replaces. */
function changing(isPatch: boolean): Handler {
  return async (call, names) => {
    const body = await readJson(call)
    const bucket = bucketOf(call, names['bucket'])
    const object = objectOf(call, bucket, names['object'] ?? '')
    allow(call, 'storage.objects.update')
    checkPreconditions(call.query, object)
    const { kmsKeyName } = object.settings
    const settings = isPatch ? patchedSettings(object.settings, body) : settingsOf(body)
    checkRetention(call, object, settings)
    const acl = changedAcl(call, bucket, body)
    object.settings = kmsKeyName === undefined ? settings : { ...settings, kmsKeyName }
    if (acl !== undefined) object.acl = acl
    object.metageneration++
    object.updated = call.state.now()
    return ok(objectResource(object, isUniform(bucket) ? { ...showing(call), projection: 'noAcl' } : showing(call, 'full')))
  }
}

function changedAcl(call: Call, bucket: StoredBucket, body: Json): StoredObject['acl'] | undefined {
  const predefined = call.query.get('predefinedAcl')
  const listed = body['acl'] ?? undefined
  if (predefined === null && listed === undefined) return undefined
  allow(call, 'storage.objects.setIamPolicy')
  if (listed !== undefined) grants(listed)
  // PUT without a change sends the empty list of a bucket whose access is uniform back.
  if (isUniform(bucket) && predefined === null && Array.isArray(listed) && listed.length === 0) return undefined
  return objectAcl(bucket, { predefined, listed, owner: ownerOf(call) })
}

function checkRetention({ query }: Call, object: StoredObject, settings: Json): void {
  const before = object.settings['retention'] as { mode?: string; retainUntilTime?: string } | undefined
  const after = settings['retention'] as { mode?: string; retainUntilTime?: string } | undefined
  if (before === undefined || JSON.stringify(before) === JSON.stringify(after)) return
  const isShorter = Date.parse(after?.retainUntilTime ?? '') < Date.parse(before.retainUntilTime ?? '') || after === undefined
  const mayShorten = before.mode === 'Unlocked' && query.get('overrideUnlockedRetention') === 'true'
  if (isShorter && !mayShorten) throw forbidden(`Object '${object.bucket}/${object.name}' is retained.`, 'retentionPolicyNotMet')
}

export const patchObject: Handler = changing(true)
export const updateObject: Handler = changing(false)

export const deleteObject: Handler = (call, names) => {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.objects.delete')
  const object = objectOf(call, bucket, names['object'] ?? '')
  checkPreconditions(call.query, object)
  checkHolds(bucket, object, call.state.now())
  if (call.query.has('generation')) bucket.objects.remove(object)
  else bucket.objects.retire(object.name, keepsVersions(bucket), call.state.now())
  return { status: 204 }
}

/** `X-Goog-Hash: crc32c=…,md5=…`, and `Content-MD5`. */
export function hashesOf({ headers }: Pick<Call, 'headers'>): { readonly crc32c?: string; readonly md5Hash?: string } {
  const hashes: { crc32c?: string; md5Hash?: string } = {}
  for (const part of String(headers['x-goog-hash'] ?? '').split(',')) {
    const [, kind, sum] = /^\s*(crc32c|md5)=(\S+)\s*$/.exec(part) ?? []
    if (kind === 'crc32c' && sum !== undefined) hashes.crc32c = sum
    if (kind === 'md5' && sum !== undefined) hashes.md5Hash = sum
  }
  const md5 = headers['content-md5']
  if (typeof md5 === 'string') hashes.md5Hash = md5
  return hashes
}

/** The resource of an object that was just written. */
export function shown(call: Call, object: StoredObject): Json {
  const bucket = bucketOf(call, object.bucket)
  const view = showing(call)
  return objectResource(object, isUniform(bucket) ? { ...view, projection: 'noAcl' } : view)
}
