/**
 * Errors of S3, of its SDK and of the connection → ours, by code and status, never by text.
 *
 * `cause` is a small error of our own: code, status, request ids, attempts and the store's message. What the SDK throws drags the
 * request along, with its Authorization header, and so goes no further.
 */
import {
  ConfigurationError,
  type ErrorCode,
  type ErrorContext,
  FileExistsError,
  FileNotFoundError,
  IntegrityError,
  InvalidArgumentError,
  InvalidPathError,
  isNotFound,
  isStorageError,
  PermissionDeniedError,
  PreconditionFailedError,
  QuotaExceededError,
  quote,
  RateLimitedError,
  StorageError,
  UnauthenticatedError,
  UnavailableError,
  UnsupportedError,
} from '../../errors.ts'
import type { KeyFailure } from './requests.ts'

/** The `cause` of an error of this driver. */
export interface S3Cause extends Error {
  readonly code: string
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined
  readonly requestId: string | undefined
  /** `x-amz-id-2`: Amazon's support asks for both. */
  readonly extendedRequestId: string | undefined
  readonly attempts: number | undefined
}

type Rule = ErrorCode | readonly [code: ErrorCode, reason: string, retryable?: boolean]

const ARCHIVED = 'the file is archived: restore it before it is read'
const WRONG_REGION = 'the bucket is in another region: set "region" to that of the bucket'
const CLOCK = 'the clock of this machine is off by more than the store accepts'
const NO_CREDENTIALS = 'no credentials were found: set "key" and "secret", or give the SDK some (environment, profile, role)'

/** S3 API reference, "Error responses", and what compatible stores add to it. */
const CODES: Readonly<Record<string, Rule>> = {
  NoSuchKey: 'not_found',
  NoSuchVersion: ['not_found', 'there is no such version of the file'],
  NotFound: 'not_found',
  NoSuchUpload: ['invalid_argument', 'there is no such upload: it was completed or aborted'],
  PreconditionFailed: 'precondition_failed',
  ConditionalRequestConflict: ['precondition_failed', 'another write was under way'],
  NotModified: 'precondition_failed',
  AccessDenied: 'permission_denied',
  AllAccessDisabled: 'permission_denied',
  AccountProblem: 'permission_denied',
  ObjectLockConfigurationNotFoundError: 'unsupported',
  InvalidAccessKeyId: 'unauthenticated',
  SignatureDoesNotMatch: 'unauthenticated',
  AuthorizationHeaderMalformed: ['configuration', WRONG_REGION],
  ExpiredToken: ['unauthenticated', 'the credentials have expired'],
  ExpiredTokenException: ['unauthenticated', 'the credentials have expired'],
  TokenRefreshRequired: 'unauthenticated',
  InvalidToken: 'unauthenticated',
  InvalidSecurity: 'unauthenticated',
  NotSignedUp: 'unauthenticated',
  Unauthorized: 'unauthenticated',
  RequestTimeTooSkewed: ['unauthenticated', CLOCK],
  CredentialsProviderError: ['unauthenticated', NO_CREDENTIALS],
  TokenProviderError: ['unauthenticated', NO_CREDENTIALS],
  SlowDown: 'rate_limited',
  SlowDownRead: 'rate_limited',
  SlowDownWrite: 'rate_limited',
  Throttling: 'rate_limited',
  ThrottlingException: 'rate_limited',
  RequestLimitExceeded: 'rate_limited',
  RequestThrottled: 'rate_limited',
  TooManyRequests: 'rate_limited',
  TooManyRequestsException: 'rate_limited',
  BandwidthLimitExceeded: 'rate_limited',
  ServiceUnavailable: 'rate_limited',
  InternalError: 'unavailable',
  InternalServerError: 'unavailable',
  RequestTimeout: ['unavailable', 'the store waited too long for the request'],
  TimeoutError: ['unavailable', 'the store did not answer in time'],
  OperationAborted: ['unavailable', 'another operation on the same thing was under way'],
  IncompleteBody: 'unavailable',
  PermanentRedirect: ['configuration', WRONG_REGION],
  TemporaryRedirect: ['unavailable', 'the bucket is being moved'],
  IllegalLocationConstraintException: ['configuration', WRONG_REGION],
  InvalidBucketName: ['configuration', 'the name of the bucket is not valid'],
  BucketAlreadyExists: ['already_exists', 'there is a bucket of this name already: names are shared by all accounts'],
  BucketAlreadyOwnedByYou: ['already_exists', 'there is a bucket of this name already'],
  BucketNotEmpty: ['precondition_failed', 'the bucket is not empty: delete it with { force: true }'],
  AccessControlListNotSupported: [
    'unsupported',
    'the bucket has no ACLs (object ownership is enforced): leave out "acl", or use a bucket policy',
  ],
  EntityTooLarge: ['quota_exceeded', 'the file is larger than the store takes'],
  EntityTooSmall: ['invalid_argument', 'a part that is not the last is smaller than 5 MiB'],
  QuotaExceeded: ['quota_exceeded', 'the quota of the store is used up'],
  XMinioStorageFull: ['quota_exceeded', 'the store is full'],
  MetadataTooLarge: ['invalid_argument', 'the metadata is larger than the 2 KB that S3 takes'],
  KeyTooLongError: ['invalid_path', 'the key is longer than the store takes'],
  KeyTooLong: ['invalid_path', 'the key is longer than the store takes'],
  InvalidRange: ['invalid_argument', 'the range begins past the end of the file'],
  InvalidPart: ['invalid_argument', 'a part of the upload is missing, or was replaced'],
  InvalidPartOrder: ['invalid_argument', 'the parts are not in order'],
  InvalidStorageClass: ['invalid_argument', 'the store has no such storage class'],
  InvalidObjectState: ['unavailable', ARCHIVED, false],
  BadDigest: ['corrupted', 'the store got other bytes than were sent'],
  InvalidDigest: ['corrupted', 'the checksum is not valid'],
  XAmzContentSHA256Mismatch: ['corrupted', 'the store got other bytes than were sent'],
  XAmzContentChecksumMismatch: ['corrupted', 'the store got other bytes than were sent'],
  NotImplemented: ['unsupported', 'the store does not implement this'],
  MethodNotAllowed: ['unsupported', 'the store does not allow this; of a version: it is a delete marker'],
  ERR_INVALID_PROTOCOL: ['configuration', '"agent" is of the other protocol than the endpoint'],
  ECONNREFUSED: ['unavailable', 'the store cannot be reached: connection refused'],
  ENOTFOUND: ['unavailable', 'the store cannot be reached: its host name is not known'],
  ECONNRESET: ['unavailable', 'the connection was cut'],
  ERR_STREAM_PREMATURE_CLOSE: ['unavailable', 'the connection was cut'],
  EPIPE: ['unavailable', 'the connection was cut'],
  EBADMSG: ['unavailable', 'the answer cannot be read as HTTP/1.1: look at "endpoint", its scheme and its port, and at proxies on the way'],
}

/** For answers without a code, or with one that is not in the table. */
const STATUSES: Readonly<Record<number, Rule>> = {
  301: ['configuration', WRONG_REGION],
  307: ['unavailable', 'the bucket is being moved'],
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  405: ['unsupported', 'the store does not allow this; of a version: it is a delete marker'],
  408: 'unavailable',
  409: ['unavailable', 'another operation on the same thing was under way'],
  412: 'precondition_failed',
  413: ['quota_exceeded', 'the file is larger than the store takes'],
  416: ['invalid_argument', 'the range begins past the end of the file'],
  429: 'rate_limited',
  501: ['unsupported', 'the store does not implement this'],
  503: 'rate_limited',
}

const CLASSES = {
  not_found: FileNotFoundError,
  already_exists: FileExistsError,
  precondition_failed: PreconditionFailedError,
  permission_denied: PermissionDeniedError,
  unauthenticated: UnauthenticatedError,
  invalid_path: InvalidPathError,
  invalid_argument: InvalidArgumentError,
  unsupported: UnsupportedError,
  quota_exceeded: QuotaExceededError,
  rate_limited: RateLimitedError,
  unavailable: UnavailableError,
  corrupted: IntegrityError,
  configuration: ConfigurationError,
} satisfies Partial<Record<ErrorCode, typeof FileNotFoundError>>

const BARE_DENIAL =
  'permission denied: the answer does not say why; the credentials may lack s3:GetObject, or s3:ListBucket for a file that is missing'
/** Codes of options that Node does not take for a connection. */
const OPTIONS = /^ERR_(OSSL_|SOCKET_BAD_PORT|TLS_INVALID_|TLS_PROTOCOL_VERSION_CONFLICT|SSL_NO_CIPHER_MATCH|INVALID_ARG_)/
/** Codes of OpenSSL's verification, as Node names them. */
const CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_)/

/** Of a connection that is secured already: what came is not what was sent. */
const DAMAGED = /BAD_RECORD_MAC|DECRYPT/

/** An error of ours as it is; anything else translated. @param bucket for the error that says that it is missing */
export function translated(error: unknown, bucket: string): StorageError {
  if (isStorageError(error)) return error
  const cause = causeOf(error)
  const { code, status } = cause
  if (code === 'NoSuchBucket') return missingBucket(bucket, cause)
  if (status === 403 && isBare(error)) return new PermissionDeniedError(BARE_DENIAL, { cause })
  if (isUnsent(error, cause)) return new ConfigurationError(`the request could not be made: ${cause.message}`, { cause })
  return made(ruleOf(cause), cause)
}

export function missingBucket(bucket: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(`there is no bucket ${quote(bucket)}: create it, or correct "bucket", "region" or "endpoint"`, { cause })
}

/** Something answered as if all were well, and was no store: a console, a proxy, a page for people who log in. */
export function noStore(): UnavailableError {
  return new UnavailableError('the answer is not that of an S3 API: look at "endpoint"', { retryable: false })
}

/** Of an answer whose end could not be told from a cut. */
export function noLength(): UnavailableError {
  return new UnavailableError('the answer has no Content-Length: something between the store and this process takes it out', {
    retryable: false,
  })
}

/** The error for one key of many, which has a code and no answer of its own. */
export function errorOfCode(code: string, message: string | undefined): StorageError {
  const cause = Object.assign(new Error(message ?? code), { name: code, code })
  return made(CODES[code] ?? 'unknown', cause)
}

/** Whether the answer was a denial without a body, as that to HEAD is. Expired credentials are a bad request to Amazon. */
export function isUnexplained(error: unknown): boolean {
  if (!isStorageError(error)) return false
  const { code, status } = (error.cause ?? {}) as Partial<S3Cause>
  return code === 'Unknown' && (status === 403 || status === 400)
}

/** What DeleteObjects says of keys that it could not delete. One that is missing is as good as deleted. */
export function keyFailures(
  failures: readonly { readonly key: string | undefined; readonly code: string | undefined; readonly message: string | undefined }[],
): readonly KeyFailure[] {
  return failures
    .map(({ key = '', code = 'InternalError', message }) => ({ key, error: errorOfCode(code, message) }))
    .filter(({ error }) => !isNotFound(error))
}

/** Whether what was asked for is there, by a request of HEAD; true also where that must not be known. */
export async function isThere(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    if (isStorageError(error) && error.code === 'permission_denied') return true
    throw error
  }
}

/** How often the request was sent that failed so; 1 where that is not known. */
export function attemptsOf({ cause }: StorageError): number {
  return (cause as Partial<S3Cause> | undefined)?.attempts ?? 1
}

function made(rule: Rule, cause: Error): StorageError {
  const [code, reason, retryable] = typeof rule === 'string' ? ([rule] as const) : rule
  const context: ErrorContext = { cause, retryable }
  if (Object.hasOwn(CLASSES, code)) return new CLASSES[code as keyof typeof CLASSES](reason, context)
  return new StorageError(reason ?? cause.message, context)
}

function ruleOf({ code, status, message }: S3Cause): Rule {
  const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined
  if (known !== undefined) return known
  if (status === undefined) return ruleOfConnection(code)
  const byStatus = STATUSES[status]
  if (byStatus !== undefined) return byStatus
  if (status >= 500) return 'unavailable'
  if (status >= 400)
    return ['invalid_argument', `the store refused the request: ${code}${message === '' || message === code ? '' : `, ${message}`}`]
  return ['unavailable', 'the answer of the store could not be read']
}

/** Failures before there is an answer: of sockets, of names, of certificates. */
function ruleOfConnection(code: string): Rule {
  if (OPTIONS.test(code)) return ['configuration', `no connection can be made like this (${code}): see "tls"`]
  if (DAMAGED.test(code)) return ['unavailable', `the connection was damaged on its way (${code})`]
  if (CERTIFICATE.test(code)) return ['configuration', `the certificate of the store is not trusted (${code}): see "tls"`]
  if (/^(E[A-Z_]+|HPE_\w+|ERR_\w+)$/.test(code)) return ['unavailable', `the store cannot be reached (${code})`]
  return 'unknown'
}

/** An answer to HEAD has no body, so the SDK finds no code in it. */
function isBare(error: unknown): boolean {
  return (error as SdkError).Code === undefined
}

/** A plain error without a code, before anything was sent: the SDK misses something, such as a region. */
function isUnsent(error: unknown, { code, status }: S3Cause): boolean {
  return code === 'Error' && status === undefined && (error as SdkError).$metadata === undefined
}

interface SdkError {
  readonly name?: unknown
  readonly code?: unknown
  readonly Code?: unknown
  readonly message?: unknown
  readonly $metadata?: { httpStatusCode?: number; requestId?: string; extendedRequestId?: string; attempts?: number } | undefined
}

/** In a message of a store that says back what it was told. */
export const SIGNED: RegExp = /Credential=|Signature=/i
export const UNTOLD = 'the message of the store is left out: it says back what the request was signed with'

function causeOf(error: unknown): S3Cause {
  const {
    name,
    code,
    Code,
    message,
    $metadata = {},
  } = (typeof error === 'object' && error !== null ? error : { message: error }) as SdkError
  const status = $metadata.httpStatusCode
  // Errors of Node have their code in `code`; those of the SDK in `name`, and unmodelled ones in `Code` as well.
  const named = [Code, status === undefined ? code : undefined, name].find((value) => typeof value === 'string' && value !== '')
  // For an answer without a code the SDK makes one up, which radosgw really uses.
  const own =
    typeof named !== 'string' ? 'Error' : Code === undefined && status !== undefined && named.startsWith('Unknown') ? 'Unknown' : named
  const told = typeof message === 'string' ? message : own
  return Object.assign(new Error(SIGNED.test(told) ? UNTOLD : told), {
    name: own,
    code: own,
    status,
    requestId: $metadata.requestId,
    extendedRequestId: $metadata.extendedRequestId,
    attempts: $metadata.attempts,
  })
}
