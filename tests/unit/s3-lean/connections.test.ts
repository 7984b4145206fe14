import { execFile } from 'node:child_process'
import { createServer as createHttpServer, Agent, request as requestHttp } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as secure } from 'node:tls'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { collect } from '../../../src/content.ts'
import { listenAnywhere } from '../../support/forwarding.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import {
  answerError,
  answerWell,
  closedAfterEach,
  ending,
  ETAG,
  lean,
  meetings,
  ofOwnConnections,
  scriptedStore,
  until,
  piecesOf,
} from './scripted-store.ts'

const BYTES = Buffer.from('hello')
const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }
const closing = closedAfterEach()
const meeting = meetings(closing)

/** A store that writes its answers by itself, byte by byte. */
async function bare(answer: (head: string, socket: Socket) => void): Promise<{ readonly origin: string; connections: number }> {
  const sockets = new Set<Socket>()
  const store = { origin: '', connections: 0 }
  const server = createServer((socket) => {
    store.connections++
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    socket.on('data', (chunk) => answer(chunk.toString('latin1'), socket))
  })
  store.origin = `http://127.0.0.1:${await listenAnywhere(server)}`
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return store
}

describe('connections', () => {
  it('are used again by every kind of request', async () => {
    const { requests, connections, transport } = await meeting(answerWell)
    for (let i = 0; i < 3; i++) {
      await requests.put('a', BYTES, {})
      await requests.head('a', {})
      await collect(piecesOf((await requests.get('a', {})).stream))
      await requests.list({ prefix: '', delimited: false, limit: 9 })
      await requests.delete('a', {})
    }
    await until(() => transport.load.taken === 0)
    expect(connections.opened).toBe(1)
  })

  it('are used again after answers that are errors', async () => {
    const { requests, asked, connections } = await meeting(async (each) => {
      await each.body()
      answerError(each, each.index % 2 === 0 ? 404 : 412, each.index % 2 === 0 ? 'NoSuchKey' : 'PreconditionFailed')
    })
    for (let i = 0; i < 6; i++) await ending(i % 3 === 0 ? requests.head('a', {}) : requests.put('a', BYTES, {}))
    expect([asked.length, connections.opened]).toEqual([6, 1])
  })

  it('are no more than was said, and who came first is served first', async () => {
    const order: string[] = []
    let open = 0
    let most = 0
    const { requests, connections, transport } = await meeting(
      async (asked) => {
        most = Math.max(most, ++open)
        order.push(asked.url)
        await asked.body()
        open--
        await answerWell({ ...asked, body: async () => Buffer.alloc(0) })
      },
      { maxSockets: 3 },
    )
    const all = Array.from({ length: 60 }, (_, i) => requests.put(`k${String(i).padStart(2, '0')}`, BYTES, {}))
    expect(transport.load.waiting + transport.load.taken).toBeLessThanOrEqual(60)
    await Promise.all(all)
    expect(most).toBeLessThanOrEqual(3)
    expect(connections.opened).toBeLessThanOrEqual(3)
    // Three are under way at once: a place in the order is off by less than three.
    order.forEach((url, place) => expect(Math.abs(Number(url.slice(-2)) - place)).toBeLessThan(3))
  })

  it('that are never given back are told of, to whoever waits for one', async () => {
    const { requests, transport } = await meeting(
      ({ response }) => response.writeHead(200, { ...facts, 'content-length': '9' }).write('hello'),
      {
        maxSockets: 2,
        socketTimeoutMs: 150,
      },
    )
    const held = await Promise.all([requests.get('a', {}), requests.get('b', {})])
    const { error } = await ending(requests.get('c', {}))
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(String(error)).toContain('all 2 connections were in use for 150 ms')
    expect(transport.load).toEqual({ taken: 2, waiting: 0 })
    for (const { stream } of held) stream.destroy()
    await until(() => transport.load.taken === 0)
  })

  it('may be waited for by more than fit into the time of one, as long as the queue moves', async () => {
    const { requests, asked } = await meeting(
      async (each) => {
        await sleep(60)
        await answerWell(each)
      },
      { maxSockets: 1, socketTimeoutMs: 600 },
    )
    await Promise.all(Array.from({ length: 15 }, () => requests.head('a', {})))
    expect(asked.length).toBe(15)
  })

  ofOwnConnections(() => {
    it('that were all closed by the store while they were idle are not tried one after another', async () => {
      const gone = new WeakSet<Socket>()
      const heads: Socket[] = []
      const { requests, connections } = await meeting(
        async (each) => {
          heads.push(each.socket)
          if (gone.has(each.socket)) return each.socket.resetAndDestroy()
          await sleep(20)
          return answerWell(each)
        },
        { retries: 0 },
      )
      await Promise.all(Array.from({ length: 20 }, () => requests.head('a', {})))
      expect(connections.open).toBe(20)
      for (const socket of heads) gone.add(socket)
      await requests.head('a', {})
      expect(heads.length - 20).toBe(3)
      expect(connections.open).toBe(1)
    })
  })

  it('of downloads that are destroyed are given back', async () => {
    const { requests, connections, transport } = await meeting(
      ({ response }) => response.writeHead(200, { ...facts, 'content-length': '1000000' }).write(Buffer.alloc(200_000)),
      { maxSockets: 2 },
    )
    for (let i = 0; i < 20; i++) (await requests.get('a', {})).stream.destroy()
    await until(() => connections.open === 0 && transport.load.taken === 0)
  })

  it('to a store that nobody vouches for are not made, and not tried again', async () => {
    const store = await scriptedStore(answerWell, { pair: await certificate() })
    closing.push(() => store.close())
    const { requests, transport } = lean({ endpoint: store.origin })
    const { error } = await ending(requests.put('a', BYTES, {}))
    expect(error).toMatchObject({ code: 'configuration', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', attempts: 1 } })
    expect([store.asked.length, store.connections.opened]).toEqual([0, 1])
    await until(() => transport.load.taken === 0)
  })

  it('that the store closes are not used again', async () => {
    const { requests, connections, asked } = await meeting(({ response }) => {
      response.writeHead(200, { ...facts, connection: 'close', 'content-length': '5' }).end()
    })
    for (let i = 0; i < 3; i++) await requests.head('a', {})
    expect([asked.length, connections.opened]).toEqual([3, 3])
  })

  ofOwnConnections(() => {
    it('that the store says it will close are closed before', async () => {
      const { requests, connections } = await meeting((asked) => {
        asked.response.setHeader('keep-alive', 'timeout=2')
        return answerWell(asked)
      })
      await requests.head('a', {})
      expect(connections.open).toBe(1)
      await until(() => connections.open === 0)
    })

    it('are all closed with the disk: idle ones, and those in use, whose requests end', async () => {
      const { requests, connections, transport, asked } = await meeting(
        (each) => (each.url.endsWith('hold') ? undefined : answerWell(each)),
        { maxSockets: 3 },
      )
      await Promise.all([requests.head('a', {}), requests.head('b', {})])
      const held = ['hold', 'x/hold', 'y/hold', 'z/hold'].map((key) => ending(requests.put(key, BYTES, {})))
      await until(() => asked.length === 5 && transport.load.waiting === 1)
      requests.close()
      for (const { error } of await Promise.all(held)) {
        expect(error).toMatchObject({
          code: 'unavailable',
          retryable: false,
          reason: 'the disk was closed while the request was under way',
        })
      }
      await until(() => connections.open === 0 && transport.load.taken === 0)
      expect(asked.length).toBe(5)
      await requests.head('a', {}) // A later request opens a new one.
      expect(connections.open).toBe(1)
    })
  })

  it('are not waited for once the disk is closed: a request between two attempts ends', async () => {
    const { requests, asked } = await meeting((each) => answerError(each, 503, 'SlowDown', { headers: { 'retry-after': '30' } }))
    const asking = ending(requests.head('a', {}))
    await until(() => asked.length === 1)
    await sleep(20)
    requests.close()
    expect((await asking).error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(asked.length).toBe(1)
  })

  it('keep no process alive', async () => {
    const store = await scriptedStore(answerWell)
    closing.push(() => store.close())
    const source = `
      import { S3Driver } from ${JSON.stringify(new URL('../../../src/drivers/s3/s3-driver.ts', import.meta.url).href)}
      const driver = new S3Driver({ bucket: 'b', endpoint: ${JSON.stringify(store.origin)}, pathStyle: true, key: 'k', secret: 's' })
      await driver.stat('a', {})
      await driver.stat('a', {})
      console.log('done')`
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '--input-type=module', '-e', source])
    expect(stdout).toBe('done\n')
  })
})

describe('answers of other kinds', () => {
  const HEAD = `etag: ${ETAG}\r\nlast-modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n`
  const LISTING = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'

  it('HTTP/1.0', async () => {
    const store = await bare((head, socket) => {
      const body = head.includes('list-type') ? LISTING : 'hello'
      socket.end(`HTTP/1.0 200 OK\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n${head.startsWith('HEAD') ? '' : body}`)
    })
    const { requests } = lean({ endpoint: store.origin, retries: 0 })
    expect((await requests.head('a', {})).contentLength).toBe(5)
    expect(Buffer.from(await collect(piecesOf((await requests.get('a', {})).stream))).toString()).toBe('hello')
    expect((await requests.list({ prefix: '', delimited: false, limit: 9 })).truncated).toBe(false)
    expect(store.connections).toBe(3)
  })

  it('a listing in chunks, and one that ends with its connection', async () => {
    let asked = 0
    const store = await bare((_head, socket) => {
      if (asked++ === 0)
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${LISTING.length.toString(16)}\r\n${LISTING}\r\n0\r\n\r\n`)
      else socket.end(`HTTP/1.1 200 OK\r\n\r\n${LISTING}`)
    })
    const { requests } = lean({ endpoint: store.origin, retries: 0 })
    for (let i = 0; i < 2; i++) expect((await requests.list({ prefix: '', delimited: false, limit: 9 })).truncated).toBe(false)
    requests.close()
  })

  it('a download that does not tell its length is refused, and its connection given back', async () => {
    const { requests, transport, connections } = await meeting(({ response }) => response.writeHead(200, facts).write('hello'))
    expect((await ending(requests.get('a', {}))).error).toMatchObject({ code: 'unavailable', retryable: false })
    await until(() => transport.load.taken === 0 && connections.open === 0)
  })

  it('more bytes than were announced are not taken for the answer to the next request', async () => {
    const store = await bare((head, socket) => {
      const extra = head.includes('/first') ? 'EVIL' : ''
      socket.write(`HTTP/1.1 200 OK\r\n${HEAD}Content-Length: 5\r\n\r\nhello${extra}`)
    })
    const { requests } = lean({ endpoint: store.origin })
    const { outcome } = await ending(requests.get('first', {}).then(({ stream }) => collect(piecesOf(stream))))
    expect(outcome).toMatch(/^(ok|HPE_\w+)$/)
    expect(Buffer.from(await collect(piecesOf((await requests.get('second', {})).stream))).toString()).toBe('hello')
    requests.close()
  })

  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'],
    ['nothing', ''],
  ])('%s is an error, and no connection stays', async (_title, text) => {
    let open = 0
    const store = await bare((_head, socket) => {
      open++
      socket.on('close', () => open--)
      if (text === '') socket.end()
      else socket.write(text)
    })
    const { requests, transport } = lean({ endpoint: store.origin, retries: 0 })
    expect((await ending(requests.get('a', {}))).outcome).toBe('unavailable')
    await until(() => open === 0 && transport.load.taken === 0)
  })
})

describe('an agent of the user', () => {
  it('makes the connections, and is not closed', async () => {
    const agent = new Agent({ keepAlive: true })
    let made = 0
    const create = agent.createConnection.bind(agent)
    agent.createConnection = (...given: Parameters<typeof create>) => (made++, create(...given))
    const { requests, connections } = await meeting(answerWell, { agent })
    await requests.head('a', {})
    await requests.head('a', {})
    requests.close()
    await requests.head('a', {})
    expect([made, connections.opened, connections.open]).toEqual([1, 1, 1])
    agent.destroy()
  })

  it('of the other protocol is told as such', async () => {
    const { requests, transport } = lean({ endpoint: 'https://127.0.0.1:1', agent: new Agent() })
    expect((await ending(requests.head('a', {}))).error).toMatchObject({
      code: 'configuration',
      cause: { code: 'ERR_INVALID_PROTOCOL' },
    })
    const other = lean({ endpoint: 'http://127.0.0.1:1', agent: new SecureAgent() })
    expect((await ending(other.requests.head('a', {}))).outcome).toBe('configuration')
    expect([transport.load.taken, other.transport.load.taken]).toEqual([0, 0])
  })

  it('leads through a proxy', async () => {
    const pair = await certificate()
    const store = await scriptedStore(answerWell, { pair })
    const wanted: string[] = []
    const proxy = createHttpServer()
    proxy.on('connect', (request, client) => {
      wanted.push(request.url ?? '')
      const behind = connect(store.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        behind.pipe(client).pipe(behind)
      })
      for (const each of [behind, client]) each.on('error', () => undefined)
    })
    const proxyPort = await listenAnywhere(proxy)
    class Tunnel extends SecureAgent {
      override createConnection(
        options: { host?: string; port?: number },
        done?: (error: Error | null, socket: Socket) => void,
      ): undefined {
        const { host = '', port = 443 } = options
        requestHttp({ port: proxyPort, method: 'CONNECT', path: `${host}:${port}` })
          .on('connect', (_answer, socket) => done?.(null, secure({ socket, servername: host, rejectUnauthorized: false })))
          .on('error', (error) => done?.(error, undefined as never))
          .end()
        return undefined
      }
    }
    const agent = new Tunnel({ keepAlive: true })
    const { requests } = lean({ endpoint: 'https://store.example.com', agent, retries: 0 })
    await requests.put('a', BYTES, { ifAbsent: true })
    expect((await requests.head('a', {})).contentLength).toBe(5)
    expect(wanted).toEqual(['store.example.com:443'])
    agent.destroy()
    await store.close()
    proxy.closeAllConnections()
    await new Promise((resolve) => proxy.close(resolve))
    const { error } = await ending(requests.head('a', {}))
    expect(error).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNREFUSED' } })
  })
})
