/** Where a fake keeps its files: in memory, or in a folder of the machine. Assertions see them without waiting. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { nodeModule } from '../builtins.ts'
import type { Driver, Visibility } from '../driver.ts'
import { LocalDriver } from '../drivers/local/local-driver.ts'
import { HIDDEN_PREFIX } from '../drivers/local/keys.ts'
import { extrasFor, type Sidecar } from '../drivers/local/sidecar.ts'
import { ownName } from '../drivers/local/temp-files.ts'
import { MemoryDriver } from '../drivers/memory-driver.ts'
import { normalizeFilePath } from '../path.ts'

export interface SeenFile {
  readonly bytes: Uint8Array
  readonly visibility: Visibility | undefined
  readonly contentType: string | undefined
}

export interface FakeFiles {
  readonly driver: Driver
  /** The paths of all files. */
  paths(): readonly string[]
  /** The file at a path, or undefined when there is none. */
  file(path: string): SeenFile | undefined
  isDirectory(path: string): boolean
}

/** Files by path. */
export type Seed = Readonly<Record<string, string | Uint8Array>>

/** Files in memory, some of them from the beginning. */
export function memoryFiles(seed: Seed, visibility: Visibility | undefined): FakeFiles {
  const files = Object.entries(seed).map(([path, content]) => ({
    path: normalizeFilePath(path),
    content,
    contentType: typeOf(path),
    visibility,
  }))
  const driver = new MemoryDriver({ files })
  return {
    driver,
    paths: () => [...driver.files.keys()],
    file: (path) => {
      const found = driver.files.get(path)
      return found && { bytes: found.bytes, visibility: found.stat.visibility, contentType: found.stat.contentType }
    },
    isDirectory: (path) => driver.hasDirectory(path),
  }
}

/** Files in a folder, which stay there when the fake is gone. */
export function folderFiles(
  folder: string,
  { seed, visibility }: { readonly seed: Seed; readonly visibility: Visibility | undefined },
): FakeFiles {
  const root = resolve(folder)
  for (const [path, content] of Object.entries(seed)) {
    const at = join(root, normalizeFilePath(path))
    mkdirSync(dirname(at), { recursive: true })
    writeFileSync(at, content)
  }
  return {
    driver: new LocalDriver({ root, visibility }),
    paths: () => (existsSync(root) ? filesBelow(root) : []),
    file: (path) => seenFile(root, path),
    isDirectory: (path) => lstatSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() ?? false,
  }
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith(HIDDEN_PREFIX))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

function seenFile(root: string, path: string): SeenFile | undefined {
  const at = join(root, path)
  const stats = lstatSync(at, { throwIfNoEntry: false, bigint: true })
  if (!stats?.isFile()) return undefined
  const name = path.slice(path.lastIndexOf('/') + 1)
  const sidecarAt = join(at, '..', ownName('meta', name))
  const sidecar = existsSync(sidecarAt) ? (JSON.parse(readFileSync(sidecarAt, 'utf8')) as Sidecar) : undefined
  return {
    bytes: readFileSync(at),
    visibility: (stats.mode & 0o004n) === 0n ? 'private' : 'public',
    contentType: extrasFor(sidecar, stats)?.contentType ?? typeOf(path),
  }
}

type Lookup = (path: string) => string | false

/** The type that the disk itself would say, at once: tests run where packages are installed, so the table can be required. */
export function typeOf(path: string): string | undefined {
  const { lookup } = nodeModule().createRequire(import.meta.url)('mime-types') as { lookup: Lookup }
  return lookup(path.slice(path.lastIndexOf('/') + 1)) || undefined
}
