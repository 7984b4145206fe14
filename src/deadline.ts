/**
 * `signal` and `timeoutMs` of one call, as one AbortSignal that the drivers below see. Made only when a caller asks for either:
 * a timer or an `AbortSignal.any` per call would cost more than all the layers of a stack together.
 */
import { wrongLength } from './content.ts'
import type { Body, Content } from './driver.ts'
import { InvalidArgumentError, TimeoutError } from './errors.ts'

/** How long a call may take. */
export interface CallLimits {
  /** Aborts the call: it rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** Until the promise settles; for a stream, between chunks. */
  readonly timeoutMs?: number | undefined
}

export interface Deadline {
  /** Aborted by the caller's signal or by the timeout. */
  readonly signal: AbortSignal
  /** The promise's result; rejects with the signal's reason as soon as it aborts, and waits `graceMs` for the promise to clean up. */
  race<T>(promise: Promise<T>, graceMs?: number): Promise<T>
  /** Gives the call its whole time again, from now. */
  restart(): void
  /** Stops the clock, while the caller is busy with a chunk. */
  pause(): void
  /** Lets go of the timer and of the caller's signal. */
  clear(): void
}

/** How long an aborted write may take to remove what it has begun before its caller is told anyway. */
export const CLEANUP_GRACE_MS = 1_000
const MAX_TIMER_MS = 2_147_483_647 // Node fires longer timers at once

/** Undefined when there is nothing to wait for. @throws the reason of a signal that is aborted already */
export function startDeadline({ signal, timeoutMs }: CallLimits): Deadline | undefined {
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0)) {
    throw new InvalidArgumentError(`timeoutMs must be a positive number of milliseconds, not ${String(timeoutMs)}`)
  }
  throwIfAborted(signal)
  const limited = timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS
  if (signal === undefined && !limited) return undefined
  const controller = new AbortController()
  const abort = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const expire = (): void => controller.abort(new TimeoutError(`timed out after ${timeoutMs} ms`))
  let timer = limited ? setTimeout(expire, timeoutMs) : undefined
  return {
    signal: controller.signal,
    race: (promise, graceMs = 0) => raceAbort(promise, controller.signal, graceMs),
    restart: () => {
      clearTimeout(timer)
      if (limited) timer = setTimeout(expire, timeoutMs)
    },
    pause: () => clearTimeout(timer),
    clear: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

/** @throws the reason of a signal that is aborted; InvalidArgumentError for what is no signal */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined) return
  if (typeof signal !== 'object' || signal === null || typeof signal.throwIfAborted !== 'function') {
    throw new InvalidArgumentError('signal must be an AbortSignal: of an AbortController pass its .signal')
  }
  signal.throwIfAborted()
}

/** A promise's result under limits. What the promise does meanwhile goes on. */
export async function waitFor<T>(promise: Promise<T>, limits: CallLimits): Promise<T> {
  const deadline = startDeadline(limits)
  try {
    return await (deadline === undefined ? promise : deadline.race(promise))
  } finally {
    deadline?.clear()
  }
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let grace: NodeJS.Timeout | undefined
    const giveUp = (): void => reject(signal.reason)
    const abort = (): void => {
      if (graceMs === 0) giveUp()
      else grace = setTimeout(giveUp, graceMs)
    }
    const settle = (): void => {
      signal.removeEventListener('abort', abort)
      clearTimeout(grace)
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(
      (value) => {
        settle()
        resolve(value)
      },
      (error: unknown) => {
        settle()
        reject(signal.aborted ? signal.reason : error)
      },
    )
  })
}

/** A source that fails with the signal's reason as soon as it aborts, also while it waits for a chunk that never comes. */
export function abortableContent(content: Content, deadline: Deadline): Content {
  if (content.bytes !== undefined) return content
  return { ...content, stream: () => abortableSource(content.stream(), deadline) }
}

function abortableSource(source: AsyncIterable<Uint8Array>, deadline: Deadline): AsyncIterable<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  let waiting = false
  const finish = async (): Promise<IteratorReturnResult<undefined>> => {
    const finished = Promise.resolve(iterator.return?.())
    if (!waiting) await finished
    else finished.catch(() => undefined) // not awaited: it may wait for the very chunk that never comes
    return { done: true, value: undefined }
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        try {
          waiting = true
          const result = await deadline.race(iterator.next())
          waiting = false
          return result
        } catch (error) {
          await finish().catch(() => undefined)
          throw error
        }
      },
      return: finish,
    }),
  }
}

/** What a body is watched for. */
export interface Watch {
  readonly deadline: Deadline | undefined
  /** Each chunk gets the whole time anew; else all of them share it. */
  readonly perChunk?: boolean | undefined
  /** How many bytes have to come. */
  readonly expected?: number | undefined
  /** What an error on the way becomes. */
  readonly fail?: ((error: unknown) => unknown) | undefined
}

/** A body that fails when it is aborted, when a chunk takes too long, or when it is not as long as it should be; then it is given back. */
export function watchedBody(body: Body, watch: Watch): AsyncIterable<Uint8Array> {
  const chunks = new WatchedChunks(body, watch)
  return { [Symbol.asyncIterator]: () => chunks }
}

class WatchedChunks implements AsyncIterator<Uint8Array, undefined> {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #watch: Watch
  #received = 0
  #waiting = false
  #over = false

  constructor(body: Body, watch: Watch) {
    this.#chunks = body[Symbol.asyncIterator]()
    this.#watch = watch
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      const result = await this.#nextChunk()
      if (result.done) return this.#end()
      this.#received += result.value.byteLength
      return result
    } catch (error) {
      await this.#giveBack().catch(() => undefined)
      throw this.#watch.fail === undefined ? error : this.#watch.fail(error)
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#giveBack()
    return { done: true, value: undefined }
  }

  async #nextChunk(): Promise<IteratorResult<Uint8Array>> {
    const { deadline, perChunk } = this.#watch
    if (perChunk) deadline?.restart()
    this.#waiting = true
    const result = await (deadline === undefined ? this.#chunks.next() : deadline.race(this.#chunks.next()))
    this.#waiting = false
    if (perChunk) deadline?.pause()
    return result
  }

  #end(): IteratorReturnResult<undefined> {
    const { expected } = this.#watch
    if (expected !== undefined && this.#received !== expected) throw wrongLength(this.#received, expected)
    this.#finish()
    return { done: true, value: undefined }
  }

  #finish(): void {
    this.#over = true
    if (this.#watch.perChunk) this.#watch.deadline?.clear()
  }

  async #giveBack(): Promise<void> {
    if (this.#over) return
    this.#finish()
    const given = Promise.resolve(this.#chunks.return?.())
    if (!this.#waiting) await given
    else given.catch(() => undefined) // not awaited: it may wait for the very chunk that never comes
  }
}
