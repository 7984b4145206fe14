/**
 * A file appears whole or not at all, and a write that fails leaves the old one and nothing else.
 *
 *   open temp ─▶ write ─▶ [fsync] ─▶ close ─▶ [record in the sidecar] ─▶ rename over the name ─▶ [fsync the directory]
 *                                                                        link, for ifAbsent: exactly one of several succeeds
 *
 * The temporary file stands in the target's directory, so that the rename never crosses file systems. A plain write changes nothing
 * but the name. One with metadata or a condition, or over a file with metadata, holds the lock of the name (lock.ts) while it does.
 */
import type { BigIntStats } from 'node:fs'
import type { Content, WriteOptions, WriteResult } from '../../driver.ts'
import { FileExistsError, PreconditionFailedError, UnavailableError } from '../../errors.ts'
import { basename, dirname, joinPath } from '../../path.ts'
import { makeDirectories } from './directories.ts'
import { etagOf } from './facts.ts'
import { errnoOf } from './local-errors.ts'
import {
  createFile,
  existsSoon,
  factsOf,
  fsync,
  link,
  lstatOrMissing,
  OPEN,
  rename,
  syncDirectory,
  unlink,
  unlinkQuietly,
  writeAndClose,
} from './local-files.ts'
import { exclusively, withLock } from './lock.ts'
import { fitMode } from './modes.ts'
import { addRecord, type Extras, isMarked, mark, removeSidecar } from './sidecar.ts'
import type { LocalSettings } from './settings.ts'
import { ownName, tempName } from './temp-files.ts'
import { writeContent } from './write-content.ts'

/** A file that is to take a name. */
export interface Draft {
  /** The key of the temporary file. */
  readonly temp: string
  readonly stats: BigIntStats
  /** What the sidecar has to say about it. */
  readonly extras: Extras | undefined
  /** Whether there may be a sidecar of the file that it replaces. */
  readonly sidecarSeen: boolean
}

/** Replaces a file, or makes it with its parents. */
export async function writeAtomically(
  disk: LocalSettings,
  key: string,
  content: Content,
  { extras, ...options }: Pick<WriteOptions, 'visibility' | 'ifAbsent' | 'ifMatch' | 'signal'> & { readonly extras: Extras | undefined },
): Promise<WriteResult> {
  if (options.ifAbsent || options.ifMatch !== undefined) await checkEarly(disk, key, options)
  const mode = disk.fileModes[options.visibility ?? disk.visibility]
  const temp = joinPath(dirname(key), tempName())
  const fd = await openTemp(disk, temp, { mode, visibility: options.visibility })
  try {
    const stats = await writeAndClose(fd, disk.root.inMemory, async () => {
      await writeContent(fd, content, options.signal)
      if (disk.durable) await fsync(fd)
      return factsOf(fd, disk.root.inMemory)
    })
    await fitMode(disk.root.at(temp), stats, mode)
    return await commit(disk, key, { temp, stats, extras, sidecarSeen: await sidecarExists(disk, key) }, options)
  } catch (error) {
    await unlinkQuietly(disk.root.at(temp))
    throw error
  }
}

/** Spares the work when the condition is lost already; it is judged where it counts in `commit`. */
async function checkEarly({ root }: LocalSettings, key: string, options: Pick<WriteOptions, 'ifAbsent' | 'ifMatch'>): Promise<void> {
  let current: BigIntStats | undefined
  try {
    current = await root.lstat(key)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  checkCurrent(current, options)
}

/** Whether the name has a sidecar, valid or not. */
export function sidecarExists({ root }: LocalSettings, key: string): boolean | Promise<boolean> {
  return existsSoon(root.at(joinPath(dirname(key), ownName('meta', basename(key)))), root.inMemory)
}

/** Opens a temporary file, and makes the directory it is in if need be. */
async function openTemp(
  disk: LocalSettings,
  temp: string,
  { mode, visibility }: { readonly mode: number } & Pick<WriteOptions, 'visibility'>,
): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      await prepareDirectory(disk, dirname(temp))
      return await disk.root.open(temp, OPEN.create, mode)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt > 3) throw error
      await makeDirectories(disk, dirname(temp), visibility)
      disk.root.remember(dirname(temp)) // and nothing is in it that would have to be swept
    }
  }
}

/** Before anything is created in a directory for the first time: it has to be there and inside the root. */
export async function prepareDirectory({ root, sweeper }: LocalSettings, directory: string): Promise<void> {
  if (root.isKnown(directory)) return
  await root.within(directory, async () => undefined)
  root.remember(directory)
  sweeper.visit(directory)
}

/** Gives a temporary file its name. @throws FileExistsError, PreconditionFailedError when the condition is lost */
export function commit(
  disk: LocalSettings,
  key: string,
  draft: Draft,
  options: Pick<WriteOptions, 'ifAbsent' | 'ifMatch' | 'signal'>,
): Promise<WriteResult> {
  const { root } = disk
  return exclusively(root.realAt(key), async () => {
    options.signal?.throwIfAborted()
    if (!root.procfs) await root.checkSpelling(key)
    const plain = draft.extras === undefined && !draft.sidecarSeen && !options.ifAbsent && options.ifMatch === undefined
    if (!plain) return root.within(dirname(key), (at) => commitWithCare(disk, { at, name: basename(key) }, draft, options))
    await renameDraft(root.at(draft.temp), root.at(key))
    if (disk.durable) await root.within(dirname(key), syncDirectory)
    return { size: Number(draft.stats.size), etag: etagOf(draft.stats) }
  })
}

/** A name in a directory that is held. */
export interface Name {
  /** A way to the directory. */
  readonly at: string
  readonly name: string
}

async function commitWithCare(
  disk: LocalSettings,
  { at, name }: Name,
  draft: Draft,
  { ifAbsent = false, ifMatch }: Pick<WriteOptions, 'ifAbsent' | 'ifMatch'>,
): Promise<WriteResult> {
  const temp = `${at}/${basename(draft.temp)}`
  const target = `${at}/${name}`
  const place = async (): Promise<BigIntStats> => {
    const current = await lstatOrMissing(target)
    checkCurrent(current, { ifAbsent, ifMatch })
    const marked = draft.extras !== undefined || ifMatch !== undefined
    const stats = marked ? await mark(temp, ifMatch === undefined ? undefined : current?.mtimeNs) : draft.stats
    await placeWithSidecar(disk, { at, name }, { ...draft, stats, current }, () =>
      ifAbsent ? renameIfAbsent(temp, target) : renameDraft(temp, target),
    )
    return stats
  }
  const linked = ifAbsent && draft.extras === undefined && !draft.sidecarSeen
  const stats = linked ? await placeLinked(temp, target, draft.stats) : await withLock(at, name, place)
  if (disk.durable) await syncDirectory(at)
  return { size: Number(stats.size), etag: etagOf(stats) }
}

async function placeLinked(temp: string, target: string, stats: BigIntStats): Promise<BigIntStats> {
  await renameIfAbsent(temp, target)
  return stats
}

/** The record is there before the file, and taken back when the file does not come. */
export async function placeWithSidecar(
  { durable }: LocalSettings,
  { at, name }: Name,
  {
    stats,
    extras,
    current,
  }: { readonly stats: BigIntStats; readonly extras: Extras | undefined; readonly current: BigIntStats | undefined },
  place: () => Promise<void>,
): Promise<void> {
  if (extras === undefined) {
    await place()
    await removeSidecar(at, name)
    return
  }
  await addRecord(at, name, { stats, extras, replaced: current, durable })
  try {
    await place()
  } catch (error) {
    if (current === undefined || !isMarked(current)) await removeSidecar(at, name)
    throw error
  }
}

function checkCurrent(current: BigIntStats | undefined, { ifAbsent, ifMatch }: Pick<WriteOptions, 'ifAbsent' | 'ifMatch'>): void {
  if (ifMatch !== undefined && (current === undefined || !current.isFile() || etagOf(current) !== ifMatch))
    throw new PreconditionFailedError()
  if (current !== undefined && (ifAbsent || current.isDirectory())) throw new FileExistsError()
}

async function renameDraft(temp: string, target: string): Promise<void> {
  try {
    await rename(temp, target)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new UnavailableError('the directory was removed while the file was being written', { cause: error })
  }
}

const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL'])

/** Renames, but only to a name that nobody has. @throws EEXIST */
export async function renameIfAbsent(temp: string, target: string, renameFile: typeof rename = rename): Promise<void> {
  try {
    await link(temp, target)
  } catch (error) {
    if (!NO_LINKS.has(errnoOf(error))) throw error
    return renameOverReservation(temp, target, renameFile)
  }
  await unlink(temp)
}

/** Where a file system has no hard links (FAT, some network ones): reserve the name with O_EXCL, then rename over it. */
export async function renameOverReservation(temp: string, target: string, renameFile: typeof rename): Promise<void> {
  await createFile(target, new Uint8Array(), { mode: 0o600 })
  try {
    await renameFile(temp, target)
  } catch (error) {
    await unlinkQuietly(target)
    throw error
  }
}
