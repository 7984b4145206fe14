/**
 * `encrypted(options)`: files that the store cannot read, in a format that others can open.
 *
 *   put ──▶ header │ segment ‖ tag │ segment ‖ tag │ …   ──▶ store          age v1 (age-format.ts), or Tink (tink-format.ts)
 *
 * Confidential and authenticated: a changed, cut, reordered or swapped byte is an IntegrityError before anything of it is handed
 * on. Names, sizes, dates and user metadata stay visible; without `bind: 'path'` whoever writes to the store can swap whole files,
 * and nothing here tells an old version of a file from the newest.
 */
import { bytesContent, mapContent, streamContent, wholeBody } from '../../content.ts'
import { copyThroughStream, keptOptions, moveByCopy } from '../../derive.ts'
import type { CallOptions, Content, Decorator, Driver, Page, Supports, WriteOptions, WriteResult } from '../../driver.ts'
import { ageFormat } from './age-format.ts'
import { copyOptions, storedOptions } from './facts.ts'
import type { FileFormat } from './file-format.ts'
import { parseIdentity, parseRecipient, recoveryKeyPair } from './identities.ts'
import { judgeKeys, type KeyOptions, type KeyRing } from './key-ring.ts'
import { EncryptedReader } from './reader.ts'
import { type RewrapResult, rewrapTree, writeRewrapped } from './rewrap.ts'
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
   * one, each atomically; with `format: 'tink'` they are encrypted anew. @throws PartialFailureError with the files that were left
   */
  rewrap(path: string, options?: CallOptions): Promise<RewrapResult>
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

function formatOf(options: EncryptedOptions): () => Promise<FileFormat> {
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
  const reader = new EncryptedReader(inner, format, {
    passthrough: passthrough === 'read',
    foreign: passthrough === 'read' || recover !== false,
  })
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
    write: async (path, content, options) => write(inner, await format(), { path, content, options }),
    delete: (paths, options) => inner.delete(paths, options),
    list: async (directory, options) => plainSizes(await inner.list(directory, options), await format()),
    copy: async (from, to, options) =>
      bind === 'path'
        ? copyBound({ driver, inner, format: await format() }, from, to, options)
        : inner.copy(from, to, await copyOptions(from, options, inner)),
    move: async (from, to, options) =>
      bind === 'path' ? moveByCopy(driver, from, to, options) : inner.move(from, to, await copyOptions(from, options, inner)),
    locate: () => undefined, // The bytes there are not the file's.
    close: async () => reader.forget(),
    rewrap: (path, options = {}) =>
      rewrapTree({ inner, format, reencrypt: (file, limits) => copyOnto(driver, file, limits) }, path, options),
  }
  return driver
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
function sealedContent(content: Content, create: () => ReturnType<FileFormat['create']>, { layout }: FileFormat): Content {
  if (content.bytes !== undefined && content.bytes.byteLength <= SMALL_BYTES) return bytesContent(sealedBytes(content.bytes, create()))
  const size = content.size === undefined ? undefined : ciphertextSize(layout, content.size)
  return mapContent(content, size, (source) => sealed(source, create()))
}

function plainSizes(page: Page, { layout }: FileFormat): Page {
  const entries = page.entries.map((entry) => {
    if (entry.type === 'directory' || entry.size === undefined) return entry
    const { size, ...rest } = entry
    const plain = plaintextSize(layout, size)
    return plain === undefined ? rest : { ...rest, size: plain }
  })
  return { ...page, entries }
}

interface Bound {
  readonly driver: EncryptedDriver
  readonly inner: Driver
  readonly format: FileFormat
}

/** A copy that is bound to its own path: a new header over the same payload, or a new file. */
async function copyBound({ driver, inner, format }: Bound, from: string, to: string, options: WriteOptions): Promise<void> {
  if (from === to) return inner.copy(from, to, await copyOptions(from, options, inner))
  if (format.rewrap === undefined) return copyThroughStream(driver, from, driver, to, options)
  const stored = await copyOptions(from, options, inner)
  await writeRewrapped(inner, format.rewrap, { from, to, onlyOld: false, options: stored })
}

/** Encrypts a file anew, in its place. */
async function copyOnto(driver: EncryptedDriver, path: string, { signal }: CallOptions): Promise<void> {
  const { stat, body } = await driver.read(path, { signal })
  const ifMatch = driver.supports.ifMatch ? stat.etag : undefined
  const visibility = driver.visibility === undefined ? undefined : stat.visibility
  await driver.write(path, streamContent(wholeBody(body, stat.size), stat.size), { ...keptOptions(stat, { signal }), ifMatch, visibility })
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
