/** An object as the JSON API has it, and as a disk has it. */
import { headersOf } from '../../derive.ts'
import type { ContentHeaders, FileStat, Visibility, WriteOptions } from '../../driver.ts'
import { FileExistsError, InvalidPathError, PreconditionFailedError } from '../../errors.ts'
import type { Query } from './api.ts'
import type { Asked } from './gcs-errors.ts'

/** What Google's discovery document calls an Object, as far as a disk needs it. Numbers of 64 bits are strings. */
export interface ObjectResource extends ContentHeaders {
  readonly name: string
  readonly size?: string
  readonly updated?: string
  readonly timeCreated?: string
  /** Of a version that is not the current one any more. */
  readonly timeDeleted?: string
  readonly generation?: string
  readonly crc32c?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly storageClass?: string
  readonly acl?: readonly { readonly entity?: string; readonly role?: string }[]
}

/** The members that make a stat, and what tells versions apart. */
export const FACTS =
  'name,size,updated,timeCreated,timeDeleted,generation,contentType,cacheControl,contentDisposition,contentEncoding,contentLanguage,metadata,storageClass,crc32c'

/** What to ask for to know all facts. ACLs cost a permission of their own, so they are asked for only where a disk has them. */
export function factsQuery(acl: boolean): Query {
  return acl ? { fields: `${FACTS},acl`, projection: 'full' } : { fields: FACTS }
}

/**
 * The generation is the etag and the version: it changes with every write, and it is what the store's conditions take. Google's own
 * etag changes with the metadata, too, and no condition of the API takes it.
 */
export function statOf(path: string, resource: ObjectResource): FileStat {
  const { size, updated, generation, metadata, storageClass, acl } = resource
  return {
    path,
    size: Number(size ?? 0),
    lastModified: new Date(updated ?? 0),
    ...headersOf(resource),
    ...(generation !== undefined && { etag: generation, versionId: generation }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
    ...(storageClass !== undefined && { storageClass }),
    ...(acl !== undefined && { visibility: visibilityIn(acl) }),
  }
}

const EVERYBODY = new Set(['allUsers', 'allAuthenticatedUsers'])

export function visibilityIn(acl: NonNullable<ObjectResource['acl']>): Visibility {
  return acl.some(({ entity }) => EVERYBODY.has(entity ?? '')) ? 'public' : 'private'
}

/** What is written with an object. */
export function resourceOf(options: ContentHeaders & Pick<WriteOptions, 'metadata' | 'storageClass'>): object {
  const { metadata, storageClass } = options
  return { ...headersOf(options), ...(metadata && { metadata }), ...(storageClass !== undefined && { storageClass }) }
}

/** `projectPrivate` is what a bucket gives by itself: the owner, and the project's people by their roles. */
const PREDEFINED = { public: 'publicRead', private: 'projectPrivate' } as const satisfies Record<Visibility, string>

/** The precondition of a write, by the generation that must be there: none is 0. @throws PreconditionFailedError for an etag that no object has */
export function conditionOf({ ifAbsent, ifMatch }: Pick<WriteOptions, 'ifAbsent' | 'ifMatch'>): Asked & { readonly query: Query } {
  if (ifAbsent) return { condition: 'ifAbsent', query: { ifGenerationMatch: 0 } }
  if (ifMatch === undefined) return { query: {} }
  return { condition: 'ifMatch', query: { ifGenerationMatch: generationOf(ifMatch) } }
}

export function predefinedAcl(visibility: Visibility | undefined): string | undefined {
  return visibility === undefined ? undefined : PREDEFINED[visibility]
}

/** An etag of ours is a generation; a store would answer 400 to anything else. */
export function generationOf(etag: string): string {
  if (/^[1-9]\d{0,18}$/.test(etag)) return etag
  throw new PreconditionFailedError()
}

/** Where parts and additions lie until they are one with their file. No path may be there, and no listing shows it. */
export const RESERVED = '.stowage/'

const MAX_NAME_BYTES = 1_024

/** The object's name: the path. @throws InvalidPathError for what Cloud Storage does not take, or what is reserved */
export function nameOf(path: string): string {
  if (path === '.stowage' || path.startsWith(RESERVED))
    throw new InvalidPathError('".stowage" at the root is where unfinished uploads are kept')
  if (Buffer.byteLength(path) > MAX_NAME_BYTES)
    throw new InvalidPathError(`the path has more than ${MAX_NAME_BYTES} bytes, which is what Google Cloud Storage takes`)
  if (path.startsWith('.well-known/acme-challenge/'))
    throw new InvalidPathError('Google Cloud Storage takes no names in ".well-known/acme-challenge"')
  return path
}

/** A copy onto itself leaves the file as it is. */
export function judgeSelf(options: Pick<WriteOptions, 'ifAbsent'>): void {
  if (options.ifAbsent) throw new FileExistsError()
}
