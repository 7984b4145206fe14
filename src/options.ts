/**
 * The options of Disk's methods, and their judgement before any I/O: shapes, contradictions, and what the stack below cannot keep.
 */
import type { CallLimits } from './deadline.ts'
import { createDigest } from './digest.ts'
import type { ChecksumAlgorithm, Driver, Entry, ListOptions, Range, SignedRequest, WriteOptions, WriteResult } from './driver.ts'
import { InvalidArgumentError, quote, UnsupportedError } from './errors.ts'
import { normalizePath } from './path.ts'

export interface GetOptions extends CallLimits {
  readonly range?: Range | undefined
  /** More than so many bytes are a QuotaExceededError, and nothing further is read. */
  readonly maxBytes?: number | undefined
  readonly versionId?: string | undefined
}

export interface TextOptions extends GetOptions {
  readonly encoding?: BufferEncoding | undefined
}

/** A schema of any library that follows Standard Schema, version 1 (standardschema.dev). */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] }

export interface JsonOptions<T> extends GetOptions {
  readonly schema?: StandardSchema<T> | undefined
}

export interface StreamOptions extends CallLimits {
  readonly range?: Range | undefined
  readonly versionId?: string | undefined
}

export interface StatOptions extends CallLimits {
  readonly versionId?: string | undefined
}

export interface PutOptions extends WriteOptions, CallLimits {
  /** Called as bytes are taken; `total` when it is known. */
  readonly onProgress?: ((progress: { loaded: number; total?: number }) => void) | undefined
}

/** Conditions are refused: what is added to is whatever is there. */
export interface AppendOptions extends PutOptions {
  /** Goes between what is there and what is added; not into an empty or new file. */
  readonly separator?: string | undefined
}

export interface PutResult extends WriteResult {
  readonly path: string
}

export interface CopyOptions extends WriteOptions, CallLimits {}

export interface ChecksumOptions extends CallLimits {
  readonly algorithm?: ChecksumAlgorithm | undefined
  readonly encoding?: 'hex' | 'base64' | undefined
}

export interface DiskListOptions extends CallLimits, Pick<ListOptions, 'recursive' | 'after' | 'stat'> {
  readonly type?: Entry['type'] | undefined
  /** Entries asked for at a time. */
  readonly pageSize?: number | undefined
}

export interface PageOptions extends CallLimits, Pick<ListOptions, 'recursive' | 'after' | 'stat' | 'cursor' | 'limit'> {}

export interface NamesOptions extends CallLimits {
  readonly recursive?: boolean | undefined
}

export interface TemporaryUrlOptions extends CallLimits {
  readonly method?: 'GET' | 'HEAD' | undefined
  /** Save instead of show; a string is the name to save under. */
  readonly download?: boolean | string | undefined
  /** What the answer says its type is. */
  readonly contentType?: string | undefined
}

export interface UploadUrlOptions extends CallLimits {
  readonly contentType?: string | undefined
  /** In bytes. */
  readonly maxSize?: number | undefined
  readonly minSize?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** A request that uploads one file without further credentials. */
export interface UploadUrl extends SignedRequest {
  readonly expiresAt: Date
}

export interface CheckStep {
  readonly name: 'write' | 'read' | 'list' | 'delete'
  readonly ok: boolean
  readonly ms: number
  readonly error?: Error | undefined
}

export interface CheckResult {
  readonly ok: boolean
  readonly latencyMs: number
  readonly steps: readonly CheckStep[]
  /** Of the first step that failed. */
  readonly error?: Error | undefined
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for: they would split a header in two
const CONTROL = /[\u0000-\u001f\u007f]/
const HEADERS = [
  'contentType',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
  'storageClass',
  'ifMatch',
] as const
const MAX_SIGNED_SECONDS = 100 * 366 * 24 * 3_600 // beyond it dates no longer fit their formats

/** @throws InvalidArgumentError for options that are wrong whatever the store; UnsupportedError for those this store cannot keep */
export function judgeWriteOptions(options: PutOptions, driver: Driver): void {
  requireBag(options)
  for (const name of HEADERS) judgeHeader(name, options[name])
  judgeMetadata(options.metadata)
  judgeTags(options.tags)
  if (options.visibility !== undefined) judgeVisibility(options.visibility)
  if (options.ifAbsent !== undefined && typeof options.ifAbsent !== 'boolean') throw new InvalidArgumentError('ifAbsent is true or false')
  if (options.ifAbsent && options.ifMatch !== undefined) {
    throw new InvalidArgumentError('ifAbsent and ifMatch contradict each other: a file cannot be absent and have an etag')
  }
  if (options.checksum !== undefined) judgeChecksum(options.checksum)
  if (options.onProgress !== undefined && typeof options.onProgress !== 'function')
    throw new InvalidArgumentError('onProgress must be a function')
  if (!isReadOnly(driver)) refuseUnsupported(options, driver)
}

/** @throws as `judgeWriteOptions`, and UnsupportedError for conditions: what is added to is whatever is there */
export function judgeAppendOptions(options: AppendOptions, driver: Driver): void {
  judgeWriteOptions(options, driver)
  if (options.separator !== undefined && typeof options.separator !== 'string') throw new InvalidArgumentError('separator must be a string')
  if (options.ifAbsent || options.ifMatch !== undefined)
    throw new UnsupportedError('append and prepend take neither ifAbsent nor ifMatch: put with a condition instead')
}

function refuseUnsupported({ ifAbsent, ifMatch, visibility, metadata }: WriteOptions, driver: Driver): void {
  if (ifAbsent && !driver.supports.ifAbsent) throw new UnsupportedError('this store cannot write only when nothing is there (ifAbsent)')
  if (ifMatch !== undefined && !driver.supports.ifMatch)
    throw new UnsupportedError('this store cannot write over one version only (ifMatch)')
  if (visibility !== undefined && driver.visibility === undefined) throw noVisibility()
  if (metadata !== undefined && Object.keys(metadata).length > 0 && !driver.supports.metadata) {
    throw new UnsupportedError('this store keeps no metadata')
  }
}

/** A read-only stack says so itself, which is the better answer than that it lacks this or that. */
export function isReadOnly(driver: Driver): boolean {
  const [primary] = driver.inner
  return driver.kind === 'read-only' || (primary !== undefined && isReadOnly(primary))
}

export function noVisibility(): UnsupportedError {
  return new UnsupportedError(
    'this store has no visibility of single files: leave it out (with ACLs it has: acl: true on S3, uniformAccess: false on Google Cloud Storage)',
  )
}

/** @throws InvalidArgumentError for anything but `public` and `private` */
export function judgeVisibility(visibility: unknown): void {
  if (visibility !== 'public' && visibility !== 'private') {
    throw new InvalidArgumentError(`visibility is "public" or "private", not ${quote(String(visibility))}`)
  }
}

/** Methods take an options object; Laravel's string in its place would be dropped in silence. */
export function requireBag(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`options are an object such as { visibility: 'public' }, not ${quote(String(options))}`)
  }
}

function judgeHeader(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string' || CONTROL.test(value)) throw new InvalidArgumentError(`${name} must be a string of one line`)
}

/** Names become parts of header names. */
function judgeMetadata(bag: unknown): void {
  for (const name of judgedNames('metadata', bag)) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name))
      throw new InvalidArgumentError(`metadata has the name ${quote(name)}: use letters, digits, - and _`)
  }
}

/** Names are values: `Cost Center`, `team:owner`. Which characters a store takes, it says itself. */
function judgeTags(bag: unknown): void {
  for (const name of judgedNames('tags', bag)) {
    if (name === '' || CONTROL.test(name))
      throw new InvalidArgumentError(`tags has the name ${quote(name)}: names are one line, and not empty`)
  }
}

/** @throws InvalidArgumentError for anything but an object of strings of one line */
function judgedNames(name: string, bag: unknown): readonly string[] {
  if (bag === undefined) return []
  if (typeof bag !== 'object' || bag === null || Array.isArray(bag)) throw new InvalidArgumentError(`${name} must be an object of strings`)
  for (const [key, value] of Object.entries(bag)) {
    if (typeof value !== 'string' || CONTROL.test(value)) throw new InvalidArgumentError(`${name}.${key} must be a string of one line`)
  }
  return Object.keys(bag)
}

function judgeChecksum(checksum: NonNullable<WriteOptions['checksum']>): void {
  requireBag(checksum)
  const { algorithm, value } = checksum
  const { length } = createDigest(algorithm).digest('hex')
  if (typeof value !== 'string' || value.length !== length || !/^[0-9a-f]+$/.test(value)) {
    throw new InvalidArgumentError(`checksum.value must be ${length} digits of lower-case hex`)
  }
}

/** @throws InvalidArgumentError for a range that is no range, whatever the file's size */
export function judgeRange(range: Range | undefined): void {
  if (range === undefined) return
  requireBag(range)
  const { start, end, suffix } = range
  if (suffix !== undefined) {
    if (start !== undefined || end !== undefined) throw new InvalidArgumentError('a range has a start or a suffix, not both')
    if (!isCount(suffix) || suffix === 0) throw new InvalidArgumentError('the suffix of a range is a positive number of bytes')
    return
  }
  if (!isCount(start)) throw new InvalidArgumentError('the start of a range is a number of bytes from 0, or give { suffix }')
  if (end !== undefined && (!isCount(end) || end <= start))
    throw new InvalidArgumentError('the end of a range is exclusive and past its start')
}

/** @throws UnsupportedError where the store keeps no versions: what it has would be read instead, in silence */
export function judgeVersion(versionId: string | undefined, driver: Driver): void {
  if (versionId !== undefined && !driver.supports.versions) throw new UnsupportedError('this store keeps no versions: leave versionId out')
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** @throws InvalidArgumentError for a limit that is not a positive whole number */
export function judgeLimit(name: string, limit: number | undefined): void {
  if (limit !== undefined && (!isCount(limit) || limit === 0)) throw new InvalidArgumentError(`${name} is a positive whole number`)
}

/** @throws InvalidArgumentError for what no listing has */
export function judgeListing({ limit, after, cursor, recursive }: ListOptions, type: unknown): void {
  if (recursive !== undefined && typeof recursive !== 'boolean') throw new InvalidArgumentError('recursive is true or false')
  judgeLimit('the number of entries on a page', limit)
  if (type !== undefined && type !== 'file' && type !== 'directory') throw new InvalidArgumentError('type is "file" or "directory"')
  for (const [name, value] of Object.entries({ after, cursor })) {
    if (value !== undefined && typeof value !== 'string') throw new InvalidArgumentError(`${name} must be a string`)
  }
  if (after !== undefined) normalizePath(after)
}

/** @throws InvalidArgumentError for a size that is not a whole number of bytes */
export function judgeBytes(name: string, bytes: number | undefined): void {
  if (bytes !== undefined && !isCount(bytes)) throw new InvalidArgumentError(`${name} is a whole number of bytes`)
}

/** When a URL expires: seconds from now, or a moment. @throws InvalidArgumentError when it is past or no time at all */
export function expiryOf(expires: number | Date, now: Date): Date {
  const isDate = Object.prototype.toString.call(expires) === '[object Date]'
  const at = isDate ? new Date(expires) : new Date(now.getTime() + Number(expires) * 1_000)
  if (!(isDate || typeof expires === 'number') || Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError('expires is a number of seconds from now, or a Date')
  }
  if (at <= now) throw new InvalidArgumentError('expires is in the past: give seconds from now, or a Date to come')
  if (at.getTime() - now.getTime() > MAX_SIGNED_SECONDS * 1_000) throw new InvalidArgumentError('expires is more than a hundred years away')
  return at
}
