/**
 * A Body as the web stream of a Response: one chunk is read when one is wanted, never ahead. Cancelling gives the body back,
 * also while it waits for a chunk; a body that is not as long as was promised is an error, not a short file.
 */
import { wrongLength } from '../content.ts'
import type { Body } from '../driver.ts'

/** @param abort stops the read that the body comes from, where it is waiting for its store */
export function bodyStream(body: Body, length: number, abort: () => void): ReadableStream<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  let received = 0
  const finish = (): void => {
    abort()
    // Not awaited: it waits for the chunk that is on its way.
    chunks.return?.().catch(() => undefined)
  }
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        received += done ? 0 : value.byteLength
        if (done ? received !== length : received > length) {
          finish()
          throw wrongLength(received, length)
        }
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  )
}
