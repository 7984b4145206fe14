/**
 * The bytes of a file that is open: in chunks of 256 KiB in buffers of their own, or whole.
 *
 * The descriptor is closed at the end, at an error, by `return()` also before the first chunk, and at last by the garbage collector.
 */
import { close as closeFile } from 'node:fs'
import { wrongLength } from '../../content.ts'
import type { Body } from '../../driver.ts'
import { translated } from './local-errors.ts'
import { inviteCollection, OF_FILES } from '../../minor-collections.ts'
import { closeQuietly, readFully } from './local-files.ts'

/** As fast as a megabyte, within the cache of a processor, and a quarter of the memory. */
const CHUNK_BYTES = 256 * 1024

interface Slice {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

const forgotten = new FinalizationRegistry<number>((fd) => closeFile(fd, () => undefined))

export class FileBody implements Body, AsyncIterator<Uint8Array, undefined> {
  readonly #fd: number
  readonly #end: number
  readonly #signal: AbortSignal | undefined
  #position: number
  #reading: Promise<number> | undefined
  #closing: Promise<void> | undefined

  constructor(fd: number, { start, end }: Slice, signal: AbortSignal | undefined) {
    this.#fd = fd
    this.#position = start
    this.#end = end
    this.#signal = signal
    forgotten.register(this, fd, this)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  readonly bytes = async (): Promise<Uint8Array> => {
    try {
      return await this.#take(this.#end - this.#position)
    } finally {
      await this.#close()
    }
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#closing !== undefined) return this.return()
    try {
      inviteCollection(CHUNK_BYTES, OF_FILES)
      const chunk = await this.#take(CHUNK_BYTES)
      if (chunk.byteLength === 0) return await this.return()
      if (this.#position >= this.#end) await this.#close()
      return { done: false, value: chunk }
    } catch (error) {
      await this.#close()
      throw error
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#close()
    return { done: true, value: undefined }
  }

  async #take(most: number): Promise<Uint8Array> {
    this.#signal?.throwIfAborted()
    if (this.#closing !== undefined) return new Uint8Array()
    const start = this.#position
    const buffer = Buffer.allocUnsafeSlow(Math.min(most, this.#end - start))
    this.#position += buffer.byteLength
    const reading = this.#reading === undefined ? readFully(this.#fd, buffer, start) : this.#readAfter(this.#reading, buffer, start)
    this.#reading = reading
    const bytes = await translated('read', () => reading)
    if (bytes < buffer.byteLength) throw wrongLength(start + bytes, this.#end)
    return buffer
  }

  /** One read at a time, so that the last is the one to wait for. */
  async #readAfter(before: Promise<number>, buffer: Uint8Array, start: number): Promise<number> {
    await before
    return readFully(this.#fd, buffer, start)
  }

  /** Once, and not under a read: its descriptor might by then be another file's. */
  #close(): Promise<void> {
    this.#closing ??= this.#closeNow()
    return this.#closing
  }

  async #closeNow(): Promise<void> {
    forgotten.unregister(this)
    await this.#reading?.catch(() => undefined)
    await closeQuietly(this.#fd)
  }
}
