/**
 * AWS Signature Version 4 in the Authorization header, over exactly what is sent.
 *
 *   key       = HMAC(HMAC(HMAC(HMAC('AWS4' ‖ secret, date), region), service), 'aws4_request')
 *   canonical = method ⏎ path ⏎ query ⏎ (name ':' value ⏎)* ⏎ names ⏎ payload hash
 *   signature = HMAC(key, 'AWS4-HMAC-SHA256' ⏎ time ⏎ scope ⏎ SHA-256(canonical))
 *
 * The path is signed as it is sent: S3 encodes once and normalises nothing, so `a//b` and `a/../b` are keys of their own. Header
 * values are bytes (one character each, as Node writes them); a header that would split the request in two, or that Node would write
 * as something else, is refused before anything is signed. A signing key is derived once per identity, day and region. No error tells
 * a value. Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header".
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../../builtins.ts'
import { InvalidArgumentError, quote } from '../../../errors.ts'
import { encodeSegment } from '../../../path.ts'
import type { S3Identity } from '../settings.ts'

/** In place of a payload hash, where TLS protects the body: S3 does not check it then. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
/** SHA-256 of no bytes. */
export const EMPTY_PAYLOAD_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
export const ALGORITHM = 'AWS4-HMAC-SHA256'

export interface SigningRequest extends SigningPlace {
  readonly method: string
  /** From the first slash on, percent-encoded as it is sent. */
  readonly path: string
  /** As `encodeQuery` makes it; empty where there is none. */
  readonly query: string
  /** By name in lower case, `host` among them. Those of the signature are put in, or replaced when the request is signed again. */
  readonly headers: Record<string, string>
  /** `hashOf(body)`, `EMPTY_PAYLOAD_HASH`, `UNSIGNED_PAYLOAD`, or one of S3's names for bodies with trailers. */
  readonly payloadHash: string
  readonly identity: S3Identity
  /** What the store takes for the time: it refuses what is more than 15 minutes off. */
  readonly now: Date | number
}

export interface SigningPlace {
  readonly region: string
  /** Default: `s3`. */
  readonly service?: string | undefined
}

/**
 * Puts `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` (or takes away that of an earlier identity) and `authorization`
 * into the headers. What is changed in the headers afterwards has to be unsigned, or the request signed again.
 * @throws InvalidArgumentError for a header that cannot be sent, with its name; nothing is signed then
 */
export function sign(request: SigningRequest): void {
  const { headers, identity } = request
  headers['x-amz-date'] = timeOf(request.now)
  headers['x-amz-content-sha256'] = request.payloadHash
  if (identity.sessionToken) headers['x-amz-security-token'] = identity.sessionToken
  else if (headers['x-amz-security-token'] !== undefined) delete headers['x-amz-security-token']
  headers['authorization'] = authorizationOf(request)
}

/** The Authorization header for the headers as they stand: `sign` without the headers that S3 wants besides. */
export function authorizationOf(request: SigningRequest): string {
  const time = timeOf(request.now)
  const { lines, names } = canonicalHeaders(request.headers)
  const canonical = `${request.method}\n${request.path}\n${request.query}\n${lines}\n${names}\n${request.payloadHash}`
  const key = signingKey(request.identity, time.slice(0, 8), request)
  return `${ALGORITHM} Credential=${key.credential}, SignedHeaders=${names}, Signature=${requestSignature(key, time, canonical)}`
}

/** @param canonical the canonical request, a character per byte. */
export function requestSignature(key: SigningKey, time: string, canonical: string): string {
  const ascii = Buffer.byteLength(canonical) === canonical.length
  const hash = nodeCrypto().hash('sha256', ascii ? canonical : Buffer.from(canonical, 'latin1'))
  return signatureOf(key, `${ALGORITHM}\n${time}\n${key.scope}\n${hash}`)
}

export interface SigningKey {
  /** `20261121/eu-west-1/s3/aws4_request` */
  readonly scope: string
  /** The access key id and the scope. */
  readonly credential: string
  readonly key: KeyObject
}

interface DerivedKey extends SigningKey, Required<SigningPlace> {
  readonly secret: string
  readonly date: string
}

/** The last key of each identity: it is good for a day and a region, and would be most of the work. */
const derivedKeys = new WeakMap<S3Identity, DerivedKey>()

/** @param date `20261121` */
export function signingKey(identity: S3Identity, date: string, { region, service = 's3' }: SigningPlace): SigningKey {
  const known = derivedKeys.get(identity)
  const { accessKeyId, secretAccessKey: secret } = identity
  if (known?.date === date && known.region === region && known.service === service && known.secret === secret) return known
  const parts = [date, region, service, 'aws4_request']
  const scope = parts.join('/')
  const credential = `${accessKeyId}/${scope}`
  checkHeader('authorization', credential)
  const { createHmac, createSecretKey } = nodeCrypto()
  const bytes = parts.reduce<Buffer>((above, part) => createHmac('sha256', above).update(part).digest(), Buffer.from(`AWS4${secret}`))
  const derived = { scope, credential, key: createSecretKey(bytes), date, region, service, secret }
  derivedKeys.set(identity, derived)
  return derived
}

/** In hexadecimal digits. */
export function signatureOf({ key }: SigningKey, text: string): string {
  return nodeCrypto().createHmac('sha256', key).update(text).digest('hex')
}

/** SHA-256 in hexadecimal digits. */
export function hashOf(bytes: Uint8Array | string): string {
  return nodeCrypto().hash('sha256', bytes)
}

let latest = { second: Number.NaN, time: '' }

/** `20261121T140912Z`; made once per second. */
export function timeOf(now: Date | number): string {
  const second = Math.floor(Number(now) / 1_000)
  if (second !== latest.second) {
    latest = { second, time: new Date(second * 1_000).toISOString().replace(/[-:]|\.\d{3}/g, '') }
  }
  return latest.time
}

/** Sorted by encoded name, RFC 3986; a parameter without a value is `name=`, one that is undefined is left out. */
export function encodeQuery(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs: (readonly [name: string, value: string])[] = []
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue
    if (!value.isWellFormed()) throw new InvalidArgumentError(`${quote(name)} has half of a surrogate pair`)
    pairs.push([encodeSegment(name), encodeSegment(value)])
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

export interface CanonicalHeaders {
  /** `name:value`, a line each, with the last line's end. */
  readonly lines: string
  /** With semicolons. */
  readonly names: string
}

/** @throws InvalidArgumentError as `checkHeader`, for unsigned headers too */
export function canonicalHeaders(headers: Readonly<Record<string, string>>): CanonicalHeaders {
  let lines = ''
  let names = ''
  for (const name of Object.keys(headers).sort()) {
    const value = headers[name] as string
    checkHeader(name, value)
    if (isUnsigned(name)) continue
    lines += `${name}:${trimmed(value)}\n`
    names += names === '' ? name : `;${name}`
  }
  return { lines, names }
}

/** Proxies and clients change these on the way: AWS's own clients leave the same ones out. */
const UNSIGNED: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'expect',
  'from',
  'keep-alive',
  'max-forwards',
  'pragma',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
])

function isUnsigned(name: string): boolean {
  return UNSIGNED.has(name) || name.startsWith('proxy-') || name.startsWith('sec-')
}

const SPACE = 0x20

/** Without spaces at its ends, and with one where there are several. */
function trimmed(value: string): string {
  const clean = value.charCodeAt(0) !== SPACE && value.charCodeAt(value.length - 1) !== SPACE && !value.includes('  ')
  return clean ? value : value.replace(/ +/g, ' ').replace(/^ | $/g, '')
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/ // RFC 9110, "token", in the lower case that is signed
const VALUE = /^[\x20-\x7e\x80-\xff]*$/

/**
 * Refuses what would split a request in two, or reach the store as something else than what was signed.
 * @throws InvalidArgumentError with the name, never with the value
 */
export function checkHeader(name: string, value: string): void {
  if (!NAME.test(name)) throw new InvalidArgumentError(`${quote(name)} is no name of a header`)
  if (typeof value !== 'string') throw new InvalidArgumentError(`the header ${quote(name)} has no value`)
  if (VALUE.test(value)) return
  throw new InvalidArgumentError(`the header ${quote(name)} has a character that headers cannot have: a line break, or one beyond U+00FF`)
}
