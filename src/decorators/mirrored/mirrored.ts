/**
 * `mirrored(options)`: every file on several disks.
 *
 *   change ──▶ primary ──▶ mirrors made as the primary is        `all`: before the call is done; a mirror that fails is told
 *                                                                 `background`: after it, by a journal on the primary that outlives a crash
 *
 * Everything is read from the primary, and it alone decides about conditions. Mirrors follow by state and not by command: a path is
 * copied, or deleted where the primary has nothing, so that what was missed is mended by looking once more. No backup: deletes follow, too.
 */
import type { CallOptions, Decorator, DeleteFailure, DirectoryAbility, Driver, Page, Supports, VisibilityAbility } from '../../driver.ts'
import { ConfigurationError, PartialFailureError, type PathFailure, toStorageError, UnsupportedError } from '../../errors.ts'
import { Background } from './background.ts'
import { checkPath, isJournal, JOURNAL, Journal, type Work } from './journal.ts'
import { Syncing } from './syncing.ts'
import { type Difference, differences, type VerifyOptions } from './verifying.ts'

export interface MirroredOptions {
  readonly mirrors: readonly Driver[]
  /** Whether a change waits for the mirrors. Default: `all`. */
  readonly mode?: 'all' | 'background' | undefined
  readonly now?: (() => number) | undefined
}

/** What `disk.layer('mirrored')` gives. */
export interface MirroredDriver extends Driver {
  readonly kind: 'mirrored'
  /** Compares every name and size, and contents if asked. Changes that are under way may show as differences. */
  verify(options?: VerifyOptions): Promise<readonly Difference[]>
  /** Makes the mirrors as the primary is. @returns how many files it mended @throws PartialFailureError with those it could not */
  repair(options?: VerifyOptions): Promise<number>
  /** Waits until every mirror has what is in the journal. */
  flush(): Promise<void>
}

declare module '../../driver.ts' {
  interface Layers {
    mirrored: MirroredDriver
  }
}

/** @throws ConfigurationError without a mirror */
export function mirrored({ mirrors, mode = 'all', now = Date.now }: MirroredOptions): Decorator {
  if (mirrors.length === 0) throw new ConfigurationError('"mirrors" needs at least one disk')
  return (primary) => {
    const journal = new Journal(primary, now)
    const syncing = new Syncing(primary)
    const background = new Background({ mirrors, journal, syncing, now })
    return mirroredDriver({ primary, mirrors, mode, journal, syncing, background })
  }
}

interface Parts {
  readonly primary: Driver
  readonly mirrors: readonly Driver[]
  readonly mode: 'all' | 'background'
  readonly journal: Journal
  readonly syncing: Syncing
  readonly background: Background
}

function mirroredDriver(parts: Parts): MirroredDriver {
  const { primary, mirrors, background } = parts
  const all = [primary, ...mirrors]
  const { visibility, directories } = primary
  const change = <T>(paths: readonly string[], run: () => Promise<T>, options: CallOptions): Promise<T> =>
    changing(parts, { paths: paths.map(checkPath) }, run, options)
  return {
    kind: 'mirrored',
    name: `mirrored(${all.map(({ name }) => name).join(', ')})`,
    inner: all,
    supports: supported(primary.supports),
    visibility: visibility && visibilityOf(visibility, change),
    directories: directories && directoriesOf(parts, directories),
    multipart: undefined, // Parts go to one store; what they became would have to be read back whole.
    append: undefined, // Each appended piece would copy the whole file to the mirrors: rewriting it does so once.
    publicUrl: primary.publicUrl?.bind(primary),
    signUrl: primary.supports.temporaryUrl && primary.signUrl !== undefined ? signerOf(primary) : undefined,
    stat: (path, options) => primary.stat(checkPath(path), options),
    read: (path, options) => primary.read(checkPath(path), options),
    write: (path, content, options) => change([path], () => primary.write(path, content, options), options),
    delete: (paths, options) => remove(parts, paths.map(checkPath), options),
    list: async (directory, options) => withoutJournal(await primary.list(directory, options)),
    copy: (from, to, options) => change([to], () => primary.copy(checkPath(from), to, options), options),
    move: (from, to, options) => change([from, to], () => primary.move(from, to, options), options),
    locate: () => undefined, // A copy within the primary's store would pass the mirrors by.
    close: () => background.close(),
    verify: (options = {}) => verify(parts, options),
    repair: (options = {}) => repair(parts, options),
    flush: () => background.flush(),
  }
}

/** A change of the primary, and what follows from it for the mirrors. */
async function changing<T>(
  { mode, journal, background, mirrors, syncing }: Parts,
  work: Work,
  run: () => Promise<T>,
  options: CallOptions,
): Promise<T> {
  options.signal?.throwIfAborted()
  void background.replay()
  if (mode === 'background') {
    const entry = await journal.add(work)
    try {
      return await run()
    } finally {
      background.add(entry) // also after a failure: the change may have happened
    }
  }
  const result = await run()
  const failures = await syncAll({ mirrors, syncing }, work, options)
  if (failures.length === 0) return result
  await journal.add(work).then(
    (entry) => background.add(entry),
    () => undefined,
  )
  throw new PartialFailureError(told(failures), { failures: failures.map(({ path, error }) => ({ path, error })) })
}

interface MirrorFailure extends PathFailure {
  readonly mirror: string
}

async function syncAll(
  { mirrors, syncing }: Pick<Parts, 'mirrors' | 'syncing'>,
  work: Work,
  options: CallOptions,
): Promise<MirrorFailure[]> {
  const path = 'paths' in work ? (work.paths[0] ?? '') : work.directory
  const outcomes = mirrors.map(async (mirror): Promise<MirrorFailure[]> => {
    try {
      await syncing.work(mirror, work, options)
      return []
    } catch (error) {
      options.signal?.throwIfAborted()
      return [{ path, mirror: mirror.name, error: toStorageError(error) }]
    }
  })
  return (await Promise.all(outcomes)).flat()
}

function told(failures: readonly MirrorFailure[]): string {
  const missed = failures.map(({ mirror, error }) => `${mirror} (${error.reason})`).join(', ')
  return `the primary has the change, but these mirrors do not: ${missed}; they get it when they can be reached, or by repair()`
}

async function remove(parts: Parts, paths: readonly string[], options: Parameters<Driver['delete']>[1]): Promise<readonly DeleteFailure[]> {
  const failures: DeleteFailure[] = []
  const run = async (): Promise<void> => void failures.push(...(await parts.primary.delete(paths, options)))
  try {
    await changing(parts, { paths }, run, options)
  } catch (error) {
    if (!(error instanceof PartialFailureError)) throw error
    for (const { path } of error.failures) failures.push({ path, error })
  }
  return failures
}

async function verify({ primary, mirrors }: Parts, options: VerifyOptions): Promise<readonly Difference[]> {
  const found: Difference[] = []
  for (const mirror of mirrors) for await (const difference of differences(primary, mirror, options)) found.push(difference)
  return found
}

async function repair(parts: Parts, options: VerifyOptions): Promise<number> {
  const failures: PathFailure[] = []
  let mended = 0
  for (const mirror of parts.mirrors) {
    for await (const { path } of differences(parts.primary, mirror, options)) {
      try {
        await parts.syncing.path(mirror, path, options)
        mended++
      } catch (error) {
        options.signal?.throwIfAborted()
        failures.push({ path, error: toStorageError(error) })
      }
    }
  }
  if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
  return mended
}

type Change = <T>(paths: readonly string[], run: () => Promise<T>, options: CallOptions) => Promise<T>

function visibilityOf(inner: VisibilityAbility, change: Change): VisibilityAbility {
  return {
    get: (path, options) => inner.get(checkPath(path), options),
    set: (path, visibility, options) => change([path], () => inner.set(path, visibility, options), options),
  }
}

function directoriesOf(parts: Parts, inner: DirectoryAbility): DirectoryAbility {
  return {
    exists: (path, options) => inner.exists(checkPath(path), options),
    create: async (path, options) => {
      await inner.create(checkPath(path), options)
      for (const { directories } of parts.mirrors) await directories?.create(path, options)
    },
    delete: (path, options) =>
      changing(
        parts,
        { directory: checkPath(path) },
        async () => {
          const deleted = path === '' ? await emptyRoot(parts.primary, inner, options) : await inner.delete(path, options)
          if (parts.mode === 'all') for (const { directories } of parts.mirrors) await directories?.delete(path, options).catch(() => 0)
          return deleted
        },
        options,
      ),
  }
}

/** Everything but the journal. */
async function emptyRoot(primary: Driver, directories: DirectoryAbility, options: CallOptions): Promise<number> {
  const { entries } = await primary.list('', { stat: false, signal: options.signal })
  const files = entries.filter(({ type }) => type === 'file').map(({ path }) => path)
  let deleted = files.length
  const [failure] = files.length === 0 ? [] : await primary.delete(files, options)
  if (failure !== undefined) throw failure.error
  for (const { type, path } of entries) if (type === 'directory' && path !== JOURNAL) deleted += await directories.delete(path, options)
  return deleted
}

function withoutJournal(page: Page): Page {
  return { ...page, entries: page.entries.filter(({ path }) => !isJournal(path)) }
}

/** Uploads that go to the primary's store directly would pass the mirrors by. */
function signerOf(primary: Driver): NonNullable<Driver['signUrl']> {
  const sign = primary.signUrl?.bind(primary) as NonNullable<Driver['signUrl']>
  return (path, options) => {
    if (options.method === 'PUT')
      throw new UnsupportedError('a mirrored disk signs no uploads: they would go to one store and miss the others')
    return sign(checkPath(path), options)
  }
}

function supported(primary: Supports): Supports {
  return {
    ifAbsent: primary.ifAbsent,
    ifMatch: primary.ifMatch,
    rangedRead: primary.rangedRead,
    serverSideCopy: false, // The mirrors get their bytes from the primary.
    metadata: primary.metadata,
    versions: primary.versions,
    temporaryUrl: primary.temporaryUrl,
    temporaryUploadUrl: false,
    encryptedAtRest: primary.encryptedAtRest,
  }
}
