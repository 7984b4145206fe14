/**
 * Multipart uploads: each part is an object in the reserved folder, and completing them composes one object of all.
 *
 *   33 parts ──▶ compose(1…32) ──▶ tree-0-0 ─╮
 *                part 33 ─────────────────────┴─▶ compose ──▶ the file, under the condition of `complete`
 */
import { nodeCrypto } from '../../builtins.ts'
import { bytesContent } from '../../content.ts'
import { contentTypeOf } from '../../content-type.ts'
import type { CallOptions, Content, MultipartAbility, UploadedPart, WriteOptions, WriteResult } from '../../driver.ts'
import { FileNotFoundError, InvalidArgumentError } from '../../errors.ts'
import { bucketPath, type GcsApi, objectPath } from './api.ts'
import { compose, MAX_SOURCES, type Source } from './compose.ts'
import { deleteMany } from './deleting.ts'
import { conditionOf, FACTS, nameOf, type ObjectResource, predefinedAcl, RESERVED, resourceOf } from './objects.ts'
import { upload } from './upload.ts'

export const UPLOADS: string = `${RESERVED}uploads/`

const MAX_PARTS = 10_000

/** What is said when an upload begins, and applied when it is completed. */
interface Manifest {
  readonly path: string
  readonly options: WriteOptions
}

export function multipartOf(api: GcsApi): MultipartAbility {
  return {
    create: (path, options) => create(api, path, options),
    part: (path, uploadId, number, content, { signal }) => putPart(api, { path, uploadId, number, signal }, content),
    list: async (path, uploadId, { signal }) => {
      await manifestOf(api, { path, uploadId, signal })
      return (await listParts(api, { path, uploadId, signal })).map(describePart)
    },
    complete: (path, uploadId, parts, options) => complete(api, { path, uploadId, signal: options.signal }, parts, options),
    abort: async (path, uploadId, { signal }) => {
      nameOf(path)
      await remove(api, { path, uploadId, signal })
    },
  }
}

interface Upload extends CallOptions {
  readonly path: string
  readonly uploadId: string
}

async function create(api: GcsApi, path: string, { signal, ...options }: WriteOptions): Promise<string> {
  const uploadId = nodeCrypto().randomUUID()
  const manifest: Manifest = { path: nameOf(path), options }
  const content = bytesContent(Buffer.from(JSON.stringify(manifest)))
  await upload(api, { name: manifestName(uploadId), resource: { contentType: 'application/json' }, query: {}, signal }, content)
  return uploadId
}

async function putPart(api: GcsApi, target: Upload & { readonly number: number }, content: Content): Promise<UploadedPart> {
  const { number } = target
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS)
    throw new InvalidArgumentError(`a part has a number from 1 to ${MAX_PARTS}`)
  const { options } = await manifestOf(api, target)
  const storageClass = options.storageClass ?? api.settings.storageClass
  const name = partName(target.uploadId, number)
  return describePart(await upload(api, { name, resource: resourceOf({ storageClass }), query: {}, signal: target.signal }, content))
}

async function complete(api: GcsApi, target: Upload, parts: readonly UploadedPart[], options: WriteOptions): Promise<WriteResult> {
  if (parts.length === 0) throw new InvalidArgumentError('an upload has at least one part')
  const manifest = await manifestOf(api, target)
  const kept: WriteOptions = { ...manifest.options, ...defined(options) }
  const there = new Set((await listParts(api, target)).map(({ name, generation }) => `${name} ${generation}`))
  const sources = parts.map(({ number, etag }) => ({ name: partName(target.uploadId, number), generation: etag }))
  const missing = sources.findIndex(({ name, generation }) => !there.has(`${name} ${generation}`))
  if (missing !== -1) throw new InvalidArgumentError(`part ${parts[missing]?.number} was not uploaded, or was replaced since`)
  const { condition, query } = conditionOf(kept)
  const visibility = api.settings.uniformAccess ? undefined : kept.visibility
  const storageClass = kept.storageClass ?? api.settings.storageClass
  const created = await compose(api, {
    name: nameOf(target.path),
    sources: await grouped(api, target, { sources, storageClass }),
    resource: resourceOf({ ...kept, contentType: kept.contentType ?? (await contentTypeOf(target.path)), storageClass }),
    query: { ...query, destinationPredefinedAcl: predefinedAcl(visibility) },
    condition,
    acl: visibility !== undefined,
    signal: target.signal,
  })
  await remove(api, target)
  return { size: Number(created.size), etag: created.generation, versionId: created.generation }
}

/** No more than one compose takes: groups of 32 become one object each, as often as needed. */
async function grouped(
  api: GcsApi,
  { uploadId, signal }: Upload,
  { sources, storageClass }: { readonly sources: readonly Source[]; readonly storageClass: string | undefined },
): Promise<readonly Source[]> {
  let level = sources
  for (let depth = 0; level.length > MAX_SOURCES; depth++) {
    const next: Source[] = []
    for (let start = 0; start < level.length; start += MAX_SOURCES) {
      const group = level.slice(start, start + MAX_SOURCES)
      const name = `${UPLOADS}${uploadId}/tree-${depth}-${next.length}`
      const { generation } = await compose(api, { name, sources: group, resource: resourceOf({ storageClass }), query: {}, signal })
      next.push({ name, generation })
    }
    level = next
  }
  return level
}

/** @throws InvalidArgumentError when there is no such upload */
async function manifestOf(api: GcsApi, { path, uploadId, signal }: Upload): Promise<Manifest> {
  try {
    const name = manifestName(uploadId)
    const manifest = await api.json<Manifest>({ path: objectPath(api.settings.bucket, name), query: { alt: 'media' }, signal })
    if (manifest.path === nameOf(path)) return manifest
  } catch (error) {
    if (!(error instanceof FileNotFoundError)) throw error
  }
  throw new InvalidArgumentError('there is no such upload: it was completed or aborted')
}

function listParts(api: GcsApi, { uploadId, signal }: Upload): Promise<readonly ObjectResource[]> {
  return listNames(api, `${UPLOADS}${checkedId(uploadId)}/part-`, { signal })
}

/** Every object whose name begins so. */
export async function listNames(
  api: GcsApi,
  prefix: string,
  { versions, endOffset, signal }: CallOptions & { readonly versions?: boolean; readonly endOffset?: string },
): Promise<readonly ObjectResource[]> {
  const found: ObjectResource[] = []
  let pageToken: string | undefined
  do {
    const page = await api.json<{ items?: readonly ObjectResource[]; nextPageToken?: string }>({
      path: `${bucketPath(api.settings.bucket)}/o`,
      query: { prefix, versions, endOffset, pageToken, fields: `items(${FACTS}),nextPageToken` },
      missing: 'bucket',
      signal,
    })
    found.push(...(page.items ?? []))
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return found
}

/** The parts first: as long as the manifest is there, the upload can be found. */
async function remove(api: GcsApi, { uploadId, signal }: Upload): Promise<void> {
  const manifest = manifestName(uploadId)
  const names = (await listNames(api, `${UPLOADS}${uploadId}/`, { signal })).map(({ name }) => name)
  for (const group of [names.filter((name) => name !== manifest), names.filter((name) => name === manifest)]) {
    const [failure] = await deleteMany(api, group, { signal })
    if (failure !== undefined) throw failure.error
  }
}

function describePart({ name, size, generation }: ObjectResource): UploadedPart {
  return { number: Number(name.slice(-5)), size: Number(size), etag: generation ?? '' }
}

function manifestName(uploadId: string): string {
  return `${UPLOADS}${checkedId(uploadId)}/options`
}

function partName(uploadId: string, number: number): string {
  return `${UPLOADS}${uploadId}/part-${String(number).padStart(5, '0')}`
}

/** An id is ours, and no way to other names. */
function checkedId(uploadId: string): string {
  if (/^[\da-f-]{36}$/.test(uploadId)) return uploadId
  throw new InvalidArgumentError('there is no such upload: it was completed or aborted')
}

function defined(options: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
