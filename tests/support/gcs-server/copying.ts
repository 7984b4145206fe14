/**
 * Objects made of other objects: copyTo, rewriteTo in as many calls as the caller limits it to, moveTo, and compose of up to 32 sources.
 * Bytes are shared, not copied.
 */
import { Body } from './body-store.ts'
import { allow, bucketOf, type Call, type Handler, type Names, newId, objectOf, ok, readJson, type Reply, type Upload } from './call.ts'
import { conditionNotMet, invalid, noSuchObject, required } from './errors.ts'
import type { Json, StoredObject } from './model.ts'
import { checkUpload, commitObject, shown } from './objects.ts'
import { checkPreconditions, whole } from './preconditions.ts'
import { keepsVersions } from './resources.ts'
import { checkHolds } from './settings.ts'

const MAX_SOURCES = 32
const MIN_REWRITTEN = 1024 * 1024

/** The source of a copy, with its own preconditions met. @throws 403 404 412 */
function sourceOf(call: Call, names: Names): StoredObject {
  const bucket = bucketOf(call, names['bucket'])
  const source = objectOf(call, bucket, names['object'] ?? '', 'sourceGeneration')
  allow(call, 'storage.objects.get')
  checkPreconditions(call.query, source, { prefix: 'ifSource' })
  return source
}

/** What a copy will be: as the source is, unless the request brings a resource, which then takes the place of all of its settings. */
function copyOf(call: Call, source: StoredObject, { body, names }: { readonly body: Json; readonly names: Names }): Upload {
  const { acl: _acl, kmsKeyName: _key, ...settings } = source.settings
  const isGiven = Object.keys(body).some((field) => !['storageClass', 'name', 'bucket', 'acl'].includes(field))
  const { storageClass = isGiven ? undefined : source.storageClass, acl } = body
  const metadata = {
    ...(isGiven ? body : settings),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(acl === undefined ? {} : { acl }),
    crc32c: undefined,
    md5Hash: undefined,
  }
  const query = new URLSearchParams(call.query)
  rename(query, 'destinationPredefinedAcl', 'predefinedAcl')
  rename(query, 'destinationKmsKeyName', 'kmsKeyName')
  return { bucket: names['toBucket'] ?? '', name: names['toObject'] ?? '', metadata, query, caller: call.caller }
}

function rename(query: URLSearchParams, from: string, to: string): void {
  const value = query.get(from)
  if (value !== null) query.set(to, value)
}

export const copyObject: Handler = async (call, names) => {
  const body = await readJson(call)
  const source = sourceOf(call, names)
  const upload = copyOf(call, source, { body, names })
  checkUpload(call, upload)
  return ok(shown(call, commitObject(call.state, upload, source.body, source.componentCount)))
}

/** Answers `done: false` and a token until as many bytes are through as the source has. */
export const rewriteObject: Handler = async (call, names) => {
  const body = await readJson(call)
  const source = sourceOf(call, names)
  const upload = copyOf(call, source, { body, names })
  checkUpload(call, upload)
  const { size } = source.body
  const { token, written } = advance(call, source)
  const counts = { kind: 'storage#rewriteResponse', totalBytesRewritten: String(written), objectSize: String(size) }
  if (written < size) return ok({ ...counts, done: false, rewriteToken: token })
  call.state.rewrites.delete(token)
  const resource = shown(call, commitObject(call.state, upload, source.body, source.componentCount))
  return ok({ ...counts, done: true, resource })
}

/** @throws 400 for a token that belongs to another source, and for limits that are no whole MiB */
function advance({ state, query, path }: Call, source: StoredObject): { readonly token: string; readonly written: number } {
  const limit = whole(query, 'maxBytesRewrittenPerCall')
  if (limit !== undefined && (limit <= 0 || limit % MIN_REWRITTEN !== 0)) {
    throw invalid('The requested maxBytesRewrittenPerCall is not an integral multiple of 1 MiB (1048576).')
  }
  const token = query.get('rewriteToken') ?? newId()
  const session = state.rewrites.get(token) ?? { source, written: 0, query: path }
  const isKnown = state.rewrites.has(token) || !query.has('rewriteToken')
  if (!isKnown || session.source !== source || session.query !== path) throw invalid('Invalid rewrite token.')
  session.written = Math.min(session.written + (limit ?? source.body.size), source.body.size)
  state.rewrites.set(token, session)
  return { token, written: session.written }
}

/** Within one bucket, in one step: the old name is gone when the new one is there. */
export const moveObject: Handler = (call, names): Reply => {
  const bucket = bucketOf(call, names['bucket'])
  const source = sourceOf(call, names)
  allow(call, 'storage.objects.delete')
  checkHolds(bucket, source, call.state.now())
  if (source.name === names['toObject']) throw invalid('The source and the destination of a move must differ.')
  const upload = copyOf(call, source, { body: {}, names: { ...names, toBucket: bucket.name } })
  checkUpload(call, upload)
  const moved = commitObject(call.state, upload, source.body, source.componentCount)
  moved.acl = source.acl
  bucket.objects.retire(source.name, keepsVersions(bucket), call.state.now())
  return ok(shown(call, moved))
}

interface SourceObject {
  readonly name?: string
  readonly generation?: string | number
  readonly objectPreconditions?: { readonly ifGenerationMatch?: string | number }
}

export const composeObject: Handler = async (call, names) => {
  const { sourceObjects, destination = {}, deleteSourceObjects } = await readJson(call)
  const bucket = bucketOf(call, names['bucket'])
  const listed = sourceObjects as readonly SourceObject[] | undefined
  if (!Array.isArray(listed) || listed.length === 0) throw required('sourceObjects')
  if (listed.length > MAX_SOURCES)
    throw invalid(`The number of source components provided (${listed.length} > ${MAX_SOURCES}) exceeds the limit.`)
  allow(call, 'storage.objects.get')
  const sources = (listed as readonly SourceObject[]).map((source) => component(call, names['bucket'] ?? '', source))
  const query = new URLSearchParams(call.query)
  rename(query, 'destinationPredefinedAcl', 'predefinedAcl')
  const metadata = { ...(destination as Json), ...storageClassOf(destination as Json, sources[0]) }
  const upload: Upload = { bucket: bucket.name, name: names['object'] ?? '', metadata, query, caller: call.caller }
  checkUpload(call, upload)
  const count = sources.reduce((sum, { componentCount = 1 }) => sum + componentCount, 0)
  const made = commitObject(call.state, upload, Body.concat(sources.map(({ body }) => body)), count)
  if (deleteSourceObjects === true) {
    for (const source of sources) if (source.name !== made.name) bucket.objects.retire(source.name, keepsVersions(bucket), call.state.now())
  }
  return ok(shown(call, made))
}

/** Without a class of its own, a composition has that of its first source. */
function storageClassOf({ storageClass }: Json, first: StoredObject | undefined): Json {
  return storageClass === undefined && first !== undefined ? { storageClass: first.storageClass } : {}
}

function component(call: Call, bucketName: string, { name, generation, objectPreconditions }: SourceObject): StoredObject {
  if (name === undefined) throw required('sourceObjects.name')
  const bucket = bucketOf(call, bucketName)
  const found = bucket.objects.find(name, generation === undefined ? undefined : Number(generation))
  if (found === undefined) throw noSuchObject(bucketName, name)
  const wanted = objectPreconditions?.ifGenerationMatch
  if (wanted !== undefined && Number(wanted) !== found.generation) throw conditionNotMet()
  return found
}
