/**
 * A store of which every third call fails before it reaches the inner driver, as long as the call is one that may be made again:
 * what `retrying` makes again has to look as if nothing had happened.
 */
import type { Driver, WriteOptions } from '../../src/driver.ts'
import { RateLimitedError } from '../../src/errors.ts'
import { faulty } from '../../src/testing/faulty.ts'

export function flaky(inner: Driver): Driver {
  const failing = faulty(inner, { every: 3, error: () => new RateLimitedError() })
  const { visibility, directories } = failing
  const isConditional = ({ ifAbsent, ifMatch }: WriteOptions): boolean => ifAbsent === true || ifMatch !== undefined
  return {
    kind: 'flaky',
    name: `flaky(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: visibility && inner.visibility && { get: visibility.get, set: inner.visibility.set },
    directories: directories &&
      inner.directories && { exists: directories.exists, create: inner.directories.create, delete: inner.directories.delete },
    multipart: inner.multipart,
    append: inner.append?.bind(inner),
    publicUrl: inner.publicUrl?.bind(inner),
    signUrl: inner.signUrl?.bind(inner),
    stat: (path, options) => failing.stat(path, options),
    read: (path, options) => failing.read(path, options),
    write: (path, content, options) => (content.replayable ? failing : inner).write(path, content, options),
    delete: (paths, options) => failing.delete(paths, options),
    list: (directory, options) => failing.list(directory, options),
    copy: (from, to, options) => failing.copy(from, to, options),
    move: (from, to, options) => (isConditional(options) ? inner : failing).move(from, to, options),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(), // It has opened nothing.
  }
}
