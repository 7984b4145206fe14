/**
 * `faulty(inner, options)`: a driver that fails when it is told to, for tests of what happens then.
 *
 * A call that fails does not reach the inner driver: nothing was done. What does not fail passes as it is, after `latencyMs`.
 *
 *   faulty(memory)                                     every call fails with UnavailableError
 *   faulty(memory, { operation: 'write', first: 2 })   the first two writes fail
 *   faulty(memory, { every: 3 })                       calls 3, 6, 9 … fail, whatever they are
 *   faulty(memory, { first: 0, latencyMs: 50 })        slow, and nothing fails
 */
import { setTimeout as timer } from 'node:timers/promises'
import type { CallOptions, DirectoryAbility, Driver, MultipartAbility, VisibilityAbility } from '../driver.ts'
import {
  InvalidArgumentError,
  isStorageError,
  type Operation,
  PartialFailureError,
  quote,
  type StorageError,
  UnavailableError,
} from '../errors.ts'

/** The calls that can be told apart. `stat` is also asking whether a directory exists, `multipart` every step of such an upload. */
export type FaultyOperation = Exclude<Operation, 'check' | 'close'>

export interface FaultyOptions {
  /** Only these calls are counted, delayed and made to fail. Default: all. */
  readonly operation?: FaultyOperation | undefined
  /** What a failing call rejects with; a StorageError is copied each time. Default: UnavailableError. */
  readonly error?: Error | (() => Error) | undefined
  /** Calls 1 to n fail. With neither this nor `every`, all calls fail. */
  readonly first?: number | undefined
  /** Calls n, 2n, 3n … fail. */
  readonly every?: number | undefined
  /** Each call, failing or not, begins so much later. An abort ends the wait. */
  readonly latencyMs?: number | undefined
}

type Guard = <T>(operation: FaultyOperation, options: CallOptions, call: () => Promise<T>) => Promise<T>

const OPERATIONS: ReadonlySet<string> = new Set(
  'stat read write delete list copy move append signUrl publicUrl visibility setVisibility makeDirectory deleteDirectory multipart'.split(
    ' ',
  ),
)

/** @throws InvalidArgumentError for an unknown operation, numbers that make no sense, and `first` together with `every` */
export function faulty(inner: Driver, options: FaultyOptions = {}): Driver {
  const guard = guarding(options)
  const { visibility, directories, multipart } = inner
  const append = inner.append?.bind(inner)
  const publicUrl = inner.publicUrl?.bind(inner)
  const signUrl = inner.signUrl?.bind(inner)
  return {
    kind: 'faulty',
    name: `faulty(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: visibility && faultyVisibility(visibility, guard),
    directories: directories && faultyDirectories(directories, guard),
    multipart: multipart && faultyMultipart(multipart, guard),
    append: append && ((path, content, options) => guard('append', options, () => append(path, content, options))),
    publicUrl: publicUrl && ((path) => guard('publicUrl', {}, () => publicUrl(path))),
    signUrl: signUrl && ((path, options) => guard('signUrl', {}, () => signUrl(path, options))),
    stat: (path, options) => guard('stat', options, () => inner.stat(path, options)),
    read: (path, options) => guard('read', options, () => inner.read(path, options)),
    write: (path, content, options) => guard('write', options, () => inner.write(path, content, options)),
    delete: (paths, options) => guard('delete', options, () => inner.delete(paths, options)),
    list: (directory, options) => guard('list', options, () => inner.list(directory, options)),
    copy: (from, to, options) => guard('copy', options, () => inner.copy(from, to, options)),
    move: (from, to, options) => guard('move', options, () => inner.move(from, to, options)),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(), // It has opened nothing.
  }
}

function guarding({ operation, error = () => new UnavailableError(), first, every, latencyMs = 0 }: FaultyOptions): Guard {
  if (operation !== undefined) judgeOperation(operation)
  if (first !== undefined && every !== undefined) throw new InvalidArgumentError('first and every contradict each other: give one')
  if (first !== undefined) judge('first', first, 0)
  if (every !== undefined) judge('every', every, 1)
  judge('latencyMs', latencyMs, 0)
  let calls = 0
  const fails = (call: number): boolean => (every === undefined ? call <= (first ?? call) : call % every === 0)
  return async (called, { signal }, call) => {
    signal?.throwIfAborted()
    if (operation !== undefined && operation !== called) return call()
    const failing = fails(++calls)
    if (latencyMs > 0) await pause(latencyMs, signal)
    if (failing) throw typeof error === 'function' ? error() : freshError(error)
    return call()
  }
}

function judge(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`${name} must be a whole number from ${least}`)
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await timer(ms, undefined, signal && { signal })
  } finally {
    signal?.throwIfAborted() // with its own reason, which is not what the timer rejects with
  }
}

/** A copy for each failure: `Disk` writes into the error where it happened. */
function freshError(error: Error): Error {
  if (!isStorageError(error)) return error
  const { message, code, cause, retryable } = error
  if (error instanceof PartialFailureError) return new PartialFailureError(message, { cause, retryable, failures: error.failures })
  const OneOfOurs = error.constructor as new (...parameters: ConstructorParameters<typeof StorageError>) => StorageError
  return new OneOfOurs(message, { cause, retryable }, code)
}

function faultyVisibility(inner: VisibilityAbility, guard: Guard): VisibilityAbility {
  return {
    get: (path, options) => guard('visibility', options, () => inner.get(path, options)),
    set: (path, visibility, options) => guard('setVisibility', options, () => inner.set(path, visibility, options)),
  }
}

function faultyDirectories(inner: DirectoryAbility, guard: Guard): DirectoryAbility {
  return {
    exists: (path, options) => guard('stat', options, () => inner.exists(path, options)),
    create: (path, options) => guard('makeDirectory', options, () => inner.create(path, options)),
    delete: (path, options) => guard('deleteDirectory', options, () => inner.delete(path, options)),
  }
}

function faultyMultipart(inner: MultipartAbility, guard: Guard): MultipartAbility {
  return {
    create: (path, options) => guard('multipart', options, () => inner.create(path, options)),
    part: (path, id, number, content, options) => guard('multipart', options, () => inner.part(path, id, number, content, options)),
    list: (path, id, options) => guard('multipart', options, () => inner.list(path, id, options)),
    complete: (path, id, parts, options) => guard('multipart', options, () => inner.complete(path, id, parts, options)),
    abort: (path, id, options) => guard('multipart', options, () => inner.abort(path, id, options)),
  }
}

/** @throws InvalidArgumentError for what no driver is ever asked to do */
export function judgeOperation(operation: FaultyOperation): void {
  if (!OPERATIONS.has(operation)) {
    throw new InvalidArgumentError(`unknown operation ${quote(operation)}: use one of ${[...OPERATIONS].join(', ')}`)
  }
}
