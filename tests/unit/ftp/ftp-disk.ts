/** FTP disks of the tests, each in a directory of its own, over a server of this run; and the directory as this machine sees it. */
import { chown, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { FtpDriver, type FtpDriverOptions } from '../../../src/drivers/ftp/ftp-driver.ts'
import { type FtpFaultProxy, ftpFaultProxy } from '../../support/ftp-fault-proxy.ts'
import type { FtpServer } from '../../support/servers/ftp-server.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { ftpOptions } from '../../support/stores/ftp-store.ts'

export interface FtpDisk {
  readonly disk: Disk
  readonly driver: FtpDriver
  readonly options: FtpDriverOptions
  /** The disk's root, as this machine sees it. */
  readonly directory: string
  /** What lies on the server and is no file of the disk. */
  readonly leftovers: () => Promise<readonly string[]>
}

const toClean: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const clean of toClean.splice(0).toReversed()) await clean()
})

/** Something that is undone after the test. */
export function later(clean: () => Promise<unknown>): void {
  toClean.push(clean)
}

/** A disk on a server, whose root is made already. The tests look beneath it, so they have servers of this machine only. */
export async function diskOn(server: FtpServer, more: Partial<FtpDriverOptions> = {}): Promise<FtpDisk> {
  const options = ftpOptions(server, { responseTimeoutMs: 10_000, ...more })
  const directory = join(server.directory ?? '', (options.root ?? '').slice(server.root.length))
  if (server.directory === undefined) throw new Error('these tests look beneath the server: leave STOWAGE_TEST_FTP_HOST unset')
  await makeOwned(directory, server.directory)
  const driver = new FtpDriver(options)
  later(async () => {
    await driver.close()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    disk: new Disk(driver, { name: 'ftp' }),
    driver,
    options,
    directory,
    leftovers: async () => (await readdir(directory, { recursive: true })).filter((name) => name.includes('.stowage')),
  }
}

export interface ProxiedDisk extends FtpDisk {
  readonly proxy: FtpFaultProxy
}

/** A disk behind a proxy that can break connections. */
export async function faultyDisk(more: Partial<FtpDriverOptions> = {}): Promise<ProxiedDisk> {
  const server = await proftpd()
  const proxy = await ftpFaultProxy(server)
  later(() => proxy.close())
  const made = await diskOn(server, { ...more, port: proxy.port })
  return { ...made, proxy }
}

async function makeOwned(directory: string, like: string): Promise<void> {
  await mkdir(directory)
  const { uid, gid } = await stat(like)
  await chown(directory, uid, gid)
}
