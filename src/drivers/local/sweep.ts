/**
 * Removes what crashed writers left: temporary files and locks whose owner has ended, and sidecars without a file.
 *
 * It happens in passing, when a listing reads a directory, and once in the background when a disk first writes into one. A file whose
 * owner lives is never touched. A failure to sweep is nobody's failure.
 */
import type { Dirent } from 'node:fs'
import { joinPath } from '../../path.ts'
import type { Root } from './containment.ts'
import { isMissing, LinkError } from './local-errors.ts'
import { exists, lstatOrMissing, OPEN, open, readdir, unlink } from './local-files.ts'
import { HIDDEN_PREFIX } from './keys.ts'
import { removeStale, withLock } from './lock.ts'
import { readSidecarFrom, removeSidecar } from './sidecar.ts'
import { FOREIGN_AGE_MS, hasEnded, ownerOf, ownName } from './temp-files.ts'

const LOCK = `${HIDDEN_PREFIX}-lock-`
const META = `${HIDDEN_PREFIX}-meta-`

/**
 * Removes what is abandoned among the hidden names of the directory at `at`.
 * @param names every name in the directory, if they are known: then sidecars without a file are found
 * @returns how many it removed. Never rejects
 */
export async function sweepNames(at: string, hidden: readonly string[], names?: readonly string[]): Promise<number> {
  let removed = 0
  const metas = hidden.filter((name) => name.startsWith(META))
  const orphans = names === undefined || metas.length === 0 ? [] : withoutFile(metas, names)
  for (const name of [...hidden.filter((name) => !name.startsWith(META)), ...orphans]) {
    try {
      if (await sweepName(at, name)) removed++
    } catch {
      // It stays for the next sweep.
    }
  }
  return removed
}

async function sweepName(at: string, name: string): Promise<boolean> {
  if (name.startsWith(META)) return removeOrphan(at, name)
  if (name.startsWith(LOCK)) return removeStale(`${at}/${name}`)
  const owner = ownerOf(name)
  if (owner === undefined || !(hasEnded(owner) ?? (await isOld(`${at}/${name}`)))) return false
  await unlink(`${at}/${name}`)
  return true
}

async function isOld(path: string): Promise<boolean> {
  const stats = await lstatOrMissing(path)
  return stats !== undefined && Date.now() - Number(stats.mtimeMs) > FOREIGN_AGE_MS
}

function withoutFile(metas: readonly string[], names: readonly string[]): string[] {
  const wanted = new Set(metas)
  for (const name of names) wanted.delete(ownName('meta', name))
  return [...wanted]
}

/** Under the lock of the name, because a sidecar is there before its file takes the name. */
async function removeOrphan(at: string, meta: string): Promise<boolean> {
  const name = (await readSidecarFrom(await open(`${at}/${meta}`, OPEN.read)))?.name
  if (name === undefined || ownName('meta', name) !== meta) return false
  return withLock(at, name, async () => {
    if (await exists(`${at}/${name}`)) return false
    await removeSidecar(at, name)
    return true
  })
}

/** Sweeps a whole tree, a directory at a time. @returns how many files it removed */
export async function sweepTree(root: Root, directory = ''): Promise<number> {
  const found = await entriesOf(root, directory)
  const hidden = found.filter((entry) => entry.name.startsWith(HIDDEN_PREFIX)).map((entry) => entry.name)
  const names = found.map((entry) => entry.name)
  let removed = hidden.length === 0 ? 0 : await root.within(directory, (at) => sweepNames(at, hidden, names))
  for (const entry of found) if (entry.isDirectory()) removed += await sweepTree(root, joinPath(directory, entry.name))
  return removed
}

async function entriesOf(root: Root, directory: string): Promise<Dirent[]> {
  try {
    return await root.within(directory, (at) => readdir(`${at}/.`))
  } catch (error) {
    if (isMissing(error) || error instanceof LinkError) return []
    throw error
  }
}
