/**
 * A store whose every answer a test writes, over real sockets, and the requests of a disk that goes there.
 *
 *   const store = await scriptedStore(({ response }) => response.writeHead(503).end())
 *   const { requests, transport } = lean({ endpoint: store.origin })
 */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent as SecureAgent, createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach } from '@jest/globals'
import { UnsupportedError } from '../../../src/errors.ts'
import { Credentials } from '../../../src/drivers/s3/lean/credentials.ts'
import { LeanRequests } from '../../../src/drivers/s3/lean/lean-requests.ts'
import { addressOf } from '../../../src/drivers/s3/lean/origin.ts'
import { Transport } from '../../../src/drivers/s3/lean/transport.ts'
import type { ByteStream } from '../../../src/drivers/s3/byte-stream.ts'
import type { S3Requests } from '../../../src/drivers/s3/requests.ts'
import { ResponseChunks } from '../../../src/drivers/s3/response-chunks.ts'
import { type S3DriverOptions, type S3Settings, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { type Connections, countConnections, listenAnywhere } from '../../support/forwarding.ts'

/** A request when its head has come. */
export interface Asked {
  readonly method: string
  /** Path and query as they were sent. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly socket: Socket
  /** From 0, in the order they came. */
  readonly index: number
  /** Waits for `100 Continue`. */
  readonly waits: boolean
  /** Reads the body to its end; lets it come, where it waits. */
  readonly body: () => Promise<Buffer>
}

export interface ScriptedStore {
  readonly origin: string
  readonly port: number
  readonly connections: Connections
  readonly asked: Asked[]
  close(): Promise<void>
}

export type Script = (asked: Asked) => unknown

export interface StoreOptions {
  /** Answers over TLS. */
  readonly pair?: { readonly key: Buffer; readonly cert: Buffer } | undefined
}

/** What a script throws cuts the connection. */
export async function scriptedStore(script: Script, { pair }: StoreOptions = {}): Promise<ScriptedStore> {
  const asked: Asked[] = []
  const options = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }
  const server = pair === undefined ? createServer(options) : createSecureServer({ ...options, ...pair })
  const meet = (request: IncomingMessage, response: ServerResponse, waits: boolean): void => {
    const { socket } = request
    const body = async (): Promise<Buffer> => {
      if (waits) response.writeContinue()
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      return Buffer.concat(chunks)
    }
    const { method = '', url = '', headers } = request
    const each = { method, url, headers, request, response, socket, index: asked.length, waits, body }
    asked.push(each)
    void (async () => script(each))().catch(() => socket.destroy())
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => meet(request, response, false))
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => meet(request, response, true))
  const connections = countConnections(server)
  const port = await listenAnywhere(server)
  return {
    origin: `${pair === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    connections,
    asked,
    close: async () => {
      connections.destroyAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

let agents: Agent[] | undefined

/** From here on every disk of this test file gets an agent: its requests go by `node:http`. Call it before the tests are defined. */
export function overAgents(): void {
  agents = []
  afterEach(() => {
    for (const agent of agents?.splice(0) ?? []) agent.destroy()
  })
}

/** Defines tests of connections that are the disk's own; none where an agent makes them. */
export function ofOwnConnections(define: () => void): void {
  if (agents === undefined) define()
}

/** Options of a disk whose requests go the way that this file tests. */
export function carried<Options extends Partial<S3DriverOptions>>(options: Options): Options {
  if (agents === undefined || options.agent !== undefined) return options
  const { tls, ...others } = options
  const isSecure = options.endpoint?.startsWith('http:') !== true
  const agent = isSecure ? new SecureAgent({ ...tls, keepAlive: true }) : new Agent({ keepAlive: true })
  agents.push(agent)
  return { ...others, agent } as unknown as Options
}

export interface Lean {
  readonly settings: S3Settings
  readonly requests: S3Requests
  readonly transport: Transport
}

export interface LeanParts {
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** For `AWS_CONFIG_FILE`: nothing of the machine that tests run on gets in. */
const NO_FILE = '/nonexistent/config'

/** The requests of a disk, over a transport that waits for nothing between two attempts. */
export function lean(options: Partial<S3DriverOptions>, { now, env = {} }: LeanParts = {}): Lean {
  const given = { bucket: 'bucket', region: 'us-east-1', pathStyle: true, transport: 'lean', ...carried(options) } as const
  const settings = settingsOf({ ...(options.credentials === undefined && { key: 'AKID', secret: 'hush' }), ...given }, {})
  const noSdk = async (): Promise<never> => {
    throw new UnsupportedError('the SDK is not asked here')
  }
  const credentials = new Credentials(settings.credentials ?? noSdk, { bucket: settings.bucket })
  const address = () => addressOf(settings, noSdk, { AWS_CONFIG_FILE: NO_FILE, ...env })
  const transport = new Transport({ settings, credentials, address, now, random: () => 0 })
  return { settings, transport, requests: new LeanRequests(settings, { transport, credentials, others: noSdk }) }
}

/** What is closed after each test, in this order. Call it at the top of a test file. */
export function closedAfterEach(): (() => unknown)[] {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })
  return closing
}

export type Meeting = ScriptedStore & Lean

/** Requests that meet a store with a script; both are closed. @param always options of every meeting */
export function meetings(closing: (() => unknown)[], always: Partial<S3DriverOptions> = {}) {
  return async (script: Script, options: Partial<S3DriverOptions> = {}, parts: LeanParts = {}): Promise<Meeting> => {
    const store = await scriptedStore(script)
    const made = lean({ endpoint: store.origin, ...always, ...options }, parts)
    closing.push(
      () => made.requests.close(),
      () => store.close(),
    )
    return { ...store, ...made }
  }
}

export const ETAG = '"0123456789abcdef0123456789abcdef"'

/** As S3 answers what is well. */
export async function answerWell({ method, url, response, body }: Asked): Promise<void> {
  await body()
  const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }
  if (method === 'HEAD') response.writeHead(200, { ...facts, 'content-length': '5' }).end()
  else if (method === 'GET' && url.includes('list-type'))
    response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>')
  else if (method === 'GET') response.writeHead(200, { ...facts, 'content-length': '5' }).end('hello')
  else if (method === 'DELETE') response.writeHead(204).end()
  else response.writeHead(200, facts).end()
}

export interface ErrorOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** In the XML. */
  readonly region?: string
  readonly message?: string
}

/** As S3 answers what is not. Reads nothing. */
export function answerError({ response, method }: Asked, status: number, code?: string, options: ErrorOptions = {}): void {
  // Without it, Node takes an answer to HEAD for one that ends with its connection.
  response.writeHead(status, { 'transfer-encoding': 'chunked', ...options.headers })
  if (method === 'HEAD' || code === undefined) response.end()
  else response.end(errorXml(code, options))
}

export function errorXml(code: string, { region, message = 'as the test wants it' }: ErrorOptions = {}): string {
  const where = region === undefined ? '' : `<Region>${region}</Region>`
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${where}<RequestId>R1</RequestId></Error>`
}

/** What comes of an answer, with a pause wherever the caller makes one. */
export async function* piecesOf(stream: ByteStream): AsyncGenerator<Uint8Array> {
  const chunks = new ResponseChunks(stream)
  try {
    while (!chunks.drained) {
      await chunks.wait()
      const piece = chunks.take()
      if (piece !== undefined) yield piece
    }
    // oxlint-disable-next-line only-throw-error -- what the transport says of it
    if (chunks.failure !== undefined) throw chunks.failure
  } finally {
    chunks.destroy()
  }
}

/** Until a claim holds; one that never does fails its test by the limit of time. */
export async function until(claim: () => boolean): Promise<void> {
  while (!claim()) await sleep(2)
}

export interface Ended {
  readonly outcome: string
  readonly error: unknown
}

/** `ok`, or the code of the error. */
export async function ending(promise: Promise<unknown>): Promise<Ended> {
  try {
    await promise
    return { outcome: 'ok', error: undefined }
  } catch (error) {
    return { outcome: (error as { code?: string } | undefined)?.code ?? String(error), error }
  }
}
