/** What an FTP disk is given, judged before anything is done with it. */
import type { ConnectionOptions } from 'node:tls'
import { ConfigurationError } from '../../errors.ts'
import { normalizePath } from '../../path.ts'

export interface FtpDriverOptions {
  readonly host: string
  /** Default: 21, or 990 with `secure: 'implicit'`. */
  readonly port?: number | undefined
  /** Default: `anonymous`. */
  readonly username?: string | undefined
  /** Default: empty, or what anonymous logins send. */
  readonly password?: string | undefined
  /** TLS by command (AUTH TLS), TLS from the first byte, or none: then the password and all content travel in clear. Default: false. */
  readonly secure?: 'explicit' | 'implicit' | false | undefined
  /** The directory on the server that is the disk's root, absolute or below where the login lands. Default: where the login lands. */
  readonly root?: string | undefined
  /** Operations at once, each on a connection of its own. Default: 2. */
  readonly poolSize?: number | undefined
  /** As `tls.connect` takes it: `ca` to trust a certificate authority of your own. Certificates are checked. */
  readonly tls?: ConnectionOptions | undefined
  /** Where data connections go, for servers behind address translation. Default: the address of the control connection; never what the server says. */
  readonly passiveHost?: string | undefined
  /** False for servers without SITE CHMOD: the disk then has no visibility. Default: true. */
  readonly permissions?: boolean | undefined
  /** How long the server may keep silent when it is its turn, in milliseconds. Default: 30,000. */
  readonly responseTimeoutMs?: number | undefined
}

export interface FtpSettings {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly secure: 'explicit' | 'implicit' | false
  /** Without a slash at its end; `''` is the server's `/`, when absolute. */
  readonly root: { readonly path: string; readonly absolute: boolean }
  readonly poolSize: number
  readonly tls: ConnectionOptions
  readonly passiveHost: string | undefined
  readonly permissions: boolean
  readonly responseTimeoutMs: number
}

const RESPONSE_TIMEOUT_MS = 30_000
const POOL_SIZE = 2
// oxlint-disable-next-line no-control-regex -- what would end a command
const BREAKS_LINES = /[\u0000-\u001f\u007f]/

/** @throws ConfigurationError */
export function settingsOf(options: FtpDriverOptions): FtpSettings {
  const { host, secure = false, username, password, passiveHost } = options
  if (typeof host !== 'string' || host === '') throw new ConfigurationError('an ftp disk needs "host"')
  for (const [key, value] of Object.entries({ host, username, password, passiveHost, root: options.root })) {
    if (value !== undefined && BREAKS_LINES.test(value)) throw new ConfigurationError(`"${key}" must not have control characters`)
  }
  if (/[/@\s]/.test(host)) throw new ConfigurationError('"host" is a name or an address alone, without scheme, user or path')
  if (secure !== false && secure !== 'explicit' && secure !== 'implicit') {
    throw new ConfigurationError('"secure" must be "explicit", "implicit" or false')
  }
  return {
    host,
    secure,
    port: options.port ?? (secure === 'implicit' ? 990 : 21),
    username: username ?? 'anonymous',
    password: password ?? (username === undefined ? 'anonymous@' : ''),
    root: rootOf(options.root ?? ''),
    poolSize: positive('poolSize', options.poolSize ?? POOL_SIZE),
    tls: options.tls ?? {},
    passiveHost,
    permissions: options.permissions ?? true,
    responseTimeoutMs: positive('responseTimeoutMs', options.responseTimeoutMs ?? RESPONSE_TIMEOUT_MS),
  }
}

function rootOf(root: string): FtpSettings['root'] {
  try {
    return { path: normalizePath(root), absolute: root.startsWith('/') }
  } catch (error) {
    throw new ConfigurationError('"root" is a path on the server, with "/" between its segments', { cause: error })
  }
}

function positive(key: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new ConfigurationError(`"${key}" must be a whole number, 1 or more`)
}
