/**
 * What the files of a bucket go through, loaded by the first operation: reading, writing, deleting, listing, copying, signing.
 *
 *   S3Driver ──first operation──▶ S3Operations ──▶ S3Requests (requests.ts), by a transport that is loaded here, and nowhere else
 */
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  FileStat,
  ListOptions,
  MultipartAbility,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import type { S3Access } from './access.ts'
import { copyObject } from './copying.ts'
import { deleteObjects } from './deleting.ts'
import { readObject } from './downloading.ts'
import { statOf } from './facts.ts'
import { checkKey } from './keys.ts'
import { askAhead, listObjects } from './listing.ts'
import { moveObject } from './moving.ts'
import { multipartOf } from './multipart.ts'
import { ReadAhead } from './read-ahead.ts'
import type { S3Requests } from './requests.ts'
import { presign } from './signing.ts'
import { S3Store } from './store.ts'
import { writeObject } from './uploading.ts'
import { publicUrl } from './urls.ts'
import { visibilityOf } from './visibility.ts'

/** Loads what talks to the store. Nothing is asked of it yet. */
export async function openOperations(access: S3Access): Promise<S3Operations> {
  return new S3Operations(access, await requestsOf(access))
}

async function requestsOf(access: S3Access): Promise<S3Requests> {
  if (access.settings.transport === 'sdk') return sdkRequests(access)
  const { leanRequests } = await import('./lean/lean-requests.ts')
  return leanRequests(access.settings, {
    others: () => sdkRequests(access),
    loadIdentity: async (options) => (await import('./sdk-sources.ts')).identityOf(access, options),
    findAddress: async () => (await import('./sdk-sources.ts')).addressOf(access),
  })
}

async function sdkRequests({ settings, connection }: S3Access): Promise<S3Requests> {
  const { SdkRequests } = await import('./sdk-requests.ts')
  return new SdkRequests(settings, connection)
}

export class S3Operations {
  readonly multipart: MultipartAbility
  /** By ACLs: only of use where the disk has them. */
  readonly visibility: VisibilityAbility

  readonly #access: S3Access
  readonly #requests: S3Requests
  readonly #store: S3Store
  readonly #listing: ReadAhead

  constructor(access: S3Access, requests: S3Requests) {
    this.#access = access
    this.#requests = requests
    this.#store = new S3Store(access.settings, requests)
    this.#listing = new ReadAhead({
      page: (directory, given, link) => listObjects(this.#store, directory, given, link),
      ask: (directory, given, ahead) => askAhead(this.#store, directory, given, ahead),
    })
    this.multipart = multipartOf(this.#store, (path) => this.#listing.changed([path]))
    this.visibility = visibilityOf(this.#store)
  }

  async publicUrl(path: string): Promise<string> {
    return publicUrl(this.#access.connection, this.#access.settings, checkKey(path))
  }

  async signUrl(path: string, options: SignOptions): Promise<SignedRequest> {
    const { connection, settings } = this.#access
    return presign(connection, settings, checkKey(path), { ...options, identity: this.#requests.identity })
  }

  async stat(path: string, { ifMatch, versionId, signal }: ReadOptions): Promise<FileStat> {
    const head = await this.#store.head(checkKey(path), { ifMatch, versionId, signal })
    return statOf(path, head, head.contentLength)
  }

  read(path: string, options: ReadOptions): Promise<ReadResult> {
    return readObject(this.#store, path, options)
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    try {
      return await writeObject(this.#store, path, content, options)
    } finally {
      this.#listing.changed([path]) // a failure may have done it, too
    }
  }

  async delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    try {
      return await deleteObjects(this.#store, paths, options)
    } finally {
      this.#listing.changed(paths)
    }
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    options.signal?.throwIfAborted()
    return this.#listing.list(directory, options)
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    try {
      await copyObject(this.#store, from, to, options)
    } finally {
      this.#listing.changed([to])
    }
  }

  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    try {
      await moveObject(this.#store, from, to, options)
    } finally {
      this.#listing.changed([from, to])
    }
  }

  /** Gives up pages that were asked for ahead, and closes the connections. */
  close(): void {
    this.#listing.close()
    this.#requests.close()
  }
}
