/**
 * Takes HTTP's chunked framing and that of `aws-chunked` off a body, in this order where both are there. The second looks like the first:
 * `<hex>[;chunk-signature=…]\r\n<data>\r\n … 0\r\n[trailers]\r\n`.
 */
export class ChunkDecoder {
  readonly #frames: readonly Frames[]
  readonly #keep: Buffer[] | undefined
  #left: number
  /** Bytes of payload so far. */
  received = 0

  constructor({ http, aws, length, keep }: { http: boolean; aws: boolean; length: number; keep: Buffer[] | undefined }) {
    this.#frames = [...(http ? [new Frames()] : []), ...(aws ? [new Frames()] : [])]
    this.#left = http ? Number.POSITIVE_INFINITY : length
    this.#keep = keep
  }

  /** True when the whole body has come. */
  get done(): boolean {
    return this.#left <= 0 || (this.#left === Number.POSITIVE_INFINITY && this.#frames[0]?.done === true)
  }

  /** What came after the last chunk, a line each. */
  get trailers(): string {
    return this.#frames.map(({ trailers }) => trailers).join('')
  }

  push(bytes: Buffer): void {
    this.#left -= bytes.byteLength
    this.#unwrap(bytes, 0)
  }

  #unwrap(bytes: Buffer, layer: number): void {
    const frames = this.#frames[layer]
    if (frames !== undefined) return frames.push(bytes, (data) => this.#unwrap(data, layer + 1))
    this.received += bytes.byteLength
    this.#keep?.push(bytes)
  }
}

class Frames {
  /** A line that has not come to its end. */
  #line = ''
  #dataLeft = 0
  /** After the data of a chunk comes an empty line; after the last chunk trailers and one. */
  #state: 'size' | 'data' | 'after' | 'trailers' = 'size'
  done = false
  trailers = ''

  push(bytes: Buffer, data: (bytes: Buffer) => void): void {
    let at = 0
    while (at < bytes.byteLength && !this.done) {
      if (this.#state === 'data') {
        const end = Math.min(bytes.byteLength, at + this.#dataLeft)
        data(bytes.subarray(at, end))
        this.#dataLeft -= end - at
        at = end
        if (this.#dataLeft === 0) this.#state = 'after'
        continue
      }
      const newline = bytes.indexOf(10, at)
      this.#line += bytes.toString('latin1', at, newline === -1 ? bytes.byteLength : newline + 1)
      if (newline === -1) return
      at = newline + 1
      this.#take(this.#line.trim())
      this.#line = ''
    }
  }

  #take(line: string): void {
    if (this.#state === 'trailers') {
      this.done = line === ''
      this.trailers += `${line}\n`
    } else if (this.#state === 'after') this.#state = 'size'
    else {
      this.#dataLeft = Number.parseInt(line, 16)
      this.#state = this.#dataLeft === 0 ? 'trailers' : 'data'
    }
  }
}
