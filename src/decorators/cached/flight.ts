/**
 * One read of the disk for everybody who asks for the same file meanwhile. Its bytes are gathered as fast as they come, and each
 * reader follows at its own pace; when the last reader has gone, the read is given up.
 */
import { discard, wrongLength } from '../../content.ts'
import type { Body, FileStat, ReadResult } from '../../driver.ts'
import { UnavailableError } from '../../errors.ts'

export class Flight {
  readonly stat: FileStat
  /** The whole content; rejects when the read failed or was given up. */
  readonly content: Promise<Uint8Array>
  readonly #chunks: Uint8Array[] = []
  readonly #abandon: () => void
  #readers = 0
  #ended = false
  #isAbandoned = false
  #failure: { readonly error: unknown } | undefined
  #wake: () => void = () => undefined
  #more: Promise<void> = Promise.resolve()

  /** @param abandon stops the read */
  constructor({ stat, body }: ReadResult, abandon: () => void) {
    this.stat = stat
    this.#abandon = abandon
    this.#arm()
    this.content = this.#gather(body)
    this.content.catch(() => undefined) // readers are told themselves
  }

  /** A body of its own for one more reader; undefined when the read was given up already. */
  body(): Body | undefined {
    if (this.#isAbandoned || this.#failure !== undefined) return undefined
    this.#readers++
    let isOpen = true
    let index = 0
    const leave = (): void => {
      if (!isOpen) return
      isOpen = false
      this.#readers--
      if (this.#readers > 0 || this.#ended) return
      this.#isAbandoned = true
      this.#abandon()
    }
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      try {
        const chunk = isOpen ? await this.#chunkAt(index++) : undefined
        if (chunk !== undefined && isOpen) return { done: false, value: chunk }
        leave()
        return { done: true, value: undefined }
      } catch (error) {
        leave()
        throw error
      }
    }
    const iterator = {
      next,
      return: async (): Promise<IteratorResult<Uint8Array, undefined>> => {
        leave()
        return { done: true, value: undefined }
      },
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  /** A copy, because each reader's bytes are its own; undefined at the end. */
  async #chunkAt(index: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks[index]
      if (chunk !== undefined) return new Uint8Array(chunk)
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#ended) return undefined
      await this.#more
    }
  }

  async #gather(body: Body): Promise<Uint8Array> {
    let received = 0
    try {
      for await (const chunk of body) {
        if (this.#isAbandoned) throw new UnavailableError('nobody wanted the rest')
        received += chunk.byteLength
        if (received > this.stat.size) throw wrongLength(received, this.stat.size)
        this.#chunks.push(chunk)
        this.#tell()
      }
      if (received !== this.stat.size) throw wrongLength(received, this.stat.size)
      this.#ended = true
      return joined(this.#chunks, received)
    } catch (error) {
      this.#failure = { error }
      this.#ended = true
      await discard(body)
      throw error
    } finally {
      this.#tell()
    }
  }

  #tell(): void {
    const wake = this.#wake
    this.#arm()
    wake()
  }

  #arm(): void {
    this.#more = new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** In memory of its own, which a chunk or a small Buffer may not be. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}
