/**
 * Writes under a condition: what a store's answer to one means.
 *
 * The store judges the condition, in the request that writes. Only its answer has to be read with care: a request that was sent
 * twice, because the first answer was lost, meets what it wrote itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FileExistsError, isStorageError, PreconditionFailedError, type StorageError } from '../../errors.ts'
import { createDigest } from '../../digest.ts'
import type { ConditionRequest, PutRequest, Written } from './requests.ts'
import { attemptsOf, type S3Cause } from './s3-errors.ts'
import { unquoted } from './sdk-shapes.ts'
import type { S3Store } from './store.ts'

const CONFLICT_ATTEMPTS = 4
const CONFLICT_WAIT_MS = 100

/** What is to be put, and where. */
export interface KeyedPut extends PutRequest {
  readonly key: string
}

export function isConditional({ ifAbsent, ifMatch }: ConditionRequest): boolean {
  return ifAbsent === true || ifMatch !== undefined
}

/** @throws FileExistsError or PreconditionFailedError when the condition is lost */
export async function putConditionally(store: S3Store, bytes: Uint8Array, request: KeyedPut): Promise<Written> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await store.requests.put(request.key, bytes, request)
    } catch (error) {
      if (!isStorageError(error)) throw error
      // Amazon asks to try again: neither of the writers that met has to have won.
      if (codeOf(error) === 'ConditionalRequestConflict' && attempt < CONFLICT_ATTEMPTS) {
        await sleep(Math.random() * CONFLICT_WAIT_MS * attempt, undefined, { signal: request.signal }).catch(() => undefined)
        request.signal?.throwIfAborted()
        continue
      }
      const own = error.code === 'precondition_failed' && attemptsOf(error) > 1 ? await writtenBefore(store, bytes, request) : undefined
      if (own !== undefined) return own
      throw conditionLost(error, request)
    }
  }
}

/** What an earlier attempt of the same request wrote, if the file is that. */
async function writtenBefore(store: S3Store, bytes: Uint8Array, { key, signal }: KeyedPut): Promise<Written | undefined> {
  const head = await store.head(key, { signal }).catch(() => undefined)
  if (head === undefined) return undefined
  const digest = createDigest('md5')
  digest.update(bytes)
  return unquoted(head.etag) === digest.digest('hex') ? { etag: head.etag, versionId: head.versionId } : undefined
}

/** The error that the caller's condition stands for; another one as it is. */
export function conditionLost(error: unknown, { ifAbsent, ifMatch }: ConditionRequest): unknown {
  if (!isStorageError(error)) return error
  if (error.code === 'precondition_failed' && ifAbsent === true) return new FileExistsError(undefined, { cause: error.cause })
  // Without a file there is nothing that could match.
  if (error.code === 'not_found' && ifMatch !== undefined) return new PreconditionFailedError(undefined, { cause: error.cause })
  return error
}

/** The store's own code. */
export function codeOf({ cause }: StorageError): string | undefined {
  return (cause as Partial<S3Cause> | undefined)?.code
}
