/**
 * One call for everybody who asks for the same meanwhile. Only those share it who have made sure that nothing was written since it
 * began, by the version of their ticket. Each may leave by its own signal; when the last has gone, the call is given up.
 */
import type { Ticket } from './cache-store.ts'

/** A call under way, as the one who makes it sees it. */
export interface Call {
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal
  /** Nobody joins from now on, and what is under way stops. */
  readonly abandon: () => void
}

export interface Started<T> {
  readonly value: T
  /** Until when others may have the same value. Default: until it is there. */
  readonly joinable?: Promise<unknown> | undefined
}

interface Shared<T> {
  readonly ticket: Ticket
  readonly controller: AbortController
  readonly result: Promise<Started<T>>
  waiters: number
  isSettled: boolean
}

export class SharedCalls<T> {
  readonly #calls = new Map<string, Shared<T>>()

  /** The value of the call under way, or of a new one. */
  async join(path: string, ticket: Ticket, start: (call: Call) => Promise<Started<T>>, signal: AbortSignal | undefined): Promise<T> {
    const known = this.#calls.get(path)
    const shared = known !== undefined && isSame(known.ticket, ticket) ? known : this.#begin(path, ticket, start)
    return this.#wait(path, shared, signal)
  }

  /** Nobody joins a call that began before now. Those who wait still get its value. */
  detach(path: string): void {
    this.#calls.delete(path)
  }

  detachAll(): void {
    this.#calls.clear()
  }

  #begin(path: string, ticket: Ticket, start: (call: Call) => Promise<Started<T>>): Shared<T> {
    const controller = new AbortController()
    const leave = (): void => {
      if (this.#calls.get(path)?.controller === controller) this.#calls.delete(path)
    }
    const abandon = (): void => {
      leave()
      controller.abort()
    }
    const result = start({ signal: controller.signal, abandon })
    const shared: Shared<T> = { ticket, controller, result, waiters: 0, isSettled: false }
    this.#calls.set(path, shared)
    result
      .then(({ joinable }) => {
        shared.isSettled = true
        return joinable
      })
      .finally(leave)
      .catch(() => undefined) // those who wait are told themselves
    return shared
  }

  #wait(path: string, shared: Shared<T>, signal: AbortSignal | undefined): Promise<T> {
    shared.waiters++
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal?.reason)
        shared.waiters--
        if (shared.waiters > 0 || shared.isSettled) return
        if (this.#calls.get(path) === shared) this.#calls.delete(path)
        shared.controller.abort()
      }
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      const settle = (): void => signal?.removeEventListener('abort', abort)
      shared.result
        .then(({ value }) => resolve(value), reject)
        .finally(settle)
        .catch(() => undefined)
    })
  }
}

/** Whether nothing was written between the two. */
export function isSame(a: Ticket, b: Ticket): boolean {
  return a.version === b.version && a.epoch === b.epoch
}
