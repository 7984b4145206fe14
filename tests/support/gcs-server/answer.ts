/** From a request to what goes over the wire: who calls, which of the three doors it takes, its faults, and the form of refusals. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type EventEmitter, once } from 'node:events'
import { allow, type Call, type Fault, parseJson, readText, type Reply, type State } from './call.ts'
import { type Controls, runControl } from './control.ts'
import { GcsError, jsonError, notImplemented, xmlError } from './errors.ts'
import { breakUpload, faultError, spoiled, takeFault } from './faults.ts'
import { answerJson, isJsonPath } from './json-api.ts'
import { answerObjectHost } from './object-host.ts'

export interface Request {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly isTrusted: boolean
  /** There once the server listens. */
  readonly context: { readonly controls?: Controls }
}

/** Never rejects: what goes wrong is the answer, or a connection that breaks. */
export async function answer(state: State, { req, res, isTrusted, context }: Request): Promise<void> {
  const url = req.url ?? '/'
  const at = url.indexOf('?')
  const path = at === -1 ? url : url.slice(0, at)
  const query = new URLSearchParams(at === -1 ? '' : url.slice(at + 1))
  const isControl = path.startsWith('/_control/')
  const fault = isControl ? undefined : takeFault(state, req.method ?? 'GET', url)
  res.on('error', () => {}) // The caller went away.
  // Whoever stops reading still wants to answer.
  req[Symbol.asyncIterator] = () => req.iterator({ destroyOnReturn: false })
  try {
    if (isControl) return await send(req, res, { status: 200, json: await control(context.controls, path, req) })
    if (fault !== undefined) await suffer(fault, req)
    const origin = `http://${req.headers.host ?? ''}`
    const caller = { account: state.accounts.callerOf(req.headers), isTrusted }
    const call: Call = { state, req, method: req.method ?? 'GET', path, query, headers: req.headers, caller, origin }
    const reply = await dispatch(call)
    if (fault?.wire === 'reset-after') req.socket.destroy()
    else await send(req, res, spoil(reply, fault, res))
  } catch (error) {
    await refuse(req, res, { error, query, path })
  }
}

async function control(controls: Controls | undefined, path: string, req: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  if (controls === undefined) throw new Error('the server has not started')
  return await runControl(controls, path.slice('/_control/'.length), parseJson((await readText(req)) || '{}'))
}

/** @throws the answer that the fault has; a broken connection ends all else */
async function suffer(fault: Fault, req: IncomingMessage): Promise<void> {
  if (fault.status !== undefined) throw faultError(fault)
  if (fault.wire === 'reset-upload') breakUpload(req, fault.afterBytes ?? 0)
  if (fault.wire === 'reset') {
    req.socket.destroy()
    throw new Error('reset by a fault')
  }
  if (fault.wire === 'stall') {
    if (!req.socket.destroyed) await once(req.socket, 'close')
    throw new Error('the caller went away')
  }
}

function spoil(reply: Reply, fault: Fault | undefined, res: ServerResponse): Reply {
  if (fault?.wire !== 'truncate' && fault?.wire !== 'corrupt') return reply
  const bytes = reply.json === undefined ? reply.text : JSON.stringify(reply.json)
  const { json: _json, text: _text, ...rest } = reply
  const whole = reply.stream ?? single(bytes ?? '')
  const length = bytes === undefined ? {} : { 'content-length': Buffer.byteLength(bytes) }
  return { ...rest, headers: { ...reply.headers, ...length }, stream: spoiled(whole, fault, res) }
}

async function* single(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

async function dispatch(call: Call): Promise<Reply> {
  if (call.path === '/token' && call.method === 'POST') return await token(call)
  if (call.headers['x-goog-encryption-algorithm'] !== undefined) throw notImplemented('encryption with keys of the customer')
  if (isJsonPath(call.path)) return await answerJson(call)
  if (call.path === '/' && call.method === 'GET') {
    allow(call, 'storage.buckets.list')
    throw new GcsError(404, { reason: 'notFound', message: 'Not Found' })
  }
  return await answerObjectHost(call)
}

/** OAuth's own form of an error: `{ error, error_description }`. */
async function token({ state, req }: Call): Promise<Reply> {
  const form = new URLSearchParams(await readText(req))
  try {
    return { status: 200, json: { ...state.accounts.exchange(form) } }
  } catch {
    return { status: 400, json: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } }
  }
}

async function send(req: IncomingMessage, res: ServerResponse, reply: Reply): Promise<void> {
  const { status, headers = {}, json, text, stream } = reply
  const body = json === undefined ? text : JSON.stringify(json)
  const typed = json === undefined ? {} : { 'content-type': 'application/json; charset=UTF-8' }
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  res.writeHead(status, mutable({ ...typed, ...length, ...headers }))
  if (stream === undefined || req.method === 'HEAD') {
    void (stream as AsyncGenerator<Uint8Array> | undefined)?.return?.(undefined)
    res.end(body)
    return
  }
  for await (const chunk of stream) {
    if (res.destroyed) return
    if (!res.write(chunk)) await roomIn(res)
  }
  res.end()
}

/** A list of values is a header of several lines. */
function mutable(headers: NonNullable<Reply['headers']>): Record<string, string | number | string[]> {
  const all = Object.entries(headers).map(([name, value]) => [name, typeof value === 'object' ? [...value] : value] as const)
  return Object.fromEntries(all)
}

/** Whoever refuses early reads the rest of the request first, so that the caller hears the answer. */
async function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  { error, query, path }: { readonly error: unknown; readonly query: URLSearchParams; readonly path: string },
): Promise<void> {
  if (req.socket.destroyed || res.headersSent) {
    res.destroy()
    return
  }
  const known = error instanceof GcsError ? error : new GcsError(500, { reason: 'internalError', message: String(error) })
  await drained(req)
  const { status, refusal } = known
  const headers = { ...refusal.headers }
  if (status === 304 || status === 308) return await send(req, res, { status, headers })
  const isMedia = query.get('alt') === 'media' || refusal.isText === true
  if (isMedia)
    return await send(req, res, { status, headers: { 'content-type': 'text/plain; charset=UTF-8', ...headers }, text: refusal.message })
  const isXml = !isJsonPath(path) && !path.startsWith('/_control/')
  const type = isXml ? 'application/xml; charset=UTF-8' : 'application/json; charset=UTF-8'
  await send(req, res, { status, headers: { 'content-type': type, ...headers }, text: isXml ? xmlError(known) : jsonError(known) })
}

async function drained(req: IncomingMessage): Promise<void> {
  if (req.readableEnded || req.destroyed) return
  req.removeAllListeners('readable') // Of readers that gave up: they would keep it from flowing.
  req.resume()
  await firstOf(req, ['end', 'close', 'error'])
}

function roomIn(res: ServerResponse): Promise<void> {
  return firstOf(res, ['drain', 'close'])
}

function firstOf(emitter: EventEmitter, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) emitter.off(event, done)
      resolve()
    }
    for (const event of events) emitter.on(event, done)
  })
}
