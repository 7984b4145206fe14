/** Fresh local disks for the conformance kit, which looks beneath them. Each has a directory of its own, removed with it. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'
import type { TestStore } from '../../src/testing/conformance/subject.ts'

const run = promisify(execFile)

/** What lies on a local disk that is no file of it, and is meant to stay: the sidecars of files with metadata. */
const KEPT = '.stowage-meta-'

export async function makeLocal(): Promise<TestStore> {
  const root = await mkdtemp(join(tmpdir(), 'stowage-kit-'))
  const locked = new Set<string>()
  const failDeletes = async (path: string): Promise<void> => {
    const file = join(root, path)
    locked.add(file)
    await lock(file)
  }
  return {
    driver: new LocalDriver({ root }),
    failDeletes: (await canLock()) ? failDeletes : undefined,
    leftovers: async () => (await readdir(root, { recursive: true })).filter((name) => name.includes('.stowage') && !name.includes(KEPT)),
    openResources: () => openBelow(root),
    remove: async () => {
      for (const file of locked) await unlock(file)
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** How many descriptors of this process are of files below a directory; Linux alone tells. */
async function openBelow(root: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd').catch(() => [])
  const targets = await Promise.all(descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')))
  return targets.filter((target) => target.startsWith(root)).length
}

const isRoot = process.getuid?.() === 0
let lockable: Promise<boolean> | undefined

/** Whether this machine can make a file that its owner cannot delete. */
async function canLock(): Promise<boolean> {
  if (process.platform === 'win32') return false
  if (!isRoot) return true
  lockable ??= tryToLock()
  return lockable
}

/** Permissions do not bind root. An immutable file does, where the file system has such. */
async function tryToLock(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-kit-'))
  try {
    await run('chattr', ['+i', directory])
    await run('chattr', ['-i', directory])
    return true
  } catch {
    return false
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function lock(file: string): Promise<void> {
  if (isRoot) await run('chattr', ['+i', file])
  else await chmod(dirname(file), 0o500)
}

async function unlock(file: string): Promise<void> {
  if (isRoot) await run('chattr', ['-i', file])
  else await chmod(dirname(file), 0o700)
}
