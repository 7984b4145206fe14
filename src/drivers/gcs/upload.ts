/**
 * Uploads, simple or resumable by size.
 *
 *   up to one chunk ──▶ one request: metadata, crc32c and bytes (multipart/related)
 *   longer          ──▶ session ── chunk ── chunk ── … ── last chunk with the crc32c of all   (session.ts)
 *
 * The length need not be known: a stream that ends within one chunk is one request. The store compares the crc32c before anybody
 * sees the object. A source that fails, and an abort, cancel the session.
 */
import { nodeCrypto } from '../../builtins.ts'
import type { Content } from '../../driver.ts'
import { createDigest } from '../../digest.ts'
import { IntegrityError } from '../../errors.ts'
import { type ApiCall, bucketPath, type GcsApi, type Query } from './api.ts'
import { Chunker, type UploadChunk } from './chunks.ts'
import { type Asked, GcsFailure } from './gcs-errors.ts'
import type { ObjectResource } from './objects.ts'
import { UploadSession } from './session.ts'

/** An object to be, before its bytes. */
export interface Target extends Asked {
  readonly name: string
  /** Headers, metadata, storage class. */
  readonly resource: object
  /** Conditions, ACL. */
  readonly query: Query
  readonly signal?: AbortSignal | undefined
}

const FIELDS = 'name,size,generation,crc32c'

/** Uploads everything, or leaves what is there. @throws IntegrityError when other bytes arrived than were sent */
export async function upload(api: GcsApi, target: Target, content: Content): Promise<ObjectResource> {
  const { bytes } = content
  if (bytes !== undefined && bytes.byteLength <= api.settings.chunkSize) return simple(api, target, bytes)
  const chunks = new Chunker(content.stream(), api.settings.chunkSize, target.signal)
  try {
    const first = await chunks.next()
    return first.last ? await simple(api, target, first.bytes) : await resumable(api, target, { first, chunks, size: content.size })
  } finally {
    chunks.stop()
  }
}

/** One request, which the store takes whole or not at all. */
async function simple(api: GcsApi, target: Target, bytes: Uint8Array): Promise<ObjectResource> {
  const digest = createDigest('crc32c')
  digest.update(bytes)
  const crc32c = digest.digest('base64')
  const boundary = `stowage-${nodeCrypto().randomUUID()}`
  const resource = JSON.stringify({ ...target.resource, name: target.name, crc32c })
  const call: ApiCall = {
    ...(await uploadCall(api, target, 'multipart')),
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: [
      Buffer.from(
        `--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${resource}\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`,
      ),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ],
  }
  try {
    return checked(await api.json<ObjectResource>(call), { crc32c, size: bytes.byteLength })
  } catch (error) {
    if (isBadRequest(error) && (await takesResource(api, target))) throw damaged(error)
    throw error
  }
}

async function resumable(
  api: GcsApi,
  target: Target,
  { first, chunks, size }: { readonly first: UploadChunk; readonly chunks: Chunker; readonly size: number | undefined },
): Promise<ObjectResource> {
  const session = await begin(api, target, size)
  const digest = createDigest('crc32c')
  try {
    for (let chunk = first, offset = 0; ; ) {
      const { bytes, last } = chunk
      digest.update(bytes)
      const crc32c = last ? digest.digest('base64') : undefined
      const end = offset + bytes.byteLength
      const sending = session.send(bytes, offset, crc32c)
      // A source that fails while a chunk is on its way fails the upload once the chunk has arrived.
      const reading = last ? undefined : chunks.next()
      reading?.catch(() => undefined)
      const created = await sending
      if (crc32c !== undefined) return checked(created ?? {}, { crc32c, size: end })
      chunks.release(chunk)
      chunk = (await reading) as UploadChunk
      offset = end
    }
  } catch (error) {
    await session.cancel()
    if (!session.done && isBadRequest(error)) throw damaged(error)
    throw error
  }
}

async function begin(api: GcsApi, target: Target, size: number | undefined): Promise<UploadSession> {
  const call: ApiCall = {
    ...(await uploadCall(api, target, 'resumable')),
    json: { ...target.resource, name: target.name },
    headers: size === undefined ? {} : { 'x-upload-content-length': String(size) },
    repeatable: 'idempotent', // a session that nobody uses changes nothing
  }
  return UploadSession.begin(api, call)
}

async function uploadCall(api: GcsApi, { query, condition, acl, signal }: Target, uploadType: 'multipart' | 'resumable'): Promise<ApiCall> {
  const { address } = await api.connection()
  return {
    method: 'POST',
    path: `${address}/upload/storage/v1${bucketPath(api.settings.bucket)}/o`,
    query: { uploadType, ...query, fields: FIELDS },
    missing: 'bucket',
    condition,
    acl,
    signal,
  }
}

/**
 * Whether a 400 was about the bytes: the store says the same of a crc32c that does not fit as of a storage class that it does not
 * have, but for the latter it does not begin a session.
 */
async function takesResource(api: GcsApi, target: Target): Promise<boolean> {
  try {
    const session = await begin(api, target, undefined)
    await session.cancel()
    return true
  } catch {
    return false
  }
}

function isBadRequest(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown }
  return cause instanceof GcsFailure && cause.status === 400
}

function damaged(cause: unknown): IntegrityError {
  return new IntegrityError('other bytes arrived at the store than were sent (crc32c): nothing was written', { cause })
}

function checked(created: Partial<ObjectResource>, wanted: { readonly crc32c: string; readonly size: number }): ObjectResource {
  const wrong = created.crc32c !== undefined && created.crc32c !== wanted.crc32c
  if (wrong || Number(created.size ?? wanted.size) !== wanted.size)
    throw new IntegrityError('the store says that it has other bytes than were sent (crc32c): write the file again')
  return created as ObjectResource
}
