/** A decorator that remembers every call, and fails the next one when asked to: what `FakeDisk` is made of. */
import type { DirectoryAbility, Driver, MultipartAbility, VisibilityAbility, WriteOptions } from '../driver.ts'
import { type Operation, UnavailableError } from '../errors.ts'

/** One call that reached the disk's driver. */
export interface RecordedOperation {
  readonly operation: Operation
  readonly path: string
  /** The target of a copy or move. */
  readonly to?: string
  /** What was asked to be stored with the file. */
  readonly options?: WriteOptions
}

export interface Recording {
  readonly operations: RecordedOperation[]
  readonly failures: Map<Operation, Error[]>
}

/** @returns a decorator that writes into the recording; it is of kind `fake` */
export function recorded({ operations, failures }: Recording): (inner: Driver) => Driver {
  const note = (operation: Operation, path: string, more: Partial<RecordedOperation> = {}): void => {
    operations.push({ operation, path, ...more })
    const error = failures.get(operation)?.shift()
    if (error !== undefined) throw error
  }
  return (inner) => ({
    kind: 'fake',
    name: 'fake',
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility && recordedVisibility(inner.visibility, note),
    directories: inner.directories && recordedDirectories(inner.directories, note),
    multipart: inner.multipart && recordedMultipart(inner.multipart, note),
    append:
      inner.append &&
      (async (path, content, options) => {
        note('append', path, { options: kept(options) })
        await inner.append?.(path, content, options)
      }),
    publicUrl:
      inner.publicUrl &&
      (async (path) => {
        note('publicUrl', path)
        return requireAbility(inner.publicUrl)(path)
      }),
    signUrl:
      inner.signUrl &&
      (async (path, options) => {
        note('signUrl', path)
        return requireAbility(inner.signUrl)(path, options)
      }),
    stat: async (path, options) => {
      note('stat', path)
      return inner.stat(path, options)
    },
    read: async (path, options) => {
      note('read', path)
      return inner.read(path, options)
    },
    write: async (path, content, options) => {
      note('write', path, { options: kept(options) })
      return inner.write(path, content, options)
    },
    delete: async (paths, options) => {
      for (const path of paths) note('delete', path)
      return inner.delete(paths, options)
    },
    list: async (directory, options) => {
      note('list', directory)
      return inner.list(directory, options)
    },
    copy: async (from, to, options) => {
      note('copy', from, { to, options: kept(options) })
      await inner.copy(from, to, options)
    },
    move: async (from, to, options) => {
      note('move', from, { to, options: kept(options) })
      await inner.move(from, to, options)
    },
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(),
  })
}

type Note = (operation: Operation, path: string, more?: Partial<RecordedOperation>) => void

/** The failure of a test that asks for it: `new UnavailableError()` unless told. */
export function planFailure({ failures }: Recording, operation: Operation, error: Error = new UnavailableError()): void {
  failures.set(operation, [...(failures.get(operation) ?? []), error])
}

function kept({ signal: _signal, ...options }: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function requireAbility<T>(ability: T | undefined): T {
  if (ability === undefined) throw new TypeError('an ability went away')
  return ability
}

function recordedVisibility(inner: VisibilityAbility, note: Note): VisibilityAbility {
  return {
    get: async (path, options) => {
      note('visibility', path)
      return inner.get(path, options)
    },
    set: async (path, visibility, options) => {
      note('setVisibility', path, { options: { visibility } })
      await inner.set(path, visibility, options)
    },
  }
}

function recordedDirectories(inner: DirectoryAbility, note: Note): DirectoryAbility {
  return {
    exists: async (path, options) => {
      note('stat', path)
      return inner.exists(path, options)
    },
    create: async (path, options) => {
      note('makeDirectory', path)
      await inner.create(path, options)
    },
    delete: async (path, options) => {
      note('deleteDirectory', path)
      return inner.delete(path, options)
    },
  }
}

function recordedMultipart(inner: MultipartAbility, note: Note): MultipartAbility {
  return {
    create: async (path, options) => {
      note('multipart', path, { options: kept(options) })
      return inner.create(path, options)
    },
    part: (path, uploadId, number, content, options) => inner.part(path, uploadId, number, content, options),
    list: (path, uploadId, options) => inner.list(path, uploadId, options),
    complete: async (path, uploadId, parts, options) => {
      note('write', path, { options: kept(options) })
      return inner.complete(path, uploadId, parts, options)
    },
    abort: (path, uploadId, options) => inner.abort(path, uploadId, options),
  }
}
