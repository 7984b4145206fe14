/**
 * Reads encrypted files: whole ones as they come, ranges by the segments that they need.
 *
 *   read(path)          one read of the store; the header is taken off its front
 *   read(path, range)   the header, then the segments under `ifMatch`: one read when the range begins in the first segment. The opened
 *                       file is remembered by its etag, so that the next range is one read, too
 *
 * A body never mixes two versions: the second read asks for the etag of the first, and where a store has none, a segment of
 * another version does not open.
 */
import { bytesBody, collect, discard } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type { Body, CallOptions, Driver, FileStat, Range, ReadOptions, ReadResult } from '../../driver.ts'
import { IntegrityError, isStorageError, PreconditionFailedError } from '../../errors.ts'
import { MAX_HEADER_BYTES } from './age-header.ts'
import { after, type Peeked, peek, take, transformedBody } from './bodies.ts'
import { plainStat } from './facts.ts'
import type { FileFormat, OpenedFile } from './file-format.ts'
import { checkedPlaintextSize, ciphertextStart, type Layout, plaintextStart, segmentAt, segmentCount } from './segments.ts'
import { type Span, storedRange, unsealed } from './unseal.ts'

export interface ReaderOptions {
  /** Files that are not encrypted are read as they are. */
  readonly passthrough: boolean
  /** Files may have headers of any length, so that sizes need the header. */
  readonly foreign: boolean
}

/** An opened file, as far as a range needs it. */
interface Known {
  readonly file: OpenedFile
  readonly stored: FileStat
}

/** Files that stay opened. */
const MAX_KNOWN = 1_000
/** How much is read at once when a range begins in the first segment, so that the header lies right before it. */
const CLOSE_BYTES = 1024 * 1024
const ATTEMPTS = 3

export class EncryptedReader {
  readonly #inner: Driver
  readonly #format: () => Promise<FileFormat>
  readonly #options: ReaderOptions
  readonly #known = new Map<string, Known>()

  constructor(inner: Driver, format: () => Promise<FileFormat>, options: ReaderOptions) {
    this.#inner = inner
    this.#format = format
    this.#options = options
  }

  async stat(path: string, options: ReadOptions): Promise<FileStat> {
    options.signal?.throwIfAborted()
    const { layout } = await this.#format()
    if (!this.#options.foreign) {
      const stored = await this.#inner.stat(path, options)
      return plainStat(stored, checkedPlaintextSize(layout, stored.size))
    }
    return this.#ofOneVersion(path, options, async () => {
      const { stat, release } = await this.#open(path, options, layout.headerBytes)
      await release()
      return stat
    })
  }

  /** False also where there is nothing to read the file as it is. */
  async isPlain(path: string, options: CallOptions): Promise<boolean> {
    if (!this.#options.passthrough) return false
    const { file, release } = await this.#open(path, options, (await this.#format()).layout.headerBytes)
    await release()
    return file === undefined
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    options.signal?.throwIfAborted()
    const { range } = options
    if (range === undefined || (range.start === 0 && range.end === undefined)) return this.#readWhole(path, options)
    return this.#ofOneVersion(path, options, () => this.#readRange(path, range, options))
  }

  /** Again, when the file changed between two requests that its caller knows nothing of. */
  async #ofOneVersion<T>(path: string, options: ReadOptions, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        const changed = isStorageError(error) && error.code === 'precondition_failed' && options.ifMatch === undefined
        if (!changed || attempt === ATTEMPTS) throw error
        this.#known.delete(path)
      }
    }
  }

  forget(): void {
    this.#known.clear()
  }

  async #readWhole(path: string, options: ReadOptions): Promise<ReadResult> {
    const { stat, file, peeked, release } = await this.#open(path, { ...options, range: undefined })
    if (file === undefined) return { stat, body: transformedBody(after(peeked.whole, 0), release) }
    const span = { size: stat.size, start: 0, end: stat.size }
    return { stat, body: plainBody(after(peeked.whole, file.layout.headerBytes), { file, span, release }) }
  }

  async #readRange(path: string, range: Range, options: ReadOptions): Promise<ReadResult> {
    const known = options.versionId === undefined ? this.#known.get(path) : undefined
    if (known !== undefined && (options.ifMatch === undefined || options.ifMatch === known.stored.etag)) {
      return this.#readSpan(path, known, { range, options, head: undefined })
    }
    const { layout } = await this.#format()
    const opened = await this.#open(path, options, closeEnd(range, layout))
    await opened.release()
    if (opened.file === undefined) return this.#inner.read(path, { ...options, ifMatch: opened.stored.etag })
    const fresh = { file: opened.file, stored: opened.stored }
    // Without an etag nothing tells that the file is still the same.
    if (options.versionId === undefined && fresh.stored.etag !== undefined) this.#remember(path, fresh)
    return this.#readSpan(path, fresh, { range, options, head: opened.peeked.head })
  }

  async #readSpan(
    path: string,
    { file, stored }: Known,
    { range, options, head }: { readonly range: Range; readonly options: ReadOptions; readonly head: Uint8Array | undefined },
  ): Promise<ReadResult> {
    const stat = await plainStat(stored, checkedPlaintextSize(file.layout, stored.size))
    const readStored = (wanted: { readonly start: number; readonly end: number }): Promise<ReadResult> =>
      this.#readStored(path, stored, { ...options, range: wanted })
    const tail = touchesEnd(range, stat.size) ? await this.#readTail({ file, size: stat.size, readStored }) : undefined
    const span = { size: stat.size, ...resolveRange(range, stat.size) }
    if (span.start === span.end && span.size > 0) return { stat, body: bytesBody(new Uint8Array()) }
    if (tail !== undefined && span.size - span.start <= tail.byteLength)
      return { stat, body: bytesBody(tail.subarray(span.start - span.size)) }
    const wanted = storedRange(file, span)
    if (head !== undefined && head.byteLength >= wanted.end) {
      const part = bytesBody(head.subarray(wanted.start, wanted.end))
      return { stat, body: plainBody(part, { file, span, release: async () => undefined }) }
    }
    const result = await readStored(wanted)
    const { chunks, release } = take(result.body)
    return { stat: await plainStat(result.stat, stat.size), body: plainBody(chunks, { file, span, release }) }
  }

  /** The last segment, which says itself that it is the last: only then is the file's size to be believed. */
  async #readTail({
    file,
    size,
    readStored,
  }: {
    readonly file: OpenedFile
    readonly size: number
    readonly readStored: StoredReader
  }): Promise<Buffer> {
    const end = { size, start: plaintextStart(file.layout, segmentCount(file.layout, size) - 1), end: size }
    const { body } = await readStored(storedRange(file, end))
    return collect(transformedBody(unsealed(body, file, end), async () => undefined))
  }

  async #readStored(path: string, stored: FileStat, options: ReadOptions): Promise<ReadResult> {
    const result = await this.#inner.read(path, { ...options, ifMatch: stored.etag })
    const { size, etag } = result.stat
    if (size === stored.size && (etag === undefined || etag === stored.etag)) return result
    await discard(result.body)
    throw new PreconditionFailedError('the file changed while it was being read')
  }

  /** Reads a header. @param end reads no further; without it, to the end of the file */
  async #open(path: string, options: ReadOptions, end?: number): Promise<Opened> {
    const format = await this.#format()
    const range = end === undefined ? undefined : { start: 0, end }
    const { stat: stored, body } = await this.#inner.read(path, { ...options, range })
    const opening = new Opening(format, { path, passthrough: this.#options.passthrough, size: stored.size })
    const wanted = Math.min(end ?? 0, stored.size)
    const peeked = await peek(body, (head) => opening.see(head) && head.byteLength >= wanted)
    const { release } = peeked
    const { outcome: file } = opening
    if (file === 'plain') return { stored, stat: stored, file: undefined, peeked, release }
    try {
      if (file !== 'more')
        return { stored, stat: await plainStat(stored, checkedPlaintextSize(file.layout, stored.size)), file, peeked, release }
    } catch (error) {
      await release()
      throw error
    }
    await release()
    const hasMore = end !== undefined && end < Math.min(stored.size, MAX_HEADER_BYTES)
    if (hasMore) return this.#open(path, { ...options, ifMatch: stored.etag }, MAX_HEADER_BYTES)
    throw new IntegrityError('the file is not encrypted, or was cut within its header')
  }

  #remember(path: string, known: Known): void {
    this.#known.delete(path)
    this.#known.set(path, known)
    const oldest = this.#known.size > MAX_KNOWN ? this.#known.keys().next().value : undefined
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}

/** What the first bytes of a file say, as they come. */
class Opening {
  readonly #format: FileFormat
  readonly #path: string
  readonly #passthrough: boolean
  #file: OpenedFile | 'more' | 'plain'

  constructor(
    format: FileFormat,
    { path, passthrough, size }: { readonly path: string; readonly passthrough: boolean; readonly size: number },
  ) {
    this.#format = format
    this.#path = path
    this.#passthrough = passthrough
    this.#file = passthrough && size < format.leastBytes ? 'plain' : 'more'
  }

  /** @returns true when nothing more is needed */
  see(head: Uint8Array): boolean {
    if (this.#file === 'more' && head.byteLength > 0) {
      const isPlain = this.#passthrough && !this.#format.looksRight(head)
      this.#file = isPlain ? 'plain' : this.#format.open(head, this.#path)
    }
    return this.#file !== 'more'
  }

  get outcome(): OpenedFile | 'more' | 'plain' {
    return this.#file
  }
}

interface Opened {
  readonly stored: FileStat
  readonly stat: FileStat
  /** Undefined for a file that is not encrypted, and may be read as it is. */
  readonly file: OpenedFile | undefined
  readonly peeked: Peeked
  readonly release: () => Promise<void>
}

type StoredReader = (range: { readonly start: number; readonly end: number }) => Promise<ReadResult>

interface PlainBody {
  readonly file: OpenedFile
  readonly span: Span
  readonly release: () => Promise<void>
}

/** @param stored what lies in `storedRange` of the span */
function plainBody(stored: AsyncIterable<Uint8Array>, { file, span, release }: PlainBody): Body {
  return transformedBody(unsealed(stored, file, span), release)
}

/** Ranges that mean something only relative to the end. */
function touchesEnd(range: Range, size: number): boolean {
  return range.suffix !== undefined || (range.start > 0 && range.start >= size)
}

/** How far to read for the header: to the end of the range's last segment, where nothing lies between that nobody asked for. */
function closeEnd({ start, end }: Range, layout: Layout): number {
  if (start === undefined || end === undefined || end <= start || segmentAt(layout, start) > 0) return layout.headerBytes
  const close = ciphertextStart(layout, segmentAt(layout, end - 1) + 1)
  return close <= layout.headerBytes + CLOSE_BYTES ? close : layout.headerBytes
}
