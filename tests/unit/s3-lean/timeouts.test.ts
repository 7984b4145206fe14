import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { Agent } from 'node:http'
import { collect } from '../../../src/content.ts'
import type { ByteStream } from '../../../src/drivers/s3/byte-stream.ts'
import { Disk } from '../../../src/disk.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { listenAnywhere } from '../../support/forwarding.ts'
import {
  answerWell,
  carried,
  closedAfterEach,
  ending,
  ETAG,
  lean,
  meetings,
  type Script,
  scriptedStore,
  type ScriptedStore,
  until,
  piecesOf,
} from './scripted-store.ts'

const MS = 200
const BYTES = Buffer.from('hello')
const closing = closedAfterEach()
const meeting = meetings(closing, { retries: 0, socketTimeoutMs: MS })

/** Accepts connections, and says nothing. */
async function silent(): Promise<{ readonly port: number; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    socket.resume()
  })
  const port = await listenAnywhere(server)
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port, sockets }
}

/** A port whose queue of connections is full, and stays so: what comes then is not answered. */
async function unanswered(): Promise<number> {
  const blocked =
    "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => { require('fs').writeSync(1, s.address().port + '\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000) })"
  const child = spawn(process.execPath, ['-e', blocked], { stdio: ['ignore', 'pipe', 'inherit'] })
  const waiting: Socket[] = []
  closing.push(() => {
    for (const socket of waiting) socket.destroy()
    child.kill('SIGKILL')
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line)
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    waiting.push(socket)
    isFull = await Promise.race([once(socket, 'connect').then(() => false), sleep(100, true)])
  }
  return port
}

const TIMEOUT = { code: 'unavailable', cause: { code: 'TimeoutError', attempts: 1 } }

describe('a store that is silent', () => {
  it('while the connection is secured', async () => {
    const { port, sockets } = await silent()
    const { requests, transport } = lean({ endpoint: `https://127.0.0.1:${port}`, retries: 0, connectTimeoutMs: MS })
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(error).toMatchObject(TIMEOUT)
    expect(String(error)).not.toContain('not known') // nothing had been sent
    await until(() => sockets.size === 0 && transport.load.taken === 0)
  })

  it('while the connection is secured, through an agent that connected before', async () => {
    const { port, sockets } = await silent()
    const { connect: secure } = await import('node:tls')
    const { Agent: SecureAgent } = await import('node:https')
    class Tunnel extends SecureAgent {
      override createConnection(_options: object, done?: (error: Error | null, socket: Socket) => void): undefined {
        const socket = connect(port, '127.0.0.1', () => done?.(null, secure({ socket })))
        return undefined
      }
    }
    const options = { endpoint: 'https://store.example.com', retries: 0, connectTimeoutMs: MS, agent: new Tunnel() }
    const { requests } = lean(options)
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(error).toMatchObject(TIMEOUT)
    expect(String(error)).not.toContain('not known')
    await until(() => sockets.size === 0)
  })

  it('where an agent never comes to connect', async () => {
    class Stuck extends Agent {
      override createConnection(): undefined {
        return undefined
      }
    }
    const { requests, transport } = lean({ endpoint: 'http://store.example.com', retries: 0, socketTimeoutMs: MS, agent: new Stuck() })
    expect((await ending(requests.head('a', {}))).error).toMatchObject(TIMEOUT)
    expect(transport.load).toEqual({ taken: 0, waiting: 0 })
  })

  it('where nobody answers at all', async () => {
    const { requests, transport } = lean({ endpoint: `http://127.0.0.1:${await unanswered()}`, retries: 0, connectTimeoutMs: MS })
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(error).toMatchObject({ ...TIMEOUT, reason: 'the store did not answer in time' })
    await until(() => transport.load.taken === 0)
  })

  it.each([
    ['before the first byte', () => undefined],
    ['in the middle of the headers', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\netag: "1"\r\n')],
  ] as const satisfies readonly (readonly [string, Script])[])('%s', async (_when, script) => {
    const { requests, transport, connections } = await meeting(script)
    expect((await ending(requests.head('a', {}))).error).toMatchObject(TIMEOUT)
    await until(() => transport.load.taken === 0 && connections.open === 0)
  })

  it('after a body was sent: what became of it is not known', async () => {
    const { requests } = await meeting(({ body }) => body())
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(error).toMatchObject(TIMEOUT)
    expect(String(error)).toContain('whether it was carried out is not known')
  })

  it('while it should read a body', async () => {
    const { requests, asked, transport, connections } = await meeting(({ request }) => request.pause())
    await ending(requests.head('a', {}))
    expect((await ending(requests.put('a', Buffer.alloc(20_000_000), {}))).error).toMatchObject(TIMEOUT)
    await until(() => transport.load.taken === 0)
    for (const { request } of asked) request.resume() // a store that does not read does not see a connection end
    await until(() => connections.open === 0)
  })

  it('in the middle of a listing, and of an error', async () => {
    const { requests, transport, connections } = await meeting(({ method, response }) => {
      response.writeHead(method === 'GET' ? 200 : 503)
      response.write('<?xml version="1.0"?><ListBucketResult><Contents>')
    })
    expect((await ending(requests.list({ prefix: '', delimited: false, limit: 9 }))).error).toMatchObject(TIMEOUT)
    expect((await ending(requests.delete('a', {}))).outcome).toBe('rate_limited')
    await until(() => transport.load.taken === 0 && connections.open === 0)
  })

  it('in the middle of a download, which goes on by another connection', async () => {
    const content = Buffer.alloc(300_000, 'abc')
    const store = await scriptedStore(({ headers, response, index }) => {
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
      const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString(), 'content-length': content.length - from }
      const range = from === 0 ? {} : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
      response.writeHead(from === 0 ? 200 : 206, { ...facts, ...range })
      if (index < 2) response.write(content.subarray(from, from + 100_000))
      else response.end(content.subarray(from))
    })
    const disk = new Disk(
      new S3Driver(carried({ bucket: 'b', endpoint: store.origin, pathStyle: true, key: 'k', secret: 's', socketTimeoutMs: MS })),
    )
    closing.push(
      () => disk.close(),
      () => store.close(),
    )
    expect((await disk.get('a')).equals(content)).toBe(true)
    expect(store.asked.length).toBe(3)
  })
})

describe('a reader that takes his time', () => {
  const content = Buffer.alloc(4_000_000, 'abc')

  async function download(script: Script): Promise<ScriptedStore & { readonly stream: ByteStream }> {
    const met = await meeting(script)
    const { stream } = await met.requests.get('a', {})
    return { ...met, stream }
  }

  const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString(), 'content-length': String(content.length) }

  it('loses nothing', async () => {
    const { stream, asked } = await download(({ response }) => response.writeHead(200, facts).end(content))
    await sleep(MS * 2)
    const chunks: Uint8Array[] = []
    for await (const chunk of piecesOf(stream)) {
      if (chunks.length === 3) await sleep(MS * 2)
      chunks.push(chunk)
    }
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    expect(asked.length).toBe(1)
  })

  it('is told when the store has gone silent meanwhile', async () => {
    const { stream, connections } = await download(({ response }) => response.writeHead(200, facts).write(content.subarray(0, 3_000_000)))
    await sleep(MS)
    const { error } = await ending(collect(piecesOf(stream)))
    expect(error).toMatchObject({ code: 'TimeoutError' })
    await until(() => connections.open === 0)
  })

  it('has a connection after it that is silent for as long as others may be', async () => {
    const { requests, connections } = await meeting(answerWell, { socketTimeoutMs: MS })
    await requests.head('a', {})
    await sleep(MS * 2)
    await requests.head('a', {})
    expect(connections.opened).toBe(1)
  })
})

it('a connection that the store keeps idle for a second is waited for as long as any, when it is used again', async () => {
  const { requests, connections } = await meeting(
    async (asked) => {
      asked.response.setHeader('keep-alive', 'timeout=2') // Node makes a second of it
      if (asked.index === 1) await sleep(1_500)
      await answerWell(asked)
    },
    { socketTimeoutMs: 15_000 }, // as long as the disk keeps idle ones
  )
  await requests.put('a', BYTES, {})
  expect(await requests.put('a', BYTES, {})).toMatchObject({ etag: ETAG })
  expect(connections.opened).toBe(1)
})
