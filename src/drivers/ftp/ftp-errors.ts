/**
 * What the replies of a server and the errors of sockets mean for a disk: tables by code, never by message.
 *
 * 550 says only that something was not done: whether the file is missing or denied is found out by looking (look.ts), and what is
 * translated here is what no look has explained. No error holds the command that was sent: it may have held the password.
 */
import type { ErrorContext, StorageError } from '../../errors.ts'
import {
  ConfigurationError,
  InvalidPathError,
  isStorageError,
  PermissionDeniedError,
  QuotaExceededError,
  StorageError as UnknownError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
  UnsupportedError,
} from '../../errors.ts'

/** The server's no: a reply of 400 or more. Its message names the reply alone, and the verb that was refused. */
export class RefusedError extends Error {
  readonly code: number
  readonly verb: string
  readonly reply: string

  constructor(verb: string, code: number, reply: string) {
    super(`the server refused ${verb}: ${reply.replace(/\s+/g, ' ').slice(0, 300)}`)
    this.name = 'RefusedError'
    this.code = code
    this.verb = verb
    this.reply = reply
  }
}

/** The connection broke, or the server closed it. What was asked may be asked again on another. */
export class LostError extends Error {
  readonly code: string | undefined

  constructor(cause: unknown) {
    const code = codeOf(cause)
    super(`the connection to the server was lost${code === undefined ? '' : ` (${code})`}`)
    this.name = 'LostError'
    this.code = code
  }
}

export function isLost(error: unknown): error is LostError {
  return error instanceof LostError
}

export function isRefused(error: unknown, ...codes: readonly number[]): error is RefusedError {
  return error instanceof RefusedError && (codes.length === 0 || codes.includes(error.code))
}

type Translation = readonly [new (message: string | undefined, context: ErrorContext) => StorageError, string]

/** RFC 959, section 4.2; RFC 2228 (53x); RFC 4217. */
const REPLIES: Readonly<Record<number, Translation>> = {
  421: [UnavailableError, 'the server closed the connection'],
  425: [UnavailableError, 'the server could not open the data connection'],
  426: [UnavailableError, 'the transfer was cut'],
  430: [UnauthenticatedError, 'the server did not accept the user name or the password'],
  434: [UnavailableError, 'the server says that the host is unavailable'],
  450: [UnavailableError, 'the file is busy'],
  451: [UnavailableError, 'the server failed on its side'],
  452: [QuotaExceededError, 'the server has no space left'],
  500: [UnsupportedError, 'the server does not know the command'],
  501: [InvalidPathError, 'the server does not take this name'],
  502: [UnsupportedError, 'the server does not have the command'],
  503: [UnavailableError, 'the server expected other commands first'],
  504: [UnsupportedError, 'the server does not take this parameter'],
  522: [ConfigurationError, 'the server wants data connections that resume the TLS session, or that are protected'],
  530: [UnauthenticatedError, 'the server did not accept the user name or the password'],
  532: [PermissionDeniedError, 'the server wants an account for storing files'],
  533: [ConfigurationError, 'the server wants TLS: set "secure"'],
  534: [ConfigurationError, 'the server refuses this kind of TLS: see "secure"'],
  550: [PermissionDeniedError, 'the server refuses it'],
  551: [UnavailableError, 'the server failed on its side'],
  552: [QuotaExceededError, 'the server has no space left for this account'],
  553: [PermissionDeniedError, 'the server does not allow this name'],
}

const SOCKETS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens at this host and port',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
}

/** What Node says of a certificate that it does not trust (tls.connect, X509 error codes). */
const CERTIFICATES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** Runs a method of the driver and translates what it throws. */
export async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    // oxlint-disable-next-line typescript/only-throw-error -- the reason of an abort may be any value
    throw toFtpError(error)
  }
}

/** A bare StorageError for what the server or a socket said; everything else, such as the reason of an abort or what a source threw, as it is. */
export function toFtpError(error: unknown): unknown {
  if (isStorageError(error)) return error
  if (error instanceof LostError) return lostError(error)
  if (!(error instanceof RefusedError)) return error
  const [Failure, reason] = REPLIES[error.code] ?? [undefined, `the server said ${error.code}`]
  const context = { cause: causeOf(error) }
  if (Failure !== undefined) return new Failure(`${reason} (${error.code} to ${error.verb})`, context)
  return error.code < 500 ? new UnavailableError(reason, context) : new UnknownError(reason, context)
}

/** What happened while connecting, by the code that Node gives. */
export function connectError(cause: unknown, { host, port }: { readonly host: string; readonly port: number }): unknown {
  if (isStorageError(cause) || cause instanceof RefusedError) return cause
  const code = codeOf(cause)
  if (code === undefined) return new UnavailableError('the server closed the connection while it was being opened')
  const context = { cause: { code } }
  if (CERTIFICATES.has(code)) {
    return new ConfigurationError(
      `the certificate of ${host} is not trusted (${code}): pass the authority that signed it as tls.ca, or connect by the name that it is made out to`,
      context,
    )
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new ConfigurationError(
      `${host}:${port} does not speak TLS as it was asked to (${code}): see "secure", "port" and "tls"`,
      context,
    )
  }
  if (code === 'ETIMEDOUT') return new TimeoutError('the server did not answer', context)
  return new UnavailableError(`${SOCKETS[code] ?? 'the connection could not be opened'} (${code})`, context)
}

function lostError(error: LostError): StorageError {
  return new UnavailableError(error.message, { cause: { code: error.code } })
}

function causeOf({ code, verb, reply }: RefusedError): object {
  return { code, verb, reply: reply.slice(0, 500) }
}

/** The code of an error of Node; undefined where there is none. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' && /^[A-Z]/.test(error.code) ? error.code : undefined
}
