/**
 * `throttled({ maxConcurrency })`: at most so many calls at once; the others wait their turn, first come, first served.
 *
 * A call holds its slot until its promise settles: a body is read without one. Of a listing every page takes a slot. Signing and
 * public URLs pass without waiting. A waiter whose signal aborts leaves the queue and rejects with the signal's reason.
 *
 * The queue belongs to the decorator: whatever it is applied to shares the slots. A write holds its slot while its content is
 * read, so content that itself waits for calls of the same disk needs a `maxConcurrency` above the number of such writes.
 */
import type { CallOptions, Decorator, DirectoryAbility, Driver, MultipartAbility, VisibilityAbility } from '../driver.ts'
import { ConfigurationError, quote } from '../errors.ts'

export interface ThrottledOptions {
  /** A positive whole number; a numeric string too, as from `env`. */
  readonly maxConcurrency: number | string
}

/** Makes a call as soon as a slot is free. */
type Run = <T>(options: CallOptions, call: () => Promise<T>) => Promise<T>

/** @throws ConfigurationError unless `maxConcurrency` is a positive whole number */
export function throttled({ maxConcurrency }: ThrottledOptions): Decorator {
  const run = slots(count(maxConcurrency))
  return (inner): Driver => {
    const { visibility, directories, multipart } = inner
    const append = inner.append?.bind(inner)
    return {
      kind: 'throttled',
      name: `throttled(${inner.name})`,
      inner: [inner],
      supports: inner.supports,
      visibility: visibility && throttledVisibility(visibility, run),
      directories: directories && throttledDirectories(directories, run),
      multipart: multipart && throttledMultipart(multipart, run),
      append: append && ((path, content, options) => run(options, () => append(path, content, options))),
      publicUrl: inner.publicUrl?.bind(inner),
      signUrl: inner.signUrl?.bind(inner),
      stat: (path, options) => run(options, () => inner.stat(path, options)),
      read: (path, options) => run(options, () => inner.read(path, options)),
      write: (path, content, options) => run(options, () => inner.write(path, content, options)),
      delete: (paths, options) => run(options, () => inner.delete(paths, options)),
      list: (directory, options) => run(options, () => inner.list(directory, options)),
      copy: (from, to, options) => run(options, () => inner.copy(from, to, options)),
      move: (from, to, options) => run(options, () => inner.move(from, to, options)),
      locate: (path) => inner.locate(path),
      close: () => Promise.resolve(), // It has opened nothing.
    }
  }
}

interface Waiter {
  readonly enter: () => void
  previous: Waiter | undefined
  next: Waiter | undefined
}

/** Who waits, the first to come first. A linked list: joining and leaving cost the same however many wait. */
class Queue {
  first: Waiter | undefined
  #last: Waiter | undefined

  join(enter: () => void): Waiter {
    const waiter: Waiter = { enter, previous: this.#last, next: undefined }
    if (this.#last === undefined) this.first = waiter
    else this.#last.next = waiter
    this.#last = waiter
    return waiter
  }

  leave({ previous, next }: Waiter): void {
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
  }
}

function slots(count: number): Run {
  let free = count
  const queue = new Queue()

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = queue.join(() => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      })
      function giveUp(): void {
        queue.leave(waiter)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  return async ({ signal }, call) => {
    signal?.throwIfAborted()
    if (free > 0) free--
    else await turn(signal)
    try {
      return await call()
    } finally {
      const waiter = queue.first // it takes over the slot
      if (waiter === undefined) free++
      else {
        queue.leave(waiter)
        waiter.enter()
      }
    }
  }
}

function throttledVisibility(inner: VisibilityAbility, run: Run): VisibilityAbility {
  return {
    get: (path, options) => run(options, () => inner.get(path, options)),
    set: (path, visibility, options) => run(options, () => inner.set(path, visibility, options)),
  }
}

function throttledDirectories(inner: DirectoryAbility, run: Run): DirectoryAbility {
  return {
    exists: (path, options) => run(options, () => inner.exists(path, options)),
    create: (path, options) => run(options, () => inner.create(path, options)),
    delete: (path, options) => run(options, () => inner.delete(path, options)),
  }
}

function throttledMultipart(inner: MultipartAbility, run: Run): MultipartAbility {
  return {
    create: (path, options) => run(options, () => inner.create(path, options)),
    part: (path, uploadId, number, content, options) => run(options, () => inner.part(path, uploadId, number, content, options)),
    list: (path, uploadId, options) => run(options, () => inner.list(path, uploadId, options)),
    complete: (path, uploadId, parts, options) => run(options, () => inner.complete(path, uploadId, parts, options)),
    abort: (path, uploadId, options) => run(options, () => inner.abort(path, uploadId, options)),
  }
}

function count(value: number | string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number
  throw new ConfigurationError(`maxConcurrency must be a positive whole number, not ${quote(String(value))}`)
}
