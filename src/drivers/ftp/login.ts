/**
 * From a host to a connection that is ready for work.
 *
 *   connect ─▶ (AUTH TLS) ─▶ USER, PASS ─▶ FEAT ─▶ TYPE I, OPTS UTF8 ON ─▶ (PBSZ 0, PROT P) ─▶ PWD
 *
 * With TLS everything is protected or nothing is sent: a server that refuses to protect the data channel is refused.
 */
import type * as BasicFtp from 'basic-ftp'
import type { ConnectionOptions } from 'node:tls'
import { nodeNet } from '../../builtins.ts'
import { ConfigurationError, TimeoutError, UnauthenticatedError, UnavailableError } from '../../errors.ts'
import { Control } from './control.ts'
import { connectError, isLost, isRefused } from './ftp-errors.ts'
import type { FtpSettings } from './settings.ts'

/** What the server can do beyond RFC 959. */
export interface Dialect {
  /** MLST and MLSD (RFC 3659): facts that programs can read. */
  readonly facts: boolean
  /** The command that sets times; undefined where there is none. */
  readonly setTime: 'MFMT' | undefined
}

export interface LoggedIn {
  readonly client: BasicFtp.Client
  readonly control: Control
  readonly dialect: Dialect
  /** The directory where the login lands. */
  readonly home: string
}

/** @throws UnauthenticatedError, ConfigurationError for certificates and for what the server does not offer, UnavailableError, TimeoutError */
export async function logIn(ftp: typeof BasicFtp, settings: FtpSettings, signal?: AbortSignal): Promise<LoggedIn> {
  signal?.throwIfAborted()
  const client = new ftp.Client(0) // Control keeps the time
  const control = new Control(client, settings.responseTimeoutMs)
  try {
    await connected(client, settings, signal)
    await authenticate(control, settings, signal)
    const features = await featuresOf(control, signal)
    await prepare(control, settings, { features, signal })
    const dialect = { facts: features.has('MLST'), setTime: features.has('MFMT') ? ('MFMT' as const) : undefined }
    return { client, control, dialect, home: await homeOf(control, signal) }
  } catch (error) {
    client.close()
    if (!isLost(error)) throw error
    throw new UnavailableError('the server closed the connection while it was being opened', { cause: { code: error.code } })
  }
}

/** Connects, and speaks TLS where that is asked for. Silence and an abort end it. */
function connected(client: BasicFtp.Client, settings: FtpSettings, signal: AbortSignal | undefined): Promise<void> {
  const { host, port, responseTimeoutMs } = settings
  return new Promise((resolve, reject) => {
    const end = (error: unknown): void => {
      settle()
      reject(error)
      client.close()
    }
    const abort = (): void => end(signal?.reason)
    const expire = (): void => end(new TimeoutError(`the server did not answer within ${responseTimeoutMs} ms: ${host}:${port}`))
    const timer = setTimeout(expire, responseTimeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    signal?.addEventListener('abort', abort, { once: true })
    open(client, settings)
      .finally(settle)
      .then(resolve, (error: unknown) => reject(connectFailure(error, settings)))
  })
}

async function open(client: BasicFtp.Client, { host, port, secure, tls }: FtpSettings): Promise<void> {
  if (secure === 'implicit') {
    await client.connectImplicitTLS(host, port, tlsOptions(host, tls))
    return
  }
  await client.connect(host, port)
  if (secure === 'explicit') await client.useTLS(tlsOptions(host, tls))
}

/** Data connections resume the session of the same host, so its name has to be in the options of both. */
function tlsOptions(host: string, tls: ConnectionOptions): ConnectionOptions {
  const name = nodeNet().isIP(host) === 0 ? { servername: host } : {}
  return { ...name, ...tls, host }
}

/** A refusal of the greeting or of AUTH TLS; else what the socket said. */
function connectFailure(error: unknown, settings: FtpSettings): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  if (typeof code !== 'number') return connectError(error, settings)
  const context = { cause: { code } }
  if (code < 500) return new UnavailableError(`the server takes no connections now (${code})`, context)
  if (settings.secure === 'explicit')
    return new ConfigurationError(`the server does not offer TLS by command (${code}): see "secure"`, context)
  return new UnavailableError(`the server refuses connections (${code})`, context)
}

async function authenticate(control: Control, { username, password, secure }: FtpSettings, signal?: AbortSignal): Promise<void> {
  await control.ask('OPTS UTF8 ON', { signal }) // some servers want it before a name that is not ASCII; others do not know it yet
  let reply = await control.ask(`USER ${username}`, { signal })
  if (reply.code === 331) reply = await control.ask(`PASS ${password}`, { signal })
  if (reply.code < 300) return
  const context = { cause: { code: reply.code } }
  const wantsTls = secure === false && [503, 522, 533, 534, 550].includes(reply.code)
  if (wantsTls) throw new ConfigurationError(`the server wants TLS (${reply.code}): set "secure" to "explicit"`, context)
  const hint = secure === false ? ', or wants TLS (see "secure")' : ''
  throw new UnauthenticatedError(`the server did not accept the user name or the password${hint} (${reply.code})`, context)
}

async function featuresOf(control: Control, signal: AbortSignal | undefined): Promise<ReadonlySet<string>> {
  const { code, message } = await control.ask('FEAT', { signal })
  if (code >= 400) return new Set()
  return new Set(message.split('\n').map((line) => (line.trim().split(' ', 1)[0] ?? '').toUpperCase()))
}

async function prepare(
  control: Control,
  { secure }: FtpSettings,
  { features, signal }: { readonly features: ReadonlySet<string>; readonly signal: AbortSignal | undefined },
): Promise<void> {
  await control.command('TYPE I', signal)
  if (features.has('UTF8')) await control.ask('OPTS UTF8 ON', { signal })
  if (features.has('MLST')) await control.ask('OPTS MLST type;size;modify;UNIX.mode;', { signal })
  if (secure === false) return
  await control.ask('PBSZ 0', { signal })
  await control.command('PROT P', signal).catch((error: unknown) => {
    if (!isRefused(error)) throw error
    throw new ConfigurationError(`the server does not protect data connections (${error.code} to PROT P)`, { cause: { code: error.code } })
  })
}

/** A quote in the name is doubled (RFC 959, appendix II). */
async function homeOf(control: Control, signal: AbortSignal | undefined): Promise<string> {
  const { code, message } = await control.ask('PWD', { signal })
  const [, quoted] = /"((?:[^"]|"")*)"/.exec(message) ?? []
  return code >= 400 || quoted === undefined ? '/' : quoted.replaceAll('""', '"')
}
