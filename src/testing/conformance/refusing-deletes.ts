/**
 * `refusingDeletes(inner)`: a store that keeps what it is told to keep, for stacks over stores whose deletes never fail.
 *
 *   const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
 *   describeDriver('mine(memory)', () => ({ driver: mine()(driver), failDeletes }))      in a `make` that makes both anew
 *
 * Of several paths the others are deleted. Everything else is the inner driver's, member by member.
 */
import type { DeleteFailure, DirectoryAbility, Driver } from '../../driver.ts'
import { PermissionDeniedError } from '../../errors.ts'
import { directoryPrefix } from '../../path.ts'
import type { TestStore } from './subject.ts'

export interface RefusingStore extends TestStore {
  readonly failDeletes: (path: string) => void
}

export function refusingDeletes(inner: Driver): RefusingStore {
  const kept = new Set<string>()
  const { directories } = inner
  const driver: Driver = {
    kind: 'refusing-deletes',
    name: `refusing-deletes(${inner.name})`,
    inner: [inner],
    supports: inner.supports,
    visibility: inner.visibility,
    directories: directories && refusingDirectories(directories, kept),
    multipart: inner.multipart,
    append: inner.append?.bind(inner),
    publicUrl: inner.publicUrl?.bind(inner),
    signUrl: inner.signUrl?.bind(inner),
    stat: (path, options) => inner.stat(path, options),
    read: (path, options) => inner.read(path, options),
    write: (path, content, options) => inner.write(path, content, options),
    delete: async (paths, options) => {
      const failures = await inner.delete(
        paths.filter((path) => !kept.has(path)),
        options,
      )
      const refused = paths.filter((path) => kept.has(path)).map((path): DeleteFailure => ({ path, error: refusal() }))
      return [...failures, ...refused]
    },
    list: (directory, options) => inner.list(directory, options),
    copy: (from, to, options) => inner.copy(from, to, options),
    move: (from, to, options) => inner.move(from, to, options),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(), // It has opened nothing.
  }
  return { driver, failDeletes: (path) => void kept.add(path) }
}

function refusingDirectories(inner: DirectoryAbility, kept: ReadonlySet<string>): DirectoryAbility {
  return {
    exists: (path, options) => inner.exists(path, options),
    create: (path, options) => inner.create(path, options),
    delete: async (path, options) => {
      options.signal?.throwIfAborted()
      if ([...kept].some((file) => file.startsWith(directoryPrefix(path)))) throw refusal()
      return inner.delete(path, options)
    },
  }
}

function refusal(): PermissionDeniedError {
  return new PermissionDeniedError('the store keeps this file, as it was told to')
}
