/** What the files of an encrypted disk go through, loaded by the first operation: formats, readers, ciphers. */
import { bytesContent, discard, mapContent, streamContent, wholeBody } from '../../content.ts'
import { copyThroughStream, keptOptions } from '../../derive.ts'
import type {
  CallOptions,
  Content,
  Driver,
  FileStat,
  ListOptions,
  Page,
  ReadOptions,
  ReadResult,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { ageFormat } from './age-format.ts'
import { copyOptions, storedOptions } from './facts.ts'
import type { FileFormat } from './file-format.ts'
import { recoveryKeyPair } from './identities.ts'
import type { JudgedOptions } from './judged-options.ts'
import type { KeyRing } from './key-ring.ts'
import { askedSizes, computedSizes, type SizeOf } from './plain-sizes.ts'
import { EncryptedReader } from './reader.ts'
import { guarded, inPlace, type RewrapOptions, type RewrapResult, rewrapTree, writeRewrapped } from './rewrap.ts'
import { sealed, sealedBytes } from './seal.ts'
import { ciphertextSize, plaintextSize } from './segments.ts'
import { tinkFormat } from './tink-format.ts'

/** Content up to this size is encrypted at once. */
const SMALL_BYTES = 1024 * 1024

/** The encrypted disk, as others see it, and what is below. */
export interface Layers {
  readonly driver: Driver
  readonly inner: Driver
}

export class EncryptedOperations {
  readonly #layers: Layers
  readonly #options: JudgedOptions
  readonly #format: () => Promise<FileFormat>
  readonly #reader: EncryptedReader
  readonly #sizes: (page: Page, options: ListOptions) => Promise<Page>

  constructor(layers: Layers, options: JudgedOptions) {
    const { passthrough, foreign } = options
    this.#layers = layers
    this.#options = options
    this.#format = formatOf(options)
    this.#reader = new EncryptedReader(layers.inner, this.#format, { passthrough, foreign })
    this.#sizes = sizesIn(this.#reader, this.#format, foreign)
  }

  stat(path: string, options: ReadOptions): Promise<FileStat> {
    return this.#reader.stat(path, options)
  }

  read(path: string, options: ReadOptions): Promise<ReadResult> {
    return this.#reader.read(path, options)
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    options.signal?.throwIfAborted()
    return write(this.#layers.inner, await this.#format(), { path, content, options })
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    return this.#sizes(await this.#layers.inner.list(directory, options), options)
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    const { inner } = this.#layers
    const { bindPath, passthrough } = this.#options
    if (bindPath) return copyBound({ ...this.#layers, format: await this.#format(), passthrough }, from, to, options)
    return inner.copy(from, to, await copyOptions(from, options, inner))
  }

  /** Of files that are not bound to their path. */
  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    const { inner } = this.#layers
    return inner.move(from, to, await copyOptions(from, options, inner))
  }

  rewrap(path: string, options: RewrapOptions): Promise<RewrapResult> {
    const { driver, inner } = this.#layers
    const isPlain = (file: string, limits: CallOptions): Promise<boolean> => this.#reader.isPlain(file, limits)
    const reencrypt = (file: string, limits: CallOptions): Promise<void> => copyOnto(driver, inner, file, limits)
    return rewrapTree({ inner, format: this.#format, isPlain, reencrypt }, path, options)
  }

  /** Forgets the files that it had opened. */
  close(): void {
    this.#reader.forget()
  }
}

function formatOf(options: JudgedOptions): () => Promise<FileFormat> {
  const { format, keyRing, bindPath, recovery, recover } = options
  const make = (ring: KeyRing): FileFormat => {
    if (format === 'tink') return tinkFormat({ ring, bindPath })
    const recipients = recovery === 'own' ? [recoveryKeyPair(ring.primary.key.export()).publicKey] : recovery
    const identities = recover === 'own' ? ring.keys.map(({ key }) => recoveryKeyPair(key.export())) : recover
    return ageFormat({ ring, bindPath, recipients, identities })
  }
  let made: FileFormat | undefined
  return async () => (made ??= make(await keyRing()))
}

/** @param foreign files may have headers of any length */
function sizesIn(
  reader: EncryptedReader,
  format: () => Promise<FileFormat>,
  foreign: boolean,
): (page: Page, options: ListOptions) => Promise<Page> {
  const sizeOf: SizeOf = async (path, limits) => (await reader.stat(path, limits)).size
  return async (page: Page, options: ListOptions): Promise<Page> =>
    foreign ? askedSizes(page, sizeOf, options) : computedSizes(page, (await format()).layout)
}

async function write(
  inner: Driver,
  format: FileFormat,
  { path, content, options }: { readonly path: string; readonly content: Content; readonly options: WriteOptions },
): Promise<WriteResult> {
  const stored = await storedOptions(path, options, inner)
  const result = await inner.write(
    path,
    sealedContent(content, () => format.create(path), format),
    stored,
  )
  return { ...result, size: plaintextSize(format.layout, result.size) ?? result.size }
}

/** Every reading of it has its own file key: a repeated write never seals other bytes under the same one. */
function sealedContent(content: Content, create: () => ReturnType<FileFormat['create']>, format: FileFormat): Content {
  const { bytes } = content
  if (bytes !== undefined && bytes.byteLength <= SMALL_BYTES) return sealedOnce(bytes, create, format)
  const size = content.size === undefined ? undefined : ciphertextSize(format.layout, content.size)
  return mapContent(content, size, (source) => sealed(source, create()))
}

/** Small content, sealed in one go: once for those who take it as bytes, however often they look, and anew for every stream. */
function sealedOnce(bytes: Uint8Array, create: () => ReturnType<FileFormat['create']>, { layout }: FileFormat): Content {
  let whole: Uint8Array | undefined
  return {
    size: ciphertextSize(layout, bytes.byteLength),
    replayable: true,
    get bytes() {
      whole ??= sealedBytes(bytes, create())
      return whole
    },
    stream: () => bytesContent(sealedBytes(bytes, create())).stream(),
  }
}

interface Bound extends Layers {
  readonly format: FileFormat
  readonly passthrough: boolean
}

/** A copy that is bound to its own path: a new header over the same payload, or a new file. */
async function copyBound({ driver, inner, format, passthrough }: Bound, from: string, to: string, options: WriteOptions): Promise<void> {
  if (from === to) return inner.copy(from, to, await copyOptions(from, options, inner))
  if (format.rewrap === undefined || passthrough) return copyThroughStream(driver, from, driver, to, options)
  const stored = await copyOptions(from, options, inner)
  await writeRewrapped(inner, format.rewrap, { from, to, onlyOld: false, options: stored })
}

/** Encrypts a file anew, in its place. */
async function copyOnto(driver: Driver, inner: Driver, path: string, options: CallOptions): Promise<void> {
  const { signal } = options
  const { stat, body } = await driver.read(path, { signal })
  try {
    // The date and the etag are the store's; the size is not.
    const before = { ...stat, size: driver.supports.ifMatch ? stat.size : (await inner.stat(path, { signal })).size }
    const content = guarded(inner, before, streamContent(wholeBody(body, stat.size), stat.size), { signal })
    await driver.write(path, content, { ...keptOptions(stat, { signal }), ...(await inPlace(inner, stat, { signal })) })
  } finally {
    await discard(body)
  }
}
