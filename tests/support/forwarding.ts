/**
 * What the proxies between a driver and a server have in common: a server of this machine that counts its connections, and requests
 * that are passed on with their headers as they came, in their order and spelling, `Host` included. Signatures stay valid that way.
 */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http'
import { Agent as SecureAgent, createServer as createSecureServer, request as requestHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'

export interface Connections {
  /** Of clients to the proxy, so far. */
  readonly opened: number
  /** Of clients to the proxy, now. */
  readonly open: number
}

/** Counts the connections of a server, and can cut them all. */
export function countConnections(server: Server): Connections & { destroyAll(): void } {
  const sockets = new Set<Socket>()
  let opened = 0
  server.on('connection', (socket: Socket) => {
    opened++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  return {
    get opened() {
      return opened
    },
    get open() {
      return sockets.size
    },
    destroyAll: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

export interface HttpProxy {
  /** `http://127.0.0.1:port`, to be used in place of the server's. */
  readonly endpoint: string
  readonly connections: Connections
  close(): Promise<void>
}

/** A key and its certificate, as PEM: what a server that speaks TLS has. */
export interface Identity {
  readonly key: Buffer
  readonly cert: Buffer
}

/** Connections below TLS. */
const wires = new WeakMap<object, Socket>()

/** Resets a connection, also one that speaks TLS. */
export function resetConnection(socket: Socket): void {
  wires.get(socket)?.resetAndDestroy()
  if (wires.has(socket)) socket.destroy()
  else socket.resetAndDestroy()
}

/** An HTTP server that has no limits of time, and leaves connections open for as long as clients like. With an identity over TLS. */
export async function listenForHttp(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  identity?: Identity,
): Promise<HttpProxy> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    response.sendDate = false
    const { socket } = request // Forgotten by requests that are over.
    handle(request, response).catch(() => socket.destroy())
  }
  const limits = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }
  const server = identity === undefined ? createServer(limits, listener) : createSecureServer({ ...limits, ...identity }, listener)
  if (identity !== undefined) rememberWires(server)
  const connections = countConnections(server)
  const port = await listenAnywhere(server)
  return {
    endpoint: `http${identity === undefined ? '' : 's'}://127.0.0.1:${port}`,
    connections,
    close: async () => {
      connections.destroyAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function rememberWires(server: Server): void {
  const byPort = new Map<number | undefined, Socket>()
  server.on('connection', (wire: Socket) => {
    const { remotePort } = wire
    byPort.set(remotePort, wire)
    wire.on('close', () => byPort.delete(remotePort))
  })
  server.on('secureConnection', (socket: Socket) => {
    const wire = byPort.get(socket.remotePort)
    if (wire !== undefined) wires.set(socket, wire)
  })
}

export async function listenAnywhere(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Passes requests on to a server. */
export class Upstream {
  readonly #url: URL
  readonly #agent: Agent

  constructor(endpoint: string) {
    this.#url = new URL(endpoint)
    this.#agent = this.#url.protocol === 'https:' ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true })
  }

  /** Sends a request on. The body is that of the client, or what was made of it. A client that goes away takes the request with it. */
  async send({ request, response }: Exchange, body: AsyncIterable<Buffer>): Promise<IncomingMessage> {
    const { protocol, hostname, port } = this.#url
    const send = protocol === 'https:' ? requestHttps : requestHttp
    const outgoing = send({ agent: this.#agent, hostname, port, path: request.url, method: request.method, headers: request.rawHeaders })
    outgoing.on('error', () => {}) // Once there is an answer, its body tells.
    response.once('close', () => outgoing.destroy())
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
    answered.catch(() => {}) // Awaited below; it may come before the body is through.
    await Promise.race([answered, pump(body, outgoing)])
    const [answer] = await answered
    return answer
  }

  close(): void {
    this.#agent.destroy()
  }
}

type Taker = NodeJS.WritableStream & { readonly destroyed?: boolean; readonly closed?: boolean }

/** Writes all of a body, and ends; as fast as it is taken. A body that nobody takes any more is read to its end, so that its connection goes on. */
export async function pump(body: AsyncIterable<Buffer>, to: Taker): Promise<void> {
  for await (const chunk of body) if (!isGone(to) && !to.write(chunk) && !isGone(to)) await drained(to)
  to.end()
}

function isGone({ destroyed = false, closed = false }: Taker): boolean {
  return destroyed || closed
}

async function drained(to: NodeJS.WritableStream): Promise<void> {
  const waiting = new AbortController()
  await Promise.race(['drain', 'close'].map((event) => once(to, event, { signal: waiting.signal })))
  waiting.abort()
}

/** Begins to answer as the server did. */
export function answerLike(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answer.rawHeaders)
  response.flushHeaders()
}
