/**
 * Copies and moves from one disk to another.
 *
 * Both ends in one store: the store copies. Else the bytes pass through this process, one version of the source from begin to
 * end. A move deletes the source only after the copy is known to be whole, and only if the source is still the file that was
 * copied; when both ends are one file nothing is deleted.
 */
import { discard, streamContent, wrongLength } from './content.ts'
import { deleteUnchanged, keptOptions } from './derive.ts'
import type { CallOptions, Driver, FileStat, Location, WriteOptions } from './driver.ts'
import { FileExistsError, IntegrityError } from './errors.ts'

/** One file as a disk sees it. */
export interface Place {
  readonly driver: Driver
  readonly path: string
}

/** @returns the facts of the version that was copied */
export async function copyBetween(from: Place, to: Place, options: WriteOptions): Promise<FileStat> {
  if (isSameFile(from, to)) {
    const stat = await from.driver.stat(from.path, { signal: options.signal })
    if (options.ifAbsent) throw new FileExistsError()
    return stat
  }
  const shared = sharedDriver(from, to)
  if (shared === undefined) return copyThrough(from, to, options)
  const stat = await from.driver.stat(from.path, { signal: options.signal })
  await shared.driver.copy(shared.from, shared.to, options)
  return stat
}

export async function moveBetween(from: Place, to: Place, options: WriteOptions): Promise<void> {
  const copied = await copyBetween(from, to, options)
  if (isSameFile(from, to)) return
  const written = await to.driver.stat(to.path, { signal: options.signal })
  if (written.size !== copied.size)
    throw new IntegrityError(`the copy has ${written.size} bytes instead of ${copied.size}: the source was kept`)
  await deleteUnchanged(from.driver, from.path, copied, options)
}

async function copyThrough(from: Place, to: Place, options: WriteOptions): Promise<FileStat> {
  const { stat, body } = await from.driver.read(from.path, { signal: options.signal })
  try {
    const visibility = options.visibility ?? (await visibilityFor(from, to, stat, options))
    const kept = to.driver.supports.metadata ? keptOptions(stat, options) : options
    const { size } = await to.driver.write(to.path, streamContent(body, stat.size), { ...kept, visibility })
    if (size !== stat.size) throw wrongLength(size, stat.size)
    return stat
  } finally {
    await discard(body)
  }
}

/** What the copy's visibility has to be; undefined where one of the stores has none. */
async function visibilityFor(from: Place, to: Place, stat: FileStat, { signal }: CallOptions): Promise<FileStat['visibility']> {
  if (to.driver.visibility === undefined) return undefined
  return stat.visibility ?? from.driver.visibility?.get(from.path, { signal })
}

function isSameFile(from: Place, to: Place): boolean {
  return sameLocation(from.driver.locate(from.path), to.driver.locate(to.path))
}

function sameLocation(a: Location | undefined, b: Location | undefined): boolean {
  return a !== undefined && b !== undefined && a.store === b.store && a.key === b.key
}

/**
 * A driver that reaches both files, so that its store can copy: the target's own stack, so that what its layers do on a write
 * is done, less the scopes around it, which only map paths.
 */
function sharedDriver(from: Place, to: Place): { driver: Driver; from: string; to: string } | undefined {
  const source = from.driver.locate(from.path)
  const target = to.driver.locate(to.path)
  if (source === undefined || target === undefined || source.store !== target.store) return undefined
  for (let driver: Driver | undefined = to.driver; driver !== undefined; driver = driver.kind === 'scoped' ? driver.inner[0] : undefined) {
    const [here, there] = [pathOf(driver, source), pathOf(driver, target)]
    if (here !== undefined && there !== undefined && driver.supports.serverSideCopy) return { driver, from: here, to: there }
  }
  return undefined
}

/** The path by which a driver reaches a place in its store, or undefined when it is outside. */
function pathOf(driver: Driver, { store, key }: Location): string | undefined {
  const root = driver.locate('')
  if (root === undefined) return undefined
  const prefix = root.key === '' || root.key.endsWith('/') ? root.key : `${root.key}/`
  if (!key.startsWith(prefix)) return undefined
  const path = key.slice(prefix.length)
  return sameLocation(driver.locate(path), { store, key }) ? path : undefined
}
