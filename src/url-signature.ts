/**
 * The query of a signed URL: who holds it may make one request, on one path of one disk, until it expires.
 *
 *   ?disposition=…&expires=1767225600&key=k2&signature=…
 *    ╰ parameters ╯ ╰ whole seconds ╯ ╰ id ╯ ╰ base64url(HMAC-SHA256(secret, JSON [version, disk, method, encoded path, [[name, value], …]]))
 *
 * The JSON array keeps every field apart, so none can run into another. All parameters but the signature are signed, sorted and
 * each once: one that is changed, added, repeated or left out breaks it. GET also answers HEAD; nothing else crosses methods.
 */
import { nodeCrypto } from './builtins.ts'
import type { SignOptions } from './driver.ts'
import { ConfigurationError, InvalidArgumentError, quote } from './errors.ts'
import { encodePath, encodeSegment } from './path.ts'

/** One secret, or several by id: the first signs, all verify. */
export type SigningSecret = string | Readonly<Record<string, string>>

/** Checked secrets. The id is undefined for one that has no name. */
export type SigningKeys = readonly [SigningKey, ...SigningKey[]]

export interface SigningKey {
  readonly id: string | undefined
  readonly secret: string
}

/** What a signature is for. */
export interface SignedTarget {
  /** The disk's name. */
  readonly disk: string
  readonly method: 'GET' | 'HEAD' | 'PUT'
  /** Normal, not encoded. */
  readonly path: string
}

/** What a signed URL allows: the options that it was signed with. */
export type Grant = Pick<SignOptions, 'contentType' | 'contentDisposition' | 'maxSize' | 'minSize' | 'metadata'>

export interface SigningContext {
  readonly keys: SigningKeys
  readonly expiresAt: Date
}

const VERSION = 'stowage-url-1'
const METADATA = 'meta-'

/** @throws ConfigurationError without a secret; the message never has one */
export function signingKeys(secret: SigningSecret | undefined): SigningKeys {
  const [first, ...others] = typeof secret === 'object' ? namedKeys(secret) : secret ? [{ id: undefined, secret }] : []
  if (first === undefined) {
    throw new ConfigurationError('signed URLs need a secret: set STORAGE_URL_SECRET, or `serve: { secret }` on the disk')
  }
  for (const key of [first, ...others]) checkKey(key)
  return [first, ...others]
}

function namedKeys(secrets: Readonly<Record<string, string>>): SigningKey[] {
  const keys = Object.entries(secrets).map(([id, secret]) => ({ id, secret }))
  const number = keys.length > 1 ? keys.find(({ id }) => /^\d+$/.test(id)) : undefined
  if (number === undefined) return keys
  throw new ConfigurationError(
    `the secret ${quote(number.id)} for signed URLs has a number as its id, which JavaScript moves to the front: begin it with a letter, because the first one signs`,
  )
}

function checkKey({ id, secret }: SigningKey): void {
  if (id === '') throw new ConfigurationError('a secret for signed URLs has an empty id')
  if (typeof secret === 'string' && secret !== '') return
  const which = id === undefined ? 'the secret' : `the secret ${quote(id)}`
  throw new ConfigurationError(`${which} for signed URLs is empty: use 32 random characters`)
}

/** The query, without `?`. The expiry is rounded up to a whole second. @throws InvalidArgumentError for what no header can carry */
export function signQuery(target: SignedTarget, grant: Grant, { keys, expiresAt }: SigningContext): string {
  const [{ id, secret }] = keys
  const parameters: Parameter[] = [...parametersOf(target.method, grant), ['expires', wholeSeconds(expiresAt)]]
  if (id !== undefined) parameters.push(['key', id])
  const query = parameters.map(([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`)
  return [...query, `signature=${signatureOf(target, parameters, secret)}`].join('&')
}

/**
 * What was signed, or undefined when the signature is missing, wrong or expired, or a parameter is repeated.
 * A key id that is not known is no reason to refuse: the secret may have had no name, or another, when it signed.
 */
export function verifyQuery(
  target: SignedTarget,
  query: URLSearchParams,
  { keys, now }: { readonly keys: SigningKeys; readonly now: Date },
): Grant | undefined {
  const given = [...query]
  const signature = query.get('signature')
  const expires = query.get('expires')
  if (new Set(given.map(([name]) => name)).size !== given.length) return undefined
  if (signature === null || expires === null || !/^[1-9]\d{0,12}$/.test(expires)) return undefined
  const signed = given.filter(([name]) => name !== 'signature')
  const methods = target.method === 'HEAD' ? (['HEAD', 'GET'] as const) : [target.method]
  const secrets = keysFor(query.get('key'), keys)
  const genuine = methods.some((method) => secrets.some((key) => matches({ ...target, method }, signed, { key, signature })))
  return genuine && now.getTime() < Number(expires) * 1_000 ? grantOf(new Map(signed)) : undefined
}

function keysFor(id: string | null, keys: SigningKeys): readonly SigningKey[] {
  const named = keys.filter((key) => key.id !== undefined && key.id === id)
  return named.length > 0 ? named : keys
}

type Claim = { readonly key: SigningKey; readonly signature: string }

function matches(target: SignedTarget, signed: readonly Parameter[], { key, signature }: Claim): boolean {
  const expected = Buffer.from(signatureOf(target, signed, key.secret))
  // The text and not the bytes it stands for: base64url has several spellings of the same bytes.
  const actual = Buffer.from(signature)
  return actual.length === expected.length && nodeCrypto().timingSafeEqual(actual, expected)
}

type Parameter = readonly [name: string, value: string]

function signatureOf({ disk, method, path }: SignedTarget, parameters: readonly Parameter[], secret: string): string {
  const sorted = [...parameters].sort(([a], [b]) => (a < b ? -1 : 1))
  return nodeCrypto()
    .createHmac('sha256', secret)
    .update(JSON.stringify([VERSION, disk, method, encodePath(path), sorted]))
    .digest('base64url')
}

function wholeSeconds(instant: Date): string {
  const seconds = Math.ceil(instant.getTime() / 1_000)
  if (!Number.isSafeInteger(seconds) || seconds <= 0) throw new InvalidArgumentError('a signed URL needs a valid date to expire at')
  return String(seconds)
}

function encodeQuery(text: string): string {
  if (!text.isWellFormed()) throw new InvalidArgumentError('a parameter of a signed URL has a lone surrogate')
  return encodeSegment(text)
}

/** The grant as parameters, those that mean something to the method. */
function parametersOf(method: SignedTarget['method'], grant: Grant): Parameter[] {
  const { contentType, contentDisposition, maxSize, minSize, metadata = {} } = grant
  const upload = method === 'PUT'
  const parameters: (readonly [string, string | undefined])[] = [
    ['type', checked(contentType, HEADER)],
    ['disposition', upload ? undefined : checked(contentDisposition, HEADER)],
    ['max-size', upload ? byteCount(maxSize) : undefined],
    ['min-size', upload ? byteCount(minSize) : undefined],
    ...Object.entries(upload ? metadata : {}).map(([name, value]) => [METADATA + checked(name, TEXT), checked(value, TEXT)] as const),
  ]
  return parameters.filter((parameter): parameter is Parameter => parameter[1] !== undefined)
}

function grantOf(parameters: ReadonlyMap<string, string>): Grant {
  const number = (name: string): number | undefined => (parameters.has(name) ? Number(parameters.get(name)) : undefined)
  const metadata = [...parameters]
    .filter(([name]) => name.startsWith(METADATA))
    .map(([name, value]) => [name.slice(METADATA.length), value])
  return {
    contentType: parameters.get('type'),
    contentDisposition: parameters.get('disposition'),
    maxSize: number('max-size'),
    minSize: number('min-size'),
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata),
  }
}

// Whatever a header cannot carry is refused: a line break would begin another header.
const HEADER = /^[\x20-\x7e\x80-\xff]*$/
const TEXT = /^[^\u0000-\u001f\u007f]*$/ // oxlint-disable-line no-control-regex -- control characters are what it refuses

function checked<T extends string | undefined>(value: T, allowed: RegExp): T {
  if (value === undefined || allowed.test(value)) return value
  throw new InvalidArgumentError('a value of a signed URL has a character that no header can carry')
}

function byteCount(value: number | undefined): string | undefined {
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && value >= 0) return String(value)
  throw new InvalidArgumentError(`a size limit is a whole number of bytes, not ${String(value)}`)
}
