/**
 * vsftpd, the second dialect of FTP: no MLSD and no MFMT, listings as `ls -l` prints them, times set by MDTM.
 *
 * It logs in accounts of the system, so each run makes one and removes it at its end. There is no PAM file for it: PAM's `other` applies.
 * Debian's package cannot be installed beside ProFTPD's; `servers:install` unpacks it into node_modules/.cache.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listening } from './azurite.ts'
import { type Certificates, startSharedCertificates } from './certificates.ts'
import { type FtpServer, ftpServerOfEnvironment } from './ftp-server.ts'
import { askKeeper } from './keeper-client.ts'
import { folderOf, freePort, need, needRoot, runCommand, startDaemon, undoLater, withRetries } from './processes.ts'

export interface VsftpdOptions {
  /** With TLS, logins and data without it are refused. Default: false */
  readonly tls?: 'explicit' | 'implicit' | false | undefined
}

const UNPACKED = fileURLToPath(new URL('../../../node_modules/.cache/stowage-servers/vsftpd/usr/sbin', import.meta.url))

/** The vsftpd of this run with these options, or the server that `STOWAGE_TEST_FTP_HOST` names, if it has the same `tls`. */
export async function vsftpd({ tls = false }: VsftpdOptions = {}): Promise<FtpServer> {
  return ftpServerOfEnvironment(tls) ?? askKeeper<FtpServer>('vsftpd', { tls })
}

export async function startVsftpd(run: string, { tls = false }: VsftpdOptions): Promise<FtpServer> {
  const program = need('vsftpd', [UNPACKED])
  needRoot('vsftpd')
  const certificates = await startSharedCertificates(run)
  return withRetries(async () => {
    const folder = folderOf(run, `vsftpd-${randomUUID()}`)
    const directory = join(folder, 'root')
    await mkdir(directory)
    await mkdir(join(folder, 'empty'))
    const [account, port] = [await addAccount(run, directory), await freePort()]
    await chown(directory, account.uid, account.gid)
    const conf = join(folder, 'conf')
    await writeFile(conf, [...plain(folder, port), ...secured(certificates, tls), ''].join('\n'))
    await chmod(conf, 0o600)
    const daemon = startDaemon(run, [program, conf], join(folder, 'log'))
    await listening(daemon, port)
    const ca = tls === false ? undefined : certificates.ca
    const { username, password } = account
    return { host: '127.0.0.1', port, username, password, secure: tls, ca, root: '/', directory, real: false }
  })
}

async function addAccount(run: string, home: string): Promise<{ username: string; password: string; uid: number; gid: number }> {
  const [username, password] = [`stowage-${randomBytes(4).toString('hex')}`, randomUUID()]
  const hash = (await runCommand([need('openssl'), 'passwd', '-6', password])).trim()
  undoLater(run, username, [need('userdel'), username])
  await runCommand([need('useradd'), '--no-create-home', '--home-dir', home, '--shell', '/usr/sbin/nologin', '--password', hash, username])
  const [uid, gid] = [Number(await runCommand(['id', '-u', username])), Number(await runCommand(['id', '-g', username]))]
  return { username, password, uid, gid }
}

function plain(folder: string, port: number): readonly string[] {
  return [
    'listen=YES',
    'listen_ipv6=NO',
    'listen_address=127.0.0.1',
    `listen_port=${port}`,
    'background=NO',
    'anonymous_enable=NO',
    'ftp_username=nobody',
    'nopriv_user=nobody',
    'local_enable=YES',
    'write_enable=YES',
    'local_umask=022',
    'chroot_local_user=YES',
    'allow_writeable_chroot=YES',
    `secure_chroot_dir=${folder}/empty`,
    'pam_service_name=stowage-test',
    'check_shell=NO',
    'use_localtime=NO',
    'utf8_filesystem=YES',
    'mdtm_write=YES',
    'pasv_address=127.0.0.1',
    'seccomp_sandbox=NO',
    'isolate_network=NO',
    'xferlog_enable=NO',
    'max_per_ip=200',
    'force_dot_files=YES',
  ]
}

function secured({ certFile, keyFile }: Certificates, tls: VsftpdOptions['tls']): readonly string[] {
  if (tls === false) return []
  return [
    'ssl_enable=YES',
    `implicit_ssl=${tls === 'implicit' ? 'YES' : 'NO'}`,
    `rsa_cert_file=${certFile}`,
    `rsa_private_key_file=${keyFile}`,
    'ssl_tlsv1=YES',
    'force_local_logins_ssl=YES',
    'force_local_data_ssl=YES',
    'require_ssl_reuse=YES',
    'ssl_ciphers=HIGH',
  ]
}
