/**
 * Copies share or carry the blocks inside the kernel and take their name as every write does; moves are renames.
 *
 * A move loses nothing: across file systems it is a copy, and the source goes only when the copy is whole and the source is still
 * the file that was copied. Content type, metadata and mode go along, but for what the options set.
 */
import type { BigIntStats } from 'node:fs'
import { contentTypeOf } from '../../content-type.ts'
import { keptOptions, moveByCopy } from '../../derive.ts'
import type { Driver, WriteOptions } from '../../driver.ts'
import { FileExistsError, FileNotFoundError, UnavailableError } from '../../errors.ts'
import { basename, dirname, joinPath } from '../../path.ts'
import { commit, type Name, placeWithSidecar, prepareDirectory, renameIfAbsent, sidecarExists } from './atomic-write.ts'
import { makeDirectories } from './directories.ts'
import { describeFile } from './facts.ts'
import { setMode } from './modes.ts'
import { errnoOf } from './local-errors.ts'
import {
  chmod,
  closeQuietly,
  copyFile,
  exists,
  fstat,
  fsync,
  lstat,
  lstatOrMissing,
  OPEN,
  open,
  rename,
  syncDirectory,
  unlinkQuietly,
  writeAndClose,
} from './local-files.ts'
import { exclusively, withLock } from './lock.ts'
import { type Extras, extrasOf, isMarked, mark, removeSidecar } from './sidecar.ts'
import type { LocalSettings } from './settings.ts'
import { ownName, tempName } from './temp-files.ts'

/** Both ends as paths, and as the keys that they stand for. */
export interface Ends {
  readonly from: string
  readonly to: string
  readonly fromKey: string
  readonly toKey: string
}

export async function copyWithin(disk: LocalSettings, ends: Ends, options: WriteOptions): Promise<void> {
  if (ends.fromKey === ends.toKey) return onItself(disk, ends.fromKey, options)
  const fd = await disk.root.open(ends.fromKey, OPEN.read)
  try {
    const stats = await fstat(fd)
    if (!stats.isFile()) throw new FileNotFoundError()
    const extras = await extrasOfCopy(disk, ends, stats, options)
    const source = disk.root.procfs ? `/proc/self/fd/${fd}` : disk.root.at(ends.fromKey)
    const temp = joinPath(dirname(ends.toKey), tempName())
    try {
      const copied = await copyToTemp(disk, { source, temp, size: stats.size }, options)
      await commit(disk, ends.toKey, { temp, stats: copied, extras, sidecarSeen: await sidecarExists(disk, ends.toKey) }, options)
    } catch (error) {
      await unlinkQuietly(disk.root.at(temp))
      throw error
    }
  } finally {
    await closeQuietly(fd)
  }
}

async function onItself({ root }: LocalSettings, key: string, { ifAbsent }: WriteOptions): Promise<void> {
  if (!(await root.stat(key)).isFile()) throw new FileNotFoundError()
  if (ifAbsent) throw new FileExistsError()
}

async function extrasOfCopy({ root }: LocalSettings, ends: Ends, stats: BigIntStats, options: WriteOptions): Promise<Extras | undefined> {
  const stat = await describeFile(root, { path: ends.from, key: ends.fromKey }, stats)
  return extrasOf(keptOptions(stat, options), await contentTypeOf(ends.toKey))
}

interface TempCopy {
  readonly source: string
  readonly temp: string
  readonly size: bigint
}

/** @returns the facts of the temporary file, which has the source's mode but for a visibility that was given */
async function copyToTemp(
  disk: LocalSettings,
  { source, temp, size }: TempCopy,
  { visibility, signal }: WriteOptions,
): Promise<BigIntStats> {
  await prepareParents(disk, temp, visibility)
  return disk.root.within(dirname(temp), async (at) => {
    const path = `${at}/${basename(temp)}`
    try {
      await copyFile(source, path)
      if (visibility !== undefined) await chmod(path, disk.fileModes[visibility])
      if (disk.durable) await syncFile(path)
      const stats = await lstat(path)
      if (stats.size !== size) throw new UnavailableError('the source changed while it was being copied')
      signal?.throwIfAborted()
      return stats
    } catch (error) {
      await unlinkQuietly(path)
      throw error
    }
  })
}

async function syncFile(path: string): Promise<void> {
  const fd = await open(path, OPEN.read)
  await writeAndClose(fd, false, () => fsync(fd))
}

/** The directory that something is to be made in, for the first time: there, and inside the root. */
async function prepareParents(disk: LocalSettings, key: string, visibility: WriteOptions['visibility']): Promise<void> {
  try {
    await prepareDirectory(disk, dirname(key))
    if (await exists(disk.root.at(dirname(key)))) return
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  await makeDirectories(disk, dirname(key), visibility)
}

/** @param renameFile what renames: a rename that fails with EXDEV makes it a copy */
export async function moveWithin(
  disk: LocalSettings & { readonly driver: Driver },
  ends: Ends,
  options: WriteOptions,
  renameFile: typeof rename = rename,
): Promise<void> {
  if (ends.fromKey === ends.toKey) return onItself(disk, ends.fromKey, options)
  if (changesContent(options)) return moveByCopy(disk.driver, ends.from, ends.to, options)
  try {
    await bothExclusively(disk, ends, () => moveByRename(disk, ends, options, renameFile))
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error
    await moveByCopy(disk.driver, ends.from, ends.to, options)
  }
}

function changesContent({
  contentType,
  cacheControl,
  contentDisposition,
  contentEncoding,
  contentLanguage,
  ...rest
}: WriteOptions): boolean {
  const changes = [contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, rest.metadata, rest.ifMatch]
  return changes.some((value) => value !== undefined)
}

/** Alone among this process's writers of both names; always in the same order, so that two moves never wait for each other. */
function bothExclusively(disk: LocalSettings, { fromKey, toKey }: Ends, run: () => Promise<void>): Promise<void> {
  const [first, second] = [disk.root.realAt(fromKey), disk.root.realAt(toKey)].sort() as [string, string]
  return exclusively(first, () => exclusively(second, run))
}

async function moveByRename(disk: LocalSettings, ends: Ends, options: WriteOptions, renameFile: typeof rename): Promise<void> {
  const { root } = disk
  const source = await root.stat(ends.fromKey)
  if (!source.isFile()) throw new FileNotFoundError()
  await prepareParents(disk, ends.toKey, options.visibility)
  const extras = await extrasOfCopy(disk, ends, source, {})
  if (options.visibility !== undefined) await setMode(root, ends.fromKey, disk.fileModes[options.visibility])
  options.signal?.throwIfAborted()
  await root.within(dirname(ends.fromKey), (atFrom) =>
    root.within(dirname(ends.toKey), async (atTo) => {
      const move = { from: { at: atFrom, name: basename(ends.fromKey) }, to: { at: atTo, name: basename(ends.toKey) }, source, extras }
      await renameWithSidecar(disk, move, options, renameFile)
      if (isMarked(source)) await removeLeftSidecar(atFrom, basename(ends.fromKey))
      if (disk.durable) await Promise.all([syncDirectory(atTo), syncDirectory(atFrom)])
    }),
  )
}

interface Move {
  readonly from: Name
  readonly to: Name
  readonly source: BigIntStats
  readonly extras: Extras | undefined
}

/** The record in the target's sidecar is there before the file, as for every write. */
async function renameWithSidecar(
  disk: LocalSettings,
  { from, to, source, extras }: Move,
  { ifAbsent }: WriteOptions,
  renameFile: typeof rename,
): Promise<void> {
  const [path, target] = [`${from.at}/${from.name}`, `${to.at}/${to.name}`]
  const place = (): Promise<void> => (ifAbsent ? renameIfAbsent(path, target, renameFile) : renameFile(path, target))
  if (extras === undefined && !(await exists(`${to.at}/${ownName('meta', to.name)}`))) return place()
  await withLock(to.at, to.name, async () => {
    const current = await lstatOrMissing(target)
    if (current !== undefined && (ifAbsent || current.isDirectory())) throw new FileExistsError()
    const stats = extras === undefined || isMarked(source) ? source : await mark(path)
    await placeWithSidecar(disk, to, { stats, extras, current }, place)
  })
}

/** Removes the sidecar of a name that has no file any more. */
export async function removeLeftSidecar(at: string, name: string): Promise<void> {
  if (!(await exists(`${at}/${ownName('meta', name)}`))) return
  await withLock(at, name, async () => {
    if (!(await exists(`${at}/${name}`))) await removeSidecar(at, name)
  })
}
