/** What tests get to know about an FTP server, whichever it is. */
export interface FtpServer {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly secure: 'explicit' | 'implicit' | false
  /** The certificate authority that clients have to trust, as PEM; undefined without TLS and for a server that the environment names. */
  readonly ca: string | undefined
  /** Where tests may work, as the server names it. */
  readonly root: string
  /** The same place on this machine; undefined for a server that the environment names. */
  readonly directory: string | undefined
  /** Whether the environment names it. */
  readonly real: boolean
}

/** The server of `STOWAGE_TEST_FTP_HOST` and the others, if it speaks TLS in the way that is asked for. */
export function ftpServerOfEnvironment(tls: FtpServer['secure']): FtpServer | undefined {
  const host = process.env['STOWAGE_TEST_FTP_HOST']
  const value = (name: string, fallback: string): string => process.env[`STOWAGE_TEST_FTP_${name}`] ?? fallback
  const named = value('SECURE', 'false')
  const secure = named === 'explicit' || named === 'implicit' ? named : false
  if (host === undefined || secure !== tls) return undefined
  const port = Number(value('PORT', secure === 'implicit' ? '990' : '21'))
  const [username, password, root] = [value('USERNAME', 'anonymous'), value('PASSWORD', ''), value('ROOT', '/')]
  return { host, port, username, password, secure, ca: undefined, root, directory: undefined, real: true }
}
