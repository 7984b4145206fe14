/**
 * Content into a file: bytes in one call, a stream with the next chunks already coming while the last are written.
 *
 *   source ──pull──▶ waiting chunks (up to 1 MiB) ──writev──▶ file        at most one write is under way
 */
import { CHUNK_BYTES, wrongLength } from '../../content.ts'
import type { Content } from '../../driver.ts'
import { SourceError } from './local-errors.ts'
import { inviteCollection, OF_FILES } from '../../minor-collections.ts'
import { writeFully, writevFully } from './local-files.ts'

const SLICE_BYTES = 16 * CHUNK_BYTES // between two looks at the signal
const MAX_CHUNKS = 512 // per writev; Linux takes 1,024

/** Writes at the file's position. @returns the number of bytes. @throws the signal's reason */
export async function writeContent(fd: number, content: Content, signal: AbortSignal | undefined): Promise<number> {
  const { bytes, size } = content
  const written = bytes === undefined ? await writeStream(fd, content.stream(), signal) : await writeBytes(fd, bytes, signal)
  if (size !== undefined && written !== size) throw wrongLength(written, size)
  return written
}

async function writeBytes(fd: number, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
  for (let start = 0; start < bytes.byteLength; start += SLICE_BYTES) {
    signal?.throwIfAborted()
    await writeFully(fd, bytes.byteLength <= SLICE_BYTES ? bytes : bytes.subarray(start, start + SLICE_BYTES))
  }
  return bytes.byteLength
}

async function writeStream(fd: number, source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<number> {
  const out = new ChunkWriter(fd)
  try {
    for await (const chunk of abortable(source, signal)) {
      if (chunk.byteLength > 0 && out.add(chunk)) await out.hasRoom()
    }
  } catch (error) {
    await out.settle()
    throw error
  }
  return out.end()
}

/** Collects chunks while a write is under way, and writes them together when it is done. */
class ChunkWriter {
  readonly #fd: number
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #written = 0
  #writing: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(fd: number) {
    this.#fd = fd
  }

  /** @returns whether to wait before the next */
  add(chunk: Uint8Array): boolean {
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.byteLength
    inviteCollection(chunk.byteLength, OF_FILES)
    this.#writing ??= this.#write()
    return this.#waitingBytes >= CHUNK_BYTES || this.#waiting.length >= MAX_CHUNKS || this.#failure !== undefined
  }

  /** Waits for the write under way. @throws what it threw */
  async hasRoom(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#waiting.length > 0) this.#writing ??= this.#write()
  }

  async end(): Promise<number> {
    while (this.#writing !== undefined || this.#waiting.length > 0) await this.hasRoom()
    if (this.#failure !== undefined) throw this.#failure.error
    return this.#written
  }

  /** Waits until nothing is being written, whatever came of it. */
  async settle(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    const chunks = this.#waiting
    const bytes = this.#waitingBytes
    this.#waiting = []
    this.#waitingBytes = 0
    try {
      await (chunks.length === 1 ? writeFully(this.#fd, chunks[0] as Uint8Array) : writevFully(this.#fd, chunks, bytes))
      this.#written += bytes
    } catch (error) {
      this.#failure = { error }
    }
    this.#writing = undefined
  }
}

/** The source's chunks until the signal says stop, even while the next is awaited. What the source throws is marked as its own. */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, undefined> {
  const chunks = source[Symbol.asyncIterator]()
  const abort = new Abort(signal)
  let ended = false
  try {
    for (;;) {
      const { done, value } = await abort.or(nextOf(chunks))
      ended = done === true
      if (done) return
      yield value
    }
  } catch (error) {
    ended ||= error instanceof SourceError
    throw error
  } finally {
    abort.release()
    // Not awaited: a source that hangs would keep the write from ending.
    if (!ended) chunks.return?.().catch(() => undefined)
  }
}

async function nextOf(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next()
  } catch (error) {
    throw new SourceError(error)
  }
}

/** Lets a promise lose against a signal, without leaving a reaction on anything that lives longer. */
class Abort {
  readonly #signal: AbortSignal | undefined
  #reject: ((reason: unknown) => void) | undefined

  readonly #onAbort = (): void => this.#reject?.(this.#signal?.reason)

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
  }

  or<T>(promise: Promise<T>): Promise<T> {
    const signal = this.#signal
    if (signal === undefined) return promise
    return new Promise((resolve, reject) => {
      // oxlint-disable-next-line promise/prefer-promise-reject-errors -- the reason of an abort may be any value
      if (signal.aborted) reject(signal.reason)
      this.#reject = reject
      promise.then(resolve, reject)
    })
  }

  release(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
