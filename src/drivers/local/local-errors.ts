/**
 * What the system's errors mean for a disk: one table, by errno code and never by message.
 *
 * ENOENT, ENOTDIR and the like mean "not found" to a reader, and "something else stands there" to a writer.
 */
import type { ErrorCode, ErrorContext, StorageError } from '../../errors.ts'
import {
  FileExistsError,
  FileNotFoundError,
  InvalidPathError,
  isStorageError,
  PermissionDeniedError,
  QuotaExceededError,
  UnavailableError,
} from '../../errors.ts'

/** Whether the failing call was to change something. */
export type Intent = 'read' | 'write'

const CODES = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EISDIR: 'not_found',
  ENXIO: 'not_found',
  EEXIST: 'already_exists',
  ENOTEMPTY: 'already_exists',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  ETXTBSY: 'permission_denied',
  ELOOP: 'permission_denied',
  ENOSPC: 'quota_exceeded',
  EDQUOT: 'quota_exceeded',
  EFBIG: 'quota_exceeded',
  ENAMETOOLONG: 'invalid_path',
  EILSEQ: 'invalid_path',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  EBUSY: 'unavailable',
  EAGAIN: 'unavailable',
  EIO: 'unavailable',
  ESTALE: 'unavailable',
} satisfies Record<string, ErrorCode>

const IN_THE_WAY: ReadonlySet<string> = new Set(['ENOTDIR', 'EISDIR', 'ENXIO', 'ENOTEMPTY'])

/** A symbolic link, or another spelling, where a plain name was expected. */
export class LinkError extends Error {
  /** Whether the disk's policy refuses it; else it is as if it were not there. */
  readonly refused: boolean

  constructor(refused: boolean) {
    super('a symbolic link is in the path')
    this.refused = refused
  }
}

/** What the content's own source threw: not ours to judge, whatever its code says. */
export class SourceError extends Error {
  constructor(cause: unknown) {
    super('the source failed', { cause })
  }
}

/** A bare StorageError for what the file system threw; everything else, such as the reason of an abort, as it is. */
export function toLocalError(error: unknown, intent: Intent): unknown {
  if (isStorageError(error)) return error
  if (error instanceof SourceError) return error.cause
  if (error instanceof LinkError) return linkError(error, intent)
  const errno = errnoOf(error)
  if (intent === 'write' && IN_THE_WAY.has(errno)) {
    return new FileExistsError('a file or a directory is in the way', { cause: error })
  }
  if (!Object.hasOwn(CODES, errno)) return error
  const [Failure, reason] = ERRORS[CODES[errno as keyof typeof CODES]]
  return new Failure(reason && `${reason} (${errno})`, { cause: error })
}

/** The errno code of a system error; `''` for anything else. */
export function errnoOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** True for what a missing file or directory gives. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}

/** Runs a method of the driver and translates what it throws. */
export async function translated<T>(intent: Intent, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    // oxlint-disable-next-line typescript/only-throw-error -- the reason of an abort may be any value
    throw toLocalError(error, intent)
  }
}

function linkError(error: LinkError, intent: Intent): StorageError {
  if (intent === 'read' && !error.refused) return new FileNotFoundError(undefined, { cause: error })
  return new PermissionDeniedError('a symbolic link is in the path, and this disk does not follow it', { cause: error })
}

const ERRORS = {
  not_found: [FileNotFoundError, undefined],
  already_exists: [FileExistsError, undefined],
  permission_denied: [PermissionDeniedError, 'the file system refuses it'],
  quota_exceeded: [QuotaExceededError, 'the file system is full, or the file is too large for it'],
  invalid_path: [InvalidPathError, 'the file system does not take this name'],
  unavailable: [UnavailableError, 'the file system is busy or failing'],
} satisfies Record<
  (typeof CODES)[keyof typeof CODES],
  readonly [new (message: string | undefined, context: ErrorContext) => StorageError, string | undefined]
>
