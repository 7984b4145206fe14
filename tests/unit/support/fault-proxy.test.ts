import { createHash, randomBytes } from 'node:crypto'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type FaultProxy, faultProxy, slowDown } from '../../support/fault-proxy.ts'
import { listen, type Listening } from '../../support/listen.ts'

const BODY = randomBytes(300_000)

interface Seen {
  readonly method: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

let server: Listening
let seen: Seen[]
let broken: number
let proxy: FaultProxy
let agent: Agent

beforeEach(async () => {
  seen = []
  broken = 0
  agent = new Agent({ keepAlive: true })
  server = await listen((req, res) => {
    buffer(req).then(
      (body) => {
        seen.push({ method: req.method ?? '', rawHeaders: req.rawHeaders, body })
        res.writeHead(200, { 'content-length': BODY.length, 'X-Answer': 'yes' }).end(BODY)
      },
      () => void broken++,
    )
  })
  proxy = await faultProxy(server.origin)
})

afterEach(async () => {
  agent.destroy()
  await proxy.close()
  await server.close()
})

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly body?: Buffer
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

function ask({ method = 'GET', path = '/a?b=%20', body, headers = {}, signal }: Asked = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(`${proxy.endpoint}${path}`, { agent, method, headers, signal }).on('response', resolve).on('error', reject).end(body)
  })
}

async function get(asked?: Asked): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }> {
  const response = await ask(asked)
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

describe('a fault proxy', () => {
  it('passes requests and answers on as they are, headers in their spelling and order, over connections that stay', async () => {
    const headers = { Host: 'store.test', 'X-B': '2', 'x-a': '1', 'Content-Length': String(BODY.length) }
    for (let round = 0; round < 12; round++) {
      const { status, headers: answered, body } = await get({ method: 'PUT', path: '/x?y=%20', body: BODY, headers })
      expect([status, answered['x-answer'], answered['content-length']]).toEqual([200, 'yes', String(BODY.length)])
      expect(answered).not.toHaveProperty('transfer-encoding')
      expect(body.equals(BODY)).toBe(true)
    }
    expect(seen[0]?.body.equals(BODY)).toBe(true)
    expect(seen[0]?.rawHeaders.slice(0, 8)).toEqual(Object.entries(headers).flat())
    expect(proxy.requests).toEqual(Array.from({ length: 12 }, () => 'PUT /x?y=%20'))
    expect(proxy.connections).toMatchObject({ opened: 1, open: 1 })
    agent.destroy()
    while (proxy.connections.open > 0) await sleep(1)
  })

  it('passes chunked bodies on', async () => {
    const { status } = await get({ method: 'PUT', body: BODY, headers: { 'Transfer-Encoding': 'chunked' } })
    expect([status, seen[0]?.body.equals(BODY)]).toEqual([200, true])
  })

  it('breaks what is wanted, as often as it is wanted', async () => {
    proxy.inject({ method: 'PUT', path: /^\/wanted/, skip: 1, times: 2 }, slowDown('s3', 3))
    const asked = [['GET', '/wanted'], ['PUT', '/other'], ...Array.from({ length: 4 }, () => ['PUT', '/wanted'])] as const
    const statuses: unknown[] = []
    for (const [method, path] of asked) statuses.push((await get({ method, path })).status)
    expect(statuses).toEqual([200, 200, 200, 503, 503, 200])
    expect([proxy.faulted, seen.length]).toEqual([2, 4])
  })

  it('answers as an overloaded store does', async () => {
    for (const store of ['s3', 'gcs', 'azure'] as const) proxy.inject({}, slowDown(store, 7))
    const [s3, gcs, azure] = [await get(), await get(), await get()]
    expect([s3.status, s3.headers['retry-after'], String(s3.body)]).toEqual([503, '7', expect.stringContaining('<Code>SlowDown</Code>')])
    expect([gcs.status, gcs.headers['retry-after'], JSON.parse(String(gcs.body))]).toMatchObject([429, '7', { error: { code: 429 } }])
    expect([azure.status, azure.headers['x-ms-error-code']]).toEqual([503, 'ServerBusy'])
    expect(seen).toEqual([])
  })

  it('resets in the middle of a request, which the server never gets whole', async () => {
    proxy.inject({}, { resetRequest: 100_000 })
    await expect(get({ method: 'PUT', body: BODY, headers: { 'Content-Length': String(BODY.length) } })).rejects.toMatchObject({
      code: /ECONNRESET|EPIPE/,
    })
    while (broken === 0) await sleep(1)
    expect(seen).toEqual([])
  })

  it('resets in the middle of an answer', async () => {
    proxy.inject({}, { resetResponse: 1_000 })
    const response = await ask()
    const parts: Buffer[] = []
    const error: unknown = await (async () => {
      for await (const part of response) parts.push(part as Buffer)
    })().catch((error: unknown) => error)
    expect([response.statusCode, codeOf(error)]).toEqual([200, 'ECONNRESET'])
    expect(Buffer.concat(parts).equals(BODY.subarray(0, 1_000))).toBe(true)
  })

  it('ends an answer too early', async () => {
    proxy.inject({}, { truncate: 1_000 })
    const response = await ask()
    expect(codeOf(await buffer(response).catch((error: unknown) => error))).toBe('ECONNRESET')
    expect(response.headers['content-length']).toBe(String(BODY.length))
  })

  it('flips a bit of an answer or of a request', async () => {
    proxy.inject({}, { corruptResponse: 100_001 })
    const { body } = await get()
    expect([...body.entries()].filter(([index, byte]) => byte !== BODY[index]).map(([index]) => index)).toEqual([100_001])
    proxy.inject({}, { corruptRequest: 0 })
    await get({ method: 'PUT', body: BODY })
    const received = seen.at(-1)?.body ?? Buffer.alloc(0)
    expect([received.length, received[0], received.subarray(1).equals(BODY.subarray(1))]).toEqual([BODY.length, (BODY[0] ?? 0) ^ 1, true])
  })

  it('falls silent before, or in the middle of, an answer', async () => {
    proxy.inject({}, { stallRequest: 0 })
    await expect(get({ signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect(seen).toEqual([])
    proxy.inject({}, { stallResponse: 1_000 })
    const response = await ask()
    let received = 0
    response.on('data', (part: Buffer) => void (received += part.length)).on('error', () => {})
    await sleep(100)
    expect(received).toBe(1_000)
    response.destroy()
    while (proxy.connections.open > 0) await sleep(1)
  })

  it('loses an answer', async () => {
    proxy.inject({}, { loseAnswer: true })
    await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(seen).toHaveLength(1)
  })

  it('drips', async () => {
    proxy.inject({}, { dripBytesPerSecond: BODY.length * 10 })
    const response = await ask()
    const hash = createHash('sha256')
    let largest = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      hash.update(part)
      largest = Math.max(largest, part.length)
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(BODY).digest('hex'))
    expect(largest).toBeLessThan(BODY.length)
  })
})
