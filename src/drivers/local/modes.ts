/** Permission bits: what visibility is on a disk of files. */
import type { BigIntStats } from 'node:fs'
import type { Root } from './containment.ts'
import { FileNotFoundError } from '../../errors.ts'
import { LinkError } from './local-errors.ts'
import { chmod, closeQuietly, fchmod, fstat, OPEN } from './local-files.ts'

const PERMISSIONS = 0o777

/** Sets what the umask, or the directory's default ACL, has cut from a mode; usually nothing. */
export async function fitMode(path: string, stats: BigIntStats, mode: number): Promise<void> {
  if ((Number(stats.mode) & PERMISSIONS) !== mode) await chmod(path, mode)
}

/** Sets the mode of the very file that is found, and never of one that a link leads to. @throws FileNotFoundError also for a directory */
export async function setMode(root: Root, key: string, mode: number): Promise<void> {
  const fd = await root.open(key, root.procfs ? OPEN.place : OPEN.read)
  try {
    const stats = await fstat(fd)
    if (stats.isSymbolicLink()) throw new LinkError(root.links === 'error')
    if (!stats.isFile()) throw new FileNotFoundError()
    // A place takes no fchmod, but its name in procfs leads to the same file.
    await (root.procfs ? chmod(`/proc/self/fd/${fd}`, mode) : fchmod(fd, mode))
  } finally {
    await closeQuietly(fd)
  }
}
