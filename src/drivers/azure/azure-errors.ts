/**
 * What Azure's answers mean for a disk: one table by error code, one by status, and never by message.
 *
 * The SDK's errors carry the request, and with it signatures in URLs and headers. The cause that is kept is a copy of what may be
 * told: code, status, the service's request id and the first line of its message.
 */
import type { ErrorCode, ErrorContext, StorageError } from '../../errors.ts'
import * as errors from '../../errors.ts'

/** What is kept of an SDK's error. */
export interface AzureCause extends Error {
  readonly code: string
  readonly statusCode: number | undefined
  readonly requestId: string | undefined
}

/** Common REST API error codes, and error codes of the blob service (Azure Storage REST API reference). */
const CODES = {
  BlobNotFound: 'not_found',
  ResourceNotFound: 'not_found',
  ContainerNotFound: 'configuration',
  ContainerBeingDeleted: 'unavailable',
  BlobAlreadyExists: 'already_exists',
  ContainerAlreadyExists: 'already_exists',
  ResourceAlreadyExists: 'already_exists',
  ConditionNotMet: 'precondition_failed',
  TargetConditionNotMet: 'precondition_failed',
  SourceConditionNotMet: 'precondition_failed',
  AppendPositionConditionNotMet: 'precondition_failed',
  AuthenticationFailed: 'unauthenticated',
  InvalidAuthenticationInfo: 'unauthenticated',
  NoAuthenticationInformation: 'unauthenticated',
  AuthorizationFailure: 'permission_denied',
  AuthorizationPermissionMismatch: 'permission_denied',
  AuthorizationProtocolMismatch: 'permission_denied',
  AuthorizationResourceTypeMismatch: 'permission_denied',
  AuthorizationServiceMismatch: 'permission_denied',
  AuthorizationSourceIPMismatch: 'permission_denied',
  InsufficientAccountPermissions: 'permission_denied',
  KeyBasedAuthenticationNotPermitted: 'permission_denied',
  PublicAccessNotPermitted: 'permission_denied',
  AccountIsDisabled: 'permission_denied',
  ContainerDisabled: 'permission_denied',
  BlobImmutableDueToPolicy: 'permission_denied',
  LeaseIdMissing: 'permission_denied',
  LeaseIdMismatchWithBlobOperation: 'permission_denied',
  LeaseIdMismatchWithContainerOperation: 'permission_denied',
  LeaseLost: 'permission_denied',
  ServerBusy: 'rate_limited',
  OperationTimedOut: 'unavailable',
  InternalError: 'unavailable',
  AccountBeingCreated: 'unavailable',
  PendingCopyOperation: 'unavailable',
  BlobArchived: 'unsupported',
  BlobBeingRehydrated: 'unsupported',
  InvalidBlobType: 'unsupported',
  InvalidBlobOrBlock: 'unsupported',
  APINotImplemented: 'unsupported',
  FeatureNotSupported: 'unsupported',
  InvalidRange: 'invalid_argument',
  InvalidMetadata: 'invalid_argument',
  EmptyMetadataKey: 'invalid_argument',
  MetadataTooLarge: 'invalid_argument',
  InvalidHeaderValue: 'invalid_argument',
  InvalidQueryParameterValue: 'invalid_argument',
  InvalidTagName: 'invalid_argument',
  InvalidTagValue: 'invalid_argument',
  InvalidBlobTier: 'invalid_argument',
  OutOfRangeInput: 'invalid_argument',
  InvalidResourceName: 'invalid_path',
  InvalidUri: 'invalid_path',
  RequestBodyTooLarge: 'quota_exceeded',
  BlockCountExceedsLimit: 'quota_exceeded',
  Md5Mismatch: 'corrupted',
  Crc64Mismatch: 'corrupted',
} satisfies Record<string, ErrorCode>

/** Where the answer has no code that is known. */
const STATUSES: Readonly<Record<number, Failure>> = {
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  412: 'precondition_failed',
  413: 'quota_exceeded',
  416: 'invalid_argument',
  429: 'rate_limited',
  503: 'rate_limited',
}

/** What to tell where the code alone says too little. */
const REASONS: Readonly<Record<string, string>> = {
  ContainerBeingDeleted: 'the container is being deleted: a new one of its name can be made in a while',
  AuthenticationFailed: 'the credentials were refused: the account key or the SAS is wrong, or the SAS has expired',
  AuthorizationFailure: 'the account refuses it: a firewall or network rule, or a SAS without this permission',
  AuthorizationPermissionMismatch:
    'the credentials lack the permission for this (a role such as Storage Blob Data Contributor, or a permission of the SAS)',
  KeyBasedAuthenticationNotPermitted: 'the account takes no keys: use an identity',
  PublicAccessNotPermitted: 'the account does not allow public access',
  BlobImmutableDueToPolicy: 'an immutability policy or a legal hold keeps the file as it is',
  LeaseIdMissing: 'somebody holds a lease on it: it can be changed when the lease has ended or is broken',
  BlobArchived: 'the file is in the archive tier: set its tier to Hot or Cool and wait until it is there, then read it',
  BlobBeingRehydrated: 'the file is on its way out of the archive tier: that takes hours',
  InvalidBlobType: 'the blob is of another type (append or page blob) than this needs',
  InvalidBlobOrBlock:
    'an unfinished upload of another program to the same blob is in the way: it is gone a week later, or when the blob is deleted',
  MetadataTooLarge: 'the metadata is larger than 8 KiB',
  Md5Mismatch: 'the bytes that arrived are not those that were sent',
  Crc64Mismatch: 'the bytes that arrived are not those that were sent',
}

const ERRORS = {
  not_found: errors.FileNotFoundError,
  configuration: errors.ConfigurationError,
  already_exists: errors.FileExistsError,
  precondition_failed: errors.PreconditionFailedError,
  unauthenticated: errors.UnauthenticatedError,
  permission_denied: errors.PermissionDeniedError,
  rate_limited: errors.RateLimitedError,
  unavailable: errors.UnavailableError,
  unsupported: errors.UnsupportedError,
  invalid_argument: errors.InvalidArgumentError,
  invalid_path: errors.InvalidPathError,
  quota_exceeded: errors.QuotaExceededError,
  corrupted: errors.IntegrityError,
} satisfies Partial<Record<ErrorCode, new (message?: string, context?: ErrorContext) => StorageError>>

type Failure = keyof typeof ERRORS

/** An error of the SDK, seen by its shape: it may come from another copy or realm. */
interface SdkError {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly statusCode?: unknown
  readonly request?: { readonly method?: unknown } | undefined
  readonly response?: { readonly headers?: { get(name: string): string | undefined } | undefined } | undefined
}

/** A bare StorageError for what the SDK threw; everything else, such as the reason of an abort, as it is. */
export function toAzureError(error: unknown, container: string): unknown {
  if (errors.isStorageError(error) || !isSdkError(error)) return error
  const { statusCode: status } = error
  const code = codeOf(error)
  const cause = causeOf(error, code)
  if (CREDENTIAL_ERRORS.test(error.name)) return new errors.UnauthenticatedError(`no identity could be had (${error.name})`, { cause })
  if (typeof status !== 'number') return new errors.UnavailableError(`the store cannot be reached (${code || 'no answer'})`, { cause })
  return failureOf(code, { status, container, cause, head: error.request?.method === 'HEAD' })
}

/** The error of one answer in a batch. */
export function errorOfAnswer(status: number, code: string | undefined, container: string): StorageError {
  return failureOf(code ?? '', { status, container, cause: undefined, head: false })
}

interface Answer {
  readonly status: number
  readonly container: string
  readonly cause: AzureCause | undefined
  readonly head: boolean
}

function failureOf(code: string, { status, container, cause, head }: Answer): StorageError {
  if (code === 'ContainerNotFound') {
    return new errors.ConfigurationError(`the container ${errors.quote(container)} does not exist: create it first`, { cause })
  }
  const failure: Failure | undefined = Object.hasOwn(CODES, code)
    ? CODES[code as keyof typeof CODES]
    : (STATUSES[status] ?? (status >= 500 ? 'unavailable' : undefined))
  if (failure === undefined) return new errors.StorageError(`the store refused it (${code || status})`, { cause })
  const bareHead = head && status === 403 && code === ''
  const reason = bareHead ? 'forbidden: the credentials may be wrong, or lack the permission to read' : REASONS[code]
  return new ERRORS[failure](reason, { cause })
}

/** Of @azure/identity, which has no status. */
const CREDENTIAL_ERRORS = /^(?:AggregateAuthentication|Authentication|AuthenticationRequired|CredentialUnavailable)Error$/

function isSdkError(error: unknown): error is SdkError {
  if (typeof error !== 'object' || error === null || !('name' in error) || typeof error.name !== 'string') return false
  return error.name === 'RestError' || CREDENTIAL_ERRORS.test(error.name)
}

/** The service's code of an error that the SDK threw, in the body or, for HEAD, in a header; `''` for anything else. */
export function codeOf(error: unknown): string {
  if (errors.isStorageError(error)) return codeOf(error.cause)
  if (typeof error !== 'object' || error === null) return ''
  const { code, response } = error as Partial<SdkError>
  const found = response?.headers?.get('x-ms-error-code') ?? (typeof code === 'string' ? code : '')
  // Azurite says this of a wrong key, for which Azure says AuthenticationFailed.
  const isEmulator = response?.headers?.get('server')?.startsWith('Azurite') === true
  return isEmulator && found === 'AuthorizationFailure' ? 'AuthenticationFailed' : found
}

/** What the SDK puts between its own words and an answer that it could not parse. */
const QUOTED_ANSWER = ' - '

function causeOf({ name, message, code: sdkCode, statusCode, response }: SdkError, code: string): AzureCause {
  const own = sdkCode === 'PARSE_ERROR' ? message.split(QUOTED_ANSWER, 1).join('') : message
  const [firstLine = ''] = own.replace(/(\bhttps?:\/\/[^\s?"']*)\?[^\s"']*/g, '$1').split('\n')
  return Object.assign(new Error(firstLine), {
    name,
    code,
    statusCode: typeof statusCode === 'number' ? statusCode : undefined,
    requestId: response?.headers?.get('x-ms-request-id'),
  })
}
