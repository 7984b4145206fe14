import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { answerError, answerWell, type Asked, closedAfterEach, ending, ETAG, meetings, ofOwnConnections, until } from './scripted-store.ts'

const MiB = 1024 * 1024
const LARGE = Buffer.alloc(2 * MiB, 'x')
const SMALL = Buffer.from('hello')
const closing = closedAfterEach()
const meeting = meetings(closing)

/** Bytes of the body that came, whether or not it was read. */
function receivedBy({ socket }: Asked): number {
  return socket.bytesRead
}

describe('Expect: 100-continue', () => {
  ofOwnConnections(() => {
    it('is said before the first large body, and before large ones under a condition', async () => {
      const { requests, asked, connections } = await meeting(answerWell)
      await requests.put('a', LARGE, {})
      await requests.put('a', LARGE, {})
      await requests.put('a', LARGE, { ifAbsent: true })
      await requests.put('a', SMALL, { ifAbsent: true })
      await requests.put('a', SMALL, {})
      expect(asked.map(({ waits }) => waits)).toEqual([true, false, true, false, false])
      expect(connections.opened).toBe(1)
    })

    it('is said before a small body under a condition when the connection may be closed by now', async () => {
      let now = Date.now()
      const { requests, asked } = await meeting(answerWell, {}, { now: () => now })
      await requests.put('a', SMALL, { ifAbsent: true })
      now += 900
      await requests.put('a', SMALL, { ifAbsent: true })
      now += 1_100
      await requests.put('a', SMALL, { ifAbsent: true })
      await requests.put('a', SMALL, {})
      expect(asked.map(({ waits }) => waits)).toEqual([false, false, true, false])
    })
  })

  it('is never said where there is no body', async () => {
    let now = Date.now()
    const { requests, asked } = await meeting(answerWell, {}, { now: () => (now += 60_000) })
    await requests.put('a', Buffer.alloc(0), { ifAbsent: true })
    await requests.delete('a', {})
    await requests.put('a', Buffer.alloc(0), { ifAbsent: true })
    expect(asked.map(({ waits }) => waits)).toEqual([false, false, false])
    expect(asked.map(({ headers }) => headers['content-length'])).toEqual(['0', undefined, '0'])
  })

  it('sends the body after the store has said so, and not before', async () => {
    let before = 0
    const { requests, connections } = await meeting(async (asked) => {
      const atHead = receivedBy(asked)
      await sleep(30)
      before += receivedBy(asked) - atHead
      expect((await asked.body()).equals(LARGE)).toBe(true)
      asked.response.writeHead(200, { etag: ETAG }).end()
    })
    for (let i = 0; i < 3; i++) await requests.put('a', LARGE, { ifAbsent: true })
    expect(before).toBe(0)
    expect(connections.opened).toBe(1)
  })

  it('sends the body after a second to a store that never says so', async () => {
    const { requests } = await meeting(async ({ request, response }) => {
      let size = 0
      for await (const chunk of request as AsyncIterable<Buffer>) size += chunk.byteLength
      response.writeHead(size === LARGE.byteLength ? 200 : 400, { etag: ETAG }).end()
    })
    expect(await requests.put('a', LARGE, {})).toMatchObject({ etag: ETAG })
  })

  it.each([
    [403, 'AccessDenied', 'permission_denied'],
    [412, 'PreconditionFailed', 'precondition_failed'],
    [503, 'SlowDown', 'rate_limited'],
    [404, 'NoSuchBucket', 'configuration'],
  ] as const)('a refusal before the body, %s %s, is told, and the body not sent', async (status, code, outcome) => {
    const { requests, asked, transport, connections } = await meeting((each) => answerError(each, status, code), { retries: 0 })
    expect((await ending(requests.put('a', LARGE, { ifAbsent: true }))).outcome).toBe(outcome)
    await until(() => transport.load.taken === 0 && connections.open === 0)
    expect(receivedBy(asked[0] as Asked)).toBeLessThan(4096)
  })

  it('a refusal that passes is followed by another attempt, on another connection', async () => {
    const { requests, asked, connections } = await meeting((each) =>
      each.index === 0 ? answerError(each, 503, 'SlowDown') : answerWell(each),
    )
    await requests.put('a', LARGE, { ifAbsent: true })
    expect([asked.length, connections.opened]).toEqual([2, 2])
  })

  it('goes on without it where it is not understood', async () => {
    const { requests, asked } = await meeting((each) => (each.waits ? answerError(each, 417) : answerWell(each)), { retries: 0 })
    await requests.put('a', LARGE, { ifAbsent: true })
    expect(asked.map(({ waits }) => waits)).toEqual([true, false])
  })

  it('a connection that is cut before the body was sent costs a write under a condition nothing', async () => {
    const { requests, asked } = await meeting((each) => (each.index < 2 ? each.socket.destroy() : answerWell(each)))
    await requests.put('a', LARGE, { ifAbsent: true })
    expect(asked.length).toBe(3)
  })
})

describe('an answer that comes while the body is on its way', () => {
  const HUGE = Buffer.alloc(32 * MiB)

  it.each([
    [403, 'AccessDenied', 'permission_denied'],
    [503, 'SlowDown', 'rate_limited'],
  ] as const)('%s, with the connection kept, ends the sending', async (status, code, outcome) => {
    const { requests, asked, transport, connections } = await meeting(
      (each) => (each.method === 'PUT' ? answerError(each, status, code) : answerWell(each)),
      { retries: 0 },
    )
    await requests.head('a', {})
    expect((await ending(requests.put('a', HUGE, {}))).outcome).toBe(outcome)
    await until(() => transport.load.taken === 0 && connections.open === 0)
    expect(receivedBy(asked[1] as Asked)).toBeLessThan(HUGE.byteLength)
    await requests.head('a', {})
  })

  it('403, with the connection closed, is told or taken for a cut, and leaves nothing', async () => {
    const { requests, transport, connections } = await meeting(
      (each) => {
        if (each.method !== 'PUT') return answerWell(each)
        each.response.writeHead(403, { connection: 'close', 'content-length': '0' }).end()
        return undefined
      },
      { retries: 0 },
    )
    await requests.head('a', {})
    expect((await ending(requests.put('a', HUGE, {}))).outcome).toMatch(/^(permission_denied|unavailable)$/)
    await until(() => transport.load.taken === 0 && connections.open === 0)
    await requests.head('a', {})
  })
})
