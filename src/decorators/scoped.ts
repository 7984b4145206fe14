/**
 * `scoped(prefix)`: a directory as a disk of its own.
 *
 *   paths in:  'a.txt' ──▶ 'users/1/a.txt'        paths out:  'users/1/a.txt' ──▶ 'a.txt'
 *
 * Nothing outside the prefix can be reached, listed or deleted, and no result or error names a path with it: `users/1` is not
 * `users/10`, because paths are joined and split at a slash. Cursors are the inner driver's. The root of a scope always exists,
 * like that of a disk; emptying it deletes the directory at the prefix and nothing beside it.
 */
import type { Decorator, DirectoryAbility, Driver, Entry, ListOptions, MultipartAbility, Page, VisibilityAbility } from '../driver.ts'
import { isStorageError, PartialFailureError, type PathFailure, type StorageError } from '../errors.ts'
import { directoryPrefix, joinPath, normalizePath } from '../path.ts'

/** What `disk.layer('scoped')` gives. */
export interface ScopedDriver extends Driver {
  readonly kind: 'scoped'
  /** Normal, and relative to the inner driver; `''` changes nothing. */
  readonly prefix: string
}

declare module '../driver.ts' {
  interface Layers {
    scoped: ScopedDriver
  }
}

/** Paths translated into the scope and out of it. */
interface Scope {
  readonly into: (path: string) => string
  readonly out: (path: string) => string
  /** The result of a call; what it rejects with is freed of the prefix. */
  readonly settle: <T>(call: Promise<T>) => Promise<T>
}

/** @throws InvalidPathError for a prefix that leaves the root or has a character that no disk takes */
export function scoped(prefix: string): Decorator {
  const root = normalizePath(prefix)
  const scope = scopeOf(root)
  const { into, out, settle } = scope

  return (inner): ScopedDriver => {
    const { visibility, directories, multipart } = inner
    const append = inner.append?.bind(inner)
    const publicUrl = inner.publicUrl?.bind(inner)
    const signUrl = inner.signUrl?.bind(inner)
    return {
      kind: 'scoped',
      name: `scoped(${inner.name})`,
      inner: [inner],
      prefix: root,
      supports: inner.supports,
      visibility: visibility && scopedVisibility(visibility, scope),
      directories: directories && scopedDirectories(directories, scope),
      multipart: multipart && scopedMultipart(multipart, scope),
      append: append && ((path, content, options) => settle(append(into(path), content, options))),
      publicUrl: publicUrl && ((path) => settle(publicUrl(into(path)))),
      signUrl: signUrl && ((path, options) => settle(signUrl(into(path), options))),
      stat: async (path, options) => ({ ...(await settle(inner.stat(into(path), options))), path }),
      read: async (path, options) => {
        const { stat, body } = await settle(inner.read(into(path), options))
        return { stat: { ...stat, path }, body }
      },
      write: (path, content, options) => settle(inner.write(into(path), content, options)),
      delete: async (paths, options) => (await settle(inner.delete(paths.map(into), options))).map((failure) => failureOut(failure, out)),
      list: (directory, options) => settle(listIn(inner, scope, directory, options)),
      copy: (from, to, options) => settle(inner.copy(into(from), into(to), options)),
      move: (from, to, options) => settle(inner.move(into(from), into(to), options)),
      locate: (path) => inner.locate(into(path)),
      close: () => Promise.resolve(), // It has opened nothing.
    }
  }
}

function scopeOf(root: string): Scope {
  const prefix = directoryPrefix(root)
  const out = (path: string): string => {
    if (path === root) return ''
    return path.startsWith(prefix) ? path.slice(prefix.length) : path
  }
  return {
    into: (path) => joinPath(root, path),
    out,
    settle: async (call) => {
      try {
        return await call
      } catch (error) {
        throw isStorageError(error) ? errorOut(error, out) : error
      }
    },
  }
}

async function listIn(inner: Driver, { into, out }: Scope, directory: string, options: ListOptions): Promise<Page> {
  const { after } = options
  const page = await inner.list(into(directory), after === undefined ? options : { ...options, after: into(after) })
  const entries = page.entries.map((entry): Entry => ({ ...entry, path: out(entry.path) }))
  return { ...page, entries }
}

function scopedVisibility(inner: VisibilityAbility, { into, settle }: Scope): VisibilityAbility {
  return {
    get: (path, options) => settle(inner.get(into(path), options)),
    set: (path, visibility, options) => settle(inner.set(into(path), visibility, options)),
  }
}

function scopedDirectories(inner: DirectoryAbility, { into, settle }: Scope): DirectoryAbility {
  return {
    exists: async (path, options) => {
      options.signal?.throwIfAborted()
      return path === '' || settle(inner.exists(into(path), options))
    },
    create: (path, options) => settle(inner.create(into(path), options)),
    delete: (path, options) => settle(inner.delete(into(path), options)),
  }
}

function scopedMultipart(inner: MultipartAbility, { into, settle }: Scope): MultipartAbility {
  return {
    create: (path, options) => settle(inner.create(into(path), options)),
    part: (path, uploadId, number, content, options) => settle(inner.part(into(path), uploadId, number, content, options)),
    list: (path, uploadId, options) => settle(inner.list(into(path), uploadId, options)),
    complete: (path, uploadId, parts, options) => settle(inner.complete(into(path), uploadId, parts, options)),
    abort: (path, uploadId, options) => settle(inner.abort(into(path), uploadId, options)),
  }
}

function failureOut({ path, error }: PathFailure, out: Scope['out']): PathFailure {
  return { path: out(path), error: errorOut(error, out) }
}

/** The error without the prefix in its path. Most have none yet: `Disk` fills it in, on this very object. */
function errorOut(error: StorageError, out: Scope['out']): StorageError {
  const place = { operation: error.operation, disk: error.disk, path: error.path === undefined ? undefined : out(error.path) }
  if (error instanceof PartialFailureError) {
    const failures = error.failures.map((failure) => failureOut(failure, out))
    return new PartialFailureError(undefined, { ...place, failures, cause: error.cause, retryable: error.retryable })
  }
  if (error.path === undefined) return error
  return Object.assign(error, place).locate({}) // says the message again, with the new path
}
