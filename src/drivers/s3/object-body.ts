/**
 * The body of a download: one answer as it comes, and of a large file, while its reader waits for the network, further ranges
 * fetched side by side.
 *
 *   ┌ slice 0 ┬ slice 1 ┬ slice 2 ┬ … ┐        read in order; slices 1… are fetched ahead
 *   └─ first answer, cut here ─┘
 *
 * Connections are added while the reader mostly waits, each is slow, and those that were added last have helped: where the reader,
 * this process or the store is the limit, more of them would only cost. At most MAX_SLICES × SLICE_BYTES are in memory. All slices are
 * of one version (`If-Match`), and together have to have the checksum that the first answer told.
 */
import type { Body } from '../../driver.ts'
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'
import { type FetchSlice, FileSlice } from './file-slice.ts'
import type { ByteCheck, ObjectResponse } from './requests.ts'

const SLICE_BYTES = 1024 * 1024
const MAX_SLICES = 20
/** Smaller rests are left to the connection that is there. */
const MIN_REST_BYTES = 3 * SLICE_BYTES
const STEP_MS = 25
/** More connections by this factor have to bring more bytes by that, in one of so many tries. */
const STEP = { connections: 4, gain: 1.5, patience: 3 }
/** A connection that is faster than this, in bytes per millisecond, is not what is waited for. */
const FAST = 60_000

export interface Download {
  /** Of the first byte. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** Undefined where the file cannot be asked for again. */
  readonly fetch: FetchSlice | undefined
  /** At most so many connections. */
  readonly connections: number
  readonly signal: AbortSignal | undefined
  /** What a failure becomes. @param whole every byte had come */
  readonly failed: (error: unknown, whole: boolean) => unknown
}

/** A while that is measured: with several connections, until each has brought a slice, so that its latency is in it. */
interface Step {
  readonly since: number
  readonly received: number
  waitedMs: number
  slices: number
}

export class ObjectBody implements Body, AsyncIterator<Uint8Array, undefined> {
  readonly #download: Download
  readonly #slices: FileSlice[]
  readonly #check: ByteCheck | undefined
  #limit: number
  readonly #large: boolean
  #wanted = 1
  #closed = false
  #taken = 0
  #step: Step | undefined
  /** Bytes per millisecond, before connections were added. */
  #rate = 0
  #disappointments = 0
  #unlink: (() => void) | undefined

  constructor(first: Pick<ObjectResponse, 'stream' | 'check'>, download: Download) {
    this.#download = download
    this.#slices = [new FileSlice(download.fetch, download, first.stream)]
    this.#check = first.check
    this.#large = download.end - download.start >= MIN_REST_BYTES
    this.#limit = download.fetch === undefined ? 1 : Math.min(MAX_SLICES, download.connections)
    const { signal } = download
    if (signal === undefined) return
    const abort = (): void => this.#destroy(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    this.#unlink = () => signal.removeEventListener('abort', abort)
    if (signal.aborted) abort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Everything, in one buffer that is made once. */
  readonly bytes = async (): Promise<Uint8Array> => {
    const { start, end } = this.#download
    const buffer = Buffer.allocUnsafeSlow(end - start)
    let filled = 0
    for (let chunk = await this.#take(); chunk !== undefined; chunk = await this.#take()) {
      buffer.set(chunk, filled)
      filled += chunk.byteLength
    }
    return buffer
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = await this.#take()
    return value === undefined ? { done: true, value } : { done: false, value }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#destroy(undefined)
    return { done: true, value: undefined }
  }

  /** The next chunk, or undefined at the end. */
  async #take(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#closed) {
        this.#download.signal?.throwIfAborted()
        return undefined
      }
      const slice = this.#slices[0] as FileSlice
      const chunk = slice.take()
      if (chunk !== undefined) return this.#count(chunk)
      if (slice.done) this.#advance()
      else await this.#wait(slice)
    }
  }

  /** @throws IntegrityError at the end of a file that is not what the store has */
  #advance(): void {
    this.#slices.shift()
    if (this.#step !== undefined) this.#step.slices++
    if (this.#slices.length > 0) {
      this.#fetchAhead()
      return
    }
    this.#finish()
    this.#check?.finish()
  }

  async #wait(slice: FileSlice): Promise<void> {
    const rest = this.#download.end - slice.position
    const measured = this.#wanted < this.#limit && rest >= MIN_REST_BYTES
    const since = measured ? performance.now() : 0
    try {
      await slice.wait()
    } catch (error) {
      if (this.#closed) return
      this.#destroy(undefined)
      this.#download.signal?.throwIfAborted()
      throw this.#download.failed(error, slice.position === slice.end)
    }
    if (measured && !this.#closed) this.#consider(since)
  }

  #count(chunk: Uint8Array): Uint8Array {
    this.#taken += chunk.byteLength
    this.#check?.update(chunk)
    if (this.#large && this.#wanted === 1) inviteCollection(chunk.byteLength, OF_SOCKETS)
    return chunk
  }

  /** After a wait: whether more connections would help. */
  #consider(since: number): void {
    const now = performance.now()
    this.#step ??= { since: now, received: this.#received, waitedMs: since - now, slices: 0 }
    this.#step.waitedMs += now - since
    const elapsed = now - this.#step.since
    if (elapsed < STEP_MS || (this.#wanted > 1 && this.#step.slices < this.#wanted)) return
    const rate = (this.#received - this.#step.received) / elapsed
    const isWaiting = this.#step.waitedMs > elapsed / 2 && rate / this.#slices.length < FAST
    this.#step = undefined
    if (this.#wanted > 1 && rate < this.#rate * STEP.gain) {
      if (++this.#disappointments === STEP.patience) this.#limit = this.#wanted
    } else if (isWaiting) {
      this.#disappointments = 0
      this.#rate = rate
      this.#wanted = Math.min(this.#limit, this.#wanted * STEP.connections)
      this.#fetchAhead()
    }
  }

  get #received(): number {
    return this.#slices.reduce((sum, { ahead = 0 }) => sum + ahead, this.#taken)
  }

  #fetchAhead(): void {
    const { end, fetch } = this.#download
    while (this.#slices.length < this.#wanted) {
      const last = this.#slices.at(-1) as FileSlice
      // The one that runs to the end of the file gives up all but what is next.
      if (last.end === end) {
        if (this.#slices.length > 1 || end - last.position < MIN_REST_BYTES) return
        last.cut(last.position + SLICE_BYTES)
        last.begin()
      }
      const slice = new FileSlice(fetch, { start: last.end, end: Math.min(last.end + SLICE_BYTES, end) })
      this.#slices.push(slice)
      slice.begin()
    }
  }

  #finish(): void {
    this.#closed = true
    this.#unlink?.()
  }

  #destroy(reason: unknown): void {
    if (this.#closed) return
    this.#finish()
    for (const slice of this.#slices) slice.destroy(reason ?? new Error('the body was given back'))
    this.#slices.length = 0
  }
}
