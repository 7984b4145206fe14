/** `storage.objects.insert`: the bytes alone, metadata and bytes in one `multipart/related`, or the start of a resumable upload. */
import type { Body } from './body-store.ts'
import { bucketOf, type Call, type Handler, ok, parseJson, readJson, readText, type Reply, type Upload } from './call.ts'
import { badUpload, GcsError, invalid, required } from './errors.ts'
import { type Json, type StoredObject, textOf } from './model.ts'
import { boundaryOf, multipart } from './multipart.ts'
import { checkUpload, commitObject, hashesOf, shown } from './objects.ts'
import { beginResumable } from './resumable.ts'

export const insertObject: Handler = (call, names) => {
  const bucket = names['bucket'] ?? ''
  switch (call.query.get('uploadType')) {
    case 'media':
      return insertMedia(call, bucket)
    case 'multipart':
      return insertMultipart(call, bucket)
    case 'resumable':
      return insertResumable(call, bucket)
    case null:
    default:
      throw new GcsError(400, {
        reason: 'badRequest',
        message: 'Upload requests must name their uploadType: media, multipart or resumable.',
      })
  }
}

async function insertMedia(call: Call, bucket: string): Promise<Reply> {
  const contentType = call.headers['content-type']
  const upload = uploadOf(call, bucket, contentType === undefined ? {} : { contentType })
  checkUpload(call, upload)
  return ok(await storeAll(call, upload, call.req))
}

async function insertMultipart(call: Call, bucket: string): Promise<Reply> {
  let metadata: Json | undefined
  for await (const { headers, body } of multipart(call.req, boundaryOf(call.headers['content-type'], 'multipart/related'))) {
    if (metadata === undefined) {
      metadata = parseJson((await readText(body)) || '{}')
      continue
    }
    const contentType = metadata['contentType'] ?? headers['content-type']
    const upload = uploadOf(call, bucket, contentType === undefined ? metadata : { ...metadata, contentType })
    checkUpload(call, upload)
    // The epilogue is read first: a body that is cut off must not be stored.
    const writer = call.state.bodies.writer()
    try {
      for await (const chunk of body) await writer.append(chunk)
    } catch (error) {
      await writer.discard()
      throw error
    }
    return ok(shown(call, await commitOrDiscard(call, upload, await writer.finish())))
  }
  throw badUpload('Multipart upload has to have two parts: metadata and media.')
}

async function insertResumable(call: Call, bucket: string): Promise<Reply> {
  const body = await readJson(call)
  const type = call.headers['x-upload-content-type']
  const metadata = body['contentType'] === undefined && typeof type === 'string' ? { ...body, contentType: type } : body
  const upload = uploadOf(call, bucket, metadata)
  checkUpload(call, upload)
  const session = beginResumable(call, upload)
  const target = `${call.origin}/upload/storage/v1/b/${bucket}/o?uploadType=resumable&name=${encodeURIComponent(upload.name)}`
  const location = `${target}&upload_id=${session.id}`
  return { status: 200, headers: { location, 'x-guploader-uploadid': session.id, 'content-length': 0 } }
}

/** The name may stand in the query or in the metadata, and has to be the same in both. @throws 400 404 */
function uploadOf(call: Call, bucket: string, given: Json): Upload {
  bucketOf(call, bucket)
  const inQuery = call.query.get('name')
  const inBody = given['name']
  if (inQuery !== null && inBody !== undefined && inBody !== inQuery) {
    throw invalid(
      `Value '${textOf(inBody)}' in content does not agree with value '${inQuery}'. This can happen when a value set through a parameter is inconsistent with a value set in the request.`,
    )
  }
  const name = inQuery ?? inBody
  if (typeof name !== 'string') throw required('name')
  const contentEncoding = call.query.get('contentEncoding')
  const metadata = {
    contentType: 'application/octet-stream',
    ...given,
    ...(contentEncoding === null ? {} : { contentEncoding }),
    ...hashesOf(call),
  }
  return { bucket, name, metadata, query: call.query, caller: call.caller }
}

/** Reads all bytes, then stores them in one step. Nothing is left of an upload that fails. */
export async function storeBytes(call: Call, upload: Upload, chunks: AsyncIterable<Uint8Array>): Promise<StoredObject> {
  const writer = call.state.bodies.writer()
  let body: Body
  try {
    for await (const chunk of chunks) await writer.append(chunk)
    body = await writer.finish()
  } catch (error) {
    await writer.discard()
    throw error
  }
  return await commitOrDiscard(call, upload, body)
}

async function commitOrDiscard({ state }: Call, upload: Upload, body: Body): Promise<StoredObject> {
  try {
    return commitObject(state, upload, body)
  } catch (error) {
    await body.hold().letGo()
    throw error
  }
}

async function storeAll(call: Call, upload: Upload, chunks: AsyncIterable<Uint8Array>): Promise<Json> {
  return shown(call, await storeBytes(call, upload, chunks))
}
