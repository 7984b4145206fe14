/** Bodies seen through a transform. A body that is given back before its first byte gives back the one beneath. */
import type { Body } from '../../driver.ts'

/** The first bytes of a body, and all of it again. */
export interface Peeked {
  readonly head: Uint8Array
  /** From its first byte, `head` included. */
  readonly whole: AsyncIterable<Uint8Array>
  readonly release: () => Promise<void>
}

/** Takes chunks until `enough` says so, or the body ends. */
export async function peek(body: Body, enough: (head: Uint8Array) => boolean): Promise<Peeked> {
  const source = body[Symbol.asyncIterator]()
  const release = async (): Promise<void> => void (await source.return?.())
  let head: Uint8Array = new Uint8Array()
  try {
    while (!enough(head)) {
      const { done, value } = await source.next()
      if (done) break
      head = head.byteLength === 0 ? value : Buffer.concat([head, value])
    }
  } catch (error) {
    await release().catch(() => undefined)
    throw error
  }
  const next = { [Symbol.asyncIterator]: () => source }
  return { head, release, whole: joined(head, next) }
}

async function* joined(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  if (head.byteLength > 0) yield head
  yield* rest
}

/** A body that is read through a generator. @param release gives back what the generator would read; also when it never started */
export function transformedBody(chunks: AsyncGenerator<Uint8Array, undefined>, release: () => Promise<void>): Body {
  let started = false
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => {
      started = true
      return chunks.next()
    },
    return: async () => {
      if (!started) await release()
      return chunks.return(undefined)
    },
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
