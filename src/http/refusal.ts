/**
 * Answers that are not a file. They say what the status means and nothing else: no path, no reason, no text of an error, so
 * that a missing file and a private one look the same.
 */
import type { ErrorCode } from '../errors.ts'
import { isStorageError } from '../errors.ts'
import { SAFETY } from './file-headers.ts'

const REASONS = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
}

export type RefusalStatus = keyof typeof REASONS

const STATUSES = {
  not_found: 404,
  already_exists: 409,
  precondition_failed: 412,
  permission_denied: 403,
  unauthenticated: 500, // the store refuses our credentials, not the client's
  invalid_path: 403,
  invalid_argument: 400,
  unsupported: 501,
  read_only: 403,
  quota_exceeded: 507,
  rate_limited: 429,
  unavailable: 503,
  timeout: 503,
  corrupted: 500,
  key_not_found: 500,
  partial_failure: 500,
  configuration: 500,
  stray_disk: 500,
  unknown: 500,
} satisfies Record<ErrorCode, RefusalStatus>

export function refuse(status: RefusalStatus, headers: Readonly<Record<string, string>> = {}): Response {
  const body = `${REASONS[status]}\n`
  return new Response(body, {
    status,
    headers: {
      ...SAFETY,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...headers,
    },
  })
}

/** The status that tells a client what a failure of the store means to it. */
export function statusOf(error: unknown): RefusalStatus {
  return isStorageError(error) ? STATUSES[error.code] : 500
}
