/**
 * Copying within the bucket, by the store:
 *
 *   as it is                CopyObject                       one request; the store says when the file is too large for that
 *   with other facts        HEAD, then CopyObject REPLACE    of the very version that HEAD described
 *   above 5 GiB             UploadPartCopy, side by side
 *   under a condition       Amazon: CopyObject. Elsewhere, where that ignores conditions, a small file is read and put, and a larger
 *                           one copied by parts: either way the condition is in the request that makes the file
 */
import { bytesContent } from '../../content.ts'
import { keptOptions } from '../../derive.ts'
import type { WriteOptions } from '../../driver.ts'
import { FileExistsError, isStorageError } from '../../errors.ts'
import { codeOf, conditionLost, isConditional, lost } from './conditions.ts'
import { readObject } from './downloading.ts'
import { objectOptions, statOf } from './facts.ts'
import { checkKey } from './keys.ts'
import { MAX_PARTS } from './part-sizes.ts'
import type { ObjectHead } from './requests.ts'
import type { S3Store } from './store.ts'
import { type SendPart, Upload } from './upload.ts'
import { uploading, writeObject } from './uploading.ts'

const MiB = 1024 * 1024
const MAX_COPY_BYTES = 5 * 1024 * MiB // S3 API reference, CopyObject
/** Parts that the store copies take no memory here, and each is a request. */
const COPY_PART_BYTES = 128 * MiB
const FACTS = ['contentType', 'cacheControl', 'contentDisposition', 'contentEncoding', 'contentLanguage', 'metadata'] as const

interface Copy {
  readonly from: string
  readonly to: string
  readonly options: WriteOptions
}

/** @throws FileNotFoundError for a missing source; FileExistsError or PreconditionFailedError when a condition of the target is lost */
export async function copyObject(store: S3Store, from: string, to: string, options: WriteOptions): Promise<void> {
  const copy = { from: checkKey(from), to: checkKey(to), options }
  options.signal?.throwIfAborted()
  objectOptions(options, store.settings) // judged before any I/O
  if (from === to) return copyOntoItself(store, copy)
  const { ifAbsent, ifMatch } = options
  const visibility = options.visibility ?? (store.settings.acl ? await visibilityOf(store, copy) : undefined)
  const wanted = { ...copy, options: { ...options, visibility } }
  if (ifMatch !== undefined || (ifAbsent === true && !copiesConditionally(store)) || FACTS.some((name) => options[name] !== undefined)) {
    return copyDescribed(store, wanted, await store.head(from, { signal: options.signal }))
  }
  try {
    await store.requests.copy(from, to, { ...objectOptions(wanted.options, store.settings), ifAbsent, replace: false })
  } catch (error) {
    if (!isStorageError(error) || codeOf(error) !== 'InvalidRequest') throw conditionLost(error, options)
    // Amazon's code for a source that is too large, and for much else.
    const head = await store.head(from, { signal: options.signal })
    if (head.contentLength <= MAX_COPY_BYTES) throw error
    await copyDescribed(store, wanted, head)
  }
}

async function copyOntoItself(store: S3Store, { from, options }: Copy): Promise<void> {
  await store.head(from, { signal: options.signal })
  if (options.ifAbsent === true) throw new FileExistsError()
}

async function visibilityOf({ requests }: S3Store, { from, options }: Copy): Promise<'public' | 'private'> {
  return (await requests.isPublic(from, { signal: options.signal })) ? 'public' : 'private'
}

/** Amazon's CopyObject judges conditions of the target; elsewhere it is known to ignore them. */
function copiesConditionally({ settings }: S3Store): boolean {
  return settings.endpoint === undefined && settings.client === undefined
}

/** A copy of the version that was described, with what it had but for what the options set. */
async function copyDescribed(store: S3Store, copy: Copy, head: ObjectHead): Promise<void> {
  const { from, to } = copy
  const stat = statOf(from, head, head.contentLength)
  const options = keptOptions(stat, copy.options)
  const carried = isConditional(options) && !copiesConditionally(store)
  if (head.contentLength > MAX_COPY_BYTES || (carried && head.contentLength > store.settings.partSize)) {
    return copyByParts(store, { from, to, options: await withTags(store, copy, { head, options }) }, head)
  }
  if (carried) return copyByBytes(store, { from, to, options: await withTags(store, copy, { head, options }) }, head)
  const { ifAbsent, ifMatch } = options
  const request = { ...objectOptions(options, store.settings), ifAbsent, ifMatch, replace: true, sourceIfMatch: head.etag }
  await store.requests.copy(from, to, request).catch(lost(options))
}

/** Tags go along by themselves only with CopyObject. */
async function withTags(
  { requests, settings }: S3Store,
  { from }: Copy,
  { head, options }: { readonly head: ObjectHead; readonly options: WriteOptions },
): Promise<WriteOptions> {
  if (options.tags !== undefined || head.tagCount === 0 || !settings.features.tags) return options
  return { ...options, tags: await requests.tags(from, { signal: options.signal }) }
}

async function copyByBytes(store: S3Store, { from, to, options }: Copy, { etag }: ObjectHead): Promise<void> {
  const { body } = await readObject(store, from, { ifMatch: etag, signal: options.signal })
  const bytes = await (body.bytes as () => Promise<Uint8Array>)()
  await writeObject(store, to, bytesContent(bytes), options)
}

async function copyByParts(store: S3Store, { from, to, options }: Copy, { contentLength, etag }: ObjectHead): Promise<void> {
  const { ifAbsent, ifMatch } = options
  const size = Math.max(COPY_PART_BYTES, Math.ceil(contentLength / MAX_PARTS / MiB) * MiB)
  const upload = new Upload(store, to, { ...objectOptions(options, store.settings), ifAbsent, ifMatch })
  await uploading(upload, async () => {
    for (let number = 1, start = 0; start < contentLength; number++, start += size) {
      const source = { key: from, start, end: Math.min(start + size, contentLength), ifMatch: etag }
      const send: SendPart = (address, signal) => store.requests.copyPart({ ...address, number }, source, { signal })
      await upload.send(send, store.settings.partConcurrency)
    }
  })
}
