/**
 * Service accounts with keys of their own, the bearer tokens they get, and what they may do. `POST /token` takes the JWT of RFC 7523, as
 * Google's does; a JWT that the account signed for itself is a bearer token too.
 */
import { createVerify, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { GcsError, invalid } from './errors.ts'

/** What a service account's key file holds. */
export interface Credentials {
  readonly type: 'service_account'
  readonly project_id: string
  readonly private_key_id: string
  readonly private_key: string
  readonly client_email: string
  readonly client_id: string
  readonly token_uri: string
}

export interface Account {
  readonly email: string
  readonly keyId: string
  readonly publicKey: KeyObject
  /** Permissions it does not have: `storage.objects.list`. */
  readonly denied: ReadonlySet<string>
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const TOKEN_SECONDS = 3600
/** How far clocks may differ. */
const SKEW_SECONDS = 300

export class Accounts {
  readonly #accounts = new Map<string, Account>()
  readonly #tokens = new Map<string, { readonly email: string; readonly expires: number }>()
  readonly #now: () => number
  readonly #project: string

  constructor(project: string, now: () => number) {
    this.#project = project
    this.#now = now
  }

  /** A new account with a key of its own. */
  create(name: string, tokenUri: string, denied: readonly string[] = []): Credentials {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const email = `${name}@${this.#project}.iam.gserviceaccount.com`
    const keyId = randomBytes(20).toString('hex')
    this.#accounts.set(email, { email, keyId, publicKey, denied: new Set(denied) })
    return {
      type: 'service_account',
      project_id: this.#project,
      private_key_id: keyId,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      client_email: email,
      client_id: String(100_000_000 + this.#accounts.size),
      token_uri: tokenUri,
    }
  }

  find(email: string): Account | undefined {
    return this.#accounts.get(email)
  }

  /** A bearer token of an account. */
  issue(email: string, seconds: number = TOKEN_SECONDS): string {
    const token = `ya29.test.${randomUUID()}`
    this.#tokens.set(token, { email, expires: this.#now() + seconds * 1000 })
    return token
  }

  /** Answers `POST /token`. @throws 400 as OAuth does: `{ error, error_description }` is up to the caller */
  exchange(form: URLSearchParams): { readonly access_token: string; readonly expires_in: number; readonly token_type: 'Bearer' } {
    const claims = form.get('grant_type') === GRANT_TYPE ? this.#verified(form.get('assertion') ?? '') : undefined
    if (claims === undefined) throw invalid('invalid_grant')
    return { access_token: this.issue(claims.email), expires_in: TOKEN_SECONDS, token_type: 'Bearer' }
  }

  /** Who sends these headers; undefined for nobody in particular. @throws 401 when a token is no good */
  callerOf(headers: IncomingHttpHeaders): Account | undefined {
    const { authorization } = headers
    if (authorization === undefined) return undefined
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''
    const issued = this.#tokens.get(token)
    const email = issued === undefined ? this.#verified(token)?.email : issued.expires > this.#now() ? issued.email : undefined
    const account = email === undefined ? undefined : this.#accounts.get(email)
    if (account === undefined) throw invalidCredentials()
    return account
  }

  #verified(jwt: string): { readonly email: string } | undefined {
    const [header = '', payload = '', signature = ''] = jwt.split('.')
    const claims = parsePart(payload)
    const account = this.#accounts.get(String(claims['iss']))
    if (account === undefined || parsePart(header)['alg'] !== 'RS256') return undefined
    const verify = createVerify('RSA-SHA256').update(`${header}.${payload}`)
    if (!verify.verify(account.publicKey, Buffer.from(signature, 'base64url'))) return undefined
    const now = this.#now() / 1000
    const { iat, exp } = claims
    if (typeof iat !== 'number' || typeof exp !== 'number' || iat > now + SKEW_SECONDS || exp < now - SKEW_SECONDS) return undefined
    return { email: account.email }
  }
}

function parsePart(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

export function invalidCredentials(): GcsError {
  const headers = { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' }
  const where = { locationType: 'header', location: 'Authorization' }
  return new GcsError(401, { reason: 'authError', message: 'Invalid Credentials', xmlCode: 'AuthenticationRequired', headers, ...where })
}
