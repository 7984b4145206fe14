/**
 * Copies that the store makes itself, of one version of the source.
 *
 *   HEAD source ──▶ up to 256 MiB      Copy Blob From URL          at once; headers as the source has them
 *                ├─▶ with other headers Put Blob From URL           at once, up to 5,000 MiB
 *                └─▶ larger             Put Block From URL × n ──▶ Put Block List
 *
 * All of them replace the target in one step, under its conditions. A source that changes meanwhile is copied anew. What a server
 * does not have (emulators lack the second and the third) is done by Copy Blob, or by carrying the bytes through this process.
 */
import type * as Sdk from '@azure/storage-blob'
import { nodeCrypto } from '../../builtins.ts'
import { headersOf, keptOptions } from '../../derive.ts'
import type { FileStat, WriteOptions } from '../../driver.ts'
import { FileExistsError, isStorageError } from '../../errors.ts'
import { codeOf } from './azure-errors.ts'
import { tagsOf } from './block-blob.ts'
import { blockId } from './blocks.ts'
import type { AzureConnection } from './client.ts'
import { propertiesOf, type Source } from './download.ts'
import { type BlobOptions, blobOptions, conditionsOf, quoted, statOf } from './facts.ts'
import type { CopySource, Signatures } from './sas.ts'
import { tierOf } from './settings.ts'
import { deleteUncommitted } from './staging.ts'

/** Copy Blob From URL, REST API: the largest source. */
const AT_ONCE_BYTES = 256 * 1024 * 1024
const BLOCK_BYTES = 128 * 1024 * 1024
const PARALLEL = 4
const ATTEMPTS = 5
const POLL_MS = 500

/** Codes of servers that do not have an operation, or not for this type of blob. */
const MISSING_HERE: ReadonlySet<string> = new Set(['APINotImplemented', 'FeatureNotSupported', 'InvalidBlobType', 'UnsupportedHeader'])

/** Both ends of a copy, in one container. */
export interface Ends {
  readonly from: Source
  readonly to: Source
}

/** Carries the bytes through this process. */
export type CopyThrough = (ends: Ends, options: WriteOptions) => Promise<void>

interface Job extends Ends {
  readonly stat: FileStat
  readonly properties: Sdk.BlobGetPropertiesResponse
  readonly options: WriteOptions
  readonly signal: AbortSignal | undefined
}

export class Copies {
  readonly #connection: AzureConnection
  readonly #signatures: Signatures
  readonly #copyThrough: CopyThrough

  constructor(connection: AzureConnection, signatures: Signatures, copyThrough: CopyThrough) {
    this.#connection = connection
    this.#signatures = signatures
    this.#copyThrough = copyThrough
  }

  /** @returns the etag of the version that was copied; of a copy onto itself undefined, for there was none to make */
  async copy(ends: Ends, options: WriteOptions): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++) {
      const properties = await propertiesOf(this.#connection, ends.from.key, { signal: options.signal })
      if (ends.from.key === ends.to.key) {
        if (options.ifAbsent) throw new FileExistsError()
        return undefined
      }
      const stat = statOf(ends.from.path, properties.contentLength ?? 0, properties)
      try {
        await this.#copyVersion({ ...ends, stat, properties, options, signal: options.signal })
        return stat.etag
      } catch (error) {
        if (attempt === ATTEMPTS || !isSourceChanged(error, options)) throw error
      }
    }
  }

  async #copyVersion(job: Job): Promise<void> {
    const { stat, properties, options } = job
    try {
      if (stat.size > AT_ONCE_BYTES) return await this.#inBlocks(job)
      const asIs = properties.blobType === 'BlockBlob' && Object.keys(headersOf(options)).length === 0
      return asIs ? await this.#atOnce(job) : await this.#anew(job)
    } catch (error) {
      if (!MISSING_HERE.has(codeOf(error))) throw error
      const large = stat.size > AT_ONCE_BYTES && Object.keys(headersOf(options)).length === 0
      return large && codeOf(error) === 'APINotImplemented' ? this.#asynchronously(job) : this.#copyThrough(job, await this.#withTags(job))
    }
  }

  async #atOnce(job: Job): Promise<void> {
    const { to, properties, options, signal } = job
    const tagged = (properties.tagCount ?? 0) > 0 && options.tags === undefined
    const source = await this.#source(job, tagged)
    const { metadata, tags, tier, conditions } = await this.#options(job)
    await this.#connection.ask(signal, ({ container }) =>
      container.getBlobClient(to.key).syncCopyFromURL(source.url, {
        ...(options.metadata !== undefined && metadata !== undefined && { metadata }),
        ...(tags !== undefined && { tags }),
        ...(tagged && { copySourceTags: 'COPY' as const }),
        ...(tier !== undefined && { tier }),
        conditions,
        ...shared(job, source),
      }),
    )
  }

  async #anew(job: Job): Promise<void> {
    const source = await this.#source(job, false)
    const blob = await this.#options({ ...job, options: await this.#withTags(job) })
    await this.#connection.ask(job.signal, ({ container }) =>
      container
        .getBlockBlobClient(job.to.key)
        .syncUploadFromURL(source.url, { ...blob, copySourceBlobProperties: false, ...shared(job, source) }),
    )
  }

  async #inBlocks(job: Job): Promise<void> {
    const { to, stat, signal } = job
    const source = await this.#source(job, false)
    const blob = await this.#options({ ...job, options: await this.#withTags(job) })
    const uploadId = nodeCrypto().randomUUID()
    const ids = Array.from({ length: Math.ceil(stat.size / BLOCK_BYTES) }, (_, index) => blockId(uploadId, index))
    const rest = ids.entries()
    try {
      const stage = async (): Promise<void> => {
        for (const [index, id] of rest) await this.#stageFromSource(job, source, { index, id })
      }
      await Promise.all(Array.from({ length: PARALLEL }, stage))
      // The SDK puts no condition on the source of a block. Etags never come again, so one look behind covers all of them.
      await propertiesOf(this.#connection, job.from.key, { ifMatch: stat.etag, signal })
      await this.#connection.ask(signal, ({ container }) =>
        container.getBlockBlobClient(to.key).commitBlockList(ids, { ...blob, ...(signal !== undefined && { abortSignal: signal }) }),
      )
    } catch (error) {
      await this.#connection.ask(undefined, ({ once }) => deleteUncommitted(once.getBlobClient(to.key))).catch(() => undefined)
      throw error
    }
  }

  async #stageFromSource(job: Job, source: CopySource, { index, id }: { readonly index: number; readonly id: string }): Promise<void> {
    const start = index * BLOCK_BYTES
    const { sourceConditions: _, ...options } = shared(job, source)
    await this.#connection.ask(job.signal, ({ container }) =>
      container
        .getBlockBlobClient(job.to.key)
        .stageBlockFromURL(id, source.url, start, Math.min(BLOCK_BYTES, job.stat.size - start), options),
    )
  }

  /** Copy Blob: the store copies in its own time, and is asked until it is done. */
  async #asynchronously(job: Job): Promise<void> {
    const { from, to, stat, signal } = job
    const { metadata, tier, conditions } = await this.#options(job)
    await this.#connection.ask(signal, async ({ container }) => {
      const blob = container.getBlobClient(to.key)
      const poller = await blob.beginCopyFromURL(container.getBlobClient(from.key).url, {
        intervalInMs: POLL_MS,
        conditions,
        sourceConditions: { ifMatch: stat.etag as string },
        ...(job.options.metadata !== undefined && metadata !== undefined && { metadata }),
        ...(tier !== undefined && { tier }),
      })
      const cancel = (): void => void poller.cancelOperation().catch(() => undefined)
      signal?.addEventListener('abort', cancel, { once: true })
      await poller.pollUntilDone().finally(() => signal?.removeEventListener('abort', cancel))
    })
  }

  #source({ from, signal }: Job, tags: boolean): Promise<CopySource> {
    return this.#signatures.copySource(from.key, tags, signal)
  }

  /** What the copy is written with: as the source has it, but for what the options say. */
  async #options({ to, stat, properties, options }: Job): Promise<BlobOptions> {
    const { storageClass, ...kept } = keptOptions(stat, options)
    const tier = properties.accessTierInferred === true ? undefined : tierOf(properties.accessTier ?? '')
    return { ...(await blobOptions(to.path, { ...kept, storageClass }, tier)), conditions: conditionsOf(options) }
  }

  async #withTags({ from, properties, options }: Job): Promise<WriteOptions> {
    return options.tags === undefined ? { ...options, tags: await tagsOf(this.#connection, from.key, properties) } : options
  }
}

interface SharedOptions {
  readonly sourceConditions: { readonly ifMatch: string }
  readonly sourceAuthorization?: Sdk.HttpAuthorization
  readonly abortSignal?: AbortSignal
}

function shared({ stat, signal }: Job, { sourceAuthorization }: CopySource): SharedOptions {
  return {
    sourceConditions: { ifMatch: quoted(stat.etag ?? '') },
    ...(sourceAuthorization !== undefined && { sourceAuthorization }),
    ...(signal !== undefined && { abortSignal: signal }),
  }
}

/** Without conditions of the target only the source's can have failed. */
function isSourceChanged(error: unknown, { ifMatch }: WriteOptions): boolean {
  if (!isStorageError(error) || error.code !== 'precondition_failed') return false
  return codeOf(error) === 'SourceConditionNotMet' || ifMatch === undefined
}
