/** Access control lists of objects and buckets, the predefined ones, and the refusal of all of them where access is uniform. */
import { bucketOf, type Call, type Handler, allow, objectOf, ok, publicAccessPrevented, readJson, type Reply } from './call.ts'
import { GcsError, invalid, notFound, required } from './errors.ts'
import { type Grant, type Json, type StoredBucket, type StoredObject, textOf } from './model.ts'
import { checkPreconditions } from './preconditions.ts'
import { bucketGrant, defaultGrant, isUniform, objectGrant, PROJECT_NUMBER } from './resources.ts'

const OWNERS: Grant = { entity: `project-owners-${PROJECT_NUMBER}`, role: 'OWNER' }
const EDITORS: Grant = { entity: `project-editors-${PROJECT_NUMBER}`, role: 'OWNER' }
const VIEWERS: Grant = { entity: `project-viewers-${PROJECT_NUMBER}`, role: 'READER' }
const ANYONE: Grant = { entity: 'allUsers', role: 'READER' }
const ANY_ACCOUNT: Grant = { entity: 'allAuthenticatedUsers', role: 'READER' }

export const PROJECT_PRIVATE: readonly Grant[] = [OWNERS, EDITORS, VIEWERS]

const OBJECT_ACLS: Readonly<Record<string, readonly Grant[]>> = {
  authenticatedRead: [ANY_ACCOUNT],
  bucketOwnerFullControl: [OWNERS],
  bucketOwnerRead: [{ ...OWNERS, role: 'READER' }],
  private: [],
  projectPrivate: PROJECT_PRIVATE,
  publicRead: [ANYONE],
}

const BUCKET_ACLS: Readonly<Record<string, readonly Grant[]>> = {
  authenticatedRead: [OWNERS, ANY_ACCOUNT],
  private: [OWNERS],
  projectPrivate: PROJECT_PRIVATE,
  publicRead: [OWNERS, ANYONE],
  publicReadWrite: [OWNERS, { ...ANYONE, role: 'WRITER' }],
}

const HYPHENATED: Readonly<Record<string, string>> = {
  'authenticated-read': 'authenticatedRead',
  'bucket-owner-full-control': 'bucketOwnerFullControl',
  'bucket-owner-read': 'bucketOwnerRead',
  private: 'private',
  'project-private': 'projectPrivate',
  'public-read': 'publicRead',
}

/** The camel-cased name of what the XML API calls `public-read`. @throws 400 */
export function predefinedFromHeader(name: string): string {
  const found = HYPHENATED[name]
  if (found === undefined) throw invalid(`Invalid argument: x-goog-acl: ${name}`)
  return found
}

export interface AclChoice {
  readonly predefined: string | null
  /** The `acl` of a resource. */
  readonly listed?: unknown
  readonly owner: string
}

/** The grants of a new object. @throws 400 where access is uniform and someone asks for an ACL, or for one that does not exist */
export function objectAcl(bucket: StoredBucket, { predefined, listed, owner }: AclChoice): readonly Grant[] {
  const own: Grant = { entity: owner, role: 'OWNER' }
  if (isUniform(bucket)) {
    if (predefined !== null && predefined !== 'projectPrivate' && predefined !== 'bucketOwnerFullControl') throw uniform('insert')
    if (listed !== undefined) throw uniform('insert')
    return []
  }
  if (predefined !== null) return checkPublic(bucket, [own, ...named(OBJECT_ACLS, predefined)])
  if (listed !== undefined) return checkPublic(bucket, [own, ...grants(listed).filter(({ entity }) => entity !== owner)])
  return [own, ...bucket.defaultObjectAcl]
}

export function predefinedBucketAcl(name: string): readonly Grant[] {
  return named(BUCKET_ACLS, name)
}

export function predefinedDefaultAcl(name: string): readonly Grant[] {
  return named(OBJECT_ACLS, name)
}

function named(table: Readonly<Record<string, readonly Grant[]>>, name: string): readonly Grant[] {
  const found = table[name]
  if (found === undefined)
    throw invalid(`Invalid value for: Invalid value '${name}'. Values must match: [${Object.keys(table).join(', ')}]`)
  return found
}

/** @throws 400 for grants without an entity or a role */
export function grants(listed: unknown): readonly Grant[] {
  if (!Array.isArray(listed)) throw invalid('Invalid value for: acl')
  return (listed as readonly Json[]).map((each) => grantOf(each, 'READER'))
}

function grantOf({ entity, role }: Json, fallback?: string): Grant {
  if (typeof entity !== 'string' || entity === '') throw required('entity')
  const given = role ?? fallback
  if (given === undefined) throw required('role')
  if (!['OWNER', 'READER', 'WRITER'].includes(textOf(given))) throw invalid(`Invalid argument: role ${textOf(given)}`)
  if (!/^(allUsers|allAuthenticatedUsers|(user|group|domain|project-(owners|editors|viewers))-.+)$/.test(entity)) {
    throw invalid(`Could not parse access control entity: ${entity}`)
  }
  return { entity, role: textOf(given) }
}

function checkPublic(bucket: StoredBucket, list: readonly Grant[]): readonly Grant[] {
  const isOpen = list.some(({ entity }) => entity === 'allUsers' || entity === 'allAuthenticatedUsers')
  if (!isOpen || !publicAccessPrevented(bucket)) return list
  const message = 'The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.'
  throw new GcsError(412, { reason: 'conditionNotMet', message })
}

function uniform(verb: string, noun = 'an object'): GcsError {
  const more = 'Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access'
  return invalid(`Cannot ${verb} legacy ACL for ${noun} when uniform bucket-level access is enabled. ${more}`)
}

/** A list of grants, wherever it hangs: how to read it, to write it, and to show one of it. */
interface Acl {
  readonly kind: string
  readonly list: readonly Grant[]
  set(list: readonly Grant[]): void
  show(grant: Grant): Json
  readonly bucket: StoredBucket
}

type Find = (call: Call, names: Readonly<Record<string, string>>) => Acl

function objectAclOf(call: Call, names: Readonly<Record<string, string>>): Acl {
  const bucket = bucketOf(call, names['bucket'])
  const object: StoredObject = objectOf(call, bucket, names['object'] ?? '')
  const isRead = call.method === 'GET'
  allow(call, isRead ? 'storage.objects.getIamPolicy' : 'storage.objects.setIamPolicy')
  if (isUniform(bucket)) throw uniform(isRead ? 'get' : call.method === 'DELETE' ? 'delete' : call.method === 'POST' ? 'insert' : 'update')
  return {
    kind: 'storage#objectAccessControls',
    bucket,
    list: object.acl,
    set: (list) => {
      object.acl = checkPublic(bucket, list)
      object.metageneration++
      object.updated = call.state.now()
    },
    show: (grant) => objectGrant(object, grant, call.origin),
  }
}

function bucketAclOf(call: Call, names: Readonly<Record<string, string>>, isDefault: boolean): Acl {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, call.method === 'GET' ? 'storage.buckets.getIamPolicy' : 'storage.buckets.setIamPolicy')
  if (isUniform(bucket)) throw uniform('get', 'a bucket')
  return {
    kind: isDefault ? 'storage#objectAccessControls' : 'storage#bucketAccessControls',
    bucket,
    list: isDefault ? bucket.defaultObjectAcl : bucket.acl,
    set: (list) => {
      if (isDefault) bucket.defaultObjectAcl = checkPublic(bucket, list)
      else bucket.acl = checkPublic(bucket, list)
      bucket.metageneration++
      bucket.updated = call.state.now()
    },
    show: (grant) => (isDefault ? defaultGrant(bucket, grant) : bucketGrant(bucket, grant, call.origin)),
  }
}

interface AclHandlers {
  readonly list: Handler
  readonly get: Handler
  readonly insert: Handler
  readonly patch: Handler
  readonly update: Handler
  readonly remove: Handler
}

function handlers(find: Find): AclHandlers {
  const entry = ({ list }: Acl, entity: string | undefined): Grant => {
    const found = list.find((grant) => grant.entity === entity)
    if (found === undefined) throw notFound('The specified ACL entry was not found.')
    return found
  }
  const change: Handler = async (call, names) => {
    const body = await readJson(call)
    const acl = find(call, names)
    const next = grantOf({ ...entry(acl, names['entity']), ...(body['role'] === undefined ? {} : { role: body['role'] }) })
    acl.set(acl.list.map((grant) => (grant.entity === next.entity ? next : grant)))
    return ok(acl.show(next))
  }
  return {
    list: (call, names): Reply => {
      const acl = find(call, names)
      checkPreconditions(call.query, acl.bucket, { reading: true })
      return ok({ kind: acl.kind, items: acl.list.map((grant) => acl.show(grant)) })
    },
    get: (call, names) => {
      const acl = find(call, names)
      return ok(acl.show(entry(acl, names['entity'])))
    },
    insert: async (call, names) => {
      const body = await readJson(call)
      const acl = find(call, names)
      const added = grantOf(body)
      acl.set([...acl.list.filter(({ entity }) => entity !== added.entity), added])
      return ok(acl.show(added))
    },
    patch: change,
    update: change,
    remove: (call, names) => {
      const acl = find(call, names)
      const gone = entry(acl, names['entity'])
      acl.set(acl.list.filter((grant) => grant !== gone))
      return { status: 204 }
    },
  }
}

export const objectAclHandlers: AclHandlers = handlers(objectAclOf)
export const bucketAclHandlers: AclHandlers = handlers((call, names) => bucketAclOf(call, names, false))
export const defaultAclHandlers: AclHandlers = handlers((call, names) => bucketAclOf(call, names, true))
