/**
 * An HTTP proxy that does to chosen requests what networks and overloaded stores do.
 *
 *   const proxy = await faultProxy(endpoint)        driver ──▶ proxy ──▶ server
 *   proxy.inject({ method: 'PUT', times: 2 }, slowDown('s3'))
 *   proxy.inject({ method: 'GET', path: /\/a\.txt/ }, { resetResponse: 1_000 })
 *
 * Each request meets the first fault that wants it and has times left; the others pass untouched.
 */
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerLike, type Exchange, type HttpProxy, type Identity, listenForHttp, pump, resetConnection, Upstream } from './forwarding.ts'

export interface Wanted {
  readonly method?: string
  /** What the path, with its query, has to match. */
  readonly path?: RegExp
  /** How many matching requests pass before the first that meets the fault. Default: 0 */
  readonly skip?: number
  /** How many requests meet it. Default: 1 */
  readonly times?: number
}

/** One of these. Bytes are counted within the body, so 0 is after the headers. */
export interface Fault {
  /** The connection is reset after so many bytes of the request's body; the server never sees the rest. */
  readonly resetRequest?: number
  /** The connection is reset after so many bytes of the answer's body. */
  readonly resetResponse?: number
  /** The connection is closed in order after so many bytes of the answer's body, whatever its headers promised. */
  readonly truncate?: number
  /** The byte at this offset of the answer's body has a bit flipped. */
  readonly corruptResponse?: number
  /** The byte at this offset of the request's body has a bit flipped. */
  readonly corruptRequest?: number
  /** Nothing more is read after so many bytes of the request's body, and nothing answered. */
  readonly stallRequest?: number
  /** Nothing more comes after so many bytes of the answer's body. */
  readonly stallResponse?: number
  /** The answer's body comes this slowly. */
  readonly dripBytesPerSecond?: number
  /** The server does what it was asked for, and the connection is reset in place of its answer. */
  readonly loseAnswer?: boolean
  /** The answer comes that much later. */
  readonly delayMs?: number
  /** The proxy answers, after it read the request; the server does not see it. */
  readonly answer?: Answer
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface FaultProxy extends HttpProxy {
  /** What came, as `PUT /bucket/key?x=1`, in its order. */
  readonly requests: readonly string[]
  /** How many requests met a fault. */
  readonly faulted: number
  inject(wanted: Wanted, fault: Fault): void
  /** Forgets the faults that are left, and the requests. */
  reset(): void
}

interface Injected {
  readonly wanted: Wanted
  readonly fault: Fault
  skip: number
  times: number
}

/** @param identity with which it speaks TLS to its clients */
export async function faultProxy(endpoint: string, identity?: Identity): Promise<FaultProxy> {
  const upstream = new Upstream(endpoint)
  const requests: string[] = []
  let injected: Injected[] = []
  let faulted = 0
  const proxy = await listenForHttp(async (request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const fault = take(injected, request)
    if (fault !== undefined) faulted++
    await serve(upstream, { request, response, fault: fault ?? {} })
  }, identity)
  return {
    endpoint: proxy.endpoint,
    connections: proxy.connections,
    requests,
    get faulted() {
      return faulted
    },
    inject: (wanted, fault) => void injected.push({ wanted, fault, skip: wanted.skip ?? 0, times: wanted.times ?? 1 }),
    reset: () => {
      injected = []
      requests.length = 0
    },
    close: async () => {
      upstream.close()
      await proxy.close()
    },
  }
}

/** What S3, Google or Azure answer to a client that is too fast. */
export function slowDown(store: 's3' | 'gcs' | 'azure', retryAfterSeconds?: number): Fault {
  const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  const xml = { 'content-type': 'application/xml', ...retryAfter }
  const declaration = '<?xml version="1.0" encoding="utf-8"?>'
  if (store === 's3') {
    const body = `${declaration}<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>slow</RequestId></Error>`
    return { answer: { status: 503, headers: { ...xml, 'x-amz-request-id': 'slow' }, body } }
  }
  if (store === 'azure') {
    const body = `${declaration}<Error><Code>ServerBusy</Code><Message>The server is busy.</Message></Error>`
    return { answer: { status: 503, headers: { ...xml, 'x-ms-error-code': 'ServerBusy', 'x-ms-request-id': 'slow' }, body } }
  }
  const error = { code: 429, message: 'The rate limit was exceeded.', errors: [{ reason: 'rateLimitExceeded', domain: 'usageLimits' }] }
  return { answer: { status: 429, headers: { 'content-type': 'application/json', ...retryAfter }, body: JSON.stringify({ error }) } }
}

function take(injected: readonly Injected[], { method, url = '' }: IncomingMessage): Fault | undefined {
  for (const candidate of injected) {
    const { wanted } = candidate
    if (candidate.times <= 0 || (wanted.method !== undefined && wanted.method !== method)) continue
    if (wanted.path !== undefined && !wanted.path.test(url)) continue
    if (candidate.skip-- > 0) continue
    candidate.times--
    return candidate.fault
  }
  return undefined
}

async function serve(upstream: Upstream, { request, response, fault }: Exchange & { readonly fault: Fault }): Promise<void> {
  const { socket } = request
  if (fault.answer !== undefined) {
    for await (const _ of request);
    response.writeHead(fault.answer.status, fault.answer.headers).end(fault.answer.body)
    return
  }
  const sent = shaped(request, {
    flip: fault.corruptRequest,
    until: fault.resetRequest ?? fault.stallRequest,
    act: () => (fault.resetRequest === undefined ? deaf() : cut(socket)),
    atEnd: () => closed(socket),
  })
  const answer = await upstream.send({ request, response }, sent)
  if (fault.loseAnswer === true) {
    answer.destroy()
    await cut(socket)
  }
  if (fault.delayMs !== undefined) await sleep(fault.delayMs, undefined, { ref: false })
  answerLike(answer, response)
  const received = shaped(answer, {
    flip: fault.corruptResponse,
    bytesPerSecond: fault.dripBytesPerSecond,
    until: fault.resetResponse ?? fault.truncate ?? fault.stallResponse,
    act: async () => {
      await flushed(socket)
      if (fault.resetResponse !== undefined) return cut(socket)
      if (fault.truncate !== undefined) socket.end()
      await closed(socket)
    },
  })
  await pump(received, response)
}

export interface Shape {
  readonly flip?: number | undefined
  readonly bytesPerSecond?: number | undefined
  readonly until?: number | undefined
  /** What happens after `until` bytes. The rest of the body is read and dropped, if this resolves; then `atEnd` has to. */
  readonly act?: () => Promise<void>
  readonly atEnd?: () => Promise<void>
}

/** A body with what is done to it. */
export async function* shaped(body: AsyncIterable<Buffer>, { flip, bytesPerSecond, until, act, atEnd }: Shape): AsyncGenerator<Buffer> {
  let passed = 0
  if (until === 0) await act?.()
  for await (const whole of body) {
    if (passed === until) continue
    const chunk = until === undefined ? whole : whole.subarray(0, until - passed)
    yield* slowly(flipped(chunk, flip === undefined ? -1 : flip - passed), bytesPerSecond)
    passed += chunk.length
    if (passed === until) await act?.()
  }
  if (passed === until) await atEnd?.()
}

/**
 * For so long nothing is read from a sender that is stalled, so that it cannot write either. What it sends after that is dropped:
 * whoever does not read does not learn that the other side has gone.
 */
const DEAF_MS = 2_000

export async function deaf(): Promise<void> {
  await sleep(DEAF_MS, undefined, { ref: false })
}

/** A copy with one bit of the byte at an offset flipped, if there is such a byte. */
function flipped(chunk: Buffer, offset: number): Buffer {
  const byte = offset < 0 ? undefined : chunk[offset]
  if (byte === undefined) return chunk
  const copy = Buffer.from(chunk)
  copy[offset] = byte ^ 1
  return copy
}

async function* slowly(chunk: Buffer, bytesPerSecond: number | undefined): AsyncGenerator<Buffer> {
  const step = bytesPerSecond === undefined ? Math.max(1, chunk.length) : Math.max(1, Math.ceil(bytesPerSecond / 20))
  for (let start = 0; start < chunk.length; start += step) {
    if (bytesPerSecond !== undefined) await sleep(50, undefined, { ref: false })
    yield chunk.subarray(start, start + step)
  }
}

type Closable = IncomingMessage['socket']

async function cut(socket: Closable): Promise<void> {
  resetConnection(socket)
  await closed(socket)
}

/** Never, if the client does not give up and the proxy is not closed. The body is dropped with it. */
async function closed(socket: Closable): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
  throw new Error('the connection is gone')
}

/** A reset throws away what is still in the socket's buffers. */
async function flushed(socket: Closable): Promise<void> {
  while (socket.writableLength > 0 && !socket.destroyed) await sleep(1)
  await sleep(20)
}
