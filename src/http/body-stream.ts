/**
 * A Body as the web stream of a Response: one chunk is read when one is wanted, never ahead. Cancelling gives the body back and
 * an abort fails the stream, also while it waits for a chunk; a body that is not as long as was promised is an error, not a short file.
 */
import { wrongLength } from '../content.ts'
import type { Body } from '../driver.ts'

/** @param reading aborts the read that the body comes from, or is aborted by whoever asked for it */
export function bodyStream(body: Body, length: number, reading: Pick<AbortController, 'signal' | 'abort'>): ReadableStream<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  let received = 0
  return new ReadableStream(
    {
      start(controller) {
        const giveUp = (): void => {
          controller.error(reading.signal.reason)
          chunks.return?.().catch(() => undefined) // not awaited: it waits for the chunk that is on its way
        }
        if (reading.signal.aborted) giveUp()
        else reading.signal.addEventListener('abort', giveUp, { once: true })
      },
      async pull(controller) {
        const { done, value } = await chunks.next()
        received += done ? 0 : value.byteLength
        if (done ? received !== length : received > length) {
          controller.error(wrongLength(received, length))
          reading.abort()
        } else if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => reading.abort(),
    },
    { highWaterMark: 0 },
  )
}
