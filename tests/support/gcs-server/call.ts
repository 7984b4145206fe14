/** One request on its way through the server, what the server holds, and the ways to answer. */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Account, Accounts } from './accounts.ts'
import type { Body, BodyStore, BodyWriter } from './body-store.ts'
import { GcsError, invalid, noSuchBucket, noSuchObject } from './errors.ts'
import type { Json, StoredBucket, StoredObject } from './model.ts'
import { whole } from './preconditions.ts'
import { isUniform, type Showing } from './resources.ts'

/** A resumable upload that is under way, done or cancelled. */
export interface UploadSession {
  readonly id: string
  readonly started: number
  readonly declared: Upload
  /** As announced by X-Upload-Content-Length. */
  readonly announcedSize: number | undefined
  readonly writer: BodyWriter
  busy: Promise<void>
  state: 'open' | 'done' | 'cancelled'
  result: StoredObject | undefined
  /** Why it was not stored in the end. */
  failure: unknown
  /** True for uploads that began at the object host: answers have no resource. */
  readonly isXml: boolean
}

/** What will be stored when its bytes are there, and on what conditions. */
export interface Upload {
  readonly bucket: string
  readonly name: string
  readonly metadata: Json
  /** The query of the request that began it: preconditions, predefinedAcl, kmsKeyName. */
  readonly query: URLSearchParams
  readonly caller: Caller
}

export interface RewriteSession {
  readonly source: StoredObject
  written: number
  readonly query: string
}

/** A rule that spoils requests; see `faults.ts`. */
export interface Fault {
  readonly method?: string
  /** A regular expression for path and query, as they came. */
  readonly url?: string
  /** How many requests it spoils; 1 unless told. */
  times: number
  /** Skips so many that match, first. */
  skip: number
  readonly status?: number
  readonly reason?: string
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
  /** For what goes wrong on the wire, or in the bytes. */
  readonly wire?: 'reset' | 'stall' | 'truncate' | 'corrupt' | 'reset-upload' | 'reset-after'
  readonly afterBytes?: number
}

export interface State {
  readonly project: string
  readonly buckets: Map<string, StoredBucket>
  readonly bodies: BodyStore
  readonly sessions: Map<string, UploadSession>
  readonly rewrites: Map<string, RewriteSession>
  readonly accounts: Accounts
  readonly faults: Fault[]
  now(): number
  /** Microseconds since 1970, and never the same twice. */
  nextGeneration(): number
}

export interface Caller {
  /** Undefined: anonymous. */
  readonly account: Account | undefined
  /** Emulator style: whoever calls owns the project. */
  readonly isTrusted: boolean
}

export interface Call {
  readonly state: State
  readonly req: IncomingMessage
  readonly method: string
  /** As it came, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly caller: Caller
  /** `http://host:port`, as the caller sees the server. */
  readonly origin: string
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>>
  readonly json?: Json
  readonly text?: string
  readonly stream?: AsyncIterable<Uint8Array>
}

/** The names in a path, decoded: `{ bucket, object, entity, … }`. */
export type Names = Readonly<Record<string, string>>

export type Handler = (call: Call, names: Names) => Reply | Promise<Reply>

export function ok(json: Json): Reply {
  return { status: 200, json }
}

/** @throws 403, or 401 for callers who have not said who they are */
export function allow({ caller }: { readonly caller: Caller }, permission: string): void {
  if (holds(caller, permission)) return
  throw denied(caller, permission)
}

export function holds({ account, isTrusted }: Caller, permission: string): boolean {
  return account === undefined ? isTrusted : !account.denied.has(permission)
}

function denied({ account }: Caller, permission: string): GcsError {
  const who = account?.email ?? 'Anonymous caller'
  const what = permission.startsWith('storage.objects.') ? 'Google Cloud Storage object' : 'Google Cloud Storage bucket'
  const message = `${who} does not have ${permission} access to the ${what}. Permission '${permission}' denied on resource (or it may not exist).`
  if (account !== undefined) return new GcsError(403, { reason: 'forbidden', message, xmlCode: 'AccessDenied', details: message })
  const headers = { 'www-authenticate': 'Bearer realm="https://accounts.google.com/"' }
  const where = { locationType: 'header', location: 'Authorization' }
  return new GcsError(401, { reason: 'required', message, headers, ...where, xmlCode: 'AuthenticationRequired' })
}

/** As `allow`, but what is public may be read by anyone. */
export function allowRead(call: Call, bucket: StoredBucket, object: StoredObject | undefined): void {
  if (object !== undefined && isPublic(bucket, object)) return
  allow(call, 'storage.objects.get')
  // Who may not list is not told whether an object exists.
  if (object === undefined && !holds(call.caller, 'storage.objects.list')) throw denied(call.caller, 'storage.objects.get')
}

function isPublic(bucket: StoredBucket, object: StoredObject): boolean {
  if (publicAccessPrevented(bucket)) return false
  const isGranted = object.acl.some(({ entity }) => entity === 'allUsers')
  return (isGranted && !isUniform(bucket)) || bucket.policy.bindings.some(grantsReading)
}

function grantsReading({ role, members }: Json): boolean {
  const roles = ['roles/storage.objectViewer', 'roles/storage.legacyObjectReader', 'roles/storage.objectAdmin', 'roles/storage.admin']
  return roles.includes(String(role)) && (members as readonly string[] | undefined)?.includes('allUsers') === true
}

export function publicAccessPrevented({ settings }: StoredBucket): boolean {
  return (settings['iamConfiguration'] as { publicAccessPrevention?: string } | undefined)?.publicAccessPrevention === 'enforced'
}

/** @throws 404 */
export function bucketOf({ state }: Call, name: string | undefined): StoredBucket {
  const bucket = state.buckets.get(name ?? '')
  if (bucket === undefined) throw noSuchBucket()
  return bucket
}

/** The live version, or the one the query names. @throws 404 */
export function objectOf(call: Call, bucket: StoredBucket, name: string, parameter = 'generation'): StoredObject {
  const object = bucket.objects.find(name, whole(call.query, parameter))
  if (object === undefined) throw noSuchObject(bucket.name, name)
  return object
}

/** How the caller wants resources shown. */
export function showing(call: Call, standard: 'full' | 'noAcl' = 'noAcl'): Showing {
  const projection = call.query.get('projection') ?? standard
  if (projection !== 'full' && projection !== 'noAcl')
    throw invalid(`Invalid value for: Invalid value '${projection}'. Values must match: [full, noAcl]`)
  return { origin: call.origin, projection, owner: ownerOf(call) }
}

export function ownerOf({ caller, state }: { readonly caller: Caller; readonly state: State }): string {
  return `user-${caller.account?.email ?? `owner@${state.project}.example`}`
}

/** The whole body of a request that should be JSON. @throws 400, 413 above 1 MiB */
export async function readJson({ req }: Call): Promise<Json> {
  const text = await readText(req)
  if (text.trim() === '') return {}
  return parseJson(text)
}

export function parseJson(text: string): Json {
  try {
    const value: unknown = JSON.parse(text) ?? {} // Clients in Go send `null` for nothing.
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  } catch {
    // Said below.
  }
  throw new GcsError(400, { reason: 'parseError', message: 'Parse Error' })
}

export async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of chunks) {
    size += part.byteLength
    if (size > 1024 * 1024) throw new GcsError(413, { reason: 'uploadTooLarge', message: 'Request Entity Too Large' })
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

export function newId(): string {
  return randomUUID().replaceAll('-', '')
}

export function fits(body: Body, size: number | undefined): boolean {
  return size === undefined || size === body.size
}
