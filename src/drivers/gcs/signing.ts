/**
 * Requests signed with V4 (GOOG4-RSA-SHA256): URLs for GET, HEAD and PUT, and POST policies where a size has to be kept to.
 *
 *   URL     signature of: method · path · query · headers, for at most seven days
 *   policy  signature of: conditions on the form that is posted
 *
 * The SDK signs no HEAD, so what is signed is put together here; the signature is the SDK's. Cloud Storage documentation, "V4 signing
 * process" and "Policy document".
 */
import { nodeCrypto } from '../../builtins.ts'
import type { SignedRequest, SignOptions } from '../../driver.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { encodePath, encodeSegment } from '../../path.ts'
import type { Connection } from './connection.ts'

const MAX_SECONDS = 7 * 24 * 60 * 60
const ALGORITHM = 'GOOG4-RSA-SHA256'
const EMPTY = {} as const

interface Place {
  readonly bucket: string
  readonly name: string
  readonly now: Date
}

/** @throws InvalidArgumentError beyond seven days; UnsupportedError and UnauthenticatedError when nobody can sign */
export async function sign(connection: Connection, place: Place, options: SignOptions): Promise<SignedRequest> {
  const seconds = Math.ceil((options.expiresAt.getTime() - place.now.getTime()) / 1_000)
  if (seconds > MAX_SECONDS) throw new InvalidArgumentError('Google Cloud Storage signs for 7 days at most: let it expire sooner')
  const sized = options.maxSize !== undefined || options.minSize !== undefined
  if (options.method === 'PUT' && sized) return postPolicy(connection, place, options)
  return signedUrl(connection, place, { ...options, seconds })
}

async function signedUrl(
  connection: Connection,
  { bucket, name, now }: Place,
  options: SignOptions & { readonly seconds: number },
): Promise<SignedRequest> {
  const { scope, timestamp } = momentOf(now)
  const headers = options.method === 'PUT' ? uploadHeaders(options) : EMPTY
  const { origin, hostname, pathname } = new URL(connection.address)
  const path = `${pathname.replace(/\/$/, '')}/${encodeSegment(bucket)}/${encodePath(name)}`
  // As Google's own libraries do, the host is signed without a port; Google's has none, and emulators expect it so.
  const signedHeaders = Object.entries({ ...headers, host: hostname }).sort(byName)
  const query = Object.entries({
    'X-Goog-Algorithm': ALGORITHM,
    'X-Goog-Credential': `${await connection.signer()}/${scope}`,
    'X-Goog-Date': timestamp,
    'X-Goog-Expires': String(options.seconds),
    'X-Goog-SignedHeaders': signedHeaders.map(([header]) => header).join(';'),
    ...(options.method !== 'PUT' && responseQuery(options)),
  })
    .sort(byName)
    .map(([key, value]) => `${encodeSegment(key)}=${encodeSegment(value)}`)
    .join('&')
  const canonical = [
    options.method,
    path,
    query,
    ...signedHeaders.map(([header, value]) => `${header}:${value.trim().replace(/\s{2,}/g, ' ')}`),
    '',
    signedHeaders.map(([header]) => header).join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const hash = nodeCrypto().createHash('sha256').update(canonical).digest('hex')
  const signature = await hexSignature(connection, [ALGORITHM, timestamp, scope, hash].join('\n'))
  return { url: `${origin}${path}?${query}&X-Goog-Signature=${signature}`, method: options.method, headers }
}

/** What the answer says in place of what is stored with the file. */
function responseQuery({ contentType, contentDisposition }: SignOptions): Readonly<Record<string, string>> {
  return {
    ...(contentType !== undefined && { 'response-content-type': contentType }),
    ...(contentDisposition !== undefined && { 'response-content-disposition': contentDisposition }),
  }
}

/** What the upload has to send, as it was signed. */
function uploadHeaders({ contentType, metadata = {} }: SignOptions): Readonly<Record<string, string>> {
  const own = Object.entries(metadata).map(([key, value]) => [`x-goog-meta-${key.toLowerCase()}`, headerValue(value)] as const)
  return { ...Object.fromEntries(own), ...(contentType !== undefined && { 'content-type': contentType }) }
}

function headerValue(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value
  throw new InvalidArgumentError('the metadata of a signed upload is sent as headers, which are ASCII')
}

/** A form to POST: the one kind of upload whose size the store judges. */
async function postPolicy(connection: Connection, { bucket, name, now }: Place, options: SignOptions): Promise<SignedRequest> {
  const { scope, timestamp } = momentOf(now)
  const { contentType, metadata = {}, minSize = 0, maxSize = MAX_OBJECT_BYTES } = options
  const given: Readonly<Record<string, string>> = {
    key: name,
    ...(contentType !== undefined && { 'Content-Type': contentType }),
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`x-goog-meta-${key.toLowerCase()}`, value])),
    'x-goog-date': timestamp,
    'x-goog-credential': `${await connection.signer()}/${scope}`,
    'x-goog-algorithm': ALGORITHM,
  }
  const document = JSON.stringify({
    conditions: [
      { bucket },
      ...Object.entries(given).map(([key, value]) => ({ [key]: value })),
      ['content-length-range', minSize, maxSize],
    ],
    expiration: `${options.expiresAt.toISOString().slice(0, 19)}Z`,
  })
  const policy = Buffer.from(escapeUnicode(document)).toString('base64')
  const fields = { ...given, policy, 'x-goog-signature': await hexSignature(connection, policy) }
  return { url: `${connection.address}/${encodeSegment(bucket)}/`, method: 'POST', headers: {}, fields }
}

/** Cloud Storage documentation, "Quotas and limits": 5 TiB. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 4

/** As the documentation asks for it: a policy is ASCII. */
function escapeUnicode(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

async function hexSignature(connection: Connection, text: string): Promise<string> {
  return Buffer.from(await connection.sign(text), 'base64').toString('hex')
}

function momentOf(now: Date): { readonly scope: string; readonly timestamp: string } {
  const timestamp = now.toISOString().replace(/[-:]|\.\d{3}/g, '')
  return { scope: `${timestamp.slice(0, 8)}/auto/storage/goog4_request`, timestamp }
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}
