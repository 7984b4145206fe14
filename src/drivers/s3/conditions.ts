/**
 * Writes under a condition. The store judges it, in the request that writes; here is what its answers mean.
 *
 * Such a request is not simply made again when its answer is lost: the second one would meet what the first one wrote, and call
 * that lost. So it is repeated only when the store turned it away, or was never reached.
 */
import { FileExistsError, isStorageError, PreconditionFailedError, type StorageError } from '../../errors.ts'
import type { ConditionRequest } from './requests.ts'
import type { S3Cause } from './s3-errors.ts'

export function isConditional({ ifAbsent, ifMatch }: ConditionRequest): boolean {
  return ifAbsent === true || ifMatch !== undefined
}

/** Codes of connections that were never made. */
const UNSENT: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
/** Amazon: of two writes that met, neither has to have won, so try again. */
const CONFLICT = 'ConditionalRequestConflict'

/** Whether nothing can have been written. A 503 without the store's code may be a proxy's, which does not know what became of it. */
export function isUndone(error: StorageError): boolean {
  const { code, status } = (error.cause ?? {}) as Partial<S3Cause>
  if (error.code === 'rate_limited') return status === 429 || code !== 'Unknown'
  return code === CONFLICT || UNSENT.has(code)
}

/** The error that the caller's condition stands for; another one as it is. */
export function conditionLost(error: unknown, { ifAbsent, ifMatch }: ConditionRequest): unknown {
  if (!isStorageError(error)) return error
  const { cause } = error
  if (error.code === 'precondition_failed' && ifAbsent === true) return new FileExistsError(undefined, { cause })
  // Without a file there is nothing that could match; and radosgw has no name for the loser of a race.
  const isLost = error.code === 'not_found' || codeOf(error) === 'UnknownError'
  return isLost && ifMatch !== undefined ? new PreconditionFailedError(undefined, { cause }) : error
}

/** Rejects with what the condition stands for. */
export function lost(options: ConditionRequest): (error: unknown) => never {
  return (error) => {
    throw conditionLost(error, options)
  }
}

/** The store's own code. */
export function codeOf({ cause }: StorageError): string | undefined {
  return (cause as Partial<S3Cause> | undefined)?.code
}
