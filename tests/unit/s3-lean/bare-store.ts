/**
 * A store that is nothing but sockets: a test writes its answers byte by byte, at the moments it wants, over TCP or TLS.
 *
 *   const store = await bareStore(closing, ({ socket }) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'))
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer, type SecureContextOptions, type TlsOptions } from 'node:tls'
import { listenAnywhere } from '../../support/forwarding.ts'
import { ETAG } from './scripted-store.ts'

/** Headers that every object has. */
export const FACTS: string = `etag: ${ETAG}\r\nlast-modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n`

export interface BareRequest {
  readonly head: string
  readonly body: Buffer
  readonly socket: Socket
}

export interface BareStore {
  readonly origin: string
  /** In the order they came. */
  readonly connections: Socket[]
  /** That are open now. */
  readonly open: Set<Socket>
}

export interface BareOptions {
  /** Over TLS. */
  readonly pair?: (SecureContextOptions & TlsOptions) | undefined
  /** Called with every connection, before its first request. */
  readonly connected?: (socket: Socket) => void
  /** Called when the head of a request has come. */
  readonly begun?: (head: string, socket: Socket) => void
}

/** @param answer called when a request has come whole */
export async function bareStore(
  closing: (() => unknown)[],
  answer: (request: BareRequest) => void,
  { pair, connected, begun }: BareOptions = {},
): Promise<BareStore> {
  const connections: Socket[] = []
  const open = new Set<Socket>()
  const meet = (socket: Socket): void => {
    connections.push(socket)
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)))
    connected?.(socket)
    readRequests(socket, answer, begun)
  }
  const server: Server = pair === undefined ? createServer(meet) : createSecureServer(pair, meet).on('tlsClientError', () => undefined)
  const origin = `http${pair === undefined ? '' : 's'}://127.0.0.1:${await listenAnywhere(server)}`
  closing.push(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { origin, connections, open }
}

function readRequests(socket: Socket, answer: (request: BareRequest) => void, begun: BareOptions['begun']): void {
  let chunks: Buffer[] = []
  let [received, needed] = [0, 0]
  let head: string | undefined
  const take = (bytes: number): Buffer => {
    const all = Buffer.concat(chunks)
    chunks = [all.subarray(bytes)]
    received = all.length - bytes
    return all.subarray(0, bytes)
  }
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    received += chunk.length
    while (received > 0) {
      if (head === undefined) {
        const end = Buffer.concat(chunks).indexOf('\r\n\r\n')
        if (end < 0) return
        head = take(end + 4).toString('latin1')
        needed = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
        begun?.(head, socket)
      }
      if (received < needed) return
      const request = { head, body: take(needed), socket }
      head = undefined
      answer(request)
    }
  })
}

/** An answer as it goes over the wire. @param headers each with its end of line */
export function answerText(status: number, headers: string, body = ''): string {
  return `HTTP/1.1 ${status} Said\r\n${FACTS}${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}
