/** What the files and directories of a server go through, loaded by the first operation, and the package with it. */
import { contentTypeOf } from '../../content-type.ts'
import { copyThroughStream } from '../../derive.ts'
import type {
  CallOptions,
  Content,
  DeleteFailure,
  DeleteOptions,
  DirectoryAbility,
  Driver,
  FileStat,
  ListOptions,
  Page,
  ReadOptions,
  ReadResult,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { InvalidArgumentError, toStorageError, UnsupportedError } from '../../errors.ts'
import { makeDirectories, removeFile, removeTree } from './directories.ts'
import { openFile } from './file-body.ts'
import { isRefused, toFtpError, translated } from './ftp-errors.ts'
import { checkFilePath, checkPath } from './keys.ts'
import { Listing } from './listing.ts'
import { absence, changeMode, type FileFacts, kindOf, lookAtFile, requireFile, visibilityOfFile } from './look.ts'
import { type Lease, Pool, type UseOptions } from './pool.ts'
import { pruneTree } from './prune.ts'
import type { FtpSettings } from './settings.ts'
import { setTimes } from './times.ts'
import { appendToFile, renameOver, replaceFile } from './upload.ts'

const DAY_MS = 24 * 60 * 60 * 1_000

export class FtpOperations {
  readonly #settings: FtpSettings
  readonly #driver: Driver
  readonly #pool: Pool
  readonly #listing = new Listing()
  readonly #appending = new Map<string, Promise<void>>()

  /** @param driver itself, as others see it: copies go through it */
  constructor(settings: FtpSettings, driver: Driver) {
    this.#settings = settings
    this.#driver = driver
    this.#pool = new Pool(settings)
  }

  /** By permissions: only of use where the server has SITE CHMOD. */
  readonly visibility: VisibilityAbility = {
    get: (path, options) =>
      this.#file(path, options, async (lease, key) => {
        const known = await visibilityOfFile(await lease.session(), key, options)
        if (known === undefined) throw new UnsupportedError('the server does not tell the permissions of files')
        return known
      }),
    set: (path, visibility, options) =>
      this.#file(path, options, async (lease, key) => {
        const session = await lease.session()
        await requireFile(session, key, options)
        await changeMode(session, key, { visibility, signal: options.signal })
      }),
  }

  readonly directories: DirectoryAbility = {
    exists: (path, options) =>
      this.#at(path, options, async (lease, key) => path === '' || (await kindOf(await lease.session(), key, options)) === 'directory'),
    create: (path, options) =>
      this.#at(path, options, async (lease, key) => makeDirectories(await lease.session(), key, this.#withMode(options))),
    delete: (path, options) =>
      this.#at(path, options, async (lease, key) => {
        const session = await lease.session()
        if ((await kindOf(session, key, options)) !== 'directory') return 0
        return removeTree(session, key, { signal: options.signal, keep: path === '' })
      }),
  }

  async append(path: string, content: Content, options: WriteOptions): Promise<void> {
    this.#judge(path, options)
    const before = this.#appending.get(path)
    const appending = (async () => {
      await before?.catch(() => undefined)
      await this.#appendNow(path, content, options)
    })()
    this.#appending.set(path, appending)
    try {
      await appending
    } finally {
      if (this.#appending.get(path) === appending) this.#appending.delete(path)
    }
  }

  async stat(path: string, options: ReadOptions): Promise<FileStat> {
    refuseEtag(options)
    const facts = await this.#file(path, options, async (lease, key) => lookAtFile(await lease.session(), key, options))
    return describe(path, facts)
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    refuseEtag(options)
    const { facts, body } = await this.#file(path, options, (lease) => openFile(this.#pool, lease, path, options))
    return { stat: await describe(path, facts), body }
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    this.#judge(path, options)
    const once = unlessTaken(content)
    const size = await this.#use({ signal: options.signal, repeatable: once.repeatable }, (lease) =>
      replaceFile(lease, path, once.content, this.#withMode(options)),
    )
    return { size }
  }

  async delete(paths: readonly string[], { signal }: DeleteOptions): Promise<readonly DeleteFailure[]> {
    for (const path of paths) this.#checkFile(path)
    if (paths.length === 0) return []
    const failures: DeleteFailure[] = []
    await this.#use({ signal }, async (lease) => {
      failures.length = 0
      for (const path of paths) {
        signal?.throwIfAborted()
        const failure = await deleteOne(lease, path, { signal })
        if (failure !== undefined) failures.push(failure)
      }
    })
    return failures
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    return this.#at(directory, options, async (lease) => this.#listing.page(await lease.session(), directory, options))
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    this.#checkFile(from)
    this.#judge(to, options)
    const { signal } = options
    const kept = await this.#file(from, { signal }, async (lease, key) => {
      const session = await lease.session()
      if (from !== to && options.visibility === undefined && this.#settings.permissions) return visibilityOfFile(session, key, { signal })
      await requireFile(session, key, { signal })
      return options.visibility
    })
    if (from !== to) await copyThroughStream(this.#driver, from, this.#driver, to, { ...options, visibility: kept })
  }

  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    this.#checkFile(from)
    this.#judge(to, options)
    const { signal, visibility } = this.#withMode(options)
    let begun = false
    await this.#use({ signal, repeatable: () => !begun }, async (lease) => {
      const session = await lease.session(signal)
      const keys = { from: session.keyOf(from), to: session.keyOf(to) }
      await requireFile(session, keys.from, { signal })
      if (from === to) return
      if (visibility !== undefined) await changeMode(session, keys.from, { visibility, signal })
      signal?.throwIfAborted()
      begun = true
      await renameOver(session, keys).catch(async (error: unknown) => {
        if (isRefused(error) && (await kindOf(session, keys.from, { signal })) === undefined)
          throw await absence(session, keys.from, { signal })
        throw error
      })
    })
  }

  async pruneIncompleteUploads({ olderThan, signal }: CallOptions & { readonly olderThan?: Date | undefined } = {}): Promise<number> {
    const before = olderThan ?? new Date(Date.now() - DAY_MS)
    if (Number.isNaN(before.getTime())) throw new InvalidArgumentError('olderThan must be a valid Date')
    return this.#at('', { signal }, async (lease, key) => pruneTree(await lease.session(), key, { before, signal }))
  }

  async setLastModified(path: string, time: Date, { signal }: CallOptions = {}): Promise<void> {
    if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('the time must be a valid Date')
    await this.#file(path, { signal }, async (lease, key) => setTimes(await lease.session(), key, { time, signal }))
  }

  /** How many connections there are, and how many of them nobody uses. */
  get connections(): { readonly open: number; readonly idle: number } {
    return this.#pool.connections
  }

  async close(): Promise<void> {
    this.#listing.close()
    await this.#pool.close()
  }

  async #appendNow(path: string, content: Content, options: WriteOptions): Promise<void> {
    const once = unlessTaken(content)
    // Not done again even then: nobody can tell how much of it was appended before.
    await this.#use({ signal: options.signal, repeatable: () => !once.taken() }, (lease) =>
      appendToFile(lease, path, once.content, this.#withMode(options)),
    )
  }

  /** What a disk without permissions is given as visibility is what a copy brought along. */
  #withMode<T extends WriteOptions>(options: T): T {
    return this.#settings.permissions ? options : { ...options, visibility: undefined }
  }

  #checkFile(path: string): void {
    checkFilePath(path, this.#settings.root.path)
  }

  /** What is to be written, before anything is done. */
  #judge(path: string, { ifAbsent, ifMatch }: WriteOptions): void {
    this.#checkFile(path)
    if (ifAbsent || ifMatch !== undefined) throw new UnsupportedError('FTP has no conditional writes')
  }

  #use<T>(options: UseOptions, act: (lease: Lease) => Promise<T>): Promise<T> {
    return translated(() => this.#pool.use(act, options))
  }

  async #file<T>(path: string, { signal }: CallOptions, act: (lease: Lease, key: string) => Promise<T>): Promise<T> {
    this.#checkFile(path)
    return this.#use({ signal }, async (lease) => act(lease, (await lease.session(signal)).keyOf(path)))
  }

  async #at<T>(path: string, { signal }: CallOptions, act: (lease: Lease, key: string) => Promise<T>): Promise<T> {
    checkPath(path, this.#settings.root.path)
    return this.#use({ signal }, async (lease) => act(lease, (await lease.session(signal)).keyOf(path)))
  }
}

async function describe(path: string, { size, modified, visibility }: FileFacts): Promise<FileStat> {
  const contentType = await contentTypeOf(path)
  return {
    path,
    size,
    lastModified: modified,
    ...(contentType !== undefined && { contentType }),
    ...(visibility !== undefined && { visibility }),
  }
}

async function deleteOne(lease: Lease, path: string, { signal }: CallOptions): Promise<DeleteFailure | undefined> {
  const session = await lease.session(signal)
  const key = session.keyOf(path)
  try {
    const found = (await removeFile(session, key, { signal })) || (await kindOf(session, key, { signal })) === 'directory'
    if (found) return undefined
    const why = await absence(session, key, { signal })
    return why.code === 'not_found' ? undefined : { path, error: why }
  } catch (error) {
    if (!isRefused(error)) throw error
    return { path, error: toStorageError(toFtpError(error)) }
  }
}

function refuseEtag({ ifMatch }: ReadOptions): void {
  if (ifMatch !== undefined) throw new UnsupportedError('files on FTP servers have no etag')
}

/** Content that tells whether it may be sent again: when it was not touched, or can be read anew. */
function unlessTaken(content: Content): { readonly content: Content; readonly taken: () => boolean; readonly repeatable: () => boolean } {
  let taken = false
  const stream = (): AsyncIterable<Uint8Array> => {
    taken = true
    return content.stream()
  }
  const { size, replayable, bytes } = content
  return { content: { size, replayable, bytes, stream }, taken: () => taken, repeatable: () => !taken || replayable }
}
