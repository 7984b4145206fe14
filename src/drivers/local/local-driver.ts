/**
 * A directory of this machine as a disk: the default choice of whoever runs on one server with a volume.
 *
 * A file on the disk is a file in the directory, under the same name and with nothing added. Writes replace atomically (atomic-write.ts),
 * nothing leaves the root (containment.ts), what a file system has no place for is kept beside the file (sidecar.ts), and what
 * crashed writers leave is swept (sweep.ts). Here are settings and abilities; the first operation loads the rest (operations.ts), and no
 * directory is made before it.
 */
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  DirectoryAbility,
  Driver,
  FileStat,
  ListOptions,
  Location,
  Page,
  ReadOptions,
  ReadResult,
  Supports,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { lazyDirectories, lazyVisibility } from '../../lazy-abilities.ts'
import { Lazy } from '../../lazy.ts'
import type { LocalOperations } from './operations.ts'
import { type LocalDriverOptions, type LocalSettings, settingsOf } from './settings.ts'

export type { LocalDriverOptions, LocalModes, LocalPermissions } from './settings.ts'

declare module '../../driver.ts' {
  interface Layers {
    local: LocalDriver
  }
}

export class LocalDriver implements Driver {
  readonly kind = 'local'
  readonly name = 'local'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports = {
    ifAbsent: true,
    ifMatch: true,
    rangedRead: true,
    serverSideCopy: true,
    metadata: true,
    versions: false,
    temporaryUrl: false,
    temporaryUploadUrl: false,
    encryptedAtRest: false,
  }

  /** The permission bits; Windows has none worth the name. */
  readonly visibility: VisibilityAbility | undefined
  readonly directories: DirectoryAbility
  readonly multipart = undefined
  readonly publicUrl = undefined
  readonly signUrl = undefined

  readonly #disk: LocalSettings
  readonly #operations: Lazy<LocalOperations>

  constructor(options: LocalDriverOptions) {
    const disk = settingsOf(options)
    const operations = new Lazy(async () => new (await import('./operations.ts')).LocalOperations(disk, this))
    this.#disk = disk
    this.#operations = operations
    this.visibility = process.platform === 'win32' ? undefined : lazyVisibility(operations)
    this.directories = lazyDirectories(operations)
  }

  readonly append = (path: string, content: Content, options: WriteOptions): Promise<void> => {
    return this.#operations.use((operations) => operations.append(path, content, options))
  }

  stat(path: string, options: ReadOptions): Promise<FileStat> {
    return this.#operations.use((operations) => operations.stat(path, options))
  }

  read(path: string, options: ReadOptions): Promise<ReadResult> {
    return this.#operations.use((operations) => operations.read(path, options))
  }

  write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    return this.#operations.use((operations) => operations.write(path, content, options))
  }

  delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    return this.#operations.use((operations) => operations.delete(paths, options))
  }

  list(directory: string, options: ListOptions): Promise<Page> {
    return this.#operations.use((operations) => operations.list(directory, options))
  }

  copy(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.copy(from, to, options))
  }

  move(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.move(from, to, options))
  }

  /** The real path, so that disks whose roots overlap agree about a file. */
  locate(path: string): Location {
    return { store: 'file:', key: this.#disk.root.locate(path) }
  }

  /** Removes what crashed writers left, in the whole tree. @returns how many files it removed */
  sweep(): Promise<number> {
    return this.#operations.use((operations) => operations.sweep())
  }

  async close(): Promise<void> {
    await this.#operations.ifUsed((operations) => operations.close())
    await this.#disk.sweeper.close()
  }
}
