/**
 * An S3 endpoint that stores nothing and answers as fast as one process of Node can: what is measured against it is the client.
 * It parses just enough HTTP/1.1 by itself, because `node:http` would cost more than the lean clients that are measured.
 *
 *   GET and HEAD of `…/s<bytes>/…`     an object of that size, made as it is sent (`generated`), ranges and If-Match included
 *   LIST of the prefix `…n<count>/`    that many objects, in pages
 *   PUT, POST, DELETE                  read, counted and forgotten; with `store` kept, and then GET, HEAD and LIST give them back
 *
 * Counts connections, requests by their S3 name and bytes of payload. No signature is checked, no TLS is spoken.
 */
import { createHash } from 'node:crypto'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { ChunkDecoder } from './null-server-chunks.ts'
import { listPage } from './null-server-listing.ts'

export interface Conditions {
  /** Before each answer, a `100 Continue` included. */
  readonly latencyMs: number
  /** Of each connection, either way; 0 is no limit. */
  readonly bytesPerSecond: number
  /** Keep what is written, to read it back. Off, the memory stays flat whatever is sent. */
  readonly store: boolean
}

export interface Counters {
  /** Those that carried a request. */
  connections: number
  /** By the name of the S3 API: `PutObject`, `UploadPart`. */
  requests: Record<string, number>
  /** Payload received, without framing. */
  receivedBytes: number
  sentBytes: number
  deletedKeys: number
  openUploads: number
  /** The most requests that were under way at once. */
  peakRequests: number
}

interface Exchange {
  readonly method: string
  /** Decoded, without the bucket. */
  readonly key: string
  readonly query: string
  /** The header lines, in lower case. */
  readonly head: string
  readonly chunks: Buffer[] | undefined
  readonly decoder: ChunkDecoder | undefined
  /** Bytes of the body still to come, where its length was given. */
  left: number
  received: number
}

interface Answer {
  readonly head: string
  /** Bytes at hand, or those of a generated object from `start` to `end`. */
  readonly body?: Buffer | string | { readonly start: number; readonly end: number }
}

const PERIOD = 1_000_003 // prime, so that no two parts of a transfer are alike
const SLICE = 256 * 1024
const PATTERN = pattern()
const ETAG = '"9b2cf535f27731c974343645a3985328"'
const DATE = 'Sat, 21 Nov 2026 12:00:00 GMT'
const COMMON = `x-amz-id-2: Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==\r\nx-amz-request-id: 656C76696E672SAMPLE\r\nDate: ${DATE}\r\nServer: AmazonS3\r\n`
const OBJECT = `Last-Modified: ${DATE}\r\nx-amz-server-side-encryption: AES256\r\nAccept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n`

function pattern(): Buffer {
  const bytes = Buffer.allocUnsafe(PERIOD + SLICE)
  let state = 0x9e3779b9
  for (let at = 0; at < PERIOD; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state
  }
  bytes.copy(bytes, PERIOD, 0, SLICE)
  return bytes
}

/** The bytes from `start` to `end` of every generated object, at most 256 KiB of them. */
export function generated(start: number, end: number): Buffer {
  const at = start % PERIOD
  return PATTERN.subarray(at, at + Math.min(end - start, SLICE))
}

export class NullServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #objects = new Map<string, Buffer>()
  readonly #uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>()
  readonly #checksums = new Map<number, string>()
  #conditions: Conditions = { latencyMs: 0, bytesPerSecond: 0, store: false }
  #counters: Counters = noCounters()
  #underWay = 0
  #uploadIds = 0

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  static async start(conditions: Partial<Conditions> = {}): Promise<NullServer> {
    const server = new NullServer()
    server.configure(conditions)
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject)
      server.#server.listen(0, '127.0.0.1', 1024, resolve)
    })
    return server
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What is not given is as at the start. Forgets what was stored, and counts from zero; connections stay open. */
  configure(conditions: Partial<Conditions>): void {
    this.#conditions = { latencyMs: 0, bytesPerSecond: 0, store: false, ...conditions }
    this.#objects.clear()
    this.#uploads.clear()
    this.#counters = noCounters()
  }

  counters(): Counters {
    return { ...this.#counters, requests: { ...this.#counters.requests }, openUploads: this.#uploads.size }
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    let countedIn: Counters | undefined
    const connection = new Connection(socket, {
      conditions: () => this.#conditions,
      begin: () => {
        if (countedIn !== this.#counters) this.#counters.connections++
        countedIn = this.#counters
        this.#counters.peakRequests = Math.max(this.#counters.peakRequests, ++this.#underWay)
      },
      answer: (exchange) => this.#answer(exchange),
      end: () => {
        this.#underWay--
      },
      sent: (bytes) => {
        this.#counters.sentBytes += bytes
      },
    })
    socket.on('data', (chunk) => connection.data(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#sockets.delete(socket)
      connection.closed()
    })
  }

  #answer(exchange: Exchange): Answer {
    const { method, query, key } = exchange
    const name = operation(exchange)
    this.#counters.requests[name] = (this.#counters.requests[name] ?? 0) + 1
    this.#counters.receivedBytes += exchange.received
    if (key === '') return name === 'ListObjectsV2' ? xml(listPage(query, this.#stored())) : this.#bucket(name, exchange)
    if (method === 'GET' || method === 'HEAD') return this.#read(exchange)
    if (query.includes('uploads') || query.includes('uploadId=')) return this.#multipart(name, exchange)
    if (method === 'DELETE') {
      this.#objects.delete(key)
      this.#counters.deletedKeys++
      return { head: `HTTP/1.1 204 No Content\r\n${COMMON}\r\n` }
    }
    if (name === 'CopyObject')
      return xml(`<CopyObjectResult><ETag>${ETAG}</ETag><LastModified>2026-11-21T12:00:00.000Z</LastModified></CopyObjectResult>`)
    if (exchange.chunks !== undefined) this.#objects.set(key, Buffer.concat(exchange.chunks))
    return written(exchange.chunks)
  }

  #stored(): string[] {
    return [...this.#objects.keys()]
  }

  #bucket(name: string, exchange: Exchange): Answer {
    if (name !== 'DeleteObjects') return { head: `HTTP/1.1 200 OK\r\n${COMMON}Content-Length: 0\r\n\r\n` }
    const body = Buffer.concat(exchange.chunks ?? []).toString()
    const keys = Array.from(body.matchAll(/<Key>([^<]*)<\/Key>/g), ([, key = '']) => key)
    if (keys.length > 1_000) return failure(400, 'MalformedXML')
    for (const key of keys) this.#objects.delete(key)
    this.#counters.deletedKeys += keys.length
    const deleted = /<Quiet>true</.test(body) ? '' : keys.map((key) => `<Deleted><Key>${key}</Key></Deleted>`).join('')
    return xml(`<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${deleted}</DeleteResult>`)
  }

  #read({ key, method, head }: Exchange): Answer {
    const stored = this.#objects.get(key)
    const given = /(?:^|\/)s(\d+)\//.exec(key)?.[1]
    if (stored === undefined && given === undefined) return failure(404, 'NoSuchKey', method === 'HEAD')
    const size = stored?.byteLength ?? Number(given)
    const ifMatch = /\r\nif-match: *([^\r]+)/.exec(head)?.[1]
    const etag = etagOf(stored)
    if (ifMatch !== undefined && ifMatch !== '*' && ifMatch.replaceAll('"', '') !== etag.slice(1, -1))
      return failure(412, 'PreconditionFailed')
    const { start, end, partial } = range(head, size)
    if (start >= size && partial) return failure(416, 'InvalidRange')
    const wantsChecksum = !partial && stored === undefined && head.includes('\r\nx-amz-checksum-mode: enabled')
    const facts = `${COMMON}${OBJECT}ETag: ${etag}\r\n${wantsChecksum ? `x-amz-checksum-crc32: ${this.#checksum(size)}\r\nx-amz-checksum-type: FULL_OBJECT\r\n` : ''}Content-Length: ${end - start}\r\n`
    const answer = partial
      ? `HTTP/1.1 206 Partial Content\r\n${facts}Content-Range: bytes ${start}-${end - 1}/${size}\r\n\r\n`
      : `HTTP/1.1 200 OK\r\n${facts}\r\n`
    return method === 'HEAD' ? { head: answer } : { head: answer, body: stored?.subarray(start, end) ?? { start, end } }
  }

  #checksum(size: number): string {
    const known = this.#checksums.get(size)
    if (known !== undefined) return known
    let value = 0
    for (let at = 0; at < size; ) {
      const slice = generated(at, size)
      value = crc32(slice, value)
      at += slice.byteLength
    }
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    this.#checksums.set(size, bytes.toString('base64'))
    return bytes.toString('base64')
  }

  #multipart(name: string, { key, query, chunks }: Exchange): Answer {
    if (name === 'CreateMultipartUpload') {
      const id = `upload-${++this.#uploadIds}`
      this.#uploads.set(id, { key, parts: new Map() })
      return xml(
        `<InitiateMultipartUploadResult><Bucket>bench</Bucket><Key>${escaped(key)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      )
    }
    const parameters = new URLSearchParams(query)
    const id = parameters.get('uploadId') ?? ''
    const upload = this.#uploads.get(id)
    if (upload === undefined) return failure(404, 'NoSuchUpload')
    if (name === 'UploadPart') {
      upload.parts.set(Number(parameters.get('partNumber')), chunks === undefined ? Buffer.alloc(0) : Buffer.concat(chunks))
      return written(undefined)
    }
    this.#uploads.delete(id)
    if (name === 'AbortMultipartUpload') return { head: `HTTP/1.1 204 No Content\r\n${COMMON}\r\n` }
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part)
    if (this.#conditions.store) this.#objects.set(key, Buffer.concat(parts))
    return xml(
      `<CompleteMultipartUploadResult><Bucket>bench</Bucket><Key>${escaped(key)}</Key><ETag>&quot;9b2cf535f27731c974343645a3985328-${parts.length}&quot;</ETag></CompleteMultipartUploadResult>`,
    )
  }
}

interface Hooks {
  conditions(): Conditions
  begin(): void
  answer(exchange: Exchange): Answer
  sent(bytes: number): void
  end(): void
}

/** One connection: one request after the other. */
class Connection {
  readonly #socket: Socket
  readonly #hooks: Hooks
  #waiting: Buffer | undefined
  #exchange: Exchange | undefined
  #answering = false
  /** When the bytes so far would have passed at the limit. */
  #allowedAt = 0

  constructor(socket: Socket, hooks: Hooks) {
    this.#socket = socket
    this.#hooks = hooks
  }

  data(chunk: Buffer): void {
    const bytes = this.#waiting === undefined ? chunk : Buffer.concat([this.#waiting, chunk])
    this.#waiting = undefined
    if (this.#answering) this.#waiting = bytes
    else if (this.#exchange !== undefined) this.#body(this.#exchange, bytes)
    else this.#begin(bytes)
  }

  /** No more will come of the request under way. */
  closed(): void {
    if (this.#exchange !== undefined) this.#hooks.end()
    this.#exchange = undefined
  }

  #begin(bytes: Buffer): void {
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) {
      this.#waiting = bytes
      return
    }
    const { latencyMs, store } = this.#hooks.conditions()
    const exchange = parse(bytes.toString('latin1', 0, end + 2), store)
    this.#hooks.begin()
    this.#exchange = exchange
    if (exchange.head.includes('\r\nexpect: 100-continue'))
      this.#later(latencyMs, () => this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
    this.#body(exchange, bytes.subarray(end + 4))
  }

  #body(exchange: Exchange, bytes: Buffer): void {
    if (exchange.decoder !== undefined) {
      exchange.decoder.push(bytes)
      exchange.received = exchange.decoder.received
      if (exchange.decoder.done) this.#respond(exchange)
    } else {
      exchange.left -= bytes.byteLength
      exchange.received += bytes.byteLength
      if (bytes.byteLength > 0) exchange.chunks?.push(bytes)
      if (exchange.left <= 0) this.#respond(exchange)
    }
    if (this.#exchange === exchange && !this.#answering) this.#limit(bytes.byteLength)
  }

  /** Reads no more before the bytes that came are within the limit. */
  #limit(bytes: number): void {
    const { bytesPerSecond } = this.#hooks.conditions()
    if (bytesPerSecond === 0 || bytes === 0) return
    const waitMs = this.#passed(bytes, bytesPerSecond)
    if (waitMs < 5) return
    this.#socket.pause()
    setTimeout(() => this.#socket.resume(), waitMs)
  }

  #passed(bytes: number, bytesPerSecond: number): number {
    const now = performance.now()
    this.#allowedAt = Math.max(this.#allowedAt, now) + (bytes / bytesPerSecond) * 1_000
    return this.#allowedAt - now
  }

  #respond(exchange: Exchange): void {
    this.#answering = true
    this.#later(this.#hooks.conditions().latencyMs, () => this.#send(this.#hooks.answer(exchange)))
  }

  #later(ms: number, action: () => void): void {
    if (ms === 0) action()
    else setTimeout(action, ms)
  }

  #send({ head, body }: Answer): void {
    if (this.#socket.destroyed) return
    if (body === undefined) this.#socket.write(head, 'latin1')
    else if (typeof body === 'string') this.#socket.write(head + body, 'latin1')
    else {
      this.#socket.cork()
      this.#socket.write(head, 'latin1')
      if (!('start' in body)) this.#hooks.sent(body.byteLength)
      if ('start' in body) this.#sendGenerated(body.start, body.end)
      else this.#socket.write(body)
      process.nextTick(() => this.#socket.uncork())
      if ('start' in body) return
    }
    this.#next()
  }

  #sendGenerated(start: number, end: number): void {
    const { bytesPerSecond } = this.#hooks.conditions()
    const most = bytesPerSecond === 0 ? end : Math.min(end, start + Math.ceil(bytesPerSecond / 100))
    const slice = generated(start, most)
    this.#hooks.sent(slice.byteLength)
    const at = start + slice.byteLength
    const flowing = this.#socket.write(slice)
    if (at >= end) this.#next()
    else if (bytesPerSecond > 0) setTimeout(() => this.#continue(at, end), this.#passed(slice.byteLength, bytesPerSecond))
    else if (flowing) this.#continue(at, end)
    else this.#socket.once('drain', () => this.#continue(at, end))
  }

  #continue(at: number, end: number): void {
    if (!this.#socket.destroyed) this.#sendGenerated(at, end)
  }

  #next(): void {
    const close = this.#exchange?.head.includes('\r\nconnection: close') === true
    this.closed()
    this.#answering = false
    if (close) this.#socket.end()
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      this.#begin(waiting)
    }
  }
}

function parse(text: string, store: boolean): Exchange {
  const line = text.indexOf('\r\n')
  const [method = '', target = ''] = text.slice(0, line).split(' ', 2)
  const head = text.slice(line).toLowerCase()
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const slash = path.indexOf('/', 1)
  const encoded = slash === -1 ? '' : path.slice(slash + 1)
  const keep = store || method === 'POST' ? [] : undefined
  const length = Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0)
  const http = head.includes('\r\ntransfer-encoding: chunked')
  const aws = head.includes('aws-chunked') || head.includes('x-amz-content-sha256: streaming-')
  return {
    method,
    key: encoded.includes('%') ? decodeURIComponent(encoded) : encoded,
    query: mark === -1 ? '' : target.slice(mark + 1),
    head,
    chunks: keep,
    decoder: http || aws ? new ChunkDecoder({ http, aws, length, keep }) : undefined,
    left: length,
    received: 0,
  }
}

function operation({ method, key, query, head }: Exchange): string {
  if (key === '') {
    if (method === 'POST') return 'DeleteObjects'
    if (method === 'GET' && query.includes('list-type=2')) return 'ListObjectsV2'
    return method === 'HEAD' ? 'HeadBucket' : `${method} bucket?${query}`
  }
  if (method === 'POST') return query.includes('uploadId=') ? 'CompleteMultipartUpload' : 'CreateMultipartUpload'
  if (method === 'DELETE') return query.includes('uploadId=') ? 'AbortMultipartUpload' : 'DeleteObject'
  if (method === 'PUT' && query.includes('uploadId=')) return 'UploadPart'
  if (method === 'PUT') return head.includes('\r\nx-amz-copy-source:') ? 'CopyObject' : 'PutObject'
  return method === 'GET' ? 'GetObject' : 'HeadObject'
}

function range(head: string, size: number): { start: number; end: number; partial: boolean } {
  const [, first, last] = /\r\nrange: *bytes=(\d*)-(\d*)/.exec(head) ?? []
  if (first === undefined || last === undefined) return { start: 0, end: size, partial: false }
  if (first === '') return { start: Math.max(0, size - Number(last)), end: size, partial: true }
  return { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1), partial: true }
}

function etagOf(stored: Buffer | undefined): string {
  return stored === undefined ? ETAG : `"${createHash('md5').update(stored).digest('hex')}"`
}

function written(chunks: readonly Buffer[] | undefined): Answer {
  const etag = chunks === undefined ? ETAG : etagOf(Buffer.concat(chunks))
  return { head: `HTTP/1.1 200 OK\r\n${COMMON}x-amz-server-side-encryption: AES256\r\nETag: ${etag}\r\nContent-Length: 0\r\n\r\n` }
}

function xml(body: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n${body}`
  return {
    head: `HTTP/1.1 200 OK\r\n${COMMON}Content-Type: application/xml\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`,
    body: Buffer.from(text),
  }
}

function failure(status: number, code: string, bare = false): Answer {
  const body = bare ? '' : `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
  return { head: `HTTP/1.1 ${status} ${code}\r\n${COMMON}Content-Type: application/xml\r\nContent-Length: ${body.length}\r\n\r\n`, body }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function noCounters(): Counters {
  return { connections: 0, requests: {}, receivedBytes: 0, sentBytes: 0, deletedKeys: 0, openUploads: 0, peakRequests: 0 }
}
