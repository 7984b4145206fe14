/**
 * Where files are on the network: one address for what is shown, signed and purged.
 *
 *   https://cdn.example.com/base  ‖  /  ‖  prefixes of scoped layers below  ‖  path        every segment percent-encoded, once
 *
 * The network shows the store, so the files of a directory that is a disk are below that directory. A `served` layer is a store of
 * its own in that: it answers for paths without the prefixes below it.
 */
import type { Driver } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { encodePath, joinPath, normalizePath } from '../../path.ts'
import type { PurgeTarget } from './purge-target.ts'

export interface CdnAddress {
  readonly origin: string
  /** Without a scheme. */
  readonly host: string
  /** The network's address of a file. */
  url(path: string): string
  /** The address of a target as a path: a directory's ends with a slash, that of everything is the base's. */
  pathname(target: PurgeTarget): string
  /** A target's key in the store, not encoded; a directory's ends with a slash, that of everything is empty or does. */
  key(target: PurgeTarget): string
}

/** @throws ConfigurationError for what is no base of http addresses */
export function addressOf(url: string, inner: Driver): CdnAddress {
  const base = parseBase(url)
  const root = joinPath(decodeURIComponent(base.pathname).replace(/^\/|\/+$/g, ''), prefixOf(inner))
  const key = ({ type, path }: PurgeTarget): string => {
    const full = joinPath(root, path)
    return type === 'file' || full === '' ? full : `${full}/`
  }
  const pathname = (target: PurgeTarget): string => `/${encodePath(key(target))}`
  return { origin: base.origin, host: base.host, url: (path) => base.origin + pathname({ type: 'file', path }), pathname, key }
}

function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || !/^https?:$/.test(base.protocol)) {
    throw new ConfigurationError('"url" must be the address of the network, with its scheme: https://cdn.example.com')
  }
  if (base.search !== '' || base.hash !== '' || base.username !== '' || base.password !== '') {
    throw new ConfigurationError('"url" must have no query, fragment or credentials')
  }
  if (!isDecodable(base.pathname)) throw new ConfigurationError('"url" has a path that is not percent-encoded as UTF-8')
  return base
}

function isDecodable(pathname: string): boolean {
  try {
    decodeURIComponent(pathname)
    return true
  } catch {
    return false
  }
}

/** What the scoped layers below put before a path. */
function prefixOf(inner: Driver): string {
  if (inner.kind === 'served') return ''
  const own = inner.kind === 'scoped' && 'prefix' in inner && typeof inner.prefix === 'string' ? normalizePath(inner.prefix) : ''
  const [below] = inner.inner
  return below === undefined ? own : joinPath(prefixOf(below), own)
}
