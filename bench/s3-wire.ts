/**
 * A client that does nothing: requests that were written beforehand, of which only the key differs, and answers whose end is found and
 * nothing else. It signs nothing, checks nothing and understands no error. What it takes is what the waits and the server take.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { S3Implementation } from './s3-implementations.ts'

export function wire(endpoint: string, bucket: string): S3Implementation {
  const connections = new Connections(endpoint)
  const send = (method: string, target: string, body: Buffer = NOTHING): Promise<Answer> =>
    connections.exchange(`${method} /${bucket}${target} HTTP/1.1\r\nHost: s3\r\nContent-Length: ${body.byteLength}\r\n\r\n`, body, method)
  const none = (): Promise<never> => Promise.reject(new Error('not on the wire'))
  return {
    put: (key, bytes) => send('PUT', `/${key}`, bytes),
    get: async (key) => (await send('GET', `/${key}`)).body,
    head: async (key) => (await send('HEAD', `/${key}`)).length,
    download: none,
    deleteMany: none,
    list: async function* (prefix) {
      for (let token: string | undefined = ''; token !== undefined; ) {
        const from: string = token === '' ? '' : `&continuation-token=${token}`
        const text = (await send('GET', `?list-type=2&prefix=${encodeURIComponent(prefix)}${from}`)).body.toString('latin1')
        for (let at = text.indexOf('<Key>'); at !== -1; at = text.indexOf('<Key>', at + 1)) yield prefix
        token = /<NextContinuationToken>([^<]*)</.exec(text.slice(0, 1_000))?.[1]
      }
    },
  }
}

interface Answer {
  readonly length: number
  readonly body: Buffer
}

const NOTHING = Buffer.alloc(0)

class Connections {
  readonly #port: number
  readonly #free: Socket[] = []

  constructor(endpoint: string) {
    this.#port = Number(new URL(endpoint).port)
  }

  async exchange(head: string, body: Buffer, method: string): Promise<Answer> {
    const socket = this.#free.pop() ?? (await this.#open())
    socket.cork()
    socket.write(head, 'latin1')
    if (body.byteLength > 0) socket.write(body)
    socket.uncork()
    const answer = await read(socket, method !== 'HEAD')
    this.#free.push(socket)
    return answer
  }

  async #open(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return socket
  }
}

function read(socket: Socket, hasBody: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let left: number | undefined
    let length = 0
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      let rest = chunk
      if (left === undefined) {
        const end = chunk.indexOf('\r\n\r\n') + 4 // the server sends a head in one piece
        length = Number(/\r\ncontent-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1] ?? 0)
        left = hasBody ? length : 0
        rest = chunk.subarray(end)
      }
      chunks.push(rest)
      left -= rest.byteLength
      if (left > 0) return
      socket.removeAllListeners('data').removeAllListeners('error')
      resolve({ length, body: Buffer.concat(chunks) })
    })
  })
}
