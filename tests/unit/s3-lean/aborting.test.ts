import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { listenAnywhere } from '../../support/forwarding.ts'
import {
  answerError,
  answerWell,
  closedAfterEach,
  meetings,
  type Meeting,
  ending,
  ETAG,
  lean,
  type Script,
  until,
  piecesOf,
} from './scripted-store.ts'

const BYTES = Buffer.from('hello')
const LARGE = Buffer.alloc(32 * 1024 * 1024)
const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }
const REASON = { what: 'the reason itself' }
const closing = closedAfterEach()
const meet = meetings(closing)

interface Met extends Meeting {
  readonly controller: AbortController
  readonly signal: AbortSignal
}

async function meeting(...given: Parameters<typeof meet>): Promise<Met> {
  const controller = new AbortController()
  return { ...(await meet(...given)), controller, signal: controller.signal }
}

/** A claim that comes true, while a request is under way; then an abort, which has to end it at once. */
async function abortedWhen(
  claim: () => boolean,
  { controller, transport }: Pick<Met, 'controller' | 'transport'>,
  asking: Promise<unknown>,
): Promise<void> {
  const settled = ending(asking)
  await until(claim)
  controller.abort(REASON)
  expect((await settled).error).toBe(REASON)
  await until(() => transport.load.taken === 0 && transport.load.waiting === 0)
}

describe('an abort', () => {
  it('before a request is made ends it before anything is asked', async () => {
    const { requests, asked, connections, transport } = await meeting(answerWell)
    const signal = AbortSignal.abort(REASON)
    expect((await ending(requests.put('a', BYTES, { signal }))).error).toBe(REASON)
    expect((await ending(requests.list({ prefix: '', delimited: false, limit: 1, signal }))).error).toBe(REASON)
    expect([asked.length, connections.opened, transport.load.taken]).toEqual([0, 0, 0])
  })

  it('in the turn in which it is made leaves nothing', async () => {
    const { requests, asked, transport, controller, signal } = await meeting(answerWell)
    await requests.head('a', {})
    const asking = Array.from({ length: 20 }, () => ending(requests.head('a', { signal })))
    controller.abort(REASON)
    for (const { error } of await Promise.all(asking)) expect(error).toBe(REASON)
    await until(() => transport.load.taken === 0)
    expect(asked.length).toBeLessThan(21)
    await requests.head('a', {})
  })

  it('while credentials are loaded', async () => {
    let isAsked = false
    const credentials = () => new Promise<never>(() => void (isAsked = true))
    const met = await meeting(answerWell, { credentials })
    await abortedWhen(() => isAsked, met, met.requests.head('a', { signal: met.signal }))
    expect(met.connections.opened).toBe(0)
  })

  it('while the address is looked for', async () => {
    const { settings } = lean({})
    const { Transport } = await import('../../../src/drivers/s3/lean/transport.ts')
    const { Credentials } = await import('../../../src/drivers/s3/lean/credentials.ts')
    const credentials = new Credentials({ accessKeyId: 'k', secretAccessKey: 's' }, { bucket: 'b' })
    const transport = new Transport({ settings, credentials, address: () => new Promise(() => undefined) })
    const controller = new AbortController()
    const request = { method: 'GET', path: '', query: '', headers: {}, signal: controller.signal } as const
    await abortedWhen(
      () => true,
      { controller, transport },
      transport.send(request, () => undefined),
    )
  })

  it('in the queue leaves its place to the next', async () => {
    const met = await meeting(
      ({ url, response }) =>
        url.endsWith('hold') ? response.writeHead(200, { ...facts, 'content-length': '5' }).flushHeaders() : response.writeHead(204).end(),
      {
        maxSockets: 1,
      },
    )
    const { stream } = await met.requests.get('hold', {})
    const later = ending(Promise.resolve().then(() => met.requests.delete('later', {})))
    const settled = ending(met.requests.delete('a', { signal: met.signal }))
    await until(() => met.transport.load.waiting === 2)
    met.controller.abort(REASON)
    expect((await settled).error).toBe(REASON)
    expect(met.transport.load).toEqual({ taken: 1, waiting: 1 })
    stream.destroy()
    expect((await later).outcome).toBe('ok')
    expect(met.asked.map(({ url }) => url)).toEqual(['/bucket/hold', '/bucket/later'])
  })

  it('while it connects', async () => {
    const { Agent } = await import('node:http')
    let isAsked = false
    class Stuck extends Agent {
      override createConnection(): undefined {
        isAsked = true
        return undefined
      }
    }
    const met = await meeting(answerWell, { agent: new Stuck() })
    await abortedWhen(() => isAsked, met, met.requests.head('a', { signal: met.signal }))
  })

  it('while the connection is secured', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
      socket.resume()
    })
    const port = await listenAnywhere(server)
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const controller = new AbortController()
    const { requests, transport } = lean({ endpoint: `https://127.0.0.1:${port}` })
    await abortedWhen(() => sockets.size === 1, { controller, transport }, requests.put('a', BYTES, { signal: controller.signal }))
    await until(() => sockets.size === 0)
  })

  const stages: readonly (readonly [title: string, script: Script, ask: (met: Met) => Promise<unknown>])[] = [
    [
      'while a body is sent',
      ({ request, method, response }) =>
        method === 'HEAD' ? response.writeHead(200, { ...facts, 'content-length': '5' }).end() : request.pause(),
      ({ requests, signal }) => requests.put('a', LARGE, { signal }),
    ],
    [
      'while the store should say that it may be sent',
      () => undefined,
      ({ requests, signal }) => requests.put('a', LARGE, { ifAbsent: true, signal }),
    ],
    ['while it waits for an answer', () => undefined, ({ requests, signal }) => requests.head('a', { signal })],
    ['after a body was sent', ({ body }) => body(), ({ requests, signal }) => requests.put('a', BYTES, { ifAbsent: true, signal })],
    [
      'while the rest of an answer goes by',
      async ({ body, response }) => {
        await body()
        response.writeHead(200, { ...facts, 'content-length': '10' }).write('hello')
      },
      ({ requests, signal }) => requests.put('a', BYTES, { signal }),
    ],
    [
      'in the middle of the headers',
      ({ socket }) => socket.write('HTTP/1.1 200 OK\r\netag: "1"\r\n'),
      ({ requests, signal }) => requests.get('a', { signal }),
    ],
    [
      'in the middle of a listing',
      ({ response }) => response.write('<ListBucketResult><Contents>'),
      ({ requests, signal }) => requests.list({ prefix: '', delimited: false, limit: 9, signal }),
    ],
    [
      'in the middle of an error',
      ({ response }) => response.writeHead(503).write('<Error><Code>'),
      ({ requests, signal }) => requests.delete('a', { signal }),
    ],
    [
      'in the middle of the answer to a copy',
      ({ response }) => response.write('<?xml version="1.0"?>   '),
      ({ requests, signal }) => requests.copy('a', 'b', { replace: false, signal }),
    ],
  ]

  it.each(stages)('%s', async (_title, script, ask) => {
    const met = await meeting(script)
    const asking = ask(met)
    await abortedWhen(() => met.asked.length === 1, met, asking)
    await until(() => met.connections.open === 0)
  })

  it('in the middle of a body', async () => {
    const met = await meeting(({ response }) => response.writeHead(200, { ...facts, 'content-length': '10' }).write('hello'))
    const { stream } = await met.requests.get('a', { signal: met.signal })
    const reading = (async () => {
      for await (const chunk of piecesOf(stream)) if (Buffer.from(chunk).toString() === 'hello') met.controller.abort(REASON)
    })()
    expect((await ending(reading)).error).toBe(REASON)
    await until(() => met.connections.open === 0 && met.transport.load.taken === 0)
  })

  it('of a body that nobody has begun to read', async () => {
    const met = await meeting(({ response }) => response.writeHead(200, { ...facts, 'content-length': '10' }).write('hello'))
    await met.requests.get('a', { signal: met.signal })
    met.controller.abort(REASON)
    await until(() => met.connections.open === 0 && met.transport.load.taken === 0)
  })

  it('between two attempts', async () => {
    const met = await meeting((asked) => answerError(asked, 503, 'SlowDown', { headers: { 'retry-after': '30' } }))
    const asking = met.requests.head('a', { signal: met.signal })
    await abortedWhen(() => met.asked.length === 1 && met.transport.load.taken === 0, met, asking)
    expect(met.asked.length).toBe(1)
  })

  it.each([undefined, null, 'stop', 0, new Error('stop')])('with %p as its reason', async (reason) => {
    const met = await meeting(({ response }) => response.write('<ListBucketResult>'))
    const asking = ending(met.requests.list({ prefix: '', delimited: false, limit: 9, signal: met.signal }))
    await until(() => met.asked.length === 1)
    met.controller.abort(reason)
    const { error } = await asking
    expect(error).toBe(met.signal.reason)
    await until(() => met.connections.open === 0 && met.transport.load.taken === 0)
  })

  it('afterwards changes nothing, and nothing waits for it', async () => {
    const met = await meeting(answerWell)
    let listeners = 0
    const { signal } = met
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...given: Parameters<typeof add>) => (listeners++, add(...given))
    signal.removeEventListener = (...given: Parameters<typeof remove>) => (listeners--, remove(...given))
    await met.requests.head('a', { signal })
    await met.requests.put('a', BYTES, { signal })
    await until(() => met.transport.load.taken === 0)
    expect(listeners).toBe(0)
    met.controller.abort(REASON)
    expect(met.connections.open).toBe(1)
    await met.requests.head('a', {})
    expect(met.connections.opened).toBe(1)
  })

  it('of a thousand requests leaves no connection and no turn taken', async () => {
    const met = await meeting(() => undefined, { maxSockets: 20 })
    const outcomes = Array.from({ length: 1_000 }, (_, i) => {
      const ask = i % 2 === 0 ? met.requests.put('a', BYTES, { signal: met.signal }) : met.requests.get('a', { signal: met.signal })
      return ending(ask)
    })
    await until(() => met.asked.length === 20)
    expect(met.transport.load).toEqual({ taken: 20, waiting: 980 })
    met.controller.abort(REASON)
    for (const { error } of await Promise.all(outcomes)) expect(error).toBe(REASON)
    await until(() => met.connections.open === 0 && met.transport.load.taken === 0)
    expect(met.connections.opened).toBe(20)
    expect(met.transport.load.waiting).toBe(0)
  })
})
