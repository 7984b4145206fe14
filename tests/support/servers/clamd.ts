/** ClamAV's daemon with two signatures of our own, so that nothing is downloaded: the EICAR test file and a harmless marker. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { askKeeper } from './keeper-client.ts'
import { folderOf, freePort, need, ready, startDaemon, withRetries } from './processes.ts'
import { say } from './redis-server.ts'

export interface ClamdServer {
  readonly host: string
  readonly port: number
  /** The same daemon on a Unix socket; undefined if `STOWAGE_TEST_CLAMD_HOST` names it. */
  readonly socket: string | undefined
  /** Longer streams are answered with "size limit exceeded". */
  readonly maxBytes: number
  /** Text that is found as a virus. A server that the environment names finds the EICAR test file alone. */
  readonly marker: string | undefined
  /** The EICAR test file, 68 bytes, in hexadecimal: virus scanners would delete a file that has it. */
  readonly eicarHex: string
}

const EICAR_HEX =
  '58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a'
const EICAR_MD5 = '44d88612fea8a8f36de82e1278abb02f'
const MARKER = 'STOWAGE-TEST-VIRUS-MARKER'
const MAX_MEGABYTES = 25

/** The ClamAV of this run, or the one that `STOWAGE_TEST_CLAMD_HOST` and `_PORT` name. */
export async function clamd(): Promise<ClamdServer> {
  const { STOWAGE_TEST_CLAMD_HOST: host, STOWAGE_TEST_CLAMD_PORT: port = '3310' } = process.env
  if (host === undefined) return askKeeper<ClamdServer>('clamd')
  return { host, port: Number(port), socket: undefined, maxBytes: MAX_MEGABYTES * 1024 ** 2, marker: undefined, eicarHex: EICAR_HEX }
}

export function startClamd(run: string): Promise<ClamdServer> {
  return withRetries(async () => {
    const program = need('clamd')
    const folder = folderOf(run, 'clamd')
    const [port, socket, database] = [await freePort(), join(folder, 'socket'), folderOf(folder, 'database')]
    const marker = Buffer.from(MARKER).toString('hex')
    await writeFile(join(database, 'test.ndb'), `Eicar-Test-Signature:0:*:${EICAR_HEX}\nStowage-Test-Marker:0:*:${marker}\n`)
    await writeFile(join(database, 'test.hdb'), `${EICAR_MD5}:68:Eicar-Test-File\n`)
    await writeFile(join(folder, 'conf'), configuration({ port, socket, database, temporary: folderOf(folder, 'tmp') }))
    const daemon = startDaemon(run, [program, '-c', join(folder, 'conf')], join(folder, 'log'))
    await ready(daemon, async () => (await say(port, 'zPING\0', '\0')) === 'PONG\0')
    return { host: '127.0.0.1', port, socket, maxBytes: MAX_MEGABYTES * 1024 ** 2, marker: MARKER, eicarHex: EICAR_HEX }
  })
}

function configuration(facts: { port: number; socket: string; database: string; temporary: string }): string {
  return [
    `DatabaseDirectory ${facts.database}`,
    'OfficialDatabaseOnly no',
    'SelfCheck 0',
    'ConcurrentDatabaseReload no',
    'TCPAddr 127.0.0.1',
    `TCPSocket ${facts.port}`,
    `LocalSocket ${facts.socket}`,
    'FixStaleSocket yes',
    'Foreground yes',
    `TemporaryDirectory ${facts.temporary}`,
    `StreamMaxLength ${MAX_MEGABYTES}M`,
    `MaxFileSize ${MAX_MEGABYTES}M`,
    `MaxScanSize ${MAX_MEGABYTES * 4}M`,
    'MaxThreads 4',
    process.getuid?.() === 0 ? 'User root' : '',
    '',
  ].join('\n')
}
