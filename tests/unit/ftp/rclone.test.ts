/** Another client of the same server: rclone reads what the disk wrote, and the disk reads what rclone wrote, byte for byte. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from '@jest/globals'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { NAMES } from '../../../src/testing/conformance/paths.ts'
import { need } from '../../support/servers/processes.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { diskOn, later } from './ftp-disk.ts'

const run = promisify(execFile)
/** rclone's own encoding changes backslashes, control characters and names that end in a space. */
const FILES = NAMES.filter((name) => !/[\u2028\ufffd]| $/.test(name)).map(
  (name, index) => [name, bytesFor(index * 1_001, index + 1)] as const,
)

it.each([
  ['proftpd', () => proftpd(), []],
  // rclone resumes no TLS session on data connections.
  ['proftpd over TLS', () => proftpd({ tls: 'explicit', sessionReuse: false }), ['--ftp-explicit-tls', '--ftp-no-check-certificate']],
  ['vsftpd', () => vsftpd(), []],
] as const)('rclone and the disk agree about every file on %s', async (_name, find, flags) => {
  const server = await find()
  const { disk, options } = await diskOn(server)
  const folder = await mkdtemp(join(tmpdir(), 'stowage-rclone-'))
  later(() => rm(folder, { recursive: true, force: true }))
  const rclone = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, RCLONE_CONFIG: '' }
    const place = ['--ftp-host', server.host, '--ftp-port', String(server.port), '--ftp-user', server.username]
    const { stdout: pass } = await run(need('rclone'), ['obscure', server.password], { env })
    return (await run(need('rclone'), [...args, '--no-unicode-normalization', ...place, '--ftp-pass', pass.trim(), ...flags], { env }))
      .stdout
  }
  for (const [name, bytes] of FILES) await disk.put(`ours/${name}`, bytes)
  await rclone('copy', `:ftp:${options.root}/ours`, join(folder, 'ours'))
  for (const [name, bytes] of FILES) expect([name, bytes.equals(await readFile(join(folder, 'ours', name)))]).toEqual([name, true])
  const entries = await readdir(join(folder, 'ours'), { recursive: true, withFileTypes: true })
  expect(entries.filter((entry) => entry.isFile())).toHaveLength(FILES.length)

  for (const [name, bytes] of FILES) await writeInto(join(folder, 'theirs'), name, bytes)
  await rclone('copy', join(folder, 'theirs'), `:ftp:${options.root}/theirs`)
  expect(new Set(await disk.allFiles('theirs'))).toEqual(new Set(FILES.map(([name]) => `theirs/${name}`)))
  for (const [name, bytes] of FILES) expect([name, bytes.equals(await disk.get(`theirs/${name}`))]).toEqual([name, true])
})

async function writeInto(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true })
  await writeFile(join(folder, name), bytes)
}
