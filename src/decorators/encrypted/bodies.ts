/** Bodies seen through a transform. A body that is given back before its first byte gives back the one beneath. */
import type { Body } from '../../driver.ts'

/** The first bytes of a body, and all of it again. */
export interface Peeked {
  readonly head: Uint8Array
  /** From its first byte, `head` included. */
  readonly whole: AsyncIterable<Uint8Array>
  readonly release: () => Promise<void>
}

/** The one iterator of a body. */
interface Taken {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Gives the body back, at any time and as often as one likes. Never rejects. */
  readonly release: () => Promise<void>
}

export function take(body: Body): Taken {
  const source = body[Symbol.asyncIterator]()
  let released: Promise<void> | undefined
  const giveBack = async (): Promise<void> => {
    try {
      await source.return?.()
    } catch {
      // Nobody wants its bytes any more, so nobody wants to know why they could not be had.
    }
  }
  return { chunks: { [Symbol.asyncIterator]: () => source }, release: () => (released ??= giveBack()) }
}

/** Takes chunks until `enough` says so, or the body ends. A chunk is copied before the next one is asked for: it may be used again. */
export async function peek(body: Body, enough: (head: Uint8Array) => boolean): Promise<Peeked> {
  const { chunks, release } = take(body)
  const source = chunks[Symbol.asyncIterator]()
  let room = Buffer.alloc(0)
  let head: Uint8Array = new Uint8Array()
  try {
    while (!enough(head)) {
      const length = head.byteLength
      if (length > 0 && room.byteLength === 0) head = room = Buffer.from(head)
      const { done, value } = await source.next()
      if (done) break
      const total = length + value.byteLength
      if (length > 0 && room.byteLength < total) room = Buffer.concat([room], 2 * total)
      if (length > 0) room.set(value, length)
      head = length > 0 ? room.subarray(0, total) : value
    }
  } catch (error) {
    await release()
    throw error
  }
  return { head, release, whole: joined(head, chunks, release) }
}

/** Left at the head, the rest would never learn that nobody wants it. */
async function* joined(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
  release: () => Promise<void>,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    if (head.byteLength > 0) yield head
    yield* rest
  } finally {
    await release()
  }
}

/**
 * A body that is read through a generator. @param release gives back what the generator reads: also when it never started, and when
 * it waits for a chunk that does not come, because a generator cannot be ended while it waits
 */
export function transformedBody(chunks: AsyncGenerator<Uint8Array, undefined>, release: () => Promise<void>): Body {
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => chunks.next(),
    return: async () => (await Promise.all([chunks.return(undefined), release()]))[0],
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

/** The bytes of a source after so many, which are dropped. */
export async function* after(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, undefined> {
  let left = bytes
  for await (const chunk of source) {
    if (left < chunk.byteLength) yield left === 0 ? chunk : chunk.subarray(left)
    left = Math.max(0, left - chunk.byteLength)
  }
}
