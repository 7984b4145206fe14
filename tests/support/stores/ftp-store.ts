/** Fresh FTP disks for the conformance kit, which looks beneath them where the server is of this machine. Each has a directory of its own. */
import { randomUUID } from 'node:crypto'
import { chown, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FtpDriver, type FtpDriverOptions } from '../../../src/drivers/ftp/ftp-driver.ts'
import type { TestStore } from '../../../src/testing/conformance/subject.ts'
import type { FtpServer } from '../servers/ftp-server.ts'

/** What a driver needs to log in to a server, with a directory of its own. */
export function ftpOptions(server: FtpServer, more: Partial<FtpDriverOptions> = {}): FtpDriverOptions {
  const { host, port, username, password, secure, ca, root } = server
  return { host, port, username, password, secure, ...(ca !== undefined && { tls: { ca } }), root: `${root}/kit-${randomUUID()}`, ...more }
}

export function makeFtp(find: () => Promise<FtpServer>, more: Partial<FtpDriverOptions> = {}): () => Promise<TestStore> {
  return async () => {
    const server = await find()
    const options = ftpOptions(server, more)
    const driver = new FtpDriver(options)
    const busy = (): number => driver.connections.open - driver.connections.idle
    const { directory } = server
    if (directory === undefined) return { driver, openResources: busy, remove: () => removeRoot(options) }
    const below = join(directory, (options.root ?? '').slice(server.root.length))
    return {
      driver,
      openResources: busy,
      leftovers: async () => (await names(below)).filter((name) => name.includes('.stowage')),
      // Who may not write to the directory may not delete what is in it; the server works as another user.
      failDeletes: (path) => chown(dirname(join(below, path)), 0, 0),
      remove: () => rm(below, { recursive: true, force: true }),
    }
  }
}

/** Everything below a directory; none while there is none. */
async function names(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory, { recursive: true })
  } catch {
    return []
  }
}

async function removeRoot(options: FtpDriverOptions): Promise<void> {
  const { root = '' } = options
  const driver = new FtpDriver({ ...options, root: dirname(root) })
  await driver.directories.delete(root.slice(root.lastIndexOf('/') + 1), {})
  await driver.close()
}
