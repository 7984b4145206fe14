/** Buckets, objects, grants and policies as the JSON API shows them: the schemas `Bucket`, `Object`, `ObjectAccessControl` and so on. */
import { crc32cText } from './checksums.ts'
import type { Grant, Json, StoredBucket, StoredObject } from './model.ts'

export const PROJECT_NUMBER = '123456789012'

/** Whether ACLs are part of a resource. */
export type Projection = 'full' | 'noAcl'

/** Links name the address that the caller used. */
export interface Showing {
  readonly origin: string
  readonly projection: Projection
  readonly owner: string
}

export function objectResource(object: StoredObject, { origin, projection, owner }: Showing): Json {
  const { bucket, name, generation, metageneration, body } = object
  const self = `${origin}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    selfLink: self,
    mediaLink: `${origin}/download/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?generation=${generation}&alt=media`,
    name,
    bucket,
    generation: String(generation),
    metageneration: String(metageneration),
    storageClass: object.storageClass,
    size: String(body.size),
    ...(body.md5 === undefined ? {} : { md5Hash: body.md5 }),
    crc32c: crc32cText(body.crc32c),
    ...(object.componentCount === undefined ? {} : { componentCount: object.componentCount }),
    etag: etagOf(generation, metageneration),
    timeCreated: time(object.created),
    updated: time(object.updated),
    timeFinalized: time(object.created),
    timeStorageClassUpdated: time(object.storageClassUpdated),
    ...(object.deleted === undefined ? {} : { timeDeleted: time(object.deleted) }),
    ...object.settings,
    ...(projection === 'full' ? { acl: object.acl.map((grant) => objectGrant(object, grant, origin)), owner: { entity: owner } } : {}),
  }
}

export function bucketResource(bucket: StoredBucket, { origin, projection, owner }: Showing): Json {
  const { name, metageneration } = bucket
  const uniform = isUniform(bucket)
  const acls = {
    acl: bucket.acl.map((grant) => bucketGrant(bucket, grant, origin)),
    defaultObjectAcl: bucket.defaultObjectAcl.map((grant) => defaultGrant(bucket, grant)),
    owner: { entity: owner },
  }
  return {
    kind: 'storage#bucket',
    id: name,
    selfLink: `${origin}/storage/v1/b/${name}`,
    name,
    projectNumber: PROJECT_NUMBER,
    generation: String(bucket.generation),
    metageneration: String(metageneration),
    etag: etagOf(bucket.generation, metageneration),
    timeCreated: time(bucket.created),
    updated: time(bucket.updated),
    ...bucket.settings,
    ...(projection === 'full' && !uniform ? acls : {}),
  }
}

/** As Cloud Storage does: a message of two varints, the generation (field 1) and the metageneration (field 2). */
export function etagOf(generation: number, metageneration: number): string {
  return Buffer.from([8, ...varint(generation), 16, ...varint(metageneration)]).toString('base64')
}

function varint(value: number): readonly number[] {
  const bytes: number[] = []
  let left = value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
  return [...bytes, left]
}

export function time(instant: number): string {
  return new Date(instant).toISOString()
}

export function isUniform({ settings }: StoredBucket): boolean {
  const { iamConfiguration } = settings as { iamConfiguration?: { uniformBucketLevelAccess?: { enabled?: boolean } } }
  return iamConfiguration?.uniformBucketLevelAccess?.enabled === true
}

export function keepsVersions({ settings }: StoredBucket): boolean {
  return (settings['versioning'] as { enabled?: boolean } | undefined)?.enabled === true
}

export function objectGrant(object: StoredObject, grant: Grant, origin: string): Json {
  const { bucket, name, generation } = object
  return {
    kind: 'storage#objectAccessControl',
    id: `${bucket}/${name}/${generation}/${grant.entity}`,
    selfLink: `${origin}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}/acl/${encodeURIComponent(grant.entity)}`,
    bucket,
    object: name,
    generation: String(generation),
    etag: etagOf(generation, object.metageneration),
    ...grantee(grant),
  }
}

export function bucketGrant(bucket: StoredBucket, grant: Grant, origin: string): Json {
  return {
    kind: 'storage#bucketAccessControl',
    id: `${bucket.name}/${grant.entity}`,
    selfLink: `${origin}/storage/v1/b/${bucket.name}/acl/${encodeURIComponent(grant.entity)}`,
    bucket: bucket.name,
    etag: etagOf(bucket.generation, bucket.metageneration),
    ...grantee(grant),
  }
}

export function defaultGrant(bucket: StoredBucket, grant: Grant): Json {
  return { kind: 'storage#objectAccessControl', etag: etagOf(bucket.generation, bucket.metageneration), ...grantee(grant) }
}

function grantee({ entity, role }: Grant): Json {
  const team = /^project-(owners|editors|viewers)-(\d+)$/.exec(entity)
  const email = /^(?:user|group)-(.+@.+)$/.exec(entity)
  const domain = /^domain-(.+)$/.exec(entity)
  return {
    entity,
    role,
    ...(team === null ? {} : { projectTeam: { team: team[1], projectNumber: team[2] } }),
    ...(email === null ? {} : { email: email[1] }),
    ...(domain === null ? {} : { domain: domain[1] }),
  }
}

export function policyResource(bucket: StoredBucket): Json {
  const { bindings, version, revision } = bucket.policy
  return {
    kind: 'storage#policy',
    resourceId: `projects/_/buckets/${bucket.name}`,
    version,
    etag: etagOf(revision, 1),
    bindings,
  }
}
