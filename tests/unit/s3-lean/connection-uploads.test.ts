import { Agent as SecureAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import { answerText, bareStore, type BareOptions, type BareRequest, type BareStore } from './bare-store.ts'
import { closedAfterEach, ending, ETAG, lean, type Lean, until } from './scripted-store.ts'

const LARGE = Buffer.alloc(24 * 1024 * 1024)
const closing = closedAfterEach()
let pair: { key: Buffer; cert: Buffer }

beforeAll(async () => {
  pair = await certificate()
})

type Met = BareStore & Lean

/** A disk, and a store that is nothing but sockets. */
async function meeting(
  answer: (request: BareRequest) => void,
  { secure, ...parts }: BareOptions & { readonly secure: boolean },
  options: Partial<S3DriverOptions> = {},
): Promise<Met> {
  const store = await bareStore(closing, answer, { ...parts, ...(secure && { pair }) })
  const made = lean({ endpoint: store.origin, ...(secure && { tls: { ca: pair.cert } }), ...options })
  closing.unshift(() => made.requests.close())
  return { ...store, ...made }
}

/** A store that takes longer for a part than silence may last, and moves all the time. */
async function uploadSlowly(secure: boolean, options: Partial<S3DriverOptions> = {}): Promise<void> {
  let received = 0
  let isFirst = true
  const { requests } = await meeting(
    () => undefined,
    {
      secure,
      connected: (socket) =>
        socket.prependListener('data', (chunk) => {
          if (isFirst) {
            isFirst = false
            socket.write(answerText(200, '')) // to a HEAD
            return
          }
          const before = received
          received += chunk.length
          if (received > LARGE.byteLength) socket.write(answerText(200, ''))
          // What the system has taken from the writer is read at once: he cannot see how it goes on.
          else if (received < 10_000_000 && Math.floor(before / 131_072) < Math.floor(received / 131_072)) {
            socket.pause()
            setTimeout(() => socket.resume(), 15)
          }
        }),
    },
    { socketTimeoutMs: 800, retries: 0, ...options },
  )
  await requests.head('a', {})
  expect((await requests.put('a', LARGE, {})).etag).toBe(ETAG)
}

it('over TLS by an agent, an upload may take longer than silence, as long as it moves', async () => {
  const agent = new SecureAgent({ keepAlive: true, ca: pair.cert })
  closing.push(() => agent.destroy())
  await uploadSlowly(true, { agent, tls: undefined })
})

describe.each([
  ['TCP', false],
  ['TLS', true],
])('over %s', (_name, secure) => {
  it.each([200, 404, 412])('a connection goes on after %d, whatever was sent', async (status) => {
    const text = status === 200 ? '' : '<Error><Code>AsTheTestWantsIt</Code></Error>'
    const { requests, connections } = await meeting(({ socket }) => socket.write(answerText(status, '', text)), {
      secure,
      begun: (head, socket) => void (head.includes('100-continue') && socket.write('HTTP/1.1 100 Continue\r\n\r\n')),
    })
    for (const bytes of [0, 5, 40_000, 300_000, 3_000_000])
      for (let i = 0; i < 5; i++) await ending(requests.put('a', LARGE.subarray(0, bytes), { ifAbsent: true }))
    expect(connections.length).toBe(1)
  })

  it('an upload may take longer than silence, as long as it moves', () => uploadSlowly(secure))

  const after: readonly (readonly [what: string, then: (socket: BareRequest['socket']) => void])[] = [
    ['is closed', (socket) => socket.end()],
    ['says more', (socket) => socket.write('HTTP/1.1 200 OK\r\n')],
    ['is destroyed', (socket) => void setTimeout(() => socket.destroy(), 20)],
    ['reads on', (socket) => void setTimeout(() => socket.resume(), 20)],
    ['is silent', () => undefined],
  ]
  it.each(after)('an answer that comes before the body was taken gives back its place when the store %s', async (_what, then) => {
    const { requests, transport, open } = await meeting(
      ({ socket }) => socket.write(answerText(200, '')),
      {
        secure,
        begun: (head, socket) => {
          if (!head.startsWith('PUT')) return
          socket.pause()
          socket.write(answerText(200, ''), () => then(socket))
        },
      },
      { socketTimeoutMs: 1_000, retries: 0, maxSockets: 1 },
    )
    await requests.head('a', {})
    expect((await requests.put('a', LARGE, {})).etag).toBe(ETAG)
    await until(() => transport.load.taken === 0)
    await requests.head('a', {})
    expect(open.size).toBeLessThan(3)
  })

  it('a write under a condition comes whole at most once, whatever becomes of connections', async () => {
    const came = new Map<string, number>()
    let turn = 0
    const answers: readonly ((socket: BareRequest['socket']) => unknown)[] = [
      (socket) => socket.destroy(),
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
      (socket) => socket.end('no answer\r\n\r\n'),
      (socket) => socket.write(answerText(200, ''), () => setTimeout(() => socket.destroy(), 2)),
      (socket) => socket.write(answerText(200, ''), () => socket.end()),
    ]
    const { requests, transport } = await meeting(
      ({ head, socket }) => {
        const [, target = ''] = head.split(' ')
        came.set(target, (came.get(target) ?? 0) + 1)
        const misfortune = answers[turn++ % 11]
        if (misfortune === undefined) socket.write(answerText(200, ''))
        else misfortune(socket)
      },
      {
        secure,
        begun: (head, socket) => {
          if (!head.includes('100-continue')) return
          if (turn++ % 3 === 0) socket.destroy()
          else socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        },
      },
      { retries: 5 },
    )
    const outcomes = new Set<string>()
    const write = async (worker: number): Promise<void> => {
      for (let i = 0; i < 24; i++) {
        const bytes = LARGE.subarray(0, [0, 10, 50_000, 1_500_000][i % 4])
        outcomes.add((await ending(requests.put(`${worker}-${i}`, bytes, { ifAbsent: true }))).outcome)
      }
    }
    await Promise.all(Array.from({ length: 6 }, (_, worker) => write(worker)))
    expect(Math.max(...came.values())).toBe(1)
    expect([...outcomes].toSorted()).toEqual(['ok', 'unavailable'])
    await until(() => transport.load.taken === 0)
  })

  it('an abort at any moment leaves no connection and no place taken', async () => {
    const { requests, transport, open } = await meeting(
      ({ head, socket }) => {
        if (head.startsWith('GET')) void drip(socket)
        else socket.write(answerText(200, ''))
      },
      { secure, begun: (head, socket) => void (head.includes('100-continue') && socket.write('HTTP/1.1 100 Continue\r\n\r\n')) },
      { maxSockets: 8 },
    )
    const outcomes = new Set<unknown>()
    const asking = Array.from({ length: 120 }, async (_, i) => {
      const controller = new AbortController()
      const { signal } = controller
      setTimeout(() => controller.abort(), (i * 7) % 90)
      const asked =
        i % 3 === 0
          ? requests.put('a', LARGE.subarray(0, 2_000_000), { ifAbsent: true, signal })
          : requests.get('a', { eager: true, signal, range: i % 3 === 1 ? undefined : 'bytes=0-9' })
      outcomes.add((await ending(asked)).outcome)
    })
    await Promise.all(asking)
    await until(() => transport.load.taken === 0 && transport.load.waiting === 0)
    requests.close()
    await until(() => open.size === 0)
    outcomes.delete('ok')
    expect([...outcomes]).toEqual([DOMException.ABORT_ERR])
  })
})

/** Ten bytes, one after the other. */
async function drip(socket: BareRequest['socket']): Promise<void> {
  const text = answerText(200, '', '0123456789')
  for (let at = 0; at < text.length && !socket.destroyed; at += 20) {
    socket.write(text.slice(at, at + 20))
    await sleep(1)
  }
}
