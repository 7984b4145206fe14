/**
 * The control connection: one command at a time, each answered or ended within a time. What ends a command in the middle (an abort,
 * silence) ends the connection too, because nobody can tell any more which reply belongs to which command.
 *
 *   command(…)      one reply; a refusal (400 and above) is an error
 *   ask(…)          one reply, refusals too
 *   begin(…)        a transfer: 150 when the server begins, then the reply that ends it
 */
import type { Client } from 'basic-ftp'
import type { Socket } from 'node:net'
import { InvalidPathError, TimeoutError } from '../../errors.ts'
import { LostError, RefusedError } from './ftp-errors.ts'

export interface Reply {
  readonly code: number
  readonly message: string
}

/** A transfer that was asked for. */
export interface Begun {
  /** When the server begins; it rejects where the server refuses. */
  readonly started: Promise<void>
  /** The reply at the end; a refusal is an error. */
  readonly ended: Promise<Reply>
}

interface Bounds {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  readonly graceMs?: number | undefined
}

// oxlint-disable-next-line no-control-regex -- what would end a command, or the name in it
const BREAKS_LINES = /[\u0000-\u001f\u007f]/

export class Control {
  readonly #client: Client
  readonly #responseTimeoutMs: number

  constructor(client: Client, responseTimeoutMs: number) {
    this.#client = client
    this.#responseTimeoutMs = responseTimeoutMs
  }

  /** How long the server may keep silent when it is its turn. */
  get responseTimeoutMs(): number {
    return this.#responseTimeoutMs
  }

  get closed(): boolean {
    return this.#client.closed
  }

  get socket(): Socket {
    return this.#client.ftp.socket
  }

  /** Ends the connection now; what is waiting for a reply is lost. */
  close(): void {
    this.#client.close()
  }

  /** @throws RefusedError, LostError, TimeoutError, the signal's reason */
  async command(command: string, signal?: AbortSignal): Promise<Reply> {
    return accepted(command, await this.ask(command, { signal }))
  }

  async ask(command: string, { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number } = {}): Promise<Reply> {
    checkCommand(command)
    return this.bounded(() => this.#exchange(command, () => true), { signal, timeoutMs })
  }

  /** The caller bounds the time: a transfer may take long. */
  begin(command: string): Begun {
    checkCommand(command)
    const started = Promise.withResolvers<void>()
    const ended = this.#exchange(command, (reply) => {
      if (reply.code >= 200) return true
      started.resolve()
      return false
    }).then((reply) => accepted(command, reply))
    ended.then(() => started.resolve(), started.reject)
    started.promise.catch(() => undefined) // met by whoever waits for it
    return { started: started.promise, ended }
  }

  /**
   * Runs what waits for the server. When it takes too long, or is aborted, the connection is closed and the promise rejects.
   * @param graceMs how much longer it may take once it is aborted
   */
  bounded<T>(run: () => Promise<T>, { signal, timeoutMs = this.#responseTimeoutMs, graceMs = 0 }: Bounds = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const end = (error: unknown): void => {
        settle()
        reject(error) // before the connection says that it was lost
        this.close()
      }
      let timer = setTimeout(() => end(new TimeoutError(`the server did not answer within ${timeoutMs} ms`)), timeoutMs)
      const abort = (): void => {
        clearTimeout(timer)
        if (graceMs === 0) end(signal?.reason)
        else timer = setTimeout(() => end(signal?.reason), graceMs)
      }
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      signal?.addEventListener('abort', abort, { once: true })
      run().finally(settle).then(resolve, reject)
    })
  }

  /** @param isLast whether this reply ends the exchange */
  async #exchange(command: string, isLast: (reply: Reply) => boolean): Promise<Reply> {
    if (this.closed) throw new LostError(undefined)
    const outcome: unknown = await this.#client.ftp
      .handle(command, (response, task) => {
        if (!isReply(response) || isLast(response)) task.resolve(response)
      })
      .catch((error: unknown) => error)
    if (!isReply(outcome)) throw new LostError(outcome)
    if (outcome.code === 421) {
      this.close() // RFC 959: the server closes it after this reply
      throw new LostError(undefined)
    }
    return outcome
  }
}

function checkCommand(command: string): void {
  if (BREAKS_LINES.test(command)) throw new InvalidPathError('a command must not have control characters')
}

/** Replies, and the client's errors for those of 400 and above; not the errors of sockets, whose codes are words. */
function isReply(response: unknown): response is Reply {
  return typeof response === 'object' && response !== null && 'code' in response && typeof response.code === 'number'
}

function accepted(command: string, { code, message }: Reply): Reply {
  if (code < 400) return { code, message }
  const [verb = ''] = command.split(' ', 1)
  throw new RefusedError(verb, code, message)
}
