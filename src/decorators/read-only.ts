/**
 * `readOnly()`: everything that would change the store is a ReadOnlyError, and the inner driver is not asked.
 *
 * Reads, public URLs and URLs signed for reading pass as they are. Append, multipart uploads and the flags for conditional
 * writes, server-side copies and signed uploads are dropped: a read-only stack does none of them.
 */
import type { Decorator, DirectoryAbility, Driver, SignedRequest, SignOptions, Supports, VisibilityAbility } from '../driver.ts'
import { ReadOnlyError } from '../errors.ts'

export function readOnly(): Decorator {
  return (inner): Driver => {
    const { visibility, directories } = inner
    const publicUrl = inner.publicUrl?.bind(inner)
    return {
      kind: 'read-only',
      name: `read-only(${inner.name})`,
      inner: [inner],
      supports: readingOnly(inner.supports),
      visibility: visibility && readableVisibility(visibility),
      directories: directories && readableDirectories(directories),
      multipart: undefined, // only ever writes
      append: undefined, // only ever writes; `Disk` then reads and writes instead, and the write is refused
      publicUrl,
      signUrl: inner.signUrl && ((path, options) => signReading(inner, path, options)),
      stat: (path, options) => inner.stat(path, options),
      read: (path, options) => inner.read(path, options),
      write: refuse,
      delete: refuse,
      list: (directory, options) => inner.list(directory, options),
      copy: refuse,
      move: refuse,
      locate: (path) => inner.locate(path),
      close: () => Promise.resolve(), // It has opened nothing.
    }
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new ReadOnlyError())
}

async function signReading(inner: Driver, path: string, options: SignOptions): Promise<SignedRequest> {
  if (options.method === 'PUT' || inner.signUrl === undefined) throw new ReadOnlyError()
  return inner.signUrl(path, options)
}

function readableVisibility(inner: VisibilityAbility): VisibilityAbility {
  return { get: (path, options) => inner.get(path, options), set: refuse }
}

function readableDirectories(inner: DirectoryAbility): DirectoryAbility {
  return { exists: (path, options) => inner.exists(path, options), create: refuse, delete: refuse }
}

function readingOnly(inner: Supports): Supports {
  return {
    ifAbsent: false,
    ifMatch: false,
    rangedRead: inner.rangedRead,
    serverSideCopy: false,
    metadata: inner.metadata,
    versions: inner.versions,
    temporaryUrl: inner.temporaryUrl,
    temporaryUploadUrl: false,
    encryptedAtRest: inner.encryptedAtRest,
  }
}
