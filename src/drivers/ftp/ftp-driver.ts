/**
 * A directory of an FTP or FTPS server as a disk, through `basic-ftp`.
 *
 * Writes replace by a rename (upload.ts), reads stream and go on where a connection broke (file-body.ts), connections are pooled
 * (pool.ts), and a refusal is never taken at its word (look.ts). Files have no etag: times are told to the second only, so two writes
 * within one could not be told apart. Here are settings and abilities; the first operation loads the rest (operations.ts).
 */
import type {
  CallOptions,
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
import type { FtpOperations } from './operations.ts'
import { type FtpDriverOptions, type FtpSettings, settingsOf } from './settings.ts'

export type { FtpDriverOptions } from './settings.ts'

declare module '../../driver.ts' {
  interface Layers {
    ftp: FtpDriver
  }
}

export class FtpDriver implements Driver {
  readonly kind = 'ftp'
  readonly name = 'ftp'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports = {
    ifAbsent: false, // FTP has no condition, and to look first would lose the race
    ifMatch: false,
    rangedRead: true,
    serverSideCopy: false,
    metadata: false,
    versions: false,
    temporaryUrl: false,
    temporaryUploadUrl: false,
    encryptedAtRest: false,
  }

  /** Permissions, by SITE CHMOD. */
  readonly visibility: VisibilityAbility | undefined
  readonly directories: DirectoryAbility
  readonly multipart = undefined
  readonly publicUrl = undefined
  readonly signUrl = undefined

  readonly #settings: FtpSettings
  readonly #operations: Lazy<FtpOperations>

  constructor(options: FtpDriverOptions) {
    const settings = settingsOf(options)
    const operations = new Lazy(async () => new (await import('./operations.ts')).FtpOperations(settings, this))
    this.#settings = settings
    this.#operations = operations
    this.visibility = settings.permissions ? lazyVisibility(operations) : undefined
    this.directories = lazyDirectories(operations)
  }

  /** By APPE. Of several that append to one file through this driver, one does so at a time. */
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

  /** Through this process, on two connections: FTP servers do not copy. */
  copy(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.copy(from, to, options))
  }

  /** By a rename, in one step; it keeps the time and the permissions. */
  move(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.move(from, to, options))
  }

  locate(path: string): Location {
    const { host, port, username, root } = this.#settings
    const base = root.path === '' ? '' : `${root.path}/`
    return {
      store: `ftp://${encodeURIComponent(username)}@${host.toLowerCase()}:${port}${root.absolute ? '' : '/~'}`,
      key: `${base}${path}`,
    }
  }

  /** Deletes what crashed writers left: temporary files that nobody has written to since. @returns how many there were */
  pruneIncompleteUploads(options: CallOptions & { readonly olderThan?: Date | undefined } = {}): Promise<number> {
    return this.#operations.use((operations) => operations.pruneIncompleteUploads(options))
  }

  /** Sets the time of a file, to the second. @throws UnsupportedError where the server has no command for it */
  setLastModified(path: string, time: Date, options: CallOptions = {}): Promise<void> {
    return this.#operations.use((operations) => operations.setLastModified(path, time, options))
  }

  /** How many connections there are, and how many of them nobody uses. */
  get connections(): { readonly open: number; readonly idle: number } {
    return this.#operations.loaded?.connections ?? { open: 0, idle: 0 }
  }

  async close(): Promise<void> {
    await this.#operations.ifUsed((operations) => operations.close())
  }
}
