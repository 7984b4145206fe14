/** A decorator that remembers every call, and fails the next one when asked to: what `FakeDisk` is made of. */
import type { DirectoryAbility, Driver, MultipartAbility, VisibilityAbility, WriteOptions } from '../driver.ts'
import { type Operation, UnavailableError } from '../errors.ts'
import { type FaultyOperation, judgeOperation } from './faulty.ts'

/** One call that reached the disk's driver. */
export interface RecordedOperation {
  readonly operation: Operation
  readonly path: string
  /** The target of a copy or move. */
  readonly to?: string
  /** What was asked to be stored with the file. */
  readonly options?: WriteOptions
  /** The call rejected, by plan or by itself. */
  readonly failed?: true
}

export interface Recording {
  readonly operations: RecordedOperation[]
  readonly failures: Map<Operation, Error[]>
}

/** What of a call is remembered. */
type Noted = Omit<RecordedOperation, 'failed'>

/** Makes a call, remembers it and whether it failed, and fails it if that was asked for. */
type Track = <Result>(call: Noted, make: () => Promise<Result>) => Promise<Result>

/** @returns a decorator that writes into the recording; it is of kind `fake` */
export function recorded({ operations, failures }: Recording): (inner: Driver) => Driver {
  const track: Track = async (call, make) => {
    const index = operations.push(call) - 1
    try {
      const error = failures.get(call.operation)?.shift()
      if (error !== undefined) throw error
      return await make()
    } catch (error) {
      operations[index] = { ...call, failed: true }
      throw error
    }
  }
  return (inner) => ({
    kind: 'fake',
    name: 'fake',
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility && recordedVisibility(inner.visibility, track),
    directories: inner.directories && recordedDirectories(inner.directories, track),
    multipart: inner.multipart && recordedMultipart(inner.multipart, track),
    append: inner.append && tracked(track, 'append', inner.append.bind(inner), (_content, options) => ({ options: kept(options) })),
    publicUrl: inner.publicUrl && tracked(track, 'publicUrl', inner.publicUrl.bind(inner)),
    signUrl: inner.signUrl && tracked(track, 'signUrl', inner.signUrl.bind(inner)),
    stat: tracked(track, 'stat', inner.stat.bind(inner)),
    read: tracked(track, 'read', inner.read.bind(inner)),
    write: tracked(track, 'write', inner.write.bind(inner), (_content, options) => ({ options: kept(options) })),
    delete: (paths, options) => {
      const [first, ...others] = paths
      const make = (): ReturnType<Driver['delete']> => inner.delete(paths, options)
      const deleted = first === undefined ? make() : track({ operation: 'delete', path: first }, make)
      for (const path of others) operations.push({ operation: 'delete', path })
      return deleted
    },
    list: tracked(track, 'list', inner.list.bind(inner)),
    copy: tracked(track, 'copy', inner.copy.bind(inner), (to, options) => ({ to, options: kept(options) })),
    move: tracked(track, 'move', inner.move.bind(inner), (to, options) => ({ to, options: kept(options) })),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(),
  })
}

/** A call that is remembered; `more` says what of its arguments. */
function tracked<Rest extends readonly unknown[], Result>(
  track: Track,
  operation: Operation,
  call: (path: string, ...rest: Rest) => Promise<Result>,
  more?: (...rest: Rest) => Partial<Noted>,
): (path: string, ...rest: Rest) => Promise<Result> {
  return (path, ...rest) => track({ operation, path, ...more?.(...rest) }, () => call(path, ...rest))
}

/** The failure of a test that asks for it: `new UnavailableError()` unless told. @throws InvalidArgumentError for an unknown operation */
export function planFailure({ failures }: Recording, operation: FaultyOperation, error: Error = new UnavailableError()): void {
  judgeOperation(operation)
  failures.set(operation, [...(failures.get(operation) ?? []), error])
}

function kept({ signal: _signal, ...options }: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function recordedVisibility(inner: VisibilityAbility, track: Track): VisibilityAbility {
  return {
    get: tracked(track, 'visibility', inner.get.bind(inner)),
    set: tracked(track, 'setVisibility', inner.set.bind(inner), (visibility) => ({ options: { visibility } })),
  }
}

function recordedDirectories(inner: DirectoryAbility, track: Track): DirectoryAbility {
  return {
    exists: tracked(track, 'stat', inner.exists.bind(inner)),
    create: tracked(track, 'makeDirectory', inner.create.bind(inner)),
    delete: tracked(track, 'deleteDirectory', inner.delete.bind(inner)),
  }
}

function recordedMultipart(inner: MultipartAbility, track: Track): MultipartAbility {
  return {
    create: tracked(track, 'multipart', inner.create.bind(inner), (options) => ({ options: kept(options) })),
    part: (path, uploadId, number, content, options) => inner.part(path, uploadId, number, content, options),
    list: (path, uploadId, options) => inner.list(path, uploadId, options),
    complete: tracked(track, 'write', inner.complete.bind(inner), (_uploadId, _parts, options) => ({ options: kept(options) })),
    abort: (path, uploadId, options) => inner.abort(path, uploadId, options),
  }
}
