/**
 * `npm run servers:install`: puts the servers that the tests run against onto this machine, where Debian's packages can.
 *
 * Nothing is done, and quickly, if all are there or named by the environment. Nothing that is installed is started: Debian starts
 * daemons on their default ports, unless a policy forbids it, so one is put up meanwhile. Anywhere else it says what to run, and fails.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { find } from './servers/processes.ts'

interface Need {
  readonly packages: readonly string[]
  readonly programs: readonly string[]
  /** Patterns of which one file has to be there. */
  readonly files?: string
  /** The variable that names a server to use in its place. */
  readonly instead?: string
}

const NEEDS: readonly Need[] = [
  {
    packages: ['ceph-mon', 'ceph-osd', 'radosgw'],
    programs: ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'],
    instead: 'STOWAGE_TEST_S3_ENDPOINT',
  },
  {
    packages: ['proftpd-core', 'proftpd-mod-crypto'],
    programs: ['proftpd'],
    files: '/usr/lib/proftpd/mod_tls.so',
    instead: 'STOWAGE_TEST_FTP_HOST',
  },
  { packages: ['libwrap0'], programs: [], files: '{/usr,}/lib/*/libwrap.so.0', instead: 'STOWAGE_TEST_FTP_HOST' },
  { packages: ['redis-server'], programs: ['redis-server'], instead: 'STOWAGE_TEST_REDIS_URL' },
  { packages: ['clamav-daemon'], programs: ['clamd'], instead: 'STOWAGE_TEST_CLAMD_HOST' },
  { packages: ['rclone'], programs: ['rclone'] },
  { packages: ['age'], programs: ['age', 'age-keygen'] },
  { packages: ['openssl'], programs: ['openssl'] },
  { packages: ['curl'], programs: ['curl'] },
  { packages: ['ca-certificates'], programs: [], files: '/etc/ssl/certs/ca-certificates.crt' },
]

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/stowage-servers/', import.meta.url))
const POLICY = '/usr/sbin/policy-rc.d'
const COMPOSE = 'tests/support/compose.yaml'

const VARIABLES = `
export STOWAGE_TEST_S3_ENDPOINT=http://127.0.0.1:17480 STOWAGE_TEST_S3_KEY=stowage STOWAGE_TEST_S3_SECRET=stowage-secret
export STOWAGE_TEST_FTP_HOST=127.0.0.1 STOWAGE_TEST_FTP_PORT=17521 STOWAGE_TEST_FTP_USERNAME=stowage STOWAGE_TEST_FTP_PASSWORD=stowage-secret
export STOWAGE_TEST_REDIS_URL=redis://127.0.0.1:17550
export STOWAGE_TEST_CLAMD_HOST=127.0.0.1 STOWAGE_TEST_CLAMD_PORT=17560
`

function isMissing({ programs, files, instead }: Need): boolean {
  if (instead !== undefined && process.env[instead] !== undefined) return false
  const lacksFile = files !== undefined && globSync(files).length === 0
  return lacksFile || programs.some((program) => find(program) === undefined)
}

function lacksVsftpd(): boolean {
  if (process.env['STOWAGE_TEST_FTP_HOST'] !== undefined) return false
  return find('vsftpd', [join(CACHE, 'vsftpd/usr/sbin')]) === undefined
}

function apt(...args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** Debian asks this policy before it starts the daemon of a package; 101 means no. One that is there already is left alone. */
function withoutDaemons(install: () => void): void {
  const ours = !existsSync(POLICY)
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install()
  } finally {
    if (ours) rmSync(POLICY, { force: true })
  }
}

/** Installing vsftpd would remove ProFTPD: Debian lets a machine have one FTP server. So its package is unpacked, not installed. */
function unpackVsftpd(): void {
  const folder = mkdtempSync(join(tmpdir(), 'stowage-install-'))
  try {
    execFileSync('apt-get', ['-q', 'download', 'vsftpd'], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] })
    const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.deb'))
    mkdirSync(join(CACHE, 'vsftpd'), { recursive: true })
    execFileSync('dpkg', ['-x', join(folder, archive), join(CACHE, 'vsftpd')])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function explain(missing: readonly string[]): void {
  console.error(`The tests need servers that are not on this machine: ${missing.join(', ')}.`)
  if (existsSync('/etc/debian_version')) console.error('On Debian, root can install them:\n\n  sudo npm run servers:install\n')
  console.error(`The same servers in containers, and where the tests find them:\n\n  docker compose -f ${COMPOSE} up -d`)
  console.error(VARIABLES.replaceAll('\n', '\n  '))
  console.error('tests/README.md says what each variable means.')
}

const packages = NEEDS.filter(isMissing).flatMap((need) => need.packages)
const vsftpd = lacksVsftpd()
const missing = vsftpd ? [...packages, 'vsftpd'] : packages
const canInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version') && find('apt-get') !== undefined
if (missing.length > 0 && !canInstall) {
  explain(missing)
  process.exitCode = 1
} else if (missing.length > 0) {
  console.log(`Installing test servers: ${missing.join(' ')}`)
  apt('update')
  if (packages.length > 0) withoutDaemons(() => apt('install', '-y', '--no-install-recommends', ...packages))
  if (vsftpd) unpackVsftpd()
}
