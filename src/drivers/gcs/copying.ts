/**
 * Copies and moves inside the store: `objects.rewrite`, which takes several calls for large files or other storage classes.
 *
 * The generation of the source is pinned, so a copy is of one version. A move is a copy and a delete of the very generation that was
 * copied: Google's own rename (`objects.move`) cannot change metadata, and not every bucket and emulator has it.
 */
import { keptOptions, sourceChanged } from '../../derive.ts'
import type { CallOptions, FileStat, WriteOptions } from '../../driver.ts'
import { FileNotFoundError, isStorageError, UnavailableError } from '../../errors.ts'
import { contentTypeOf } from '../../content-type.ts'
import { type ApiCall, bucketPath, type GcsApi, objectPath } from './api.ts'
import { conditionOf, factsQuery, judgeSelf, type ObjectResource, predefinedAcl, resourceOf, statOf } from './objects.ts'

/** So often the source of a copy may be replaced before it is copied. */
const ATTEMPTS = 10

interface Rewrite {
  readonly done?: boolean
  readonly rewriteToken?: string
}

export async function statObject(api: GcsApi, name: string, call: Partial<ApiCall> = {}): Promise<FileStat> {
  const { query = {}, ...rest } = call
  const facts = { ...query, ...factsQuery(!api.settings.uniformAccess) }
  const resource = await api.json<ObjectResource>({
    ...rest,
    path: objectPath(api.settings.bucket, name),
    query: facts,
    repeatable: 'idempotent',
  })
  return statOf(name, resource)
}

/** @returns what was copied; onto itself, the file as it is */
export async function copy(api: GcsApi, from: string, to: string, options: WriteOptions): Promise<FileStat> {
  const { signal } = options
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const source = await statObject(api, from, { signal })
    if (from === to) {
      judgeSelf(options)
      return source
    }
    try {
      await rewrite(api, source, to, options)
      return source
    } catch (error) {
      // The generation that was looked at is no more: it was replaced or deleted, and the next look says which.
      if (!(error instanceof FileNotFoundError)) throw error
    }
  }
  throw new UnavailableError('the source is replaced faster than it can be copied: try again')
}

async function rewrite(api: GcsApi, source: FileStat, to: string, options: WriteOptions): Promise<void> {
  const { bucket, uniformAccess } = api.settings
  const visibility = uniformAccess ? undefined : (options.visibility ?? source.visibility)
  const kept = keptOptions(source, options)
  const contentType = kept.contentType ?? (await contentTypeOf(to))
  const { condition, query } = conditionOf(options)
  const call: ApiCall = {
    method: 'POST',
    path: `${objectPath(bucket, source.path)}/rewriteTo${bucketPath(bucket)}/o/${encodeURIComponent(to)}`,
    json: resourceOf({ ...kept, contentType, storageClass: options.storageClass ?? source.storageClass }),
    condition,
    acl: visibility !== undefined,
    signal: options.signal,
  }
  for (let rewriteToken: string | undefined; ; ) {
    const acl = predefinedAcl(visibility)
    const answer = await api.json<Rewrite>({
      ...call,
      query: {
        ...query,
        sourceGeneration: source.versionId,
        destinationPredefinedAcl: acl,
        rewriteToken,
        fields: 'done,rewriteToken',
      },
    })
    if (answer.done !== false || answer.rewriteToken === undefined) return
    rewriteToken = answer.rewriteToken
  }
}

/** @throws PreconditionFailedError when the source changed meanwhile; both files are kept */
export async function move(api: GcsApi, from: string, to: string, options: WriteOptions): Promise<void> {
  const source = await copy(api, from, to, options)
  if (from !== to) await deleteGeneration(api, from, source.versionId, options)
}

/** Deletes a file if it is still that generation; one that is gone already is fine. */
async function deleteGeneration(api: GcsApi, name: string, generation: string | undefined, { signal }: CallOptions): Promise<void> {
  try {
    await api.json({
      method: 'DELETE',
      path: objectPath(api.settings.bucket, name),
      query: { ifGenerationMatch: generation },
      condition: 'ifMatch',
      repeatable: 'idempotent', // who deleted it before has deleted it
      signal,
    })
  } catch (error) {
    if (isStorageError(error) && error.code === 'precondition_failed') throw sourceChanged()
    if (!(error instanceof FileNotFoundError)) throw error
  }
}
