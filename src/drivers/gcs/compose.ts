/**
 * Objects made of others, inside the store: `objects.compose`, of up to 32 sources at a time.
 *
 *   append     .stowage/appends/{id}                    written, composed to [file, addition] over that generation of the file, deleted
 *   multipart  .stowage/uploads/{id}/options            (multipart.ts)
 *              .stowage/uploads/{id}/part-00001, …      composed in a tree when they are more than 32, deleted
 *
 * What a killed process leaves there is found by its prefix, and removed by `pruneIncompleteUploads`.
 */
import { nodeCrypto } from '../../builtins.ts'
import { contentTypeOf } from '../../content-type.ts'
import type { CallOptions, Content, FileStat, WriteOptions } from '../../driver.ts'
import { FileNotFoundError, isStorageError, PreconditionFailedError, UnavailableError } from '../../errors.ts'
import { type GcsApi, objectPath, type Query } from './api.ts'
import { statObject } from './copying.ts'
import { deleteMany } from './deleting.ts'
import type { Asked } from './gcs-errors.ts'
import { type ObjectResource, predefinedAcl, RESERVED, resourceOf } from './objects.ts'
import { pause } from './repeat.ts'
import { upload } from './upload.ts'

export const APPENDS: string = `${RESERVED}appends/`

/** An object that becomes a part of another one. */
export interface Source {
  readonly name: string
  readonly generation: string | undefined
}

/** Cloud Storage documentation, "Composite objects". */
export const MAX_SOURCES = 32
const ATTEMPTS = 30 // each is lost to an appender who won, so somebody makes progress
const CLEANUP_MS = 10_000

export interface Composition extends Asked, CallOptions {
  readonly name: string
  readonly sources: readonly Source[]
  readonly resource: object
  readonly query: Query
}

/** @throws FileNotFoundError when a source is missing, or is another generation by now */
export async function compose(api: GcsApi, composition: Composition): Promise<ObjectResource> {
  const { name, sources, resource, query, condition, acl, signal } = composition
  return api.json<ObjectResource>({
    method: 'POST',
    path: `${objectPath(api.settings.bucket, name)}/compose`,
    json: { destination: resource, sourceObjects: sources.map(({ name: source, generation }) => ({ name: source, generation })) },
    query: { ...query, fields: 'name,size,generation,crc32c' },
    condition,
    acl,
    signal,
  })
}

/** Adds to the end of a file, creating it; of several at once, nobody's bytes are lost. */
export async function append(api: GcsApi, name: string, content: Content, options: WriteOptions): Promise<void> {
  const { signal } = options
  const existing = await found(api, name, options)
  const addition = `${APPENDS}${nodeCrypto().randomUUID()}`
  // The store composes objects of one storage class only.
  const storageClass = existing?.storageClass ?? options.storageClass ?? api.settings.storageClass
  try {
    const { generation } = await upload(api, { name: addition, resource: resourceOf({ storageClass }), query: {}, signal }, content)
    await addToEnd(api, { name, addition: { name: addition, generation }, existing, options: { ...options, storageClass } })
  } finally {
    // Also when the signal is aborted: nothing may be left.
    await deleteMany(api, [addition], { signal: AbortSignal.timeout(CLEANUP_MS) }).catch(() => undefined)
  }
}

interface Addition {
  readonly name: string
  readonly addition: Source
  readonly existing: FileStat | undefined
  readonly options: WriteOptions
}

/** Composes file and addition, over the generation that was looked at, until nobody came in between. */
async function addToEnd(api: GcsApi, { name, addition, existing: first, options }: Addition): Promise<void> {
  const { signal } = options
  for (let attempt = 1, existing = first; ; attempt++) {
    try {
      await compose(api, await composition(api, { name, addition, existing, options }))
      return
    } catch (error) {
      const lost = error instanceof PreconditionFailedError || error instanceof FileNotFoundError
      if (!lost) throw error
      if (attempt === ATTEMPTS) throw new UnavailableError('others keep changing the file: nothing was added', { cause: error })
    }
    await pause(Math.min(attempt, 4), signal)
    existing = await found(api, name, options)
  }
}

async function composition(api: GcsApi, { name, addition, existing, options }: Addition): Promise<Composition> {
  const visibility = api.settings.uniformAccess ? undefined : (existing?.visibility ?? options.visibility)
  const contentType = existing === undefined ? (options.contentType ?? (await contentTypeOf(name))) : existing.contentType
  const facts = existing ?? options
  return {
    name,
    sources: existing === undefined ? [addition] : [{ name, generation: existing.versionId }, addition],
    resource: resourceOf({ ...facts, contentType, storageClass: options.storageClass }),
    query: { ifGenerationMatch: existing?.versionId ?? 0, destinationPredefinedAcl: predefinedAcl(visibility) },
    condition: 'ifMatch',
    acl: visibility !== undefined,
    signal: options.signal,
  }
}

async function found(api: GcsApi, name: string, { signal }: CallOptions): Promise<FileStat | undefined> {
  try {
    return await statObject(api, name, { signal })
  } catch (error) {
    if (isStorageError(error) && error.code === 'not_found') return undefined
    throw error
  }
}
