/**
 * Every failure of a disk is a StorageError with a `code`, and one subclass exists per code, so `instanceof` and `code` say the same.
 *
 *   read "a/b.txt" on disk "vault": not found (encrypted(s3))
 *   ╰op╯ ╰─path──╯         ╰disk─╯  ╰reason╯  ╰── stack ──╯
 *
 * Drivers throw the bare cause (`new FileNotFoundError()`); `Disk` fills in where it happened, on the same object.
 * Messages never carry secrets or signed URLs: only the operation, the path, the disk and a reason are printed.
 */

/** What went wrong, in one word. The strings are part of the public API. */
export type ErrorCode =
  | 'not_found'
  | 'already_exists'
  | 'precondition_failed'
  | 'permission_denied'
  | 'unauthenticated'
  | 'invalid_path'
  | 'invalid_argument'
  | 'unsupported'
  | 'read_only'
  | 'quota_exceeded'
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'corrupted'
  | 'key_not_found'
  | 'partial_failure'
  | 'configuration'
  | 'stray_disk'
  | 'unknown'

/** What was being done: the verb of the driver that failed. */
export type Operation =
  | 'stat'
  | 'read'
  | 'write'
  | 'delete'
  | 'list'
  | 'copy'
  | 'move'
  | 'append'
  | 'signUrl'
  | 'publicUrl'
  | 'visibility'
  | 'setVisibility'
  | 'makeDirectory'
  | 'deleteDirectory'
  | 'multipart'
  | 'buckets'
  | 'check'
  | 'close'

/** Where an error happened. Everything may be left out: `Disk` fills in what is missing. */
export interface ErrorContext {
  readonly operation?: Operation | undefined
  readonly path?: string | undefined
  /** The disk's name. */
  readonly disk?: string | undefined
  /** The stack of drivers as a person reads it: `encrypted(s3)`. */
  readonly driver?: string | undefined
  readonly cause?: unknown
  /** Whether the same call may succeed later. Defaults to true for `rate_limited`, `unavailable` and `timeout`. */
  readonly retryable?: boolean | undefined
}

const DEFAULT_REASONS = {
  not_found: 'not found',
  already_exists: 'already exists',
  precondition_failed: 'the file has changed since it was read',
  permission_denied: 'permission denied',
  unauthenticated: 'the credentials were refused',
  invalid_path: 'invalid path',
  invalid_argument: 'invalid argument',
  unsupported: 'not supported',
  read_only: 'the disk is read-only',
  quota_exceeded: 'the size limit was exceeded',
  rate_limited: 'too many requests',
  unavailable: 'the store is unavailable',
  timeout: 'timed out',
  corrupted: 'the content is corrupted',
  key_not_found: 'the encryption key is not known',
  partial_failure: 'some paths failed',
  configuration: 'the configuration is wrong',
  stray_disk: 'a real disk was used while stray disks are prevented',
  unknown: 'failed',
} satisfies Record<ErrorCode, string>

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['rate_limited', 'unavailable', 'timeout'])

/** Marks our errors across copies of the package and across realms, where `instanceof` fails. */
const BRAND: unique symbol = Symbol.for('stowage.StorageError') as never

/** The base of every error a disk rejects with; itself the error of code `unknown`. */
export class StorageError extends Error {
  readonly code: ErrorCode
  readonly operation: Operation | undefined
  readonly path: string | undefined
  readonly disk: string | undefined
  readonly retryable: boolean
  readonly #reason: string
  #driver: string | undefined

  constructor(message?: string, context: ErrorContext = {}, code: ErrorCode = 'unknown') {
    const reason = message ?? DEFAULT_REASONS[code]
    super(describe(reason, context), context.cause === undefined ? undefined : { cause: context.cause })
    Object.defineProperty(this, BRAND, { value: true })
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true })
    this.code = code
    this.operation = context.operation
    this.path = context.path
    this.disk = context.disk
    this.retryable = context.retryable ?? RETRYABLE.has(code)
    this.#reason = reason
    this.#driver = context.driver
  }

  /** Fills in what the thrower did not know, on this very object. What is already said stays. V8 writes `stack` when it is first read, so it agrees. */
  locate(context: ErrorContext): this {
    const self = this as { -readonly [K in keyof this]: this[K] }
    self.operation = this.operation ?? context.operation
    self.path = this.path ?? context.path
    self.disk = this.disk ?? context.disk
    this.#driver = this.#driver ?? context.driver
    this.message = describe(this.#reason, { operation: this.operation, path: this.path, disk: this.disk, driver: this.#driver })
    return this
  }

  /** What went wrong, without the place. */
  get reason(): string {
    return this.#reason
  }

  /** What a log may hold: no cause, because SDK errors carry requests and headers. */
  toJSON(): { name: string; code: ErrorCode; message: string; operation?: string; path?: string; disk?: string; retryable: boolean } {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      ...(this.operation !== undefined && { operation: this.operation }),
      ...(this.path !== undefined && { path: this.path }),
      ...(this.disk !== undefined && { disk: this.disk }),
      retryable: this.retryable,
    }
  }
}

function describe(reason: string, { operation, path, disk, driver }: ErrorContext): string {
  const subject = [operation, path === undefined ? undefined : quote(path), disk === undefined ? undefined : `on disk ${quote(disk)}`]
  const where = subject.filter((part) => part !== undefined).join(' ')
  return `${where && `${where}: `}${reason}${driver === undefined ? '' : ` (${driver})`}`
}

/** A user's text in a message: quoted, control characters escaped, and never longer than a line. */
export function quote(text: string): string {
  const quoted = JSON.stringify(String(text)).replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeCharacter)
  return quoted.length <= 1_100 ? quoted : `${quoted.slice(0, 1_000)}…"`
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The file does not exist, or a directory is there. */
export class FileNotFoundError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'not_found')
  }
}

/** `ifAbsent` lost, or a directory or file stands where the other was to be made. */
export class FileExistsError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'already_exists')
  }
}

/** `ifMatch` lost, or the file changed while it was being worked on. */
export class PreconditionFailedError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'precondition_failed')
  }
}

/** The store knows who asks, and says no. */
export class PermissionDeniedError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'permission_denied')
  }
}

/** The store does not accept the credentials. */
export class UnauthenticatedError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'unauthenticated')
  }
}

/** The path leaves the root, has a character that no disk takes, or is too long for its store. */
export class InvalidPathError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'invalid_path')
  }
}

/** An argument or option is wrong, whatever the store. */
export class InvalidArgumentError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'invalid_argument')
  }
}

/** The store, or a layer above it, cannot do this. */
export class UnsupportedError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'unsupported')
  }
}

/** The disk may only be read. */
export class ReadOnlyError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'read_only')
  }
}

/** More bytes than allowed: the store is full, or the file is larger than `maxBytes`. */
export class QuotaExceededError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'quota_exceeded')
  }
}

/** The store asks to slow down. */
export class RateLimitedError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'rate_limited')
  }
}

/** The store cannot be reached, or failed on its side. */
export class UnavailableError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'unavailable')
  }
}

/** `timeoutMs` ran out. */
export class TimeoutError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'timeout')
  }
}

/** Bytes are not what they must be: a wrong checksum, not JSON, a damaged ciphertext. */
export class IntegrityError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'corrupted')
  }
}

/** The file names an encryption key that the disk was not given. */
export class KeyNotFoundError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'key_not_found')
  }
}

/** One path that failed among several. */
export interface PathFailure {
  readonly path: string
  readonly error: StorageError
}

/** Some of several paths failed; the others are done. */
export class PartialFailureError extends StorageError {
  readonly failures: readonly PathFailure[]

  constructor(message?: string, context: ErrorContext & { readonly failures?: readonly PathFailure[] | undefined } = {}) {
    const failures = context.failures ?? []
    super(
      message ?? summary(failures),
      { ...context, retryable: context.retryable ?? (failures.length > 0 && failures.every((f) => f.error.retryable)) },
      'partial_failure',
    )
    this.failures = failures
  }
}

function summary(failures: readonly PathFailure[]): string {
  const first = failures[0]
  if (first === undefined) return DEFAULT_REASONS.partial_failure
  return `${failures.length} ${failures.length === 1 ? 'path' : 'paths'} failed, the first, ${quote(first.path)}: ${first.error.reason}`
}

/** The configuration of a disk is wrong or incomplete, or its bucket does not exist. */
export class ConfigurationError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'configuration')
  }
}

/** A real disk was used after `preventStrayDisks()`. */
export class StrayDiskError extends StorageError {
  constructor(message?: string, context?: ErrorContext) {
    super(message, context, 'stray_disk')
  }
}

/** True for every error of this package, from whatever copy or realm it comes. */
export function isStorageError(error: unknown): error is StorageError {
  return typeof error === 'object' && error !== null && BRAND in error
}

/** True when a file is missing. */
export function isNotFound(error: unknown): error is FileNotFoundError {
  return isStorageError(error) && error.code === 'not_found'
}

/** A StorageError as it is; anything else as the cause of one of code `unknown`, with its message. */
export function toStorageError(error: unknown, context: ErrorContext = {}): StorageError {
  if (isStorageError(error)) return error
  const message =
    error instanceof Error || (typeof error === 'object' && error !== null && 'message' in error) ? String(error.message) : String(error)
  return new StorageError(withoutSecrets(message) || undefined, { ...context, cause: error })
}

/** A foreign message without the credentials and the query of the URLs in it: that is where signatures are. */
function withoutSecrets(message: string): string {
  return message.replace(/\b([a-z][\w+.-]*:\/\/)(?:[^\s/?#@"'<>]*@)?([^\s?#"'<>]*)(?:\?[^\s"'<>]*)?/gi, '$1$2')
}
