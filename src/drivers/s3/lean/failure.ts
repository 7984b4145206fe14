/**
 * Why one attempt of a request failed, in the shape of the SDK's errors, so that one table translates both (s3-errors.ts). It holds
 * what the store said and nothing of what was sent.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { SIGNED, UNTOLD } from '../s3-errors.ts'

export interface Failure {
  readonly name: string
  /** Of the store. */
  readonly Code?: string | undefined
  /** Of Node. */
  readonly code?: string | undefined
  readonly message: string
  readonly $metadata: FailureMetadata
  /** Of an answer. */
  readonly headers: IncomingHttpHeaders
  /** Where the store says that the bucket is. */
  readonly region?: string | undefined
  /** The head of the request had gone out, so it may have been carried out. */
  readonly isSent: boolean
  /** The connection had been used before, and broke without an answer: the store may have closed it meanwhile. */
  readonly isStale: boolean
}

export interface FailureMetadata {
  readonly httpStatusCode?: number | undefined
  readonly requestId?: string | undefined
  readonly extendedRequestId?: string | undefined
  attempts: number
}

/** Of a connection: `code` is Node's, or that of a timeout here. */
export function connectionFailure(
  error: { readonly code?: unknown; readonly message?: unknown },
  { isSent = false, isStale = false }: { readonly isSent?: boolean; readonly isStale?: boolean } = {},
): Failure {
  const code = typeof error.code === 'string' ? error.code : 'ECONNRESET'
  const message = typeof error.message === 'string' ? error.message : code
  return { name: code, code, message, $metadata: { attempts: 1 }, headers: {}, isSent, isStale }
}

/** Nothing came for that long. */
export function timeoutFailure(what: string, ms: number, isSent: boolean): Failure {
  return { ...connectionFailure({ code: 'TimeoutError', message: `${what} took more than ${ms} ms` }, { isSent }) }
}

export function isTimeout({ code }: Failure): boolean {
  return code === 'TimeoutError' || code === 'ETIMEDOUT'
}

export interface ErrorAnswer {
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly requestId?: string | undefined
  readonly hostId?: string | undefined
  readonly region?: string | undefined
}

/** Of an answer; what its body says, where it has one. */
export function answerFailure(status: number, headers: IncomingHttpHeaders, said: ErrorAnswer): Failure {
  return {
    name: said.code ?? 'Unknown',
    Code: said.code,
    message: said.message ?? said.code ?? `status ${status}`,
    $metadata: {
      httpStatusCode: status,
      requestId: said.requestId ?? textOf(headers['x-amz-request-id']),
      extendedRequestId: said.hostId ?? textOf(headers['x-amz-id-2']),
      attempts: 1,
    },
    headers,
    region: textOf(headers['x-amz-bucket-region']) ?? said.region,
    isSent: true,
    isStale: false,
  }
}

/** What is shorter is found in any text. */
const MIN_SECRET = 8

/** The failure without what nobody is to read in a log: some stores and proxies say back what they were told. */
export function hushed(failure: Failure, secrets: readonly (string | undefined)[]): Failure {
  const isTold = (text = ''): boolean =>
    SIGNED.test(text) || secrets.some((secret = '') => secret.length >= MIN_SECRET && text.includes(secret))
  const { Code, message, $metadata } = failure
  const { requestId, extendedRequestId } = $metadata
  if (![Code, message, requestId, extendedRequestId].some((text) => isTold(text))) return failure
  const code = isTold(Code) ? undefined : Code
  const ids = { requestId: undefined, extendedRequestId: undefined }
  return { ...failure, name: code ?? 'Unknown', Code: code, message: UNTOLD, $metadata: { ...$metadata, ...ids } }
}

export function isFailure(error: unknown): error is Failure {
  return typeof error === 'object' && error !== null && '$metadata' in error && 'isSent' in error
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
