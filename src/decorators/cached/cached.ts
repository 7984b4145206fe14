/**
 * `cached(options)`: what was read stays close: small files, and facts about all of them.
 *
 * Writes go to the disk, always and first; the cache is never the only copy. No entry is ever older than the newest write that came
 * through a cache of the same store (see `cache-store.ts`); writes that go around it are seen when an entry's time is over. A store
 * that is slow or gone is left alone: reads come from the disk, and writes succeed. Listings are not kept.
 */
import { nodeCrypto } from '../../builtins.ts'
import type { Decorator, DirectoryAbility, Driver, MultipartAbility, SignedRequest, SignOptions, VisibilityAbility } from '../../driver.ts'
import { ConfigurationError, quote } from '../../errors.ts'
import { Lazy } from '../../lazy.ts'
import type { CacheCounts } from './cache-store.ts'
import type { Mutations } from './mutations.ts'
import type { CacheStoreOptions } from './open-store.ts'

export interface CachedOptions {
  /** Default: memory. */
  readonly store?: CacheStoreOptions | undefined
  /** Seconds that content is kept, more or less a tenth. Default: 3600. */
  readonly ttl?: number | undefined
  /** Seconds that facts are kept. Default: `ttl`. */
  readonly metadataTtl?: number | undefined
  /** Bytes; larger files are not kept. Default: 1 MiB in memory, 256 KiB in Redis, 64 MiB on a disk. */
  readonly maxFileSize?: number | undefined
  /** Seconds past its time that a file is still served when the disk cannot be reached. Default: 0. */
  readonly staleIfError?: number | undefined
  /** Allows a cache above an encrypted disk, which then holds plaintext. Default: false. */
  readonly plaintextCache?: boolean | undefined
  readonly now?: (() => number) | undefined
  readonly random?: (() => number) | undefined
}

/** What `disk.layer('cached')` gives. */
export interface CachedDriver extends Driver {
  readonly kind: 'cached'
  /** What happened since the driver was made. */
  stats(): Readonly<CacheCounts>
  /** Empties the cache, for every process that shares its store. */
  clear(): Promise<void>
}

declare module '../../driver.ts' {
  interface Layers {
    cached: CachedDriver
  }
}

/** @throws ConfigurationError over an encrypted disk, unless `plaintextCache` allows it */
export function cached(options: CachedOptions = {}): Decorator {
  return (inner) => {
    if (inner.supports.encryptedAtRest && options.plaintextCache !== true) {
      throw new ConfigurationError(
        'a cache above an encrypted disk would hold its files in clear: put the cache inside (encrypted over cached), or allow it with plaintextCache: true',
      )
    }
    return cachedDriver(inner, options)
  }
}

function cachedDriver(inner: Driver, options: CachedOptions): CachedDriver {
  checkNumbers(options)
  const { now = Date.now } = options
  const driver = driverOf(options.store)
  const counts: CacheCounts = { hits: 0, misses: 0, fills: 0, rejected: 0, evictions: 0, errors: 0, stale: 0 }
  const operations = new Lazy(async () => (await import('./operations.ts')).cachedOperations(inner, options, counts))
  const mutations: Changes = {
    of: (paths, run) => operations.use((loaded) => loaded.mutations.of(paths, run)),
    ofAll: (run) => operations.use((loaded) => loaded.mutations.ofAll(run)),
    begin: (paths, token, lifeMs) => operations.use((loaded) => loaded.mutations.begin(paths, token, lifeMs)),
  }
  const append = inner.append?.bind(inner)
  const all = driver === undefined ? [inner] : [inner, driver]
  return {
    kind: 'cached',
    name: `cached(${all.map(({ name }) => name).join(', ')})`,
    inner: all,
    supports: inner.supports,
    visibility: inner.visibility && changingVisibility(inner.visibility, mutations),
    directories: inner.directories && changingDirectories(inner.directories, mutations),
    multipart: inner.multipart && changingMultipart(inner.multipart, mutations),
    append: append && ((path, content, options) => mutations.of([path], () => append(path, content, options))),
    publicUrl: inner.publicUrl?.bind(inner),
    signUrl: inner.signUrl && changingSigner(inner.signUrl.bind(inner), mutations, now),
    stat: (path, options) => operations.use(({ reader }) => reader.stat(path, options)),
    read: (path, options) => operations.use(({ reader }) => reader.read(path, options)),
    write: (path, content, options) => mutations.of([path], () => inner.write(path, content, options)),
    delete: (paths, options) => mutations.of(paths, () => inner.delete(paths, options)),
    list: (directory, options) => inner.list(directory, options),
    copy: (from, to, options) => mutations.of([to], () => inner.copy(from, to, options)),
    move: (from, to, options) => mutations.of([from, to], () => inner.move(from, to, options)),
    locate: (path) => inner.locate(path),
    close: () => operations.ifUsed(({ store }) => store.close()),
    stats: () => ({ ...counts }),
    clear: () => mutations.ofAll(async () => undefined),
  }
}

function checkNumbers({ ttl, metadataTtl, maxFileSize, staleIfError }: CachedOptions): void {
  for (const [name, value] of Object.entries({ ttl, metadataTtl, maxFileSize, staleIfError })) {
    if (value === undefined || (Number.isFinite(value) && value >= 0)) continue
    throw new ConfigurationError(`${name} must be a number from 0, not ${quote(String(value))}`)
  }
}

/** What the store lies on. @throws ConfigurationError for a store that there is not */
function driverOf(store: CacheStoreOptions = { driver: 'memory' }): Driver | undefined {
  if (!['memory', 'redis', 'disk'].includes(store.driver)) throw new ConfigurationError('the store of a cache is memory, redis or disk')
  if (store.driver !== 'disk') return undefined
  return 'driver' in store.disk ? store.disk.driver : store.disk
}

/** Tells the cache of changes. */
type Changes = Pick<Mutations, 'of' | 'ofAll' | 'begin'>

function changingVisibility(inner: VisibilityAbility, mutations: Changes): VisibilityAbility {
  return {
    get: (path, options) => inner.get(path, options),
    set: (path, visibility, options) => mutations.of([path], () => inner.set(path, visibility, options)),
  }
}

/** Which files a directory held is known to nobody afterwards, so that all entries go. */
function changingDirectories(inner: DirectoryAbility, mutations: Changes): DirectoryAbility {
  return {
    exists: (path, options) => inner.exists(path, options),
    create: (path, options) => inner.create(path, options),
    delete: (path, options) => mutations.ofAll(() => inner.delete(path, options)),
  }
}

function changingMultipart(inner: MultipartAbility, mutations: Changes): MultipartAbility {
  return {
    create: (path, options) => inner.create(path, options),
    part: (path, uploadId, number, content, options) => inner.part(path, uploadId, number, content, options),
    list: (path, uploadId, options) => inner.list(path, uploadId, options),
    complete: (path, uploadId, parts, options) => mutations.of([path], () => inner.complete(path, uploadId, parts, options)),
    abort: (path, uploadId, options) => inner.abort(path, uploadId, options),
  }
}

type Signer = (path: string, options: SignOptions) => Promise<SignedRequest>

/** Whoever holds a signed upload may write until it expires, and tells nobody: until then the file is not kept. */
function changingSigner(sign: Signer, mutations: Changes, now: () => number): Signer {
  return async (path, options) => {
    if (options.method === 'PUT') await mutations.begin([path], nodeCrypto().randomUUID(), options.expiresAt.getTime() - now() + UPLOAD_MS)
    return sign(path, options)
  }
}

/** An upload that began in time may end later. */
const UPLOAD_MS = 15 * 60_000
