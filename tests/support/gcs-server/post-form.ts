/**
 * Uploads by an HTML form (Cloud Storage, "POST Object", and "Policy document"). The file is the last field. A policy has to be signed,
 * not expired, met by every field, and to name every field but its signature, the file, itself, and those that begin with `x-ignore-`.
 */
import { predefinedFromHeader } from './acl.ts'
import { bucketOf, type Call, parseJson, readText, type Reply, type Upload } from './call.ts'
import { escapeXml, GcsError, invalid } from './errors.ts'
import type { Json } from './model.ts'
import { boundaryOf, multipart } from './multipart.ts'
import { checkUpload } from './objects.ts'
import { policySigner } from './signed-requests.ts'
import { storeBytes } from './uploads.ts'

interface Limits {
  readonly least: number
  readonly most: number
}

const ANY_SIZE: Limits = { least: 0, most: Number.POSITIVE_INFINITY }

/** The bucket stands in the path, or in a field. */
export async function postForm(call: Call, pathBucket: string): Promise<Reply> {
  const fields = new Map<string, string>()
  for await (const { headers, body } of multipart(call.req, boundaryOf(call.headers['content-type'], 'multipart/form-data'))) {
    const disposition = headers['content-disposition'] ?? ''
    const name = /[; ]name="([^"]*)"/.exec(disposition)?.[1] ?? ''
    if (name === 'file') {
      const filename = /filename="([^"]*)"/.exec(disposition)?.[1] ?? ''
      return await postFile(call, { bucket: pathBucket, fields, filename, body })
    }
    fields.set(name.toLowerCase(), await readText(body))
  }
  throw invalid('The file field is missing from the form.')
}

interface Form {
  readonly bucket: string
  readonly fields: Map<string, string>
  readonly filename: string
  readonly body: AsyncIterable<Buffer>
}

async function postFile(call: Call, { bucket: pathBucket, fields, filename, body }: Form): Promise<Reply> {
  const bucket = pathBucket === '' ? (fields.get('bucket') ?? '') : pathBucket
  bucketOf(call, bucket)
  const account = fields.has('policy') ? policySigner(call.state, fields) : undefined
  const limits = account === undefined ? ANY_SIZE : checkPolicy(call, fields, bucket)
  const name = (fields.get('key') ?? '').replaceAll('${filename}', filename)
  const caller = account === undefined ? call.caller : { account, isTrusted: false }
  const upload: Upload = { bucket, name, metadata: metadataOf(fields), query: queryOf(fields), caller }
  checkUpload({ ...call, caller }, upload)
  const object = await storeBytes(call, upload, bounded(body, limits))
  return success(call, fields, { bucket, name: object.name, etag: object.body.md5 ?? '' })
}

async function* bounded(body: AsyncIterable<Buffer>, { least, most }: Limits): AsyncGenerator<Buffer> {
  let size = 0
  const refuse = (xmlCode: string, message: string): GcsError => new GcsError(400, { reason: 'invalid', message, xmlCode })
  for await (const chunk of body) {
    size += chunk.length
    if (size > most)
      throw refuse('EntityTooLarge', 'Your proposed upload is larger than the maximum object size specified in your Policy Document.')
    yield chunk
  }
  if (size < least)
    throw refuse('EntityTooSmall', 'Your proposed upload is smaller than the minimum object size specified in your Policy Document.')
}

/** @throws 400 or 403 when the policy forbids this form. @returns how long the file may be */
function checkPolicy({ state }: Call, fields: ReadonlyMap<string, string>, bucket: string): Limits {
  const policy = parseJson(Buffer.from(fields.get('policy') ?? '', 'base64').toString())
  const expiration = Date.parse(String(policy['expiration']))
  if (Number.isNaN(expiration))
    throw new GcsError(400, { reason: 'invalid', message: 'The policy has no expiration.', xmlCode: 'InvalidPolicyDocument' })
  if (expiration <= state.now()) throw forbidden(`The policy has expired: ${String(policy['expiration'])}`)
  const given = new Map(fields).set('bucket', bucket)
  const named = new Set<string>()
  let limits = ANY_SIZE
  for (const condition of (policy['conditions'] as readonly unknown[] | undefined) ?? []) {
    const range = Array.isArray(condition) && condition[0] === 'content-length-range' ? (condition as readonly unknown[]) : undefined
    if (range !== undefined) limits = { least: Number(range[1]), most: Number(range[2]) }
    else for (const field of checkCondition(condition, given)) named.add(field)
  }
  const isFree = (field: string): boolean =>
    ['policy', 'x-goog-signature', 'file', 'bucket'].includes(field) || field.startsWith('x-ignore-')
  const unnamed = [...fields.keys()].filter((field) => !isFree(field) && !named.has(field))
  if (unnamed.length > 0) throw forbidden(`The policy does not mention the fields: ${unnamed.join(', ')}`)
  if (!named.has('key')) throw forbidden('The policy has no condition for the field: key')
  return limits
}

/** `{ field: value }`, `["eq", "$field", value]` or `["starts-with", "$field", start]`. @returns the fields that it is about */
function checkCondition(condition: unknown, given: ReadonlyMap<string, string>): readonly string[] {
  const exact = (field: string, value: unknown): string => {
    if (given.get(field.toLowerCase()) !== String(value)) throw forbidden(`The policy wants ${field} to be ${String(value)}`)
    return field.toLowerCase()
  }
  if (!Array.isArray(condition)) return Object.entries(condition as Json).map(([field, value]) => exact(field, value))
  const [operator, name, value] = condition as readonly unknown[]
  const field = String(name).replace(/^\$/, '').toLowerCase()
  if (operator === 'eq') return [exact(field, value)]
  if (operator !== 'starts-with')
    throw new GcsError(400, { reason: 'invalid', message: `Unknown condition ${String(operator)}`, xmlCode: 'InvalidPolicyDocument' })
  if (!(given.get(field) ?? '').startsWith(String(value))) throw forbidden(`The policy wants ${field} to start with ${String(value)}`)
  return [field]
}

function forbidden(details: string): GcsError {
  const message = 'Invalid according to Policy.'
  return new GcsError(403, { reason: 'forbidden', message, xmlCode: 'AccessDenied', details })
}

function metadataOf(fields: ReadonlyMap<string, string>): Json {
  const resource: Record<string, unknown> = { contentType: fields.get('content-type') ?? 'application/octet-stream' }
  const copied = { 'cache-control': 'cacheControl', 'content-disposition': 'contentDisposition', 'content-encoding': 'contentEncoding' }
  for (const [field, name] of Object.entries(copied)) if (fields.has(field)) resource[name] = fields.get(field)
  if (fields.has('x-goog-storage-class')) resource['storageClass'] = fields.get('x-goog-storage-class')
  const metadata = [...fields].filter(([name]) => name.startsWith('x-goog-meta-')).map(([name, value]) => [name.slice(12), value] as const)
  return metadata.length === 0 ? resource : { ...resource, metadata: Object.fromEntries(metadata) }
}

function queryOf(fields: ReadonlyMap<string, string>): URLSearchParams {
  const acl = fields.get('acl') ?? fields.get('x-goog-acl')
  return new URLSearchParams(acl === undefined ? {} : { predefinedAcl: predefinedFromHeader(acl) })
}

function success({ origin }: Call, fields: ReadonlyMap<string, string>, made: { bucket: string; name: string; etag: string }): Reply {
  const { bucket, name, etag } = made
  const location = `${origin}/${bucket}/${encodeURIComponent(name)}`
  const redirect = fields.get('success_action_redirect')
  if (redirect !== undefined) return { status: 303, headers: { location: redirect, 'content-length': 0 } }
  const status = Number(fields.get('success_action_status') ?? 204)
  if (status !== 201)
    return { status: status === 200 ? 200 : 204, headers: { location, ...(status === 200 ? { 'content-length': 0 } : {}) } }
  const parts = [
    `<Bucket>${bucket}</Bucket>`,
    `<Key>${escapeXml(name)}</Key>`,
    `<Location>${location}</Location>`,
    `<ETag>"${etag}"</ETag>`,
  ]
  const text = `<?xml version='1.0' encoding='UTF-8'?><PostResponse>${parts.join('')}</PostResponse>`
  return { status: 201, headers: { location, 'content-type': 'application/xml; charset=UTF-8' }, text }
}
