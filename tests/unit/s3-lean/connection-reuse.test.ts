import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createServer, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { listenAnywhere } from '../../support/forwarding.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import { answerText, bareStore, type BareRequest } from './bare-store.ts'
import { closedAfterEach, ending, lean, piecesOf, until } from './scripted-store.ts'

const closing = closedAfterEach()
let pair: { key: Buffer; cert: Buffer }

beforeAll(async () => {
  pair = await certificate()
})

const answerHead = ({ socket }: BareRequest, headers = ''): void => void socket.write(`HTTP/1.1 200 OK\r\n${headers}${HEAD_OF_FIVE}`)
const HEAD_OF_FIVE = answerText(200, '', 'hello').slice('HTTP/1.1 200 Said\r\n'.length, -'hello'.length)

describe.each([
  ['TCP', false],
  ['TLS', true],
])('over %s', (_name, secure) => {
  const meeting = async (answer: (request: BareRequest) => void, maxSockets = 8) => {
    const store = await bareStore(closing, answer, { ...(secure && { pair }) })
    const made = lean({ endpoint: store.origin, maxSockets, retries: 0, ...(secure && { tls: { ca: pair.cert } }) })
    closing.unshift(() => made.requests.close())
    return { ...store, ...made }
  }

  const surprises: readonly (readonly [what: string, surprise: (socket: BareRequest['socket']) => void])[] = [
    ['closed', (socket) => socket.end()],
    ['cut', (socket) => socket.destroy()],
    ['told more', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 7777\r\n\r\n')],
  ]
  it.each(surprises)('a connection that is %s while it is idle answers nobody', async (_what, surprise) => {
    const { requests, connections, open, transport } = await meeting((request) => {
      request.socket.setNoDelay(true)
      answerHead(request)
      setTimeout(() => surprise(request.socket), 2)
    })
    for (let i = 0; i < 12; i++) {
      expect((await requests.head('a', {})).contentLength).toBe(5)
      await until(() => open.size === 0)
    }
    expect(connections.length).toBe(12)
    expect(transport.load.taken).toBe(0)
  })

  it.each(surprises.slice(0, 2))('a connection that is %s just when it is used again costs nobody his answer', async (_what, surprise) => {
    const { requests, connections, transport } = await meeting((request) => {
      request.socket.setNoDelay(true)
      answerHead(request)
      setTimeout(() => surprise(request.socket), connections.length % 4)
    })
    for (let i = 0; i < 40; i++) {
      expect((await requests.head('a', {})).contentLength).toBe(5)
      await sleep(i % 3)
    }
    await until(() => transport.load.taken === 0)
  })

  it('every caller keeps his own context, whoever opened the connection', async () => {
    const { requests, connections } = await meeting((request) => {
      if (request.head.startsWith('HEAD')) answerHead(request)
      else request.socket.write(answerText(200, '', 'x'.repeat(100_000)))
    }, 2)
    const context = new AsyncLocalStorage<number>()
    const seen: boolean[] = []
    const callers = Array.from({ length: 12 }, (_, i) =>
      context.run(i, async () => {
        await requests.head('a', {})
        seen.push(context.getStore() === i)
        for await (const _piece of piecesOf((await requests.get('a', {})).stream)) seen.push(context.getStore() === i)
      }),
    )
    await Promise.all(callers)
    expect(connections.length).toBe(2)
    expect(seen.length).toBeGreaterThan(24)
    expect(seen).not.toContain(false)
  })

  it('a disk that is closed again and again loses what was under way, and nothing else', async () => {
    const { requests, transport, open } = await meeting((request) => {
      if (request.head.startsWith('HEAD')) answerHead(request)
      else request.socket.write(answerText(200, '', request.head.startsWith('PUT') ? '' : 'x'.repeat(200_000)))
    })
    const outcomes = new Set<string>()
    let isOver = false
    const closer = (async () => {
      for (let i = 0; !isOver; i++) {
        await sleep(i % 7)
        requests.close()
      }
    })()
    const ask = async (i: number): Promise<void> => {
      if (i % 3 === 0) await requests.head('a', {})
      else if (i % 3 === 1) await requests.put('a', Buffer.alloc(i % 2 === 0 ? 10 : 300_000), {})
      else {
        let length = 0
        for await (const piece of piecesOf((await requests.get('a', {})).stream)) length += piece.byteLength
        if (length !== 200_000) throw new Error(`${length} bytes`)
      }
    }
    await Promise.all(
      Array.from({ length: 10 }, async (_, worker) => {
        for (let i = 0; i < 20; i++) outcomes.add((await ending(ask(worker + i))).outcome)
      }),
    )
    isOver = true
    await closer
    await until(() => transport.load.taken === 0 && transport.load.waiting === 0 && open.size === 0)
    outcomes.delete('ok')
    outcomes.delete('ECONNRESET') // what a body says before the driver has translated it
    expect([...outcomes]).toEqual(['unavailable'])
    expect((await requests.head('a', {})).contentLength).toBe(5)
  })

  it('a request keeps the process alive, also over a connection that was idle; an idle one does not', async () => {
    const store = await bareStore(closing, (request) => void setTimeout(() => answerHead(request), 60), { ...(secure && { pair }) })
    const source = `
      import { S3Driver } from ${JSON.stringify(new URL('../../../src/drivers/s3/s3-driver.ts', import.meta.url).href)}
      const driver = new S3Driver({
        bucket: 'b', endpoint: ${JSON.stringify(store.origin)}, pathStyle: true, key: 'k', secret: 's', tls: { rejectUnauthorized: false },
      })
      for (let i = 0; i < 3; i++) console.log((await driver.stat('a', {})).size)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '--input-type=module', '-e', source])
    expect(stdout).toBe('5\n5\n5\n')
    expect(store.connections.length).toBe(1)
  })

  it.each([
    ['timeout=0', 3],
    ['timeout=1', 3],
    ['timeout=2', 1],
    ['timeout=99999999999999999999', 1],
    ['nonsense', 1],
  ])('of three requests, %s leaves %d connections', async (said, count) => {
    const { requests, connections } = await meeting((request) => answerHead(request, `Keep-Alive: ${said}\r\n`))
    for (let i = 0; i < 3; i++) await requests.head('a', {})
    expect(connections.length).toBe(count)
  })
})

describe('a store that is known', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is trusted again without its certificate, over %s', async (maxVersion) => {
    const isResumed: boolean[] = []
    const { origin } = await bareStore(
      closing,
      (request) => {
        answerHead(request, 'Connection: close\r\n')
        request.socket.end()
      },
      { pair, connected: (socket) => void isResumed.push((socket as TLSSocket).isSessionReused()) },
    )
    const { requests, transport } = lean({ endpoint: origin, tls: { ca: pair.cert, maxVersion } })
    for (let i = 0; i < 3; i++) {
      await requests.head('a', {})
      await until(() => transport.load.taken === 0)
    }
    expect(isResumed).toEqual([false, true, true])
  })

  it.each([
    ['a certificate that is none', { cert: 'nonsense', key: 'nonsense' }],
    ['a port that is none', { port: 99_999 }],
    ['a version that is none', { minVersion: 'TLSv9' as 'TLSv1.3' }],
  ])('is never asked with %s, and the error does not say so', async (_what, tls) => {
    const { requests, transport } = lean({ endpoint: 'https://127.0.0.1:1', tls })
    const { error } = await ending(requests.put('a', Buffer.from('hello'), { ifAbsent: true }))
    expect(error).toMatchObject({ code: 'configuration', cause: { attempts: 1 } })
    expect(String(error)).not.toContain('not known')
    expect(transport.load).toEqual({ taken: 0, waiting: 0 })
  })

  it('by another name is not trusted', async () => {
    const isResumed: boolean[] = []
    const connected = (socket: Socket): void => void isResumed.push((socket as TLSSocket).isSessionReused())
    const { origin } = await bareStore(closing, (request) => answerHead(request), { pair, connected })
    const port = Number(new URL(origin).port)
    const { requests, transport } = lean({
      endpoint: 'https://store.example.com',
      tls: { ca: pair.cert, host: '127.0.0.1', port },
    })
    for (let i = 0; i < 2; i++)
      expect((await ending(requests.head('a', {}))).error).toMatchObject({
        code: 'configuration',
        cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      })
    await until(() => transport.load.taken === 0)
    expect(isResumed).not.toContain(true)
  })

  it('whose answer arrives damaged has broken off: what may be repeated is, over another connection', async () => {
    let isAnswering = false
    let isDamaged = false
    const answer = ({ socket, head }: BareRequest): void => {
      if (head.startsWith('HEAD')) answerHead({ socket, head, body: Buffer.alloc(0) })
      else socket.write(answerText(200, '', 'hello').slice(0, -5), () => setTimeout(() => socket.write('hello'), 20))
    }
    const store = await bareStore(closing, answer, { pair })
    const between = createServer((socket) => {
      const behind = connect(Number(new URL(store.origin).port), '127.0.0.1')
      socket.on('data', (chunk) => behind.write(chunk))
      behind.on('data', (chunk: Buffer) => {
        if (isAnswering && !isDamaged && chunk.length < 100) {
          isDamaged = true
          chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1)
        }
        socket.write(chunk)
      })
      for (const each of [socket, behind]) each.on('error', () => undefined).on('close', () => (socket.destroy(), behind.destroy()))
    })
    const port = await listenAnywhere(between)
    closing.push(() => new Promise((resolve) => between.close(resolve)))
    const { requests } = lean({ endpoint: store.origin, tls: { ca: pair.cert, host: '127.0.0.1', port } })
    closing.unshift(() => requests.close())
    await requests.head('a', {})
    isAnswering = true
    expect((await requests.get('a', { eager: true })).bytes).toEqual(Buffer.from('hello'))
    expect([isDamaged, store.connections.length]).toEqual([true, 2])
  })
})

it('an endpoint that speaks something else is told as such', async () => {
  const { origin } = await bareStore(closing, ({ socket }) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'))
  const { requests, transport } = lean({ endpoint: origin, retries: 0 })
  const { error } = await ending(requests.head('a', {}))
  expect(error).toMatchObject({ code: 'unavailable', cause: { code: 'EBADMSG', message: 'the answer cannot be read: it is not HTTP/1' } })
  expect(String(error)).toContain('look at "endpoint", its scheme')
  await until(() => transport.load.taken === 0)
})
