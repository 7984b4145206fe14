/**
 * The object host, `/{bucket}/{object}`: GET, HEAD, PUT, POST and DELETE, for signed addresses, for bearer tokens, and for anyone where
 * an object is public. Errors are XML.
 */
import { predefinedFromHeader } from './acl.ts'
import { allow, allowRead, bucketOf, type Call, type Names, objectOf, readText, type Reply, type Upload } from './call.ts'
import { download, headerText } from './downloads.ts'
import { GcsError, invalid, notImplemented, notModified } from './errors.ts'
import { decode } from './json-api.ts'
import type { Json, StoredObject } from './model.ts'
import { checkUpload, hashesOf } from './objects.ts'
import { postForm } from './post-form.ts'
import { checkPreconditions, whole } from './preconditions.ts'
import { keepsVersions } from './resources.ts'
import { beginResumable, continueResumable } from './resumable.ts'
import { checkHolds } from './settings.ts'
import { isSigned, signerOf } from './signed-requests.ts'
import { storeBytes } from './uploads.ts'

/** @throws what Cloud Storage refuses; the server writes it as XML */
export async function answerObjectHost(call: Call): Promise<Reply> {
  const [bucket = '', ...rest] = call.path.slice(1).split('/')
  const object = decode(rest.join('/'))
  if (call.query.has('upload_id')) return await continueResumable(call)
  if (object === '' && call.method === 'POST') return await postForm(call, decode(bucket))
  const signed = isSigned(call.query) ? { ...call, caller: { account: signerOf(call), isTrusted: false } } : call
  const known = { ...signed, query: withHeaderPreconditions(signed) }
  const names = { bucket: decode(bucket), object }
  if (object === '') throw notImplemented(`${call.method} of a bucket at the object host`)
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return read(known, names)
    case 'PUT':
      return await write(known, names)
    case 'POST':
      return await startResumable(known, names)
    case 'DELETE':
      return remove(known, names)
    default:
      throw new GcsError(405, { reason: 'methodNotAllowed', message: 'The specified method is not allowed.', xmlCode: 'MethodNotAllowed' })
  }
}

/** `x-goog-if-generation-match` and its like say what the parameters of the JSON API say. */
function withHeaderPreconditions({ query, headers }: Call): URLSearchParams {
  const all = new URLSearchParams(query)
  const given = (header: string, parameter: string): void => {
    const value = headers[header]
    if (typeof value === 'string') all.set(parameter, value)
  }
  given('x-goog-if-generation-match', 'ifGenerationMatch')
  given('x-goog-if-generation-not-match', 'ifGenerationNotMatch')
  given('x-goog-if-metageneration-match', 'ifMetagenerationMatch')
  given('x-goog-if-metageneration-not-match', 'ifMetagenerationNotMatch')
  const acl = headers['x-goog-acl']
  if (typeof acl === 'string') all.set('predefinedAcl', predefinedFromHeader(acl))
  return all
}

function read(call: Call, names: Names): Reply {
  const bucket = bucketOf(call, names['bucket'])
  allowRead(call, bucket, bucket.objects.find(names['object'] ?? '', whole(call.query, 'generation')))
  const object = objectOf(call, bucket, names['object'] ?? '')
  checkPreconditions(call.query, object, { reading: true })
  const reply = download(call, object, 'xml')
  checkHttpConditions(call, object, reply)
  const chosen = responseHeaders(call.query)
  return { ...reply, headers: { ...reply.headers, ...chosen } }
}

function checkHttpConditions({ headers }: Call, { updated }: StoredObject, reply: Reply): void {
  const etag = reply.headers?.['etag']
  if (headers['if-match'] !== undefined && headers['if-match'] !== '*' && headers['if-match'] !== etag) {
    throw new GcsError(412, { reason: 'conditionNotMet', message: 'At least one of the pre-conditions you specified did not hold.' })
  }
  if (headers['if-none-match'] !== undefined) {
    if (headers['if-none-match'] === '*' || headers['if-none-match'] === etag) throw notModified()
    return
  }
  const since = Date.parse(headers['if-modified-since'] ?? '')
  if (!Number.isNaN(since) && Math.floor(updated / 1000) * 1000 <= since) throw notModified()
}

/** `response-content-disposition` and `response-content-type` of a signed address. */
function responseHeaders(query: URLSearchParams): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const name of ['content-disposition', 'content-type']) {
    const value = query.get(`response-${name}`)
    if (value !== null) headers[name] = headerText(value)
  }
  return headers
}

function uploadOf(call: Call, names: Names): Upload {
  const { headers } = call
  const settings: Record<string, unknown> = { contentType: headers['content-type'] ?? 'binary/octet-stream' }
  const copied: Readonly<Record<string, string>> = {
    'cache-control': 'cacheControl',
    'content-disposition': 'contentDisposition',
    'content-encoding': 'contentEncoding',
    'content-language': 'contentLanguage',
    'x-goog-storage-class': 'storageClass',
    'x-goog-custom-time': 'customTime',
  }
  for (const [header, field] of Object.entries(copied)) if (headers[header] !== undefined) settings[field] = headers[header]
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-goog-meta-'))
  const texts = metadata.map(
    ([name, value]) => [name.slice('x-goog-meta-'.length), Buffer.from(String(value), 'latin1').toString()] as const,
  )
  if (texts.length > 0) settings['metadata'] = Object.fromEntries(texts)
  const all: Json = { ...settings, ...hashesOf(call) }
  return { bucket: names['bucket'] ?? '', name: names['object'] ?? '', metadata: all, query: call.query, caller: call.caller }
}

async function write(call: Call, names: Names): Promise<Reply> {
  const upload = uploadOf(call, names)
  checkUpload(call, upload)
  const length = Number(call.headers['content-length'])
  const [, least, most] = /^(\d+),(\d+)$/.exec(String(call.headers['x-goog-content-length-range'] ?? '')) ?? []
  if (least !== undefined && (length < Number(least) || length > Number(most) || Number.isNaN(length))) {
    const xmlCode = length < Number(least) ? 'EntityTooSmall' : 'EntityTooLarge'
    throw new GcsError(400, { reason: 'invalid', message: 'Your proposed upload is not within the allowed size range.', xmlCode })
  }
  return written(await storeBytes(call, upload, call.req))
}

/** What the object host says of a new version. */
export function written(object: StoredObject): Reply {
  const {
    status: _status,
    stream,
    headers,
  } = download(
    { headers: {} } as unknown as Call, // Nothing of the request matters: no range, no transcoding.
    { ...object, settings: {} },
    'xml',
  )
  void (stream as AsyncGenerator<Uint8Array> | undefined)?.return(undefined)
  const { etag, 'x-goog-generation': generation, 'x-goog-metageneration': metageneration, 'x-goog-hash': hash } = headers ?? {}
  const all = { etag, 'x-goog-generation': generation, 'x-goog-metageneration': metageneration, 'x-goog-hash': hash, 'content-length': 0 }
  return { status: 200, headers: all as Readonly<Record<string, string | number>> }
}

async function startResumable(call: Call, names: Names): Promise<Reply> {
  if (call.headers['x-goog-resumable'] !== 'start') throw invalid('POST of an object has to say x-goog-resumable: start.')
  await readText(call.req)
  const upload = uploadOf(call, names)
  checkUpload(call, upload)
  const session = beginResumable(call, upload, true)
  const location = `${call.origin}${call.path}?upload_id=${session.id}`
  return { status: 201, headers: { location, 'x-guploader-uploadid': session.id, 'content-length': 0 } }
}

function remove(call: Call, names: Names): Reply {
  const bucket = bucketOf(call, names['bucket'])
  allow(call, 'storage.objects.delete')
  const object = objectOf(call, bucket, names['object'] ?? '')
  checkPreconditions(call.query, object)
  checkHolds(bucket, object, call.state.now())
  if (call.query.has('generation')) bucket.objects.remove(object)
  else bucket.objects.retire(object.name, keepsVersions(bucket), call.state.now())
  return { status: 204 }
}
