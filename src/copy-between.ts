/**
 * Copies and moves from one disk to another.
 *
 * Both ends in one store: the store copies. Else the bytes pass through this process, one version of the source from begin to
 * end. A move deletes the source only after the copy is known to be whole, and only if the source is still the file that was
 * copied; when both ends are one file nothing is deleted.
 */
import { discard, streamContent, wholeBody, wrongLength } from './content.ts'
import { changed, deleteUnchanged, keptOptions, sourceChanged } from './derive.ts'
import type { Body, CallOptions, Driver, FileStat, Location, Visibility, WriteOptions } from './driver.ts'
import { FileExistsError, IntegrityError, toStorageError } from './errors.ts'
import { joinPath } from './path.ts'

/** One file as a disk sees it. */
export interface Place {
  readonly driver: Driver
  readonly path: string
  /** The disk's name, for errors. */
  readonly disk?: string | undefined
}

/** Where a file goes. */
export interface Target extends Place {
  /** What the disk gives files that bring no visibility along. */
  readonly visibility?: Visibility | undefined
}

/** @returns the facts of the version that was copied */
export async function copyBetween(from: Place, to: Target, options: WriteOptions): Promise<FileStat> {
  if (isSameFile(from, to)) {
    const stat = await from.driver.stat(from.path, { signal: options.signal })
    if (options.ifAbsent) throw located(new FileExistsError(), to)
    return stat
  }
  const shared = sharedDriver(from, to)
  if (shared === undefined) return copyThrough(from, to, options)
  const stat = await from.driver.stat(from.path, { signal: options.signal })
  await shared.driver.copy(shared.from, shared.to, options).catch(failedAt(to))
  return stat
}

export async function moveBetween(from: Place, to: Target, options: WriteOptions): Promise<void> {
  const copied = await copyBetween(from, to, options)
  if (isSameFile(from, to)) return
  const written = await to.driver.stat(to.path, { signal: options.signal }).catch(failedAt(to))
  if (written.size !== copied.size) {
    if (changed(copied, await from.driver.stat(from.path, { signal: options.signal }))) throw sourceChanged()
    throw located(new IntegrityError(`the copy has ${written.size} bytes instead of ${copied.size}: the source was kept`), to)
  }
  await deleteUnchanged(from.driver, from.path, copied, options)
}

async function copyThrough(from: Place, to: Target, options: WriteOptions): Promise<FileStat> {
  const { stat, body } = await from.driver.read(from.path, { signal: options.signal })
  try {
    const visibility = options.visibility ?? (await visibilityFor(from, to, stat, options))
    const kept = to.driver.supports.metadata ? keptOptions(stat, options) : options
    const content = streamContent(sourceBody(body, stat.size, from), stat.size)
    const { size } = await to.driver.write(to.path, content, { ...kept, visibility }).catch(failedAt(to))
    if (size !== stat.size) throw located(wrongLength(size, stat.size), to)
    return stat
  } finally {
    await discard(body)
  }
}

/** The whole body; what fails in it is the source's failure, although the target's write is what rejects. */
async function* sourceBody(body: Body, size: number, from: Place): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* wholeBody(body, size)
  } catch (error) {
    throw located(error, from)
  }
}

/** What the copy's visibility has to be: the file's, else the target disk's own; undefined where the target has none. */
async function visibilityFor(from: Place, to: Target, stat: FileStat, { signal }: CallOptions): Promise<FileStat['visibility']> {
  if (to.driver.visibility === undefined) return undefined
  return stat.visibility ?? (await from.driver.visibility?.get(from.path, { signal })) ?? to.visibility
}

function failedAt(place: Place): (error: unknown) => never {
  return (error) => {
    throw located(error, place)
  }
}

function located(error: unknown, { driver, path, disk }: Place): Error {
  return toStorageError(error).locate({ path, disk, driver: driver.name })
}

function isSameFile(from: Place, to: Place): boolean {
  const [a, b] = [unscoped(from), unscoped(to)]
  return (a.driver === b.driver && a.path === b.path) || sameLocation(a.driver.locate(a.path), b.driver.locate(b.path))
}

function sameLocation(a: Location | undefined, b: Location | undefined): boolean {
  return a !== undefined && b !== undefined && a.store === b.store && a.key === b.key
}

/** The same file without the scopes around its driver, which only map paths. */
function unscoped({ driver, path }: Place): Place {
  const [inner] = driver.inner
  if (driver.kind !== 'scoped' || inner === undefined || !('prefix' in driver) || typeof driver.prefix !== 'string') return { driver, path }
  return unscoped({ driver: inner, path: joinPath(driver.prefix, path) })
}

/**
 * A driver that reaches both files, so that its store can copy: the target's own stack, so that what its layers do on a write
 * is done, less the scopes around it. Files of one driver need no store that both can name.
 */
function sharedDriver(from: Place, to: Place): { driver: Driver; from: string; to: string } | undefined {
  const [a, b] = [unscoped(from), unscoped(to)]
  if (!b.driver.supports.serverSideCopy) return undefined
  if (a.driver === b.driver) return { driver: b.driver, from: a.path, to: b.path }
  const [source, target] = [a.driver.locate(a.path), b.driver.locate(b.path)]
  if (source === undefined || target === undefined || source.store !== target.store) return undefined
  const here = pathOf(b.driver, source)
  return here === undefined ? undefined : { driver: b.driver, from: here, to: b.path }
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
