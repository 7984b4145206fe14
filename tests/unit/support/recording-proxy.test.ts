import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import { listen } from '../../support/listen.ts'
import { recordingProxy } from '../../support/recording-proxy.ts'

const BODY = randomBytes(100_000)
let cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups) await cleanup()
  cleanups = []
})

describe('a recording proxy', () => {
  it('writes down what was asked, and passes it on', async () => {
    const server = await listen((req, res) => void buffer(req).then((body) => res.writeHead(201, { 'x-length': body.length }).end('done')))
    const proxy = await recordingProxy({ upstream: server.origin })
    cleanups = [() => proxy.close(), () => server.close()]
    const response = await fetch(`${proxy.endpoint}/b/a%20b?x=1&y=%2F`, { method: 'PUT', body: BODY, headers: { 'X-Thing': 'ö' } })
    expect([response.status, response.headers.get('x-length'), await response.text()]).toEqual([201, '100000', 'done'])
    expect(proxy.requests).toHaveLength(1)
    expect(proxy.requests[0]).toMatchObject({
      method: 'PUT',
      url: '/b/a%20b?x=1&y=%2F',
      path: '/b/a%20b',
      headers: expect.objectContaining({ 'x-thing': 'ö', 'content-length': '100000' }),
      size: BODY.length,
      sha256: createHash('sha256').update(BODY).digest('hex'),
    })
    expect(proxy.requests[0]?.query.get('y')).toBe('/')
    expect(proxy.requests[0]?.body.equals(BODY.subarray(0, 65_536))).toBe(true)
  })

  it('answers itself what it has an answer to', async () => {
    const server = await listen((_req, res) => void res.end('server'))
    const proxy = await recordingProxy({
      upstream: server.origin,
      answer: ({ path }) => (path === '/mine' ? { status: 418, headers: { etag: '"1"' }, body: 'proxy' } : undefined),
    })
    cleanups = [() => proxy.close(), () => server.close()]
    const mine = await fetch(`${proxy.endpoint}/mine`, { method: 'POST', body: 'text' })
    expect([mine.status, mine.headers.get('etag'), await mine.text()]).toEqual([418, '"1"', 'proxy'])
    expect(await (await fetch(`${proxy.endpoint}/other`)).text()).toBe('server')
    expect(proxy.requests.map(({ method, url, size }) => [method, url, size])).toEqual([
      ['POST', '/mine', 4],
      ['GET', '/other', 0],
    ])
  })

  it('needs no server, and answers by what the body says', async () => {
    const proxy = await recordingProxy({ answer: ({ body }) => (String(body) === 'known' ? { status: 200, body } : undefined) })
    cleanups = [() => proxy.close()]
    expect(await (await fetch(proxy.endpoint, { method: 'PUT', body: 'known' })).text()).toBe('known')
    expect((await fetch(proxy.endpoint, { method: 'PUT', body: 'else' })).status).toBe(501)
  })
})
