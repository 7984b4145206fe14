/**
 * Reading a file: small pieces at once, so that a body that nobody reads holds nothing; larger ones as they come, on a connection
 * that is lent to the body.
 *
 * A download that breaks goes on at the byte where it was (REST), if size and time of the file are still what they were. The end of a
 * range ends the transfer; the connection serves on, if the server comes along.
 */
import { bytesBody, wrongLength } from '../../content.ts'
import { resolveRange } from '../../derive.ts'
import type { Body, ReadOptions } from '../../driver.ts'
import { UnavailableError } from '../../errors.ts'
import { isLost, isRefused, LostError, toFtpError } from './ftp-errors.ts'
import { type FileFacts, lookAtFile } from './look.ts'
import type { Borrower, Lease, Pool } from './pool.ts'
import type { Session } from './session.ts'
import type { Transfer } from './transfer.ts'

/** Read at once. */
const SMALL_BYTES = 256 * 1024
/** So much beyond the end of a range costs less to read than to refuse. */
const CHEAP_BYTES = 128 * 1024
/** So often in a row a download may break without a byte in between. */
const MAX_FAILURES = 3
/** So often a small file may be replaced between the look at it and its first byte. */
const MAX_ATTEMPTS = 16

interface Span {
  readonly start: number
  readonly end: number
}

export interface OpenedFile {
  readonly facts: FileFacts
  readonly body: Body
}

export async function openFile(pool: Pool, lease: Lease, path: string, { range, signal }: ReadOptions): Promise<OpenedFile> {
  for (let attempt = 1; ; attempt++) {
    const session = await lease.session(signal)
    const key = session.keyOf(path)
    const facts = await lookAtFile(session, key, { signal })
    const span = resolveRange(range, facts.size)
    if (span.start === span.end) return { facts, body: bytesBody(Buffer.alloc(0)) }
    const transfer = await beginDownload(session, key, { restart: span.start, signal })
    if (span.end - span.start > SMALL_BYTES) {
      const body = new FileBody({ pool, key, facts, signal }, span, { session, transfer })
      lease.lend(body)
      return { facts, body }
    }
    const bytes = await readSmall(transfer, span, facts.size)
    if (bytes.byteLength === span.end - span.start) return { facts, body: bytesBody(bytes) }
    if (attempt === MAX_ATTEMPTS) throw wrongLength(bytes.byteLength, span.end - span.start)
  }
}

async function beginDownload(
  session: Session,
  key: string,
  { restart, signal }: { readonly restart: number; readonly signal: AbortSignal | undefined },
): Promise<Transfer> {
  try {
    return await session.transfer(`RETR ${key}`, { restart, signal })
  } catch (error) {
    if (!isRefused(error, 550)) throw error
    await lookAtFile(session, key, { signal }) // it may be gone meanwhile
    throw error
  }
}

/** The bytes of the span. Of a file that is another one meanwhile there are more or fewer. */
async function readSmall(transfer: Transfer, { start, end }: Span, size: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const cheap = size - end <= CHEAP_BYTES
  const most = cheap ? size - start + 1 : end - start
  try {
    for (let length = 0; length < most; ) {
      const chunk = await transfer.read()
      if (chunk === undefined) break
      chunks.push(chunk)
      length += chunk.byteLength
    }
  } catch (error) {
    transfer.destroy()
    throw error
  }
  await transfer.abandon()
  const bytes = Buffer.concat(chunks)
  return end < size ? bytes.subarray(0, end - start) : bytes
}

/** What the server, or the way to it, may do to a transfer that could go on. */
function isBreak(error: unknown): boolean {
  return isLost(error) || isRefused(error, 425, 426, 450, 451)
}

interface Source {
  readonly pool: Pool
  readonly key: string
  readonly facts: FileFacts
  readonly signal: AbortSignal | undefined
}

interface Connection {
  readonly session: Session
  readonly transfer: Transfer
}

/** A body on a connection of its own, which it gives back at its end, or when another needs one more. */
class FileBody implements Body, AsyncIterableIterator<Uint8Array, undefined>, Borrower {
  readonly #source: Source
  readonly #span: Span
  #position: number
  #connection: Connection | undefined
  #failures = 0
  #over = false
  waits = true

  constructor(source: Source, span: Span, connection: Connection) {
    this.#source = source
    this.#span = span
    this.#position = span.start
    this.#connection = connection
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.waits = false
    try {
      const value = this.#over ? undefined : await this.#nextChunk()
      if (value !== undefined && !this.#over) return { done: false, value }
      this.#release() // also a connection that was opened anew for a body that was given back meanwhile
      return { done: true, value: undefined }
    } catch (error) {
      const unwanted = this.#over // given back while it waited
      this.#release()
      if (unwanted) return { done: true, value: undefined }
      throw toFtpError(error)
    } finally {
      this.waits = true
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#release()
    return { done: true, value: undefined }
  }

  park(): void {
    this.#drop()
  }

  async #nextChunk(): Promise<Uint8Array | undefined> {
    for (;;) {
      try {
        return await this.#read()
      } catch (error) {
        this.#drop()
        if (this.#over || !isBreak(error) || ++this.#failures > MAX_FAILURES) throw error
        if (this.#position === this.#span.end) return undefined // all that was asked for has come
      }
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { end } = this.#span
    const { size } = this.#source.facts
    if (this.#position === end && end < size) return undefined
    const { transfer } = (this.#connection ??= await this.#connect())
    const chunk = await transfer.read()
    if (chunk === undefined) {
      if (this.#position === end) return undefined
      throw new LostError(undefined) // the server takes this for the end: was it cut off, or is the file another one?
    }
    if (end === size && this.#position + chunk.byteLength > end) {
      throw wrongLength(this.#position + chunk.byteLength - this.#span.start, end - this.#span.start)
    }
    const wanted = chunk.subarray(0, end - this.#position)
    this.#position += wanted.byteLength
    this.#failures = 0
    return wanted
  }

  /** Goes on at the byte where it was. @throws UnavailableError when the file is another one */
  async #connect(): Promise<Connection> {
    const { pool, key, facts, signal } = this.#source
    const session = await pool.take(signal)
    try {
      const now = await lookAtFile(session, key, { signal })
      if (now.size !== facts.size || now.modified.getTime() !== facts.modified.getTime()) {
        throw new UnavailableError('the connection was cut, and the file has changed meanwhile')
      }
      const transfer = await beginDownload(session, key, { restart: this.#position, signal })
      pool.borrow(this)
      return { session, transfer }
    } catch (error) {
      pool.restore(session)
      throw error
    }
  }

  /** Throws the connection away. */
  #drop(): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection === undefined) return
    connection.transfer.destroy()
    this.#source.pool.restore(connection.session, this)
  }

  /** Gives the connection back, as soon as the server has noticed. */
  #release(): void {
    this.#over = true
    const connection = this.#connection
    this.#connection = undefined
    if (connection === undefined) return
    const { session, transfer } = connection
    void this.#settle(transfer).then(() => this.#source.pool.restore(session, this))
  }

  async #settle(transfer: Transfer): Promise<void> {
    const { end } = this.#span
    const cheap = this.#position === end && this.#source.facts.size - end <= CHEAP_BYTES
    try {
      for (let rest = cheap ? await transfer.read() : undefined; rest !== undefined; ) rest = await transfer.read()
    } catch {
      transfer.destroy()
    }
    await transfer.abandon()
  }
}
