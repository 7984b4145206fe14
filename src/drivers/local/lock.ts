/**
 * One writer at a time for a name.
 *
 * `exclusively` orders the writers of this process; `withLock` those of all processes that keep sidecars or conditions, by a lock
 * that names its owner. Plain writers do not take it: they only rename, which is atomic by itself.
 *
 * A lock whose owner has ended is taken away under a second lock, `…-steal`, so that nobody removes one that was taken anew in between.
 * A thief that dies in these microseconds leaves its own lock, which is removed by age; only there, after two crashes, could two
 * thieves meet.
 */
import { UnavailableError } from '../../errors.ts'
import { errnoOf, isMissing } from './local-errors.ts'
import { closeQuietly, createFile, lstatOrMissing, OPEN, open, readFully, readlink, symlink, unlink, unlinkQuietly } from './local-files.ts'
import { hasEnded, owner, ownName } from './temp-files.ts'

const WAIT_MS = 30_000 // a lock is held for a few renames
const NAMELESS_MS = 10_000 // where there are no links, a lock is there for one call before its owner is named
const FOREIGN_MS = 10 * 60_000 // another host's: whether it lives cannot be asked

const queues = new Map<string, Promise<void>>()

/** Runs one after the other what is asked for the same key, in this process. */
export async function exclusively<T>(key: string, run: () => Promise<T>): Promise<T> {
  const before = queues.get(key)
  const { promise, resolve } = Promise.withResolvers<void>()
  queues.set(key, promise)
  try {
    if (before !== undefined) await before
    return await run()
  } finally {
    if (queues.get(key) === promise) queues.delete(key)
    resolve()
  }
}

/** Holds the lock of a name in the directory at `at`. @throws UnavailableError when it cannot be had for half a minute */
export async function withLock<T>(at: string, name: string, run: () => Promise<T>): Promise<T> {
  const path = `${at}/${ownName('lock', name)}`
  const deadline = Date.now() + WAIT_MS
  for (let wait = 1; !(await take(path)); wait = Math.min(wait * 2, 32)) {
    if (await removeStale(path)) continue
    if (Date.now() > deadline) throw new UnavailableError('another process holds the lock of this file')
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
  }
  try {
    return await run()
  } finally {
    await unlinkQuietly(path)
  }
}

/** Removes a lock whose owner has ended. @returns whether it was removed, or gone already */
export async function removeStale(path: string): Promise<boolean> {
  const found = await isStale(path)
  if (found !== true) return found === undefined
  const guard = `${path}-steal`
  if (!(await take(guard))) {
    if (await isStale(guard)) await unlinkQuietly(guard)
    return false
  }
  try {
    if (await isStale(path)) await unlink(path)
    return true
  } finally {
    await unlinkQuietly(guard)
  }
}

/** A symbolic link is there with what it says, at once; a file only where there are no links. */
async function take(path: string): Promise<boolean> {
  try {
    await symlink(owner(), path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    if (!NO_SYMLINKS.has(errnoOf(error))) throw error
  }
  return takeByFile(path)
}

const NO_SYMLINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'])

/** @returns whether the lock is ours */
export async function takeByFile(path: string): Promise<boolean> {
  try {
    await createFile(path, Buffer.from(owner()), { mode: 0o644 })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** @returns undefined when there is no lock */
async function isStale(path: string): Promise<boolean | undefined> {
  const stats = await lstatOrMissing(path)
  if (stats === undefined) return undefined
  const ageMs = Date.now() - Number(stats.mtimeMs)
  const holder = await holderOf(path, stats.isSymbolicLink())
  if (holder === undefined) return undefined
  if (holder === '') return ageMs > NAMELESS_MS
  return hasEnded(holder) ?? ageMs > FOREIGN_MS
}

async function holderOf(path: string, isLink: boolean): Promise<string | undefined> {
  let fd: number
  try {
    if (isLink) return await readlink(path)
    fd = await open(path, OPEN.read)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const buffer = Buffer.alloc(128)
    return buffer.toString('latin1', 0, await readFully(fd, buffer, 0))
  } finally {
    await closeQuietly(fd)
  }
}
