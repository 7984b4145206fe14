/**
 * A handler of the fetch standard as a listener of node:http, and so of Express and what else gives out `req` and `res`.
 *
 * Bodies flow one chunk at a time, both ways, at the pace of the slower end. A client that goes away aborts `request.signal` and
 * cancels the answer's body. A body that fails after the headers went out destroys the socket: a cut answer must not look whole.
 * Mount it before body parsers: a body that was read already cannot be read again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Handler } from './handler.ts'

const MAX_UNREAD_BYTES = 8 * 1024 * 1024
const UNFETCHABLE: ReadonlySet<string | undefined> = new Set(['CONNECT', 'TRACE', 'TRACK']) // Request refuses them

export function toNodeHandler(handler: Handler): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    const controller = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) controller.abort()
    })
    respond(handler, req, { res, signal: controller.signal })
      .catch(() => fail(res))
      .then(
        () => dropUnread(req),
        () => res.destroy(),
      )
  }
}

interface Reply {
  readonly res: ServerResponse
  readonly signal: AbortSignal
}

async function respond(handler: Handler, req: IncomingMessage, { res, signal }: Reply): Promise<void> {
  const response = await handleRequest(handler, req, signal)
  res.statusCode = response.status
  for (const [name, value] of response.headers) res.appendHeader(name, value)
  if (response.body === null) res.end()
  else if (req.method === 'HEAD' || res.destroyed) {
    await response.body.cancel()
    res.end()
  } else await send(response.body, res)
}

async function handleRequest(handler: Handler, req: IncomingMessage, signal: AbortSignal): Promise<Response> {
  if (UNFETCHABLE.has(req.method)) return new Response(null, { status: 405, headers: { allow: 'GET, HEAD, PUT' } })
  const request = toRequest(req, signal)
  return request === undefined ? new Response(null, { status: 400 }) : handler(request)
}

/** Undefined for what is no URL, or one that no Request takes. */
function toRequest(req: IncomingMessage, signal: AbortSignal): Request | undefined {
  const target = (req as { originalUrl?: string | undefined }).originalUrl ?? req.url ?? '/' // frameworks cut their mount path off `url`
  const host = /^[\w.:[\]-]+$/.test(req.headers.host ?? '') ? req.headers.host : 'localhost'
  const url = target.startsWith('/') ? `${'encrypted' in req.socket ? 'https' : 'http'}://${host}${target}` : target
  const headers = new Headers()
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] as string
    if (!name.startsWith(':')) headers.append(name, req.rawHeaders[i + 1] as string)
  }
  const { method = 'GET' } = req
  const hasBody = method !== 'GET' && method !== 'HEAD'
  try {
    return new Request(url, { method, headers, signal, ...(hasBody && { body: requestBody(req), duplex: 'half' }) })
  } catch {
    return undefined
  }
}

/** Cancelling leaves the socket open for the answer. */
function requestBody(req: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = req.iterator({ destroyOnReturn: false })
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(value as Uint8Array)
      },
      cancel: () => void chunks.return?.(),
    },
    { highWaterMark: 0 },
  )
}

async function send(body: ReadableStream<Uint8Array>, res: ServerResponse): Promise<void> {
  const reader = body.getReader()
  res.once('close', () => void reader.cancel().catch(() => undefined))
  for (;;) {
    const { done, value } = await reader.read()
    if (res.destroyed) return
    if (done) break
    if (!res.write(value)) await writable(res)
  }
  res.end()
}

/** Settles when there is room again, or nobody left to write to. */
function writable(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      res.off('drain', settle).off('close', settle)
      resolve()
    }
    res.on('drain', settle).on('close', settle)
  })
}

/** Reads what is left of a refused upload, so that its client gets to read the answer; not all of it. */
function dropUnread(req: IncomingMessage): void {
  if (req.readableEnded) return
  let left = MAX_UNREAD_BYTES
  req.on('error', () => undefined)
  req.on('data', (chunk: Uint8Array) => {
    left -= chunk.byteLength
    if (left < 0) req.destroy()
  })
}

function fail(res: ServerResponse): void {
  if (res.headersSent) {
    res.destroy()
    return
  }
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  res.statusCode = 500
  res.end()
}
