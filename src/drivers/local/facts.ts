/** What a disk tells about a file, from what the file system and its sidecar know. */
import type { BigIntStats } from 'node:fs'
import { contentTypeOf } from '../../content-type.ts'
import type { FileStat, Visibility } from '../../driver.ts'
import { UnavailableError } from '../../errors.ts'
import { basename, dirname, joinPath } from '../../path.ts'
import type { Root } from './containment.ts'
import { isMissing } from './local-errors.ts'
import { OPEN } from './local-files.ts'
import { type Extras, extrasFor, isMarked, readSidecarFrom } from './sidecar.ts'
import { ownName } from './temp-files.ts'

const OTHERS_READ = 0o004

/** Changes with every replacement and with every change in place: inode, size and modification time. */
export function etagOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`
}

export function lastModifiedOf({ mtimeNs }: BigIntStats): Date {
  return new Date(Number(mtimeNs / 1_000_000n))
}

/** Public when everybody on the machine may read it. */
export function visibilityOf({ mode }: BigIntStats): Visibility {
  return (Number(mode) & OTHERS_READ) === 0 ? 'private' : 'public'
}

/**
 * @param path what the file was asked by
 * @param key what it is, should a link have led there
 */
export async function describeFile(
  root: Root,
  { path, key }: { readonly path: string; readonly key: string },
  stats: BigIntStats,
): Promise<FileStat> {
  const extras = await extrasAt(root, key, stats)
  const contentType = extras?.contentType ?? (await contentTypeOf(path))
  return {
    path,
    size: Number(stats.size),
    lastModified: lastModifiedOf(stats),
    ...(contentType !== undefined && { contentType }),
    etag: etagOf(stats),
    visibility: visibilityOf(stats),
    ...extras,
  }
}

/** What the sidecar says about a file; undefined for a plain one. */
export async function extrasAt(root: Root, key: string, stats: BigIntStats): Promise<Extras | undefined> {
  if (!isMarked(stats)) return undefined
  const name = basename(key)
  let fd: number
  try {
    fd = await root.open(joinPath(dirname(key), ownName('meta', name)), OPEN.read)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const sidecar = await readSidecarFrom(fd, name)
  const extras = extrasFor(sidecar, stats)
  if (sidecar !== undefined && extras === undefined && (await isReplaced(root, key, stats))) throw new ReplacedError()
  return extras
}

async function isReplaced(root: Root, key: string, stats: BigIntStats): Promise<boolean> {
  try {
    return etagOf(await root.stat(key)) !== etagOf(stats)
  } catch (error) {
    if (isMissing(error)) return true
    throw error
  }
}

/** The sidecar has moved on while its file was being read: a file that was replaced twice since it was opened. */
class ReplacedError extends UnavailableError {
  constructor() {
    super('the file is being replaced faster than it can be read')
  }
}

const MAX_ATTEMPTS = 16

/** Begins again when the file was replaced so fast that its metadata is gone. */
export async function unlessReplaced<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ReplacedError) || attempt === MAX_ATTEMPTS) throw error
    }
  }
}
