/**
 * `encrypted(options)`: files that the store cannot read, in a format that others can open.
 *
 *   put ──▶ header │ segment ‖ tag │ segment ‖ tag │ …   ──▶ store          age v1 (age-format.ts), or Tink (tink-format.ts)
 *
 * Confidential and authenticated: a changed, cut, reordered or swapped byte is an IntegrityError before anything of it is handed
 * on. Names, sizes, dates and user metadata stay visible; without `bind: 'path'` whoever writes to the store can swap whole files,
 * and nothing here tells an old version of a file from the newest.
 */
import { bytesContent, discard, mapContent, streamContent, wholeBody } from '../../content.ts'
import { copyThroughStream, keptOptions, moveByCopy } from '../../derive.ts'
import type { CallOptions, Content, Decorator, Driver, ListOptions, Page, Supports, WriteOptions, WriteResult } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { ageFormat } from './age-format.ts'
import { copyOptions, storedOptions } from './facts.ts'
import type { FileFormat } from './file-format.ts'
import { parseIdentity, parseRecipient, recoveryKeyPair } from './identities.ts'
import { judgeKeys, type KeyOptions, type KeyRing } from './key-ring.ts'
import { askedSizes, computedSizes, type SizeOf } from './plain-sizes.ts'
import { EncryptedReader } from './reader.ts'
import { guarded, inPlace, type RewrapOptions, type RewrapResult, rewrapTree, writeRewrapped } from './rewrap.ts'
import { sealed, sealedBytes } from './seal.ts'
import { ciphertextSize, plaintextSize } from './segments.ts'
import { tinkFormat } from './tink-format.ts'

export interface EncryptedOptions extends KeyOptions {
  /** Default: `age`. */
  readonly format?: 'age' | 'tink' | undefined
  /** Whether new files can be opened with the recovery identity, too: the primary key's own, or that of an age recipient. Default: false. */
  readonly recovery?: boolean | string | undefined
  /** Also reads files that only name these identities; true: the recovery identities of the disk's keys. Default: false. */
  readonly recover?: boolean | string | readonly string[] | undefined
  /** Ties a file to its path. Copies and moves then carry the bytes through this process. Default: not tied. */
  readonly bind?: 'path' | undefined
  /** `read`: files that are not encrypted are read as they are, while migrating. Default: they are an error. */
  readonly passthrough?: 'read' | false | undefined
}

/** What `disk.layer('encrypted')` gives. */
export interface EncryptedDriver extends Driver {
  readonly kind: 'encrypted'
  /**
   * Puts a file, or every file of a directory, under the primary key: new headers for the same payloads. Files are replaced one by
   * one, each atomically, and never over a newer one where the store can tell; with `format: 'tink'`, and where `passthrough` finds
   * files that are not encrypted, they are encrypted anew. Tags are not kept. @throws PartialFailureError with the files that were left
   */
  rewrap(path: string, options?: RewrapOptions): Promise<RewrapResult>
}

declare module '../../driver.ts' {
  interface Layers {
    encrypted: EncryptedDriver
  }
}

/** Content up to this size is encrypted at once. */
const SMALL_BYTES = 1024 * 1024

/** @throws ConfigurationError for keys, recipients and identities that are none; the message never has them */
export function encrypted(options: EncryptedOptions): Decorator {
  const format = formatOf(options)
  return (inner) => encryptedDriver(inner, format, options)
}

/** What is misspelt would fail open: a file bound to nothing, or without a way to recover it. */
function judgeOptions({ format, recovery, recover, bind, passthrough }: EncryptedOptions): void {
  const known = (value: unknown, ...values: readonly unknown[]): boolean => value === undefined || values.includes(value)
  if (!known(format, 'age', 'tink')) throw new ConfigurationError('"format" is "age" or "tink"')
  if (!known(bind, 'path')) throw new ConfigurationError('"bind" is "path", or is left out')
  if (!known(passthrough, 'read', false)) throw new ConfigurationError('"passthrough" is "read", or false')
  const isRecoverable = [recovery, recover].some((value) => value !== undefined && value !== false)
  if (format === 'tink' && isRecoverable)
    throw new ConfigurationError('"recovery" and "recover" are for the format "age": Tink has no other way to a file than its key')
}

function formatOf(options: EncryptedOptions): () => Promise<FileFormat> {
  judgeOptions(options)
  const { format = 'age', recovery = false, recover = false, bind } = options
  const keyRing = judgeKeys(options)
  const recipient = typeof recovery === 'string' ? parseRecipient(recovery) : undefined
  const given = typeof recover === 'boolean' ? [] : [recover].flat().map(parseIdentity)
  const make = (ring: KeyRing): FileFormat => {
    const bindPath = bind === 'path'
    if (format === 'tink') return tinkFormat({ ring, bindPath })
    const own = recovery === true ? [recoveryKeyPair(ring.primary.key.export()).publicKey] : []
    const derived = recover === true ? ring.keys.map(({ key }) => recoveryKeyPair(key.export())) : []
    return ageFormat({ ring, bindPath, recipients: recipient === undefined ? own : [recipient], identities: [...given, ...derived] })
  }
  let made: FileFormat | undefined
  return async () => (made ??= make(await keyRing()))
}

function encryptedDriver(inner: Driver, format: () => Promise<FileFormat>, options: EncryptedOptions): EncryptedDriver {
  const { bind, passthrough = false, recover = false } = options
  const foreign = passthrough === 'read' || recover !== false
  const reader = new EncryptedReader(inner, format, { passthrough: passthrough === 'read', foreign })
  const sizes = sizesIn(reader, format, foreign)
  const driver: EncryptedDriver = {
    kind: 'encrypted',
    name: `encrypted(${inner.name})`,
    inner: [inner],
    supports: supported(inner.supports, bind === 'path'),
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: undefined, // Parts would be sealed without knowing their place in the file.
    append: undefined, // The last segment is marked as the last: adding to a file rewrites it.
    publicUrl: undefined, // It would serve ciphertext.
    signUrl: undefined, // So would this, and uploads would be stored in clear.
    stat: (path, options) => reader.stat(path, options),
    read: (path, options) => reader.read(path, options),
    write: async (path, content, options) => {
      options.signal?.throwIfAborted()
      return write(inner, await format(), { path, content, options })
    },
    delete: (paths, options) => inner.delete(paths, options),
    list: async (directory, options) => sizes(await inner.list(directory, options), options),
    copy: async (from, to, options) =>
      bind === 'path'
        ? copyBound({ driver, inner, format: await format(), passthrough: passthrough === 'read' }, from, to, options)
        : inner.copy(from, to, await copyOptions(from, options, inner)),
    move: async (from, to, options) =>
      bind === 'path' ? moveByCopy(driver, from, to, options) : inner.move(from, to, await copyOptions(from, options, inner)),
    locate: () => undefined, // The bytes there are not the file's.
    close: async () => reader.forget(),
    rewrap: (path, options = {}) => {
      const isPlain = (file: string, limits: CallOptions): Promise<boolean> => reader.isPlain(file, limits)
      return rewrapTree({ inner, format, isPlain, reencrypt: (file, limits) => copyOnto(driver, inner, file, limits) }, path, options)
    },
  }
  return driver
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

interface Bound {
  readonly driver: EncryptedDriver
  readonly inner: Driver
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
async function copyOnto(driver: EncryptedDriver, inner: Driver, path: string, options: CallOptions): Promise<void> {
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

function supported(inner: Supports, isBound: boolean): Supports {
  return {
    ifAbsent: inner.ifAbsent,
    ifMatch: inner.ifMatch,
    rangedRead: inner.rangedRead,
    serverSideCopy: inner.serverSideCopy && !isBound,
    metadata: inner.metadata,
    versions: inner.versions,
    temporaryUrl: false,
    temporaryUploadUrl: false,
    encryptedAtRest: true,
  }
}
