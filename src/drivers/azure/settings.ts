/**
 * What an Azure disk is configured with, judged without any I/O and completed: everything below this file reads `AzureSettings`
 * and never the options.
 *
 *   connectionString ─┐
 *   accountKey ───────┼──▶ how requests are signed (key · sas · identity · client), and where the account is
 *   sasToken ─────────┤
 *   none of them ─────┘    the identity that the environment has
 */
import { ConfigurationError, quote } from '../../errors.ts'
import { parseConnectionString } from './connection-string.ts'

/** What `new AzureDriver(options)` takes. Every key also takes undefined, the same as leaving it out. */
export interface AzureDriverOptions {
  readonly container: string
  readonly accountName?: string | undefined
  /** Base64. Default: the identity that the environment has (DefaultAzureCredential of @azure/identity). */
  readonly accountKey?: string | undefined
  /** Account and key, or account and SAS, in one. */
  readonly connectionString?: string | undefined
  /** A shared access signature of the account or the container, with or without its `?`. Such a disk signs no URLs. */
  readonly sasToken?: string | undefined
  /** The address of the account: an emulator's, or a custom domain. Default: `https://{accountName}.blob.core.windows.net`. */
  readonly endpoint?: string | undefined
  /** Access tier of files that are written without a storage class: `Hot`, `Cool`, `Cold`, `Archive`. Default: the account's. */
  readonly tier?: string | undefined
  /** The account keeps versions: `versionId` may be asked for. Default: false. */
  readonly versions?: boolean | undefined
  /** How often a failed request is repeated. Default: 4. */
  readonly retries?: number | undefined
  /** A `BlobServiceClient` that was made elsewhere, instead of the keys that make one. It is not closed, and its own retries apply. */
  readonly client?: object | undefined
}

/** How requests are signed. */
export type AzureAccess =
  | { readonly kind: 'key'; readonly accountName: string; readonly accountKey: string }
  | { readonly kind: 'sas'; readonly sasToken: string }
  | { readonly kind: 'identity' }
  | { readonly kind: 'client'; readonly client: object }

/** What the driver works with. */
export interface AzureSettings {
  readonly container: string
  /** The address of the account, without a slash at its end and without a query. */
  readonly endpoint: string
  readonly access: AzureAccess
  /** Whether URLs can be signed: not with a SAS, which cannot make another. */
  readonly signs: boolean
  readonly tier: AccessTier | undefined
  readonly versions: boolean
  readonly retries: number
}

const TIERS = ['Hot', 'Cool', 'Cold', 'Archive'] as const

export type AccessTier = (typeof TIERS)[number]

const DEFAULT_RETRIES = 4

/** @throws ConfigurationError for what cannot work, whatever the store answers */
export function settingsOf(options: AzureDriverOptions): AzureSettings {
  const { container, versions = false, retries = DEFAULT_RETRIES } = options
  judgeContainer(container)
  if (!Number.isInteger(retries) || retries < 0) throw new ConfigurationError('"retries" is a whole number, at least 0')
  const { endpoint, access } = accountOf(options)
  const tier = options.tier === undefined ? undefined : tierOf(options.tier)
  if (options.tier !== undefined && tier === undefined) throw new ConfigurationError(`"tier" is one of ${TIERS.join(', ')}`)
  return { container, endpoint, access, signs: canSign(access), tier, versions, retries }
}

/** The access tier of that name, in whatever case. */
export function tierOf(name: string): AccessTier | undefined {
  return TIERS.find((tier) => tier.toLowerCase() === name.toLowerCase())
}

/** The tiers that a file can be written to, for messages. */
export const TIER_NAMES: string = TIERS.join(', ')

/** Naming and referencing containers, Azure Storage REST API: lower case, digits, single hyphens; 3 to 63; and those with a dollar. */
function judgeContainer(container: unknown): void {
  if (typeof container !== 'string' || container === '') throw new ConfigurationError('an Azure disk needs "container"')
  if (/^(?:[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web|\$logs)$/.test(container) && container.length <= 63) return
  throw new ConfigurationError(
    `${quote(container)} is no name of a container: 3 to 63 lower-case letters, digits and single hyphens between them`,
  )
}

/** Where the account is, and how its requests are signed. */
interface Account {
  readonly endpoint: string
  readonly access: AzureAccess
}

function accountOf(options: AzureDriverOptions): Account {
  const { client, connectionString, accountName, accountKey, sasToken } = options
  if (client !== undefined) return injected(client, options)
  if (connectionString !== undefined) {
    refuseBeside('connectionString', options, ['accountKey', 'sasToken', 'accountName'])
    return fromConnectionString(connectionString, options.endpoint)
  }
  if (accountKey !== undefined && sasToken !== undefined) throw new ConfigurationError('"accountKey" and "sasToken": one of them signs')
  const endpoint = endpointOf(options.endpoint, accountName)
  if (accountKey !== undefined) {
    const name = accountName ?? nameIn(endpoint)
    if (name === undefined) throw new ConfigurationError('"accountKey" needs "accountName"')
    return { endpoint, access: { kind: 'key', accountName: name, accountKey: base64Key(accountKey) } }
  }
  if (sasToken !== undefined) return { endpoint, access: { kind: 'sas', sasToken: tokenOf(sasToken) } }
  if (endpoint.startsWith('http:')) {
    throw new ConfigurationError('an identity is sent over https only: give "accountKey" or "sasToken", or an endpoint with https')
  }
  return { endpoint, access: { kind: 'identity' } }
}

function injected(client: object, options: AzureDriverOptions): Account {
  refuseBeside('client', options, ['connectionString', 'accountName', 'accountKey', 'sasToken', 'endpoint'])
  if (!('getContainerClient' in client) || !('url' in client) || typeof client.url !== 'string') {
    throw new ConfigurationError('"client" is not a BlobServiceClient of @azure/storage-blob')
  }
  return { endpoint: withoutQuery(client.url), access: { kind: 'client', client } }
}

function refuseBeside(key: keyof AzureDriverOptions, options: AzureDriverOptions, others: readonly (keyof AzureDriverOptions)[]): void {
  const given = others.filter((other) => options[other] !== undefined)
  if (given.length > 0) throw new ConfigurationError(`${quote(key)} has all that is needed: leave out ${given.map(quote).join(', ')}`)
}

function fromConnectionString(text: string, endpoint: string | undefined): Account {
  const { accountName, accountKey, sasToken, endpoint: named } = parseConnectionString(text)
  const address = endpoint === undefined ? named : addressOf(endpoint)
  if (accountKey !== undefined) return { endpoint: address, access: { kind: 'key', accountName, accountKey: base64Key(accountKey) } }
  if (sasToken !== undefined) return { endpoint: address, access: { kind: 'sas', sasToken: tokenOf(sasToken) } }
  throw new ConfigurationError('"connectionString" has neither AccountKey nor SharedAccessSignature')
}

function endpointOf(endpoint: string | undefined, accountName: string | undefined): string {
  if (accountName !== undefined && !/^[a-z0-9][a-z0-9-]{1,62}$/.test(accountName)) {
    throw new ConfigurationError(`${quote(accountName)} is no name of a storage account: lower-case letters and digits`)
  }
  if (endpoint === undefined) {
    if (accountName === undefined) throw new ConfigurationError('an Azure disk needs "accountName", "connectionString" or "endpoint"')
    return `https://${accountName}.blob.core.windows.net`
  }
  const address = addressOf(endpoint)
  const { hostname, pathname } = new URL(address)
  // Emulators have the account in the path: http://127.0.0.1:10000/devstoreaccount1.
  const isEmulator = pathname === '/' && accountName !== undefined && /^(?:localhost|\[.*\]|\d+(?:\.\d+){3})$/.test(hostname)
  return isEmulator ? `${address}/${accountName}` : address
}

function addressOf(endpoint: string): string {
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError(`"endpoint" needs a scheme, as in ${quote('https://account.blob.core.windows.net')}`)
  }
  if (url.search !== '' || url.hash !== '') throw new ConfigurationError('"endpoint" is an address without a query: a SAS is "sasToken"')
  if (url.username !== '' || url.password !== '') throw new ConfigurationError('"endpoint" holds credentials: they are keys of their own')
  return withoutQuery(url.href)
}

/** The account in an address: a host name's first part, or an emulator's path. */
function nameIn(endpoint: string): string | undefined {
  const { hostname, pathname } = new URL(endpoint)
  if (pathname !== '/') return pathname.split('/')[1]
  return /^([a-z0-9]{3,24})(?:-secondary)?\.blob\./.exec(hostname)?.[1]
}

function base64Key(key: string): string {
  const bytes = Buffer.from(key, 'base64')
  if (bytes.byteLength > 0 && bytes.toString('base64').replace(/=+$/, '') === key.replace(/=+$/, '')) return key
  throw new ConfigurationError('"accountKey" is no key of a storage account: those are base64')
}

function tokenOf(sasToken: string): string {
  const token = sasToken.replace(/^\?/, '')
  if (!new URLSearchParams(token).has('sig')) throw new ConfigurationError('"sasToken" is no shared access signature: it has no "sig"')
  return token
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/\/+$/, '')
}

/** A key signs, an identity asks for a key that does; a SAS can do neither. */
function canSign(access: AzureAccess): boolean {
  if (access.kind !== 'client') return access.kind !== 'sas'
  const credential: unknown = 'credential' in access.client ? access.client.credential : undefined
  return isKeyCredential(credential) || isTokenCredential(credential)
}

// By shape: the client may come from another copy of the SDK.

export function isKeyCredential(credential: unknown): boolean {
  return typeof credential === 'object' && credential !== null && 'computeHMACSHA256' in credential
}

export function isTokenCredential(credential: unknown): boolean {
  return typeof credential === 'object' && credential !== null && 'getToken' in credential
}
