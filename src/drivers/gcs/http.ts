/**
 * One HTTP exchange with Google Cloud Storage, over Node's own client.
 *
 * The SDK's streams go through several pipes and a fetch of their own, hold whole chunks twice and keep sockets of bodies that were
 * given up; a request here is its bytes, written once, and an answer whose `destroy` closes its socket. Credentials and signatures
 * stay the SDK's (connection.ts).
 */
import type { Agent, IncomingMessage } from 'node:http'
import type * as Http from 'node:http'
import type * as Https from 'node:https'
import { networkFailure } from './gcs-errors.ts'

export interface Exchange {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** Google's front ends close idle connections after some minutes: ours close first, so that a request never meets that moment. */
const IDLE_MS = 30_000
/** Bodies up to this size go out in one piece. */
const JOINED_BYTES = 64 * 1024

const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'] as const

/** Connections to the store: kept alive, at most so many, closed together. */
export class Transport {
  readonly #maxSockets: number
  readonly #timeoutMs: number
  readonly #agents = new Map<string, Agent>()

  constructor({ maxSockets, timeoutMs }: { readonly maxSockets: number; readonly timeoutMs: number }) {
    this.#maxSockets = maxSockets
    this.#timeoutMs = timeoutMs
  }

  /**
   * Sends a request and waits for the head of its answer, whatever its status. Whoever gets the answer reads it or destroys it.
   * @throws GcsFailure of the network; the signal's reason
   */
  async exchange({ method, url, headers, body, signal }: Exchange): Promise<IncomingMessage> {
    signal?.throwIfAborted()
    const secure = url.startsWith('https:')
    const { request } = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
    const length = body?.reduce((sum, part) => sum + part.byteLength, 0)
    const all = length === undefined ? headers : { ...headers, 'content-length': String(length) }
    return new Promise((resolve, reject) => {
      const call = request(url, { method, headers: all, agent: this.#agent(secure), ...(signal && { signal }) })
      let answered: IncomingMessage | undefined
      call.setTimeout(this.#timeoutMs, () => {
        // A reader who takes his time is not the store's silence.
        const waiting = answered === undefined || answered.readableLength === 0
        if (waiting) call.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
      })
      call.on('error', (error) => reject(signal?.aborted ? signal.reason : networkFailure(error)))
      call.on('response', (answer) => {
        answered = answer
        answer.on('error', () => undefined) // met by whoever reads it; nobody may be
        resolve(answer)
      })
      if (body === undefined || length === undefined) call.end()
      else if (length <= JOINED_BYTES) call.end(Buffer.concat(body, length))
      else {
        for (const part of body) call.write(part)
        call.end()
      }
    })
  }

  /** How many there are now, and how many of them wait for something to do. */
  get connections(): { readonly open: number; readonly idle: number } {
    const agents = [...this.#agents.values()]
    const idle = agents.reduce((sum, { freeSockets }) => sum + countIn(freeSockets), 0)
    return { open: agents.reduce((sum, { sockets }) => sum + countIn(sockets), idle), idle }
  }

  /** Closes every connection, also those in use. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }

  #agent(secure: boolean): Agent {
    const scheme = secure ? 'https:' : 'http:'
    const known = this.#agents.get(scheme)
    if (known !== undefined) return known
    const { Agent: Made }: typeof Http | typeof Https = process.getBuiltinModule(secure ? 'node:https' : 'node:http')
    const proxied = PROXIES.some((name) => process.env[name])
    const options = { keepAlive: true, maxSockets: this.#maxSockets, timeout: IDLE_MS, scheduling: 'lifo' } as const
    const agent: Agent = new Made(proxied ? { ...options, proxyEnv: process.env } : options)
    this.#agents.set(scheme, agent)
    return agent
  }
}

function countIn(sockets: Agent['sockets']): number {
  return Object.values(sockets).reduce((sum, list = []) => sum + list.length, 0)
}

/** The whole answer as text. @throws GcsFailure when it is cut; the signal's reason */
export async function textOf(answer: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of answer) chunks.push(chunk as Uint8Array)
  } catch (error) {
    signal?.throwIfAborted()
    throw networkFailure(error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

export function headerOf(answer: IncomingMessage, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value.join(',') : value
}
