/**
 * `mirrored(options)`: every file on several disks.
 *
 *   change ──▶ primary ──▶ mirrors made as the primary is        `all`: before the call is done; a mirror that fails is told
 *                                                                 `background`: after it, by a journal on the primary that outlives a crash
 *
 * Everything is read from the primary, and it alone decides about conditions. Mirrors follow by state and not by command: a path is
 * copied, or deleted where the primary has nothing, so that what was missed is mended by looking once more. No backup: deletes follow, too.
 */
import type {
  CallOptions,
  Decorator,
  DeleteFailure,
  DeleteOptions,
  DirectoryAbility,
  Driver,
  Page,
  Supports,
  VisibilityAbility,
} from '../../driver.ts'
import { ConfigurationError, PartialFailureError, UnsupportedError } from '../../errors.ts'
import { Lazy } from '../../lazy.ts'
import { checkPath, isJournal, JOURNAL } from './journal-paths.ts'
import type { Mirroring, MirroringOptions } from './mirroring.ts'
import type { Difference, VerifyOptions } from './verifying.ts'

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
  return (primary) => mirroredDriver({ primary, mirrors, mode, now })
}

function mirroredDriver(options: MirroringOptions): MirroredDriver {
  const { primary, mirrors } = options
  const mirroring = new Lazy(async () => new (await import('./mirroring.ts')).Mirroring(options))
  const all = [primary, ...mirrors]
  const { visibility, directories } = primary
  const change: Change = async (paths, run, limits) => {
    const work = { paths: paths.map(checkPath) }
    return mirroring.use((loaded) => loaded.change(work, run, limits))
  }
  return {
    kind: 'mirrored',
    name: `mirrored(${all.map(({ name }) => name).join(', ')})`,
    inner: all,
    supports: supported(primary.supports),
    visibility: visibility && visibilityOf(visibility, change),
    directories: directories && directoriesOf(directories, mirroring, options),
    multipart: undefined, // Parts go to one store; what they became would have to be read back whole.
    append: undefined, // Each appended piece would copy the whole file to the mirrors: rewriting it does so once.
    publicUrl: primary.publicUrl?.bind(primary),
    signUrl: primary.supports.temporaryUrl && primary.signUrl !== undefined ? signerOf(primary) : undefined,
    stat: (path, limits) => primary.stat(checkPath(path), limits),
    read: (path, limits) => primary.read(checkPath(path), limits),
    write: (path, content, limits) => change([path], () => primary.write(path, content, limits), limits),
    delete: (paths, limits) => remove(primary, change, paths, limits),
    list: async (directory, limits) => withoutJournal(await primary.list(directory, limits)),
    copy: (from, to, limits) => change([to], () => primary.copy(checkPath(from), to, limits), limits),
    move: (from, to, limits) => change([from, to], () => primary.move(from, to, limits), limits),
    locate: () => undefined, // A copy within the primary's store would pass the mirrors by.
    close: () => mirroring.ifUsed((loaded) => loaded.close()),
    verify: (limits = {}) => mirroring.use((loaded) => loaded.verify(limits)),
    repair: (limits = {}) => mirroring.use((loaded) => loaded.repair(limits)),
    flush: () => mirroring.use((loaded) => loaded.flush()),
  }
}

async function remove(
  primary: Driver,
  change: Change,
  paths: readonly string[],
  options: DeleteOptions,
): Promise<readonly DeleteFailure[]> {
  const failures: DeleteFailure[] = []
  const run = async (): Promise<void> => void failures.push(...(await primary.delete(paths, options)))
  try {
    await change(paths, run, options)
  } catch (error) {
    if (!(error instanceof PartialFailureError)) throw error
    for (const { path } of error.failures) failures.push({ path, error })
  }
  return failures
}

type Change = <T>(paths: readonly string[], run: () => Promise<T>, options: CallOptions) => Promise<T>

function visibilityOf(inner: VisibilityAbility, change: Change): VisibilityAbility {
  return {
    get: (path, options) => inner.get(checkPath(path), options),
    set: (path, visibility, options) => change([path], () => inner.set(path, visibility, options), options),
  }
}

function directoriesOf(
  inner: DirectoryAbility,
  mirroring: Lazy<Mirroring>,
  { primary, mirrors, mode }: MirroringOptions,
): DirectoryAbility {
  return {
    exists: (path, options) => inner.exists(checkPath(path), options),
    create: async (path, options) => {
      await inner.create(checkPath(path), options)
      for (const { directories } of mirrors) await directories?.create(path, options)
    },
    delete: async (path, options) => {
      const work = { directory: checkPath(path) }
      const run = async (): Promise<number> => {
        const deleted = path === '' ? await emptyRoot(primary, inner, options) : await inner.delete(path, options)
        if (mode === 'all') for (const { directories } of mirrors) await directories?.delete(path, options).catch(() => 0)
        return deleted
      }
      return mirroring.use((loaded) => loaded.change(work, run, options))
    },
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
