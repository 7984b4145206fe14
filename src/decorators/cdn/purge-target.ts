/** What a purge is of: a file, all below a directory, or everything. Paths are those of the layer, normal and not encoded. */
import { InvalidArgumentError } from '../../errors.ts'
import { directoryPrefix, normalizeFilePath, normalizePath } from '../../path.ts'

export interface PurgeTarget {
  readonly type: 'file' | 'prefix' | 'all'
  /** Empty for everything. */
  readonly path: string
}

/** What `layer('cdn')?.purge` takes: files, a directory with all below it (or its path with a slash at the end), or everything that the disk shows. */
export type PurgeWhat = string | readonly string[] | { readonly prefix: string } | { readonly all: true }

export const EVERYTHING: PurgeTarget = { type: 'all', path: '' }

export function fileTarget(path: string): PurgeTarget {
  return { type: 'file', path }
}

export function directoryTarget(path: string): PurgeTarget {
  return path === '' ? EVERYTHING : { type: 'prefix', path }
}

/** @throws InvalidPathError; InvalidArgumentError for what says nothing */
export function targetsOf(what: PurgeWhat): readonly PurgeTarget[] {
  if (typeof what === 'string') return [targetOf(what)]
  if ('prefix' in what) return [directoryTarget(normalizePath(what.prefix))]
  if ('all' in what) return [EVERYTHING]
  if (!Array.isArray(what)) throw new InvalidArgumentError('purge takes a path, a list of paths, { prefix } or { all: true }')
  const targets = what.map((path: string) => targetOf(path))
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()]
}

function targetOf(path: string): PurgeTarget {
  return path.endsWith('/') ? directoryTarget(normalizePath(path)) : fileTarget(normalizeFilePath(path))
}

/** The same for the same target, and for no other. */
export function targetKey({ type, path }: PurgeTarget): string {
  return `${type}:${path}`
}

/** Whether purging the one purges the other too. */
export function covers(one: PurgeTarget, other: PurgeTarget): boolean {
  if (one.type === 'file') return other.type === 'file' && one.path === other.path
  if (one.type === 'all') return true
  if (other.type === 'all') return false
  return other.path.startsWith(directoryPrefix(one.path)) || (other.type === 'prefix' && other.path === one.path)
}
