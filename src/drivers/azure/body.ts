/**
 * The bytes of one version of a blob.
 *
 *   first answer ──▶ ▓▓▓▓ │▒▒▒│▒▒▒│▒▒▒│…        then segments of 2 MiB, fetched ahead and handed out in order
 *
 * How many are fetched at once grows from one to three, and only when the reader had to wait: whoever reads slowly holds one
 * connection. A body that is given up, before or after its first byte, gives its sockets back.
 */
import type { Body } from '../../driver.ts'
import { verified, verify } from './checksums.ts'
import { type BlobVersion, destroy, fill, type Span, streamed } from './ranges.ts'

/** How much the first request asks for, at most: all of a small file. */
export const FIRST_BYTES: number = 8 * 1024 * 1024
const SEGMENT_BYTES = 2 * 1024 * 1024
const MAX_AHEAD = 3

/** What was answered already, and the span that the whole body is. */
export interface Beginning {
  readonly stream: NodeJS.ReadableStream | undefined
  /** Where the first answer ends. */
  readonly end: number
  /** Of the whole span, where the store knows it. */
  readonly md5: Uint8Array | undefined
}

export class BlobBody implements Body, AsyncIterator<Uint8Array, undefined> {
  readonly #version: BlobVersion
  readonly #span: Span
  readonly #beginning: Beginning
  readonly #given = new AbortController()
  readonly #signal: AbortSignal
  readonly #chunks: AsyncGenerator<Uint8Array, undefined>

  constructor(
    version: BlobVersion,
    span: Span,
    { beginning, signal }: { readonly beginning: Beginning; readonly signal: AbortSignal | undefined },
  ) {
    this.#version = version
    this.#span = span
    this.#beginning = beginning
    this.#signal = signal === undefined ? this.#given.signal : AbortSignal.any([signal, this.#given.signal])
    this.#chunks = beginning.md5 === undefined ? this.#read() : verified(this.#read(), beginning.md5)
    this.#signal.addEventListener('abort', () => destroy(beginning.stream), { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#chunks.next()
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#giveUp()
    await this.#chunks.return(undefined).catch(() => undefined)
    return { done: true, value: undefined }
  }

  /** The whole body in one buffer, which is made once. */
  readonly bytes = async (): Promise<Uint8Array> => {
    const { start, end } = this.#span
    const whole = Buffer.allocUnsafeSlow(end - start)
    try {
      const first = this.#fillFirst(whole)
      const rest = this.#segments().values()
      const work = async (): Promise<void> => {
        for (const span of rest)
          await fill(this.#version, span, { into: whole.subarray(span.start - start, span.end - start), signal: this.#signal })
      }
      await Promise.all([first, ...Array.from({ length: MAX_AHEAD - 1 }, work)])
      if (this.#beginning.md5 !== undefined) verify(whole, this.#beginning.md5)
      return whole
    } finally {
      this.#giveUp()
    }
  }

  async #fillFirst(whole: Buffer): Promise<void> {
    let filled = 0
    for await (const chunk of this.#firstChunks()) {
      whole.set(chunk, filled)
      filled += chunk.byteLength
    }
  }

  #firstChunks(): AsyncGenerator<Uint8Array, undefined> {
    const { stream, end } = this.#beginning
    return streamed(this.#version, { start: this.#span.start, end }, { signal: this.#signal, opened: stream })
  }

  /** What comes after the first answer. */
  #segments(): readonly Span[] {
    const segments: Span[] = []
    for (let start = this.#beginning.end; start < this.#span.end; start += SEGMENT_BYTES) {
      segments.push({ start, end: Math.min(start + SEGMENT_BYTES, this.#span.end) })
    }
    return segments
  }

  async *#read(): AsyncGenerator<Uint8Array, undefined> {
    try {
      yield* this.#firstChunks()
      yield* this.#readAhead()
    } finally {
      this.#giveUp()
    }
  }

  async *#readAhead(): AsyncGenerator<Uint8Array, undefined> {
    const segments = this.#segments().values()
    const ahead: Segment[] = []
    for (let most = 1; ; ) {
      while (ahead.length < most) {
        const { done, value } = segments.next()
        if (done === true) break
        ahead.push(new Segment(this.#version, value, this.#signal))
      }
      const segment = ahead.shift()
      if (segment === undefined) return
      if (!segment.arrived) most = Math.min(MAX_AHEAD, most * 2)
      yield* await segment.chunks
    }
  }

  #giveUp(): void {
    this.#given.abort(new Error('the body was given up'))
  }
}

/** A part of the body on its way: its chunks as they came, because copying them would leave as much again to be collected. */
class Segment {
  readonly chunks: Promise<readonly Uint8Array[]>
  arrived = false

  constructor(version: BlobVersion, span: Span, signal: AbortSignal) {
    this.chunks = this.#gather(streamed(version, span, { signal }))
    this.chunks.catch(() => undefined) // met when it is its turn
  }

  async #gather(stream: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
    const chunks: Uint8Array[] = []
    for await (const chunk of stream) chunks.push(chunk)
    this.arrived = true
    return chunks
  }
}
