import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { RetryBudget, retryAfterOf, waitOf } from '../../../src/drivers/s3/lean/backoff.ts'
import { listenAnywhere } from '../../support/forwarding.ts'
import { collect } from '../../../src/content.ts'
import {
  answerError,
  answerWell,
  closedAfterEach,
  ending,
  ETAG,
  lean,
  type Lean,
  meetings,
  ofOwnConnections,
  type Script,
  piecesOf,
} from './scripted-store.ts'

const BYTES = Buffer.from('hello')
const closing = closedAfterEach()
const meeting = meetings(closing)

/** The first requests meet this, the later ones are answered well. */
function first(times: number, fault: Script): Script {
  return (asked) => (asked.index < times ? fault(asked) : answerWell(asked))
}

const errorOf = (status: number, code?: string, headers?: Record<string, string>): Script => {
  return async (asked) => {
    await asked.body()
    answerError(asked, status, code, { ...(headers && { headers }) })
  }
}

const cut: Script = async ({ body, socket }) => {
  await body()
  socket.resetAndDestroy()
}

describe('what is repeated', () => {
  const passing = [
    [500, 'InternalError'],
    [500, undefined],
    [502, undefined],
    [503, 'SlowDown'],
    [503, 'ServiceUnavailable'],
    [503, undefined],
    [504, undefined],
    [429, 'TooManyRequests'],
    [408, undefined],
    [400, 'RequestTimeout'],
    [409, 'OperationAborted'],
  ] as const

  it.each(passing)('%s %s', async (status, code) => {
    const { requests, asked } = await meeting(first(3, errorOf(status, code)))
    await requests.put('a', BYTES, {})
    expect(asked.length).toBe(4)
  })

  const lasting = [
    [400, 'InvalidRequest', 'invalid_argument'],
    [403, 'AccessDenied', 'permission_denied'],
    [403, 'InvalidAccessKeyId', 'unauthenticated'],
    [403, 'SignatureDoesNotMatch', 'unauthenticated'],
    [404, 'NoSuchKey', 'not_found'],
    [404, 'NoSuchBucket', 'configuration'],
    [412, 'PreconditionFailed', 'precondition_failed'],
    [413, 'EntityTooLarge', 'quota_exceeded'],
    [501, 'NotImplemented', 'unsupported'],
    [400, 'BadDigest', 'corrupted'],
  ] as const

  it.each(lasting)('not %s %s', async (status, code, outcome) => {
    const { requests, asked } = await meeting(errorOf(status, code))
    expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe(outcome)
    expect(asked.length).toBe(1)
  })

  it('a cut connection, before and after the request was read, and in the middle of an answer', async () => {
    const { requests, asked } = await meeting((each) => {
      if (each.index === 0) each.socket.resetAndDestroy()
      else if (each.index === 1) return cut(each)
      else if (each.index === 2)
        each.response.writeHead(200, { 'content-length': '100' }).write('<ListBucketResult>', () => each.socket.destroy())
      else return answerWell(each)
      return undefined
    })
    expect(await requests.list({ prefix: '', delimited: false, limit: 5 })).toEqual({ objects: [], prefixes: [], truncated: false })
    expect(asked.length).toBe(4)
  })

  it('nothing with no retries', async () => {
    const { requests, asked } = await meeting(errorOf(503, 'SlowDown'), { retries: 0 })
    expect((await ending(requests.head('a', {}))).outcome).toBe('rate_limited')
    expect(asked.length).toBe(1)
  })

  it('as often as was said, and the cause tells how often', async () => {
    const { requests, asked } = await meeting(errorOf(503, 'SlowDown'), { retries: 5 })
    const { error } = await ending(requests.get('a', {}))
    expect(error).toMatchObject({ code: 'rate_limited', cause: { code: 'SlowDown', status: 503, attempts: 6, requestId: 'R1' } })
    expect(asked.length).toBe(6)
  })

  it('a store that nobody can connect to is told as such', async () => {
    const server = createServer()
    const port = await listenAnywhere(server)
    await new Promise((resolve) => server.close(resolve))
    const { requests } = lean({ endpoint: `http://127.0.0.1:${port}` })
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(error).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNREFUSED', attempts: 4 } })
    expect(String(error)).not.toContain('not known')
  })
})

describe('pauses', () => {
  it('are random between none and twice as much each time, up to 20 seconds', () => {
    const most = [1, 2, 3, 4, 5, 20].map((attempt) => waitOf(attempt, { atLeastMs: 0, random: 1 }))
    expect(most).toEqual([200, 400, 800, 1_600, 3_200, 20_000])
    expect(waitOf(7, { atLeastMs: 0, random: 0 })).toBe(0)
    expect(waitOf(2, { atLeastMs: 0, random: 0.25 })).toBe(100)
  })

  it('are as long as the store asks for at least', () => {
    expect(waitOf(1, { atLeastMs: 3_000, random: 0.9 })).toBe(3_000)
    expect(waitOf(10, { atLeastMs: 3_000, random: 1 })).toBe(20_000)
  })

  it('Retry-After is in seconds or a date; more than a minute is too long; nonsense is nothing', () => {
    const now = Date.parse('2026-11-21T10:00:00Z')
    expect(retryAfterOf(undefined, now)).toBe(0)
    expect(retryAfterOf('7', now)).toBe(7_000)
    expect(retryAfterOf('60', now)).toBe(60_000)
    expect(retryAfterOf('61', now)).toBeUndefined()
    expect(retryAfterOf('Sat, 21 Nov 2026 10:00:05 GMT', now)).toBe(5_000)
    expect(retryAfterOf('Sat, 21 Nov 2026 09:00:05 GMT', now)).toBe(0)
    expect(retryAfterOf('Sat, 21 Nov 2026 11:00:05 GMT', now)).toBeUndefined()
    expect(retryAfterOf('soon', now)).toBe(0)
  })

  it('a store that asks for too long is told at once', async () => {
    const { requests, asked } = await meeting(errorOf(503, 'SlowDown', { 'retry-after': '3600' }))
    expect((await ending(requests.head('a', {}))).outcome).toBe('rate_limited')
    expect(asked.length).toBe(1)
  })

  it('a store that asks for a second gets it', async () => {
    const times: number[] = []
    const { requests } = await meeting((asked) => {
      times.push(performance.now())
      return first(1, errorOf(503, 'SlowDown', { 'retry-after': '1' }))(asked)
    })
    await requests.head('a', {})
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(990)
  })
})

describe('the budget of repetitions', () => {
  it('is used up by many failures, and refilled by what goes well', () => {
    const budget = new RetryBudget()
    let taken = 0
    while (budget.take(false)) taken++
    expect(taken).toBe(100)
    for (let i = 0; i < 4; i++) budget.refill()
    expect(budget.take(false)).toBe(false)
    budget.refill()
    expect(budget.take(false)).toBe(true)
    budget.refill(false) // a repetition that went well gives back what it cost
    expect(budget.take(false)).toBe(true)
    budget.refill(true)
    expect(budget.take(true)).toBe(true)
    expect(budget.take(true)).toBe(false)
  })

  it('ends the repetitions of a disk whose store is down, and begins them again when it is back', async () => {
    let isDown = true
    const { requests, asked } = await meeting((each) => (isDown ? errorOf(503, 'SlowDown')(each) : answerWell(each)))
    const outcomes = await Promise.all(Array.from({ length: 60 }, async () => (await ending(requests.head('a', {}))).outcome))
    expect(new Set(outcomes)).toEqual(new Set(['rate_limited']))
    expect(asked.length).toBe(60 + 100)
    expect((await ending(requests.head('a', {}))).error).toMatchObject({ cause: { attempts: 1 } })
    isDown = false
    for (let i = 0; i < 5; i++) await requests.head('a', {})
    isDown = true
    expect((await ending(requests.head('a', {}))).error).toMatchObject({ cause: { attempts: 2 } })
  })
})

describe('writes under a condition', () => {
  const conditions = [{ ifAbsent: true }, { ifMatch: ETAG }] as const

  it.each(conditions)('%j is not repeated when its answer is lost, and the error says what is not known', async (condition) => {
    const { requests, asked } = await meeting(cut)
    const { error } = await ending(requests.put('a', BYTES, condition))
    expect(error).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNRESET', attempts: 1 } })
    expect(String(error)).toContain('whether it was carried out is not known')
    expect(asked.length).toBe(1)
  })

  it.each(conditions)('%j is not repeated when the connection breaks before it was read', async (condition) => {
    const { requests, asked } = await meeting(({ socket }) => socket.resetAndDestroy())
    const { error } = await ending(requests.put('a', BYTES, condition))
    expect(String(error)).toContain('whether it was carried out is not known')
    expect(asked.length).toBe(1)
  })

  it('are not repeated after 500, which may mean anything', async () => {
    const { requests, asked } = await meeting(errorOf(500, 'InternalError'))
    const { outcome, error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(outcome).toBe('unavailable')
    expect(String(error)).toContain('whether it was carried out is not known')
    expect(asked.length).toBe(1)
  })

  it('are not repeated after a 503 without a code, which may be a proxy that does not know', async () => {
    const { requests, asked } = await meeting(errorOf(503, undefined))
    expect((await ending(requests.put('a', BYTES, { ifAbsent: true }))).outcome).toBe('rate_limited')
    expect(asked.length).toBe(1)
  })

  it.each([
    [503, 'SlowDown'],
    [429, undefined],
    [409, 'ConditionalRequestConflict'],
  ] as const)('are repeated after %s %s, which turned them away', async (status, code) => {
    const { requests, asked } = await meeting(first(2, errorOf(status, code)))
    expect(await requests.put('a', BYTES, { ifAbsent: true })).toMatchObject({ etag: ETAG })
    expect(asked.length).toBe(3)
  })

  it('that were turned away say nothing of the kind', async () => {
    const { requests } = await meeting(errorOf(503, 'SlowDown'), { retries: 0 })
    const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
    expect(String(error)).not.toContain('not known')
  })

  it('that conflict for ever are told so', async () => {
    const { requests, asked } = await meeting(errorOf(409, 'ConditionalRequestConflict'))
    expect((await ending(requests.put('a', BYTES, { ifAbsent: true }))).outcome).toBe('precondition_failed')
    expect(asked.length).toBe(4)
  })

  it('of copies and uploads are not repeated either', async () => {
    const { requests, asked } = await meeting(cut)
    const parts = [{ number: 1, etag: ETAG, size: 5 }]
    const outcomes = await Promise.all([
      ending(requests.copy('a', 'b', { replace: false, ifAbsent: true })),
      ending(requests.completeUpload({ key: 'a', uploadId: 'u' }, parts, { ifMatch: ETAG })),
    ])
    for (const { error } of outcomes) expect(String(error)).toContain('whether it was carried out is not known')
    expect(asked.length).toBe(2)
  })

  it('an unconditional write that was lost each time says that it may have been carried out', async () => {
    const { requests, asked } = await meeting(cut)
    const { error } = await ending(requests.put('a', BYTES, {}))
    expect(String(error)).toContain('whether it was carried out is not known')
    expect(asked.length).toBe(4)
    const read = await ending(requests.head('a', {}))
    expect(String(read.error)).not.toContain('not known')
  })
})

describe('a connection that the store closes when a request comes', () => {
  /** Serves one request per connection, and closes it as soon as a byte of another one arrives. */
  async function closesLate(): Promise<{ readonly origin: string; readonly heads: string[] }> {
    const heads: string[] = []
    const server = createServer((socket: Socket) => {
      let requests = 0
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        const [head = ''] = chunk.toString('latin1').split('\r\n')
        if (/^(GET|HEAD|PUT|POST|DELETE) /.test(head)) heads.push(head)
        else return
        if (requests++ > 0) {
          socket.resetAndDestroy()
          return
        }
        const facts = `etag: ${ETAG}\r\nlast-modified: ${new Date(0).toUTCString()}`
        socket.write(`HTTP/1.1 200 OK\r\n${facts}\r\ncontent-length: ${head.startsWith('HEAD') ? 5 : 0}\r\n\r\n`)
      })
    })
    const port = await listenAnywhere(server)
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    return { origin: `http://127.0.0.1:${port}`, heads }
  }

  /** A disk whose connection has been idle for five seconds, and is closed by the store. */
  async function idleForLong(): Promise<{ readonly requests: Lean['requests']; readonly heads: string[] }> {
    const { origin, heads } = await closesLate()
    let now = Date.now()
    const { requests, transport } = lean({ endpoint: origin, retries: 0 }, { now: () => now })
    closing.unshift(() => transport.close())
    await requests.head('first', {})
    now += 5_000
    return { requests, heads }
  }

  it.each([
    ['HEAD', (requests: Lean['requests']) => requests.head('a', {})],
    ['GET', (requests: Lean['requests']) => requests.get('a', {}).then(({ stream }) => collect(piecesOf(stream)))],
    ['PUT', (requests: Lean['requests']) => requests.put('a', BYTES, {})],
    ['DELETE', (requests: Lean['requests']) => requests.delete('a', {})],
  ])('%s goes on by another, without a retry', async (method, ask) => {
    const { origin, heads } = await closesLate()
    const { requests, transport } = lean({ endpoint: origin, retries: 0 })
    closing.unshift(() => transport.close())
    await requests.head('first', {})
    await ask(requests)
    expect(heads.map((head) => head.split(' ')[0])).toEqual(['HEAD', method, method])
  })

  it('a write under a condition that had waited for its turn goes on, as its body was not sent', async () => {
    const { requests, heads } = await idleForLong()
    await requests.put('a', BYTES, { ifAbsent: true })
    expect(heads.map((head) => head.split(' ')[0])).toEqual(['HEAD', 'PUT', 'PUT'])
  })

  ofOwnConnections(() => {
    it.each([
      ['of no bytes', (requests: Lean['requests']) => requests.put('a', Buffer.alloc(0), { ifAbsent: true })],
      ['that is a copy', (requests: Lean['requests']) => requests.copy('a', 'b', { replace: false, ifAbsent: true })],
    ])('a write under a condition %s does not take a connection that was idle', async (_what, ask) => {
      const { requests, heads } = await idleForLong()
      const { error } = await ending(ask(requests))
      expect(String(error)).not.toContain('not known') // The store's answer to a copy is none, which is told.
      expect(heads.map((head) => head.split(' ')[0])).toEqual(['HEAD', 'PUT'])
    })

    it('a connection is as old as it is, whatever others have answered meanwhile', async () => {
      let now = Date.now()
      const waiting: (() => void)[] = []
      const { requests, asked } = await meeting(
        async (each) => {
          if (each.method === 'HEAD') await new Promise<void>((resolve) => void waiting.push(resolve))
          return answerWell(each)
        },
        {},
        { now: () => now },
      )
      const [one, two] = [requests.head('a', {}), requests.head('b', {})]
      while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve))
      waiting[0]?.()
      await Promise.race([one, two])
      now += 5_000
      waiting[1]?.()
      await Promise.all([one, two])
      await Promise.all([requests.put('a', BYTES, { ifAbsent: true }), requests.put('b', BYTES, { ifAbsent: true })])
      expect(asked.slice(2).filter(({ waits }) => waits).length).toBe(1)
    })

    it('a write under a condition that was sent whole is not repeated', async () => {
      const { origin, heads } = await closesLate()
      const now = Date.now()
      const { requests, transport } = lean({ endpoint: origin }, { now: () => now })
      closing.unshift(() => transport.close())
      await requests.head('first', {})
      const { error } = await ending(requests.put('a', BYTES, { ifAbsent: true }))
      expect(String(error)).toContain('whether it was carried out is not known')
      expect(heads.length).toBe(2)
    })
  })
})
