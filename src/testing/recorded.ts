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

/** Remembers a call, and fails it if that was asked for. */
type Note = (operation: Operation, path: string, more?: Partial<RecordedOperation>) => void

/** @returns a decorator that writes into the recording; it is of kind `fake` */
export function recorded({ operations, failures }: Recording): (inner: Driver) => Driver {
  const note: Note = (operation, path, more) => {
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
    append: inner.append && noted(note, 'append', inner.append.bind(inner), (_content, options) => ({ options: kept(options) })),
    publicUrl: inner.publicUrl && noted(note, 'publicUrl', inner.publicUrl.bind(inner)),
    signUrl: inner.signUrl && noted(note, 'signUrl', inner.signUrl.bind(inner)),
    stat: noted(note, 'stat', inner.stat.bind(inner)),
    read: noted(note, 'read', inner.read.bind(inner)),
    write: noted(note, 'write', inner.write.bind(inner), (_content, options) => ({ options: kept(options) })),
    delete: async (paths, options) => {
      for (const path of paths) note('delete', path)
      return inner.delete(paths, options)
    },
    list: noted(note, 'list', inner.list.bind(inner)),
    copy: noted(note, 'copy', inner.copy.bind(inner), (to, options) => ({ to, options: kept(options) })),
    move: noted(note, 'move', inner.move.bind(inner), (to, options) => ({ to, options: kept(options) })),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(),
  })
}

/** A call that is noted before it is made; `more` says what of its arguments. */
function noted<Rest extends readonly unknown[], Result>(
  note: Note,
  operation: Operation,
  call: (path: string, ...rest: Rest) => Promise<Result>,
  more?: (...rest: Rest) => Partial<RecordedOperation>,
): (path: string, ...rest: Rest) => Promise<Result> {
  return async (path, ...rest) => {
    note(operation, path, more?.(...rest))
    return call(path, ...rest)
  }
}

/** The failure of a test that asks for it: `new UnavailableError()` unless told. */
export function planFailure({ failures }: Recording, operation: Operation, error: Error = new UnavailableError()): void {
  failures.set(operation, [...(failures.get(operation) ?? []), error])
}

function kept({ signal: _signal, ...options }: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
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
