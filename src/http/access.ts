/**
 * Which file of which disk a request may have. The answer is one or none: a disk that is not there, not served or misconfigured,
 * a bad path, a bad signature and a private disk all look the same.
 *
 *   {base of the disk}/{disk}/{path}?{query}      every segment decoded once, and only in its one normal spelling
 */
import type { ServedDriver } from '../decorators/served.ts'
import type { Driver } from '../driver.ts'
import { isStorageError } from '../errors.ts'
import { normalizeFilePath } from '../path.ts'
import type { Grant } from '../url-signature.ts'

/** What the handler needs of a disk. */
export interface ServableDisk {
  readonly driver: Driver
  layer(kind: 'served'): ServedDriver | undefined
}

/** What the handler needs of a storage: `Storage` and every `StorageManager` have it. */
export interface ServableStorage {
  readonly names: readonly string[]
  disk(name?: string): ServableDisk // optional, as in every StorageManager: only so do those with names of their own fit
  /** Finds the configuration where there is none yet, and waits for drivers that are still being made. */
  load?(): Promise<unknown>
}

export interface Access {
  readonly driver: Driver
  readonly served: ServedDriver
  /** Normal. */
  readonly path: string
  /** What the signature allows; undefined for a request without one, which may see public files of a public disk. */
  readonly grant: Grant | undefined
}

export type Method = 'GET' | 'HEAD' | 'PUT'

export async function findAccess(storage: ServableStorage, method: Method, url: URL): Promise<Access | undefined> {
  const segments = decodeSegments(url.pathname)
  if (segments === undefined) return undefined
  for (const name of storage.names.filter((name) => segments.includes(name))) {
    const disk = await servedDisk(storage, name)
    const access = disk && accessTo(disk, { method, url, segments })
    if (access !== undefined) return access
  }
  return undefined
}

/** The disk if it makes URLs in its own name; a driver that is still being made is waited for. */
async function servedDisk(storage: ServableStorage, name: string): Promise<Served | undefined> {
  const find = (): Served | undefined => {
    const disk = storage.disk(name)
    const served = disk.layer('served')
    // A layer of another disk below this one makes URLs for that disk.
    return served?.disk === name ? { driver: disk.driver, served } : undefined
  }
  try {
    return find()
  } catch (error) {
    if (!isRefusal(error)) throw error
    await storage.load?.()
    return unlessRefused(find)
  }
}

function accessTo({ driver, served }: Served, { method, url, segments }: Asked): Access | undefined {
  return unlessRefused(() => {
    const path = pathBelow(served, segments)
    if (path === undefined) return undefined
    const grant = served.verify(method, path, url.searchParams)
    return grant === undefined && !isOpen(served, method, url) ? undefined : { driver, served, path, grant }
  })
}

/** Undefined for a disk that is not configured well enough, and for a path that no disk takes. */
function unlessRefused<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

function isRefusal(error: unknown): boolean {
  return isStorageError(error) && (error.code === 'configuration' || error.code === 'invalid_path')
}

type Served = Pick<Access, 'driver' | 'served'>

interface Asked {
  readonly method: Method
  readonly url: URL
  readonly segments: readonly string[]
}

/** A signature that is wrong is not the same as none. */
function isOpen(served: ServedDriver, method: Method, url: URL): boolean {
  return method !== 'PUT' && served.diskVisibility === 'public' && !url.searchParams.has('signature')
}

/** The file's path; undefined when the URL is not below the disk's base, or spells the path in another way than its own. */
function pathBelow({ url, disk }: ServedDriver, segments: readonly string[]): string | undefined {
  if (url === undefined) return undefined
  const base = decodeSegments(new URL(`${url}/`, 'http://localhost').pathname)?.slice(0, -1)
  const root = base && [...base, disk]
  if (root === undefined || root.some((segment, index) => segment !== segments[index])) return undefined
  const names = segments.slice(root.length)
  const path = names.join('/')
  return names.some((name) => name.includes('/')) || normalizeFilePath(path) !== path ? undefined : path
}

function decodeSegments(pathname: string): readonly string[] | undefined {
  try {
    return pathname.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return undefined // a % that begins no UTF-8
  }
}
