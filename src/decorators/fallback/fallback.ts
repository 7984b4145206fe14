/**
 * `fallback(options)`: a disk behind a disk, for the time of a move from one store to another.
 *
 *   read ──▶ primary ──not there──▶ deleted? ──no──▶ fallback₁ ──▶ fallback₂ …        write ──▶ primary
 *
 * Fallbacks are only ever read. What is deleted or moved away stays away, because the primary remembers it (tombstones.ts). A primary
 * that cannot be reached is an error, never an older file. With `promote` a whole file that is read is brought to the primary first.
 */
import type { Decorator, Driver, MultipartAbility, Supports } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { bring, checkAbsent, copy, move, remove, write } from './changes.ts'
import { directoriesOf, publicUrlOf, read, signWith, stat, visibilityOf } from './lookups.ts'
import { checkPath, Tombstones } from './tombstones.ts'
import { listUnion, type Union } from './union-listing.ts'

export interface FallbackOptions {
  /** Asked in this order for what the primary does not have. */
  readonly fallbacks: readonly Driver[]
  /** Whole files that are read from a fallback are brought to the primary. Default: false. */
  readonly promote?: boolean | undefined
}

/** What `disk.layer('fallback')` gives. */
export interface FallbackDriver extends Driver {
  readonly kind: 'fallback'
}

declare module '../../driver.ts' {
  interface Layers {
    fallback: FallbackDriver
  }
}

/** @throws ConfigurationError without a fallback */
export function fallback({ fallbacks, promote: promotes = false }: FallbackOptions): Decorator {
  if (fallbacks.length === 0) throw new ConfigurationError('"fallbacks" needs at least one disk')
  return (primary) => fallbackDriver({ primary, fallbacks, tombstones: new Tombstones(primary) }, promotes)
}

function fallbackDriver(union: Union, promotes: boolean): FallbackDriver {
  const { primary, fallbacks } = union
  const all = [primary, ...fallbacks]
  const { visibility, directories, multipart } = primary
  const append = primary.append?.bind(primary)
  const driver: FallbackDriver = {
    kind: 'fallback',
    name: `fallback(${all.map(({ name }) => name).join(', ')})`,
    inner: all,
    supports: supported(
      primary.supports,
      fallbacks.map(({ supports }) => supports),
    ),
    visibility: visibility && visibilityOf(union, visibility),
    directories: directories && directoriesOf(union, directories, () => driver),
    multipart: multipart && multipartOf(union, multipart),
    append:
      append &&
      (async (path, content, options) => {
        await bring(union, checkPath(path), options)
        await append(path, content, options)
      }),
    publicUrl: all.every(({ publicUrl }) => publicUrl !== undefined) ? async (path) => publicUrlOf(union, path) : undefined,
    signUrl: primary.signUrl && (async (path, options) => signWith(union, checkPath(path), options)),
    stat: (path, options) => stat(union, checkPath(path), options),
    read: (path, options) => read(union, checkPath(path), options, { promotes }),
    write: (path, content, options) => write(union, checkPath(path), content, options),
    delete: (paths, options) => remove(union, paths.map(checkPath), options),
    list: (directory, options) => listUnion(union, directory, options),
    copy: (from, to, options) => copy(union, checkPath(from), checkPath(to), options),
    move: (from, to, options) => move(driver, union, { from: checkPath(from), to: checkPath(to), options }),
    locate: () => undefined, // Which disk has the file is only known when it is asked.
    close: () => Promise.resolve(), // It has opened nothing.
  }
  return driver
}

function multipartOf(union: Union, primary: MultipartAbility): MultipartAbility {
  return {
    create: (path, options) => primary.create(checkPath(path), options),
    part: (path, uploadId, number, content, options) => primary.part(path, uploadId, number, content, options),
    list: (path, uploadId, options) => primary.list(path, uploadId, options),
    complete: async (path, uploadId, parts, options) => {
      await checkAbsent(union, path, options)
      return primary.complete(path, uploadId, parts, options)
    },
    abort: (path, uploadId, options) => primary.abort(path, uploadId, options),
  }
}

function supported(primary: Supports, fallbacks: readonly Supports[]): Supports {
  return {
    ifAbsent: primary.ifAbsent,
    ifMatch: primary.ifMatch,
    rangedRead: primary.rangedRead && fallbacks.every(({ rangedRead }) => rangedRead),
    serverSideCopy: false, // A file of a fallback is carried over.
    metadata: primary.metadata,
    versions: primary.versions,
    temporaryUrl: primary.temporaryUrl && fallbacks.every(({ temporaryUrl }) => temporaryUrl),
    temporaryUploadUrl: primary.temporaryUploadUrl,
    encryptedAtRest: primary.encryptedAtRest || fallbacks.some(({ encryptedAtRest }) => encryptedAtRest),
  }
}
