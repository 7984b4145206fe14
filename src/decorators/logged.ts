/**
 * `logged(options)`: one line per call, when it settles.
 *
 *   write "a.txt": ok, 12 bytes, 3.4 ms
 *   copy "a.txt" to "b.txt": permission_denied, 8.1 ms
 *
 * Never logged: contents, metadata, URLs, and the messages and causes of errors, which may carry requests; of an error only its
 * code. A missing file, a lost condition and an abort are answers, not failures of the disk: they are `debug`, like success.
 * A read is logged when its body is ready, not when it has been read. Abilities and results pass as they are.
 */
import type {
  CallOptions,
  Decorator,
  DeleteFailure,
  DirectoryAbility,
  Driver,
  MultipartAbility,
  Page,
  ReadResult,
  VisibilityAbility,
} from '../driver.ts'
import { isStorageError, type Operation } from '../errors.ts'
import { isAnswer, type LogFields, type Logger, lineOf } from './log-line.ts'

export interface LoggedOptions {
  /** Default: `console`, which gets the line alone. */
  readonly logger?: Logger | undefined
  /** `error` logs failures only. Default: `debug`. */
  readonly level?: 'debug' | 'error' | undefined
  /** Milliseconds from any point in time. */
  readonly now?: (() => number) | undefined
}

type Facts = Partial<Pick<LogFields, 'path' | 'to' | 'size' | 'count' | 'outcome'>>

/** Makes a call and logs it: with what is known before, and what the result adds. */
type Log = <T>(operation: Operation, call: () => Promise<T>, before: Facts & CallOptions, after?: (result: T) => Facts) => Promise<T>

export function logged(options: LoggedOptions = {}): Decorator {
  return (inner): Driver => {
    const { visibility, directories, multipart } = inner
    const log = logging(inner.name, options)
    const append = inner.append?.bind(inner)
    const publicUrl = inner.publicUrl?.bind(inner)
    const signUrl = inner.signUrl?.bind(inner)
    return {
      kind: 'logged',
      name: `logged(${inner.name})`,
      inner: [inner],
      supports: inner.supports,
      visibility: visibility && loggedVisibility(visibility, log),
      directories: directories && loggedDirectories(directories, log),
      multipart: multipart && loggedMultipart(multipart, log),
      append:
        append && ((path, content, o) => log('append', () => append(path, content, o), { path, size: content.size, signal: o.signal })),
      publicUrl: publicUrl && ((path) => log('publicUrl', () => publicUrl(path), { path })),
      signUrl: signUrl && ((path, o) => log('signUrl', () => signUrl(path, o), { path })),
      stat: (path, o) => log('stat', () => inner.stat(path, o), { path, signal: o.signal }, sizeOf),
      read: (path, o) => log('read', () => inner.read(path, o), { path, signal: o.signal }, sizeOfRead),
      write: (path, content, o) =>
        log('write', () => inner.write(path, content, o), { path, size: content.size, signal: o.signal }, sizeOf),
      delete: (paths, o) => log('delete', () => inner.delete(paths, o), { ...several(paths), signal: o.signal }, outcomeOf),
      list: (path, o) => log('list', () => inner.list(path, o), { path, signal: o.signal }, countOf),
      copy: (path, to, o) => log('copy', () => inner.copy(path, to, o), { path, to, signal: o.signal }),
      move: (path, to, o) => log('move', () => inner.move(path, to, o), { path, to, signal: o.signal }),
      locate: (path) => inner.locate(path),
      close: () => Promise.resolve(), // It has opened nothing.
    }
  }
}

function logging(driver: string, { logger, level = 'debug', now = () => performance.now() }: LoggedOptions): Log {
  const write = (fields: LogFields): void => {
    const severity = isAnswer(fields) ? 'debug' : 'error'
    if (severity === 'debug' && level === 'error') return
    const line = lineOf(fields)
    if (logger === undefined || logger === console) console[severity](line)
    else logger[severity](fields, line)
  }
  return async (operation, call, { signal, ...before }, after) => {
    const start = now()
    const done = (facts: Facts, outcome: LogFields['outcome']): void => {
      try {
        write({ operation, driver, outcome, durationMs: now() - start, ...before, ...facts })
      } catch {
        // The call has its result, whether or not it can be logged.
      }
    }
    try {
      const result = await call()
      done(after?.(result) ?? {}, 'ok')
      return result
    } catch (error) {
      done({}, signal?.aborted ? 'aborted' : isStorageError(error) ? error.code : 'unknown')
      throw error
    }
  }
}

const sizeOf = ({ size }: { readonly size: number }): Facts => ({ size })
const sizeOfRead = ({ stat }: ReadResult): Facts => ({ size: stat.size })
const countOf = ({ entries }: Page): Facts => ({ count: entries.length })
const deletedOf = (count: number): Facts => ({ count })

function several(paths: readonly string[]): Facts {
  return paths.length === 1 ? { path: paths[0] } : { count: paths.length }
}

function outcomeOf(failures: readonly DeleteFailure[]): Facts {
  const [failure, another] = failures
  if (failure === undefined) return {}
  return { outcome: another === undefined ? failure.error.code : 'partial_failure' }
}

function loggedVisibility(inner: VisibilityAbility, log: Log): VisibilityAbility {
  return {
    get: (path, o) => log('visibility', () => inner.get(path, o), { path, signal: o.signal }),
    set: (path, visibility, o) => log('setVisibility', () => inner.set(path, visibility, o), { path, signal: o.signal }),
  }
}

function loggedDirectories(inner: DirectoryAbility, log: Log): DirectoryAbility {
  return {
    exists: (path, o) => log('stat', () => inner.exists(path, o), { path, signal: o.signal }),
    create: (path, o) => log('makeDirectory', () => inner.create(path, o), { path, signal: o.signal }),
    delete: (path, o) => log('deleteDirectory', () => inner.delete(path, o), { path, signal: o.signal }, deletedOf),
  }
}

function loggedMultipart(inner: MultipartAbility, log: Log): MultipartAbility {
  const logPart = <T>(call: () => Promise<T>, path: string, { signal }: CallOptions): Promise<T> => log('multipart', call, { path, signal })
  return {
    create: (path, o) => logPart(() => inner.create(path, o), path, o),
    part: (path, id, number, content, o) => logPart(() => inner.part(path, id, number, content, o), path, o),
    list: (path, id, o) => logPart(() => inner.list(path, id, o), path, o),
    complete: (path, id, parts, o) => logPart(() => inner.complete(path, id, parts, o), path, o),
    abort: (path, id, o) => logPart(() => inner.abort(path, id, o), path, o),
  }
}
