/** ProFTPD: MLSD, MFMT, UTF-8 names, and TLS that wants data connections to resume the session of the control connection. */
import { randomUUID } from 'node:crypto'
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listening } from './azurite.ts'
import { type Certificates, startSharedCertificates } from './certificates.ts'
import { type FtpServer, ftpServerOfEnvironment } from './ftp-server.ts'
import { askKeeper } from './keeper-client.ts'
import { folderOf, freePort, need, needRoot, runCommand, startDaemon, withRetries } from './processes.ts'

export interface ProftpdOptions {
  /** With TLS, logins and data without it are refused. Default: false */
  readonly tls?: 'explicit' | 'implicit' | false | undefined
  /** Whether data connections have to resume the TLS session. Default: true */
  readonly sessionReuse?: boolean | undefined
  /** After how many seconds the server hangs up on a client that says nothing. Default: 300 */
  readonly idleSeconds?: number | undefined
  /** The address that the server gives in answer to PASV, as one behind a router does. Default: its own */
  readonly passiveAddress?: string | undefined
}

/** The ProFTPD of this run with these options, or the server that `STOWAGE_TEST_FTP_HOST` names, if it has the same `tls` and nothing else is asked for. */
export async function proftpd(options: ProftpdOptions = {}): Promise<FtpServer> {
  const { tls = false, sessionReuse = true, idleSeconds = 300, passiveAddress } = options
  const named = sessionReuse && idleSeconds === 300 && passiveAddress === undefined ? ftpServerOfEnvironment(tls) : undefined
  return named ?? askKeeper<FtpServer>('proftpd', { tls, sessionReuse, idleSeconds, passiveAddress })
}

export async function startProftpd(run: string, options: ProftpdOptions): Promise<FtpServer> {
  const program = need('proftpd')
  needRoot('proftpd')
  const certificates = await startSharedCertificates(run)
  const [nobody, group] = [await runCommand(['id', '-u', 'nobody']), await runCommand(['id', '-g', 'nobody'])].map(Number) as [
    number,
    number,
  ]
  return withRetries(async () => {
    const folder = folderOf(run, `proftpd-${randomUUID()}`)
    const directory = join(folder, 'root')
    await mkdir(directory)
    await chown(directory, nobody, group)
    const [username, password, port] = ['stowage', randomUUID(), await freePort()]
    const hash = (await runCommand([need('openssl'), 'passwd', '-6', password])).trim()
    await writeFile(join(folder, 'users'), `${username}:${hash}:${nobody}:${group}::${directory}:/bin/false\n`, { mode: 0o600 })
    await writeFile(join(folder, 'conf'), [...plain(folder, port, options), ...secured(folder, certificates, options), ''].join('\n'))
    const daemon = startDaemon(run, [program, '-n', '-q', '-c', join(folder, 'conf')], join(folder, 'log'))
    await listening(daemon, port)
    const tls = options.tls ?? false
    const ca = tls === false ? undefined : certificates.ca
    return { host: '127.0.0.1', port, username, password, secure: tls, ca, root: '/', directory, real: false }
  })
}

function plain(folder: string, port: number, { idleSeconds = 300, passiveAddress }: ProftpdOptions): readonly string[] {
  return [
    'ModulePath /usr/lib/proftpd',
    'ModuleControlsACLs insmod,rmmod allow user root',
    'LoadModule mod_tls.c',
    'ServerName stowage',
    'ServerType standalone',
    'DefaultAddress 127.0.0.1',
    'SocketBindTight on',
    'UseIPv6 off',
    'UseReverseDNS off',
    `Port ${port}`,
    ...(passiveAddress === undefined ? [] : [`MasqueradeAddress ${passiveAddress}`]),
    'User nobody',
    'Group nogroup',
    'Umask 022',
    'MaxInstances 200',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${folder}/users`,
    'RequireValidShell off',
    'DefaultRoot ~',
    'AllowOverwrite on',
    'AllowStoreRestart on',
    'AllowRetrieveRestart on',
    'ListOptions "-a"',
    'UseEncoding UTF-8 UTF-8',
    `TimeoutIdle ${idleSeconds}`,
    `PidFile ${folder}/pid`,
    `ScoreboardFile ${folder}/scoreboard`,
    `SystemLog ${folder}/system.log`,
    'TransferLog none',
    'WtmpLog off',
    '<IfModule mod_delay.c>',
    'DelayEngine off',
    '</IfModule>',
    '<IfModule mod_ctrls.c>',
    'ControlsEngine off',
    '</IfModule>',
  ]
}

function secured(
  folder: string,
  { certFile, keyFile }: Certificates,
  { tls = false, sessionReuse = true }: ProftpdOptions,
): readonly string[] {
  if (tls === false) return []
  const options = [...(tls === 'implicit' ? ['UseImplicitSSL'] : []), ...(sessionReuse ? [] : ['NoSessionReuseRequired'])]
  return [
    'TLSEngine on',
    `TLSRSACertificateFile ${certFile}`,
    `TLSRSACertificateKeyFile ${keyFile}`,
    'TLSProtocol TLSv1.2 TLSv1.3',
    'TLSRequired on',
    'TLSRenegotiate none',
    `TLSLog ${folder}/tls.log`,
    ...(options.length > 0 ? [`TLSOptions ${options.join(' ')}`] : []),
  ]
}
