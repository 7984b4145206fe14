/**
 * PUT of one file, as its URL was signed: type, size limits and metadata hold, and nothing is stored when one does not.
 *
 * Nothing is buffered: the body goes through a counter into the driver, whose writes are atomic. An upload that ends early, is too
 * long or too short fails inside that stream, before its end, so the old file stays. A content type that was not signed is not believed:
 * the path's extension decides.
 */
import { mapContent, toContent } from '../content.ts'
import { abortableContent, startDeadline } from '../deadline.ts'
import type { Content, WriteOptions } from '../driver.ts'
import { isNotFound, isStorageError } from '../errors.ts'
import type { Grant } from '../url-signature.ts'
import type { Access } from './access.ts'
import { meetsMatch, validatorsOf } from './conditions.ts'
import { mediaType, SAFETY } from './file-headers.ts'
import { type RefusalStatus, refuse } from './refusal.ts'

/** Rejects with the store's errors. */
export async function receiveUpload(access: Access, grant: Grant, request: Request): Promise<Response> {
  const { headers } = request
  const length = request.body === null ? 0 : contentLength(headers)
  const status = refusalBefore(grant, headers, length)
  const conditions = status ?? (await writeConditions(access, request))
  if (typeof conditions === 'number') {
    request.body?.cancel().catch(() => undefined)
    return refuse(conditions)
  }
  const body = toContent(request.body ?? '')
  const deadline = startDeadline({ signal: request.signal })
  const upload = limited(deadline === undefined ? body : abortableContent(body, deadline), grant, length)
  const { driver, served, path } = access
  const visibility = driver.visibility === undefined ? undefined : served.diskVisibility
  const options: WriteOptions = {
    contentType: grant.contentType,
    metadata: grant.metadata,
    visibility,
    signal: request.signal,
    ...conditions,
  }
  try {
    const { etag } = await driver.write(path, upload.content, options)
    const { etag: tag } = validatorsOf({ path, size: 0, lastModified: new Date(0), etag })
    return new Response(null, { status: 204, headers: { ...SAFETY, 'cache-control': 'no-store', ...(tag !== undefined && { etag: tag }) } })
  } catch (error) {
    const refused = upload.refused()
    if (refused !== undefined) return refuse(refused)
    if (options.ifAbsent && isStorageError(error) && error.code === 'already_exists') return refuse(412)
    throw error
  } finally {
    deadline?.clear()
  }
}

/** What can be refused before the first byte is read. */
function refusalBefore({ contentType, maxSize, minSize }: Grant, headers: Headers, length: number | undefined): RefusalStatus | undefined {
  if (contentType !== undefined && canonicalType(headers.get('content-type') ?? '') !== canonicalType(contentType)) return 415
  if ((headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity') return 415
  if (headers.has('content-range')) return 400 // RFC 9110 section 14.5: a part must not become the whole
  if (length === undefined) return undefined
  if (maxSize !== undefined && length > maxSize) return 413
  return minSize !== undefined && length < minSize ? 422 : undefined
}

/** If-None-Match: * and If-Match, as conditions of the write itself. */
async function writeConditions({ driver, path }: Access, { headers, signal }: Request): Promise<WriteOptions | RefusalStatus> {
  if (headers.has('if-none-match')) {
    return headers.get('if-none-match')?.trim() === '*' && driver.supports.ifAbsent ? { ifAbsent: true } : 501
  }
  if (!headers.has('if-match')) return {}
  if (!driver.supports.ifMatch) return 501
  try {
    const stat = await driver.stat(path, { signal })
    return meetsMatch(headers, validatorsOf(stat)) && stat.etag !== undefined ? { ifMatch: stat.etag } : 412
  } catch (error) {
    if (isNotFound(error)) return 412
    throw error
  }
}

interface LimitedUpload {
  readonly content: Content
  /** Why the stream was failed, if it was. */
  refused(): RefusalStatus | undefined
}

/** The content, failing before its end when it breaks a limit or is not as long as was announced. */
function limited(content: Content, { maxSize = Number.POSITIVE_INFINITY, minSize = 0 }: Grant, length: number | undefined): LimitedUpload {
  let refused: RefusalStatus | undefined
  const fail = (status: RefusalStatus): never => {
    refused = status
    throw new Error(`the upload was refused with ${status}`)
  }
  async function* counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
    let received = 0
    for await (const chunk of source) {
      received += chunk.byteLength
      if (received > maxSize) fail(413)
      if (length !== undefined && received > length) fail(400)
      yield chunk
    }
    if (received < minSize) fail(422)
    if (length !== undefined && received < length) fail(400)
  }
  return { content: mapContent(content, length, counted), refused: () => refused }
}

function contentLength(headers: Headers): number | undefined {
  const text = headers.get('content-length')
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Case and the space around parameters mean nothing; the parameters do. */
function canonicalType(contentType: string): string {
  const [, ...parameters] = contentType.split(';')
  return [mediaType(contentType), ...parameters.map((parameter) => parameter.trim().toLowerCase())].join(';')
}
