/**
 * The one door to `@google-cloud/storage`: it finds the credentials, fetches tokens and signs; requests are ours (http.ts).
 *
 *   client · credentials · keyFile · STORAGE_EMULATOR_HOST · application default credentials ──▶ Connection
 *
 * The SDK is loaded at the first operation. Its own options for keys print a deprecation warning, so a key is put where the SDK
 * keeps what it read itself.
 */
import { readFile } from 'node:fs/promises'
import type * as Sdk from '@google-cloud/storage'
import { ConfigurationError, quote, UnsupportedError } from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import { addressOf } from './address.ts'
import { translateAuth } from './gcs-errors.ts'
import { type GcsSettings, parsedKey } from './settings.ts'

type Storage = Sdk.Storage
type Auth = Storage['authClient']

/** Where requests go and what goes with them. */
export interface Connection {
  /** Base of the JSON API: `https://storage.googleapis.com/storage/v1`. */
  readonly base: string
  /** Base of URLs that are no API's: `https://storage.googleapis.com`. */
  readonly address: string
  /** How often a request that failed for a passing reason is sent again. */
  readonly retries: number
  /** The header `Authorization`, or none for an emulator. @throws UnauthenticatedError, UnavailableError */
  readonly authorization: () => Promise<Readonly<Record<string, string>>>
  /** An RSA-SHA256 signature in base64, and whose it is. Without a private key, Google's IAM signs. */
  readonly sign: (text: string) => Promise<string>
  readonly signer: () => Promise<string>
  readonly projectId: () => Promise<string>
}

/** Emulators take any. */
const ANONYMOUS_PROJECT = 'emulated'
const GOOGLES = /(^|\.)googleapis\.com$/

export async function connect(settings: GcsSettings): Promise<Connection> {
  const client = (settings.client as Storage | undefined) ?? (await made(settings))
  const auth = client.authClient
  const address = addressOf(settings)
  const base = baseOf(client, settings.endpoint)
  const anonymous = isEmulator(client, address)
  return {
    base,
    address,
    retries: settings.retries ?? (client.retryOptions.autoRetry === false ? 0 : (client.retryOptions.maxRetries ?? 3)),
    authorization: async () => (anonymous ? {} : { authorization: await bearer(auth, base) }),
    sign: (text) => translated(() => auth.sign(text)),
    signer: () => signerOf(auth),
    projectId: async () => settings.projectId ?? (anonymous ? ANONYMOUS_PROJECT : translated(() => auth.getProjectId())),
  }
}

/** A client of our own. It has no connections: nothing of it needs to be closed. */
async function made(settings: GcsSettings): Promise<Storage> {
  const { Storage: Client } = await importPeer<typeof Sdk>('@google-cloud/storage')
  const key = settings.credentials ?? (settings.keyFile === undefined ? undefined : await keyIn(settings.keyFile))
  const client = new Client({
    ...(settings.projectId !== undefined && { projectId: settings.projectId }),
    ...(settings.endpoint !== undefined && { apiEndpoint: settings.endpoint }),
  })
  // A copy: the SDK may write to it.
  if (key !== undefined) client.authClient.jsonContent = { ...key }
  return client
}

async function keyIn(file: string): Promise<Readonly<Record<string, unknown>>> {
  let json: string
  try {
    json = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as { readonly code?: string }
    throw new ConfigurationError(`"keyFile" cannot be read (${code ?? 'unknown'}): ${quote(file)}`, { cause: error })
  }
  return parsedKey(json, `the file of "keyFile", ${quote(file)},`)
}

/** STORAGE_EMULATOR_HOST is an API without the prefix `/storage/v1`, as the SDK has it; `endpoint` has it. */
function baseOf(client: Storage, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint}/storage/v1`
  const base = /^https?:/i.test(client.baseUrl) ? client.baseUrl : `https://${client.baseUrl}`
  return base.replace(/\/+$/, '')
}

/** Tokens go to Google only: not to an emulator, unless an injected client says so. */
function isEmulator(client: Storage, address: string): boolean {
  const host = URL.parse(address)?.hostname ?? ''
  return !GOOGLES.test(host) && client.customEndpoint && client.useAuthWithCustomEndpoint !== true
}

async function bearer(auth: Auth, url: string): Promise<string> {
  // A plain object in version 7, Headers in version 8.
  const headers: unknown = await translated(() => auth.getRequestHeaders(url))
  const plain = headers as { readonly Authorization?: string; readonly authorization?: string; get?: (name: string) => string | null }
  return (typeof plain.get === 'function' ? plain.get('authorization') : (plain.Authorization ?? plain.authorization)) ?? ''
}

async function signerOf(auth: Auth): Promise<string> {
  const { client_email: email } = await translated(() => auth.getCredentials())
  if (email !== undefined) return email
  throw new UnsupportedError(
    'signed URLs need a service account: give the disk its key, or run with an attached or impersonated one that may sign (iam.serviceAccounts.signBlob)',
  )
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw translateAuth(error)
  }
}
