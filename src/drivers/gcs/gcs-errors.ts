/**
 * From what Google Cloud Storage answers, and what the network does, to our errors: by status and `reason`, never by message.
 *
 *   answer ──▶ GcsFailure (status, reason, request id: the cause that users see, without requests or headers) ──▶ StorageError
 *
 * What a 404 or a 412 means depends on the call, so a call says so: whether an object or the bucket is missing, and what condition
 * it made. Source: Cloud Storage documentation, "HTTP status and error codes for JSON".
 */
import {
  ConfigurationError,
  type ErrorCode,
  FileExistsError,
  FileNotFoundError,
  InvalidArgumentError,
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

/** What went wrong, without anything secret: the `cause` of our errors. */
export class GcsFailure extends Error {
  /** Undefined when there was no answer. */
  readonly status: number | undefined
  /** `notFound`, `conditionNotMet`, … */
  readonly reason: string | undefined
  /** What Google's support asks for: the header `x-guploader-uploadid`. */
  readonly requestId: string | undefined
  /** Of the network: `ECONNRESET`, … */
  readonly code: string | undefined

  constructor(message: string, { status, reason, requestId, code }: Partial<Pick<GcsFailure, 'status' | 'reason' | 'requestId' | 'code'>>) {
    super(message)
    Object.defineProperty(this, 'name', { value: 'GcsFailure', configurable: true, writable: true })
    this.status = status
    this.reason = reason
    this.requestId = requestId
    this.code = code
  }
}

const STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  405: 'unsupported',
  408: 'unavailable',
  409: 'already_exists',
  412: 'precondition_failed',
  413: 'invalid_argument',
  416: 'invalid_argument',
  429: 'rate_limited',
  499: 'unavailable',
  501: 'unsupported',
  503: 'rate_limited',
}

/** Reasons that say more than their status. */
const REASONS: Readonly<Record<string, ErrorCode>> = {
  authError: 'unauthenticated',
  dailyLimitExceeded: 'quota_exceeded',
  quotaExceeded: 'quota_exceeded',
  rateLimitExceeded: 'rate_limited',
  required: 'unauthenticated',
  userRateLimitExceeded: 'rate_limited',
}

/** Nothing was sent: there was no connection. */
const UNSENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'])

/** TLS and addresses that are wrong, and stay so; not a record that was damaged on its way. */
const CONFIGURATION =
  /^(CERT_|ERR_TLS_|ERR_SSL_(?!.*(?:BAD_RECORD_MAC|DECRYPT))|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_INVALID_URL|HOSTNAME_MISMATCH)/

const ERRORS: Readonly<Partial<Record<ErrorCode, new (message?: string, context?: { cause?: unknown }) => StorageError>>> = {
  already_exists: FileExistsError,
  configuration: ConfigurationError,
  invalid_argument: InvalidArgumentError,
  not_found: FileNotFoundError,
  permission_denied: PermissionDeniedError,
  precondition_failed: PreconditionFailedError,
  quota_exceeded: QuotaExceededError,
  rate_limited: RateLimitedError,
  unauthenticated: UnauthenticatedError,
  unavailable: UnavailableError,
  unsupported: UnsupportedError,
}

/** What a call asked for, where an answer alone does not say what it means. */
export interface Asked {
  /** The condition that a 412 refuses. */
  readonly condition?: 'ifAbsent' | 'ifMatch' | undefined
  /** The request set an ACL, which a bucket with uniform access or public access prevention refuses. */
  readonly acl?: boolean | undefined
}

/** The error of a failure; what is one of ours already, or no failure of the store, stays as it is. A 404 is the caller's to judge. */
export function translate(error: unknown, asked: Asked = {}): unknown {
  if (isStorageError(error) || !(error instanceof GcsFailure)) return error
  const { status } = error
  if (status === 412 && asked.condition === 'ifAbsent') return new FileExistsError(undefined, { cause: error })
  if (status === 412 && asked.condition === undefined && asked.acl)
    return new PermissionDeniedError('the bucket does not let files be public: it enforces public access prevention', { cause: error })
  if (status === 400 && asked.acl) return noAcls(error)
  const code = codeOf(error)
  const Class = ERRORS[code]
  return Class === undefined ? new StorageError(reasonOf(error), { cause: error }) : new Class(messageOf(code, error), { cause: error })
}

/** The code of a failure by itself. */
export function codeOf({ status, reason, code }: GcsFailure): ErrorCode {
  if (reason !== undefined && Object.hasOwn(REASONS, reason)) return REASONS[reason] as ErrorCode
  if (status !== undefined) return STATUS[status] ?? (status >= 500 ? 'unavailable' : status === 404 ? 'not_found' : 'unknown')
  return code !== undefined && CONFIGURATION.test(code) ? 'configuration' : 'unavailable'
}

/** Whether the same request may do better, when it does no harm to send it twice. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof GcsFailure)) return false
  const code = codeOf(error)
  return code === 'unavailable' || code === 'rate_limited'
}

/** Whether the request was certainly not carried out: it never left, or the store was too busy to begin. */
export function isUnsent(error: unknown): boolean {
  if (!(error instanceof GcsFailure)) return false
  return error.status === undefined ? UNSENT.has(error.code ?? '') : codeOf(error) === 'rate_limited'
}

export function missingBucket(bucket: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(`bucket ${quote(bucket)} does not exist, or belongs to a project that these credentials do not see`, {
    cause,
  })
}

/** A bucket with uniform access has no ACLs to set or to read. */
export function noAcls(cause?: unknown): UnsupportedError {
  return new UnsupportedError(
    'the bucket refuses ACLs: it has uniform bucket-level access, so files have no visibility of their own. Leave out "uniformAccess: false"',
    { cause },
  )
}

function messageOf(code: ErrorCode, { status, reason, code: network }: GcsFailure): string | undefined {
  if (code === 'configuration') return `the endpoint cannot be trusted or is no address (${network ?? 'TLS'})`
  if (code === 'unavailable' && status === undefined) return `the store cannot be reached (${network ?? 'no answer'})`
  if (code === 'permission_denied' && reason === 'accountDisabled') return 'permission denied: billing of the project is off'
  return code === 'invalid_argument' ? 'the store refuses the request as it is (400): see the cause' : undefined
}

function reasonOf({ status, reason }: GcsFailure): string {
  return `the store answers ${status ?? 'nothing'}${reason === undefined ? '' : ` (${reason})`}`
}

/** What the answer of a failed call says. */
export function failureOf(status: number, body: string, requestId: string | undefined): GcsFailure {
  const { message, reason } = parsedError(body)
  return new GcsFailure(message ?? `the store answers ${status}`, { status, reason, requestId })
}

/** The error that Node's sockets give, without the request. */
export function networkFailure(error: unknown): GcsFailure {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return new GcsFailure(typeof message === 'string' ? message : 'no answer', { code: typeof code === 'string' ? code : undefined })
}

/** `{ error: { message, errors: [{ reason }] } }`; a proxy in between may answer anything. */
function parsedError(body: string): { readonly message?: string | undefined; readonly reason?: string | undefined } {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown; errors?: readonly { reason?: unknown }[] } }
    const reason = error?.errors?.[0]?.reason
    return {
      message: typeof error?.message === 'string' ? error.message.slice(0, 1_000) : undefined,
      reason: typeof reason === 'string' ? reason : undefined,
    }
  } catch {
    return {}
  }
}

/**
 * The error of getting a token or a signature: what the SDK throws has requests with assertions in it, so only its code and status
 * are kept.
 */
export function translateAuth(error: unknown): StorageError {
  if (isStorageError(error)) return error
  const { response, code, message } = error as {
    readonly response?: { readonly status?: number; readonly data?: { readonly error?: unknown } }
    readonly code?: unknown
    readonly message?: unknown
  }
  const status = response?.status
  const reason = typeof response?.data?.error === 'string' ? response.data.error : undefined
  const cause = new GcsFailure(status === undefined && typeof message === 'string' ? message : `the token server answers ${status}`, {
    status,
    reason,
    code: typeof code === 'string' ? code : undefined,
  })
  if (status !== undefined && (status >= 500 || status === 429)) return new UnavailableError('no token could be had', { cause })
  if (status !== undefined)
    return new UnauthenticatedError(`the credentials were refused${reason === undefined ? '' : ` (${reason})`}`, { cause })
  if (cause.code?.startsWith('ERR_OSSL') || cause.code?.startsWith('ERR_CRYPTO'))
    return new ConfigurationError('the private key of the credentials cannot be read: it has to be as it is in the key file', { cause })
  if (cause.code !== undefined && /^E[A-Z_]+$/.test(cause.code) && !cause.code.startsWith('ERR_'))
    return new UnavailableError(`no token could be had (${cause.code})`, { cause })
  return new UnauthenticatedError(
    'there are no credentials: set "keyFile" or "credentials", or give the process application default credentials',
    { cause },
  )
}
