/**
 * `encrypted(options)`: files that the store cannot read, in a format that others can open.
 *
 *   put ──▶ header │ segment ‖ tag │ segment ‖ tag │ …   ──▶ store          age v1 (age-format.ts), or Tink (tink-format.ts)
 *
 * Confidential and authenticated: a changed, cut, reordered or swapped byte is an IntegrityError before anything of it is handed
 * on. Names, sizes, dates and user metadata stay visible; without `bind: 'path'` whoever writes to the store can swap whole files,
 * and nothing here tells an old version of a file from the newest.
 */
import { moveByCopy } from '../../derive.ts'
import type { Decorator, Driver, Supports } from '../../driver.ts'
import { Lazy } from '../../lazy.ts'
import { type JudgedOptions, judgedOptions } from './judged-options.ts'
import type { KeyOptions } from './key-ring.ts'
import type { RewrapOptions, RewrapResult } from './rewrap.ts'

export interface EncryptedOptions extends KeyOptions {
  /** Default: `age`. */
  readonly format?: 'age' | 'tink' | undefined
  /** Whether new files can be opened with the recovery identity, too: the primary key's own, or that of an age recipient. Default: false. */
  readonly recovery?: boolean | string | undefined
  /** Also reads files that only name these identities; true: the recovery identities of the disk's keys. Default: false. */
  readonly recover?: boolean | string | readonly string[] | undefined
  /** Ties a file to its path. Copies and moves then carry the bytes through this process. Default: not tied. */
  readonly bind?: 'path' | undefined
  /** `read`: files that are not encrypted are read as they are, while migrating. Default: they are an error. */
  readonly passthrough?: 'read' | false | undefined
}

/** What `disk.layer('encrypted')` gives. */
export interface EncryptedDriver extends Driver {
  readonly kind: 'encrypted'
  /**
   * Puts a file, or every file of a directory, under the primary key: new headers for the same payloads. Files are replaced one by
   * one, each atomically, and never over a newer one where the store can tell; with `format: 'tink'`, and where `passthrough` finds
   * files that are not encrypted, they are encrypted anew. Tags are not kept. @throws PartialFailureError with the files that were left
   */
  rewrap(path: string, options?: RewrapOptions): Promise<RewrapResult>
}

declare module '../../driver.ts' {
  interface Layers {
    encrypted: EncryptedDriver
  }
}

/** @throws ConfigurationError for keys, recipients and identities that are none; the message never has them */
export function encrypted(options: EncryptedOptions): Decorator {
  const judged = judgedOptions(options)
  return (inner) => encryptedDriver(inner, judged)
}

function encryptedDriver(inner: Driver, options: JudgedOptions): EncryptedDriver {
  const { bindPath } = options
  const operations = new Lazy(async () => new (await import('./operations.ts')).EncryptedOperations({ driver, inner }, options))
  const driver: EncryptedDriver = {
    kind: 'encrypted',
    name: `encrypted(${inner.name})`,
    inner: [inner],
    supports: supported(inner.supports, bindPath),
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: undefined, // Parts would be sealed without knowing their place in the file.
    append: undefined, // The last segment is marked as the last: adding to a file rewrites it.
    publicUrl: undefined, // It would serve ciphertext.
    signUrl: undefined, // So would this, and uploads would be stored in clear.
    stat: (path, limits) => operations.use((loaded) => loaded.stat(path, limits)),
    read: (path, limits) => operations.use((loaded) => loaded.read(path, limits)),
    write: (path, content, limits) => operations.use((loaded) => loaded.write(path, content, limits)),
    delete: (paths, limits) => inner.delete(paths, limits),
    list: (directory, limits) => operations.use((loaded) => loaded.list(directory, limits)),
    copy: (from, to, limits) => operations.use((loaded) => loaded.copy(from, to, limits)),
    move: (from, to, limits) =>
      bindPath ? moveByCopy(driver, from, to, limits) : operations.use((loaded) => loaded.move(from, to, limits)),
    locate: () => undefined, // The bytes there are not the file's.
    close: () => operations.ifUsed((loaded) => loaded.close()),
    rewrap: (path, limits = {}) => operations.use((loaded) => loaded.rewrap(path, limits)),
  }
  return driver
}

function supported(inner: Supports, isBound: boolean): Supports {
  return {
    ifAbsent: inner.ifAbsent,
    ifMatch: inner.ifMatch,
    rangedRead: inner.rangedRead,
    serverSideCopy: inner.serverSideCopy && !isBound,
    metadata: inner.metadata,
    versions: inner.versions,
    temporaryUrl: false,
    temporaryUploadUrl: false,
    encryptedAtRest: true,
  }
}
