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
  const { visibility: healthyVisibility, directories: healthyDirectories } = inner
  const isConditional = ({ ifAbsent, ifMatch }: WriteOptions): boolean => ifAbsent === true || ifMatch !== undefined
  return {
    kind: 'flaky',
    name: `flaky(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: healthyVisibility && {
      get: (path, options) => (visibility ?? healthyVisibility).get(path, options),
      set: (path, value, options) => healthyVisibility.set(path, value, options),
    },
    directories: healthyDirectories && {
      exists: (path, options) => (directories ?? healthyDirectories).exists(path, options),
      create: (path, options) => healthyDirectories.create(path, options),
      delete: (path, options) => healthyDirectories.delete(path, options),
    },
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
