/**
 * V4 signatures with the key of a service account (Cloud Storage, "V4 signing process"), of addresses and of POST policies.
 *
 *   canonical request = method \n path \n query, sorted \n headers \n names of them \n hash of the payload
 *   string to sign    = GOOG4-RSA-SHA256 \n time \n date/location/storage/goog4_request \n SHA-256 of the canonical request
 */
import { createHash, createVerify } from 'node:crypto'
import type { Account } from './accounts.ts'
import type { Call, State } from './call.ts'
import { GcsError } from './errors.ts'

const ALGORITHM = 'GOOG4-RSA-SHA256'
const MAX_SECONDS = 604_800
const SKEW_MS = 15 * 60 * 1000

/** Whether the query says that it is signed. */
export function isSigned(query: URLSearchParams): boolean {
  return [...query.keys()].some((name) => /^x-goog-(algorithm|signature|credential)$/i.test(name))
}

/** Who signed the address. @throws 400 for what is no signature or has expired, 403 for one that does not fit */
export function signerOf(call: Call): Account {
  const value = (name: string): string => {
    const found = [...call.query].find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
    if (found === undefined) throw malformed(`Missing ${name}`)
    return found
  }
  if (value('X-Goog-Algorithm') !== ALGORITHM) throw malformed(`Invalid X-Goog-Algorithm: only ${ALGORITHM} is played`)
  const time = value('X-Goog-Date')
  const { account, scope } = credentialOf(call.state, value('X-Goog-Credential'), time)
  const expires = value('X-Goog-Expires')
  if (!/^\d+$/.test(expires) || Number(expires) > MAX_SECONDS || Number(expires) < 1) throw malformed(`Invalid X-Goog-Expires: ${expires}`)
  const signedHeaders = value('X-Goog-SignedHeaders')
  const candidates = canonicalRequests(call, signedHeaders)
  const signature = Buffer.from(value('X-Goog-Signature'), 'hex')
  const fits = candidates.some((request) => verify(account, `${ALGORITHM}\n${time}\n${scope}\n${sha256(request)}`, signature))
  if (!fits) throw mismatch(candidates[0] ?? '')
  checkTime(call.state, time, Number(expires))
  checkHeaders(call, signedHeaders)
  return account
}

/** The account, and the scope, of `email/date/location/storage/goog4_request`. */
function credentialOf({ accounts }: State, credential: string, time: string): { readonly account: Account; readonly scope: string } {
  const [, email = '', scope = '', date = ''] = /^(.+?)\/((\d{8})\/[^/]+\/storage\/goog4_request)$/.exec(credential) ?? []
  if (scope === '' || date !== time.slice(0, 8)) throw malformed(`Invalid X-Goog-Credential: ${credential}`)
  const account = accounts.find(email)
  if (account === undefined) throw mismatch('')
  return { account, scope }
}

/** Verifies the signature of a policy: the text in base64 is what was signed. @throws 400 403 */
export function policySigner(state: State, fields: ReadonlyMap<string, string>): Account {
  if (fields.get('x-goog-algorithm') !== ALGORITHM) throw malformed('Invalid x-goog-algorithm')
  const { account } = credentialOf(state, fields.get('x-goog-credential') ?? '', fields.get('x-goog-date') ?? '')
  const signature = Buffer.from(fields.get('x-goog-signature') ?? '', 'hex')
  if (!verify(account, fields.get('policy') ?? '', signature)) throw mismatch(fields.get('policy') ?? '')
  return account
}

function verify({ publicKey }: Account, text: string, signature: Buffer): boolean {
  return createVerify('RSA-SHA256').update(text).verify(publicKey, signature)
}

/** The host may have been signed with its port or without: Google's own has none, and its clients differ. */
function canonicalRequests({ method, path, query, headers, req }: Call, signedHeaders: string): readonly string[] {
  const host = String(headers.host ?? '')
  return [...new Set([host, host.replace(/:\d+$/, '')])].map((shown) => {
    const lines = signedHeaders.split(';').map((name) => {
      const value = name === 'host' ? shown : String(headers[name] ?? '')
      return `${name}:${value.trim().replace(/\s{2,}/g, ' ')}\n`
    })
    const payload = String(headers['x-goog-content-sha256'] ?? 'UNSIGNED-PAYLOAD')
    return [method, path, canonicalQuery(req.url ?? '', query), lines.join(''), signedHeaders, payload].join('\n')
  })
}

/** Names and values encoded again, so that it does not matter how the caller wrote them. */
function canonicalQuery(_url: string, query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name.toLowerCase() !== 'x-goog-signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function checkTime(state: State, text: string, seconds: number): void {
  const instant = instantOf(text)
  if (instant > state.now() + SKEW_MS) throw malformed('X-Goog-Date is in the future')
  const end = instant + seconds * 1000
  if (end > state.now()) return
  const details = `Request signature expired at: ${new Date(end).toISOString().replace(/\.\d+Z$/, '+00:00')}`
  throw new GcsError(400, { reason: 'invalid', message: 'The provided token has expired.', xmlCode: 'ExpiredToken', details })
}

/** `20261121T140406Z` @throws 400 */
export function instantOf(text: string): number {
  const instant = Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (Number.isNaN(instant)) throw malformed(`Invalid X-Goog-Date: ${text}`)
  return instant
}

/** Every header that says something of Cloud Storage's has to be signed. */
function checkHeaders({ headers }: Call, signedHeaders: string): void {
  const signed = signedHeaders.split(';')
  const isUnsigned = (name: string): boolean =>
    name.startsWith('x-goog-') && !['x-goog-api-client'].includes(name) && !signed.includes(name)
  const found = Object.keys(headers).filter(isUnsigned)
  if (!signed.includes('host')) throw malformed('The host header must be signed')
  if (found.length > 0) throw malformed(`Header(s) were not signed: ${found.join(', ')}`)
}

function malformed(details: string): GcsError {
  const message = 'Your request has a malformed header.'
  return new GcsError(400, { reason: 'invalid', message, xmlCode: 'MalformedSecurityHeader', details })
}

function mismatch(request: string): GcsError {
  const details = `The request signature we calculated does not match the signature you provided. Canonical request: ${request}`
  return new GcsError(403, { reason: 'forbidden', message: 'Access denied.', xmlCode: 'SignatureDoesNotMatch', details })
}
