/**
 * A container of Azure Blob Storage as a disk.
 *
 * A file is a blob of the same name (keys.ts says where another). Writes replace in one step, by Put Blob or by committing staged
 * blocks (upload.ts); conditions are the service's own; bodies are of one version (body.ts); copies are the service's work (copy.ts).
 * Both block blobs and append blobs are files. Here are settings and abilities; the first operation loads the rest (operations.ts).
 */
import { copyThroughStream } from '../../derive.ts'
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  Driver,
  FileStat,
  ListOptions,
  Location,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  Supports,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { Lazy } from '../../lazy.ts'
import { type AzureContainers, lazyContainers } from './azure-containers.ts'
import { keyOf } from './keys.ts'
import type { AzureOperations } from './operations.ts'
import { type AzureDriverOptions, type AzureSettings, settingsOf } from './settings.ts'
import type { AzurePruneOptions, AzurePruneResult } from './unfinished.ts'

export type { AzureContainers, PublicAccess } from './azure-containers.ts'
export type { AzureDriverOptions } from './settings.ts'
export type { AzurePruneOptions, AzurePruneResult, UnfinishedUpload } from './unfinished.ts'

declare module '../../driver.ts' {
  interface Layers {
    azure: AzureDriver
  }
}

export class AzureDriver implements Driver {
  readonly kind = 'azure'
  readonly name = 'azure'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports

  /** Only containers are public or private: `buckets.publicAccess`. */
  readonly visibility = undefined
  readonly directories = undefined
  /** Blocks that were staged belong to no upload that could be aborted, and whoever commits discards those of all others. */
  readonly multipart = undefined
  /** Undefined where nothing can sign: with a SAS token, or a client without credentials. */
  readonly signUrl: ((path: string, options: SignOptions) => Promise<SignedRequest>) | undefined
  /** The containers of the account. */
  readonly buckets: AzureContainers

  readonly #settings: AzureSettings
  readonly #operations: Lazy<AzureOperations>

  /** @throws ConfigurationError for what cannot work, whatever the store answers */
  constructor(options: AzureDriverOptions) {
    const settings = settingsOf(options)
    const operations = new Lazy(async () => {
      const { AzureOperations } = await import('./operations.ts')
      return new AzureOperations(settings, ({ from, to }, kept) => copyThroughStream(this, from.path, this, to.path, kept))
    })
    this.#settings = settings
    this.#operations = operations
    this.buckets = lazyContainers(operations)
    this.signUrl = settings.signs ? (path, given) => operations.use((loaded) => loaded.signUrl(path, given)) : undefined
    this.supports = {
      ifAbsent: true,
      ifMatch: true,
      rangedRead: true,
      serverSideCopy: true,
      metadata: true,
      versions: settings.versions,
      temporaryUrl: settings.signs,
      temporaryUploadUrl: settings.signs,
      encryptedAtRest: false,
    }
  }

  /** Answers only where the container is public. */
  readonly publicUrl = (path: string): Promise<string> => this.#operations.use((operations) => operations.publicUrl(path))

  /** A file that this makes is an append blob, to which appending is one request. Other files are extended under `ifMatch`. */
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

  /** A copy, and a delete of the very version that was copied. @throws PreconditionFailedError when it changed; both files are kept */
  move(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.move(from, to, options))
  }

  /** The account's address and the container, so that two disks of one container can tell. */
  locate(path: string): Location {
    const { endpoint, container } = this.#settings
    return { store: `azure:${endpoint.toLowerCase()}/${container}`, key: path === '' ? '' : keyOf(path) }
  }

  /** Removes uploads that were begun and never finished, of whomever. Azure does so itself a week after their last block. */
  pruneIncompleteUploads(options: AzurePruneOptions): Promise<AzurePruneResult> {
    return this.#operations.use((operations) => operations.pruneIncompleteUploads(options))
  }

  /** Closes its connections; those of an injected client stay. */
  async close(): Promise<void> {
    await this.#operations.ifUsed((operations) => operations.close())
  }
}
