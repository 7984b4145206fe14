/** An agent that was given makes every connection of the disk, whoever sends the request, and is left as it was. */
import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import {
  answerWell,
  closedAfterEach,
  ending,
  ETAG,
  lean,
  meetings,
  piecesOf,
  scriptedStore,
  type ScriptedStore,
  until,
} from './scripted-store.ts'

const closing = closedAfterEach()
const FACTS = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }

async function meeting(options: Partial<S3DriverOptions>): Promise<ScriptedStore & { readonly disk: Disk }> {
  const store = await scriptedStore(answerWell)
  const given = { bucket: 'b', region: 'us-east-1', endpoint: store.origin, pathStyle: true, key: 'key', secret: 'secret', retries: 0 }
  const disk = new Disk(new S3Driver({ ...given, ...options }))
  closing.push(
    () => disk.close(),
    () => store.close(),
  )
  return { ...store, disk }
}

class Counting extends HttpAgent {
  asked = 0

  addRequest(request: ClientRequest, options: object): void {
    this.asked++
    // Node's own, which its types leave out.
    ;(HttpAgent.prototype as unknown as Counting).addRequest.call(this, request, options)
  }
}

describe.each(['lean', 'sdk'] as const)('an agent, with the transport "%s"', (transport) => {
  it('makes the connections, and is not closed with the disk', async () => {
    const agent = new Counting({ keepAlive: true })
    const { disk, connections } = await meeting({ transport, agent })
    await disk.put('a', 'x')
    await disk.get('a')
    expect([agent.asked, connections.opened]).toEqual([2, 1])
    await disk.close()
    await disk.get('a')
    expect([agent.asked, connections.opened]).toEqual([3, 1])
    agent.destroy()
  })

  it('makes those of what only the SDK does, too', async () => {
    const agent = new Counting({ keepAlive: true })
    const { disk } = await meeting({ transport, agent })
    await disk.buckets?.exists()
    expect(agent.asked).toBe(1)
    agent.destroy()
  })
})

// The SDK says the same, and a timer of its own keeps the process for some seconds.
it('an agent of the other protocol is a mistake in the configuration', async () => {
  const { disk, asked } = await meeting({ transport: 'lean', agent: new HttpsAgent() })
  await expect(disk.get('a')).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining('"agent"') })
  expect(asked).toEqual([])
})

describe('an agent', () => {
  type Done = (error: Error | null, socket: Socket) => void
  const refused = (): Error => Object.assign(new Error('no way through the proxy'), { code: 'ECONNREFUSED' })

  it.each([
    ['that throws', true],
    ['that tells of a failure', false],
  ])('%s fails the request alone', async (_what, throws) => {
    class Failing extends HttpAgent {
      override createConnection(_options: object, done?: Done): undefined {
        if (throws) throw refused()
        setImmediate(() => done?.(refused(), undefined as never))
        return undefined
      }
    }
    const { requests, transport } = lean({ endpoint: 'http://store.example.com', agent: new Failing(), retries: 1 })
    const { error } = await ending(requests.put('a', Buffer.from('x'), { ifAbsent: true }))
    expect(error).toMatchObject({ code: 'unavailable', cause: { code: 'ECONNREFUSED' } })
    expect(String(error)).not.toContain('not known')
    expect(transport.load).toEqual({ taken: 0, waiting: 0 })
  })

  it('that connects after the request was given up loses neither the connection nor a turn', async () => {
    const waiting: (() => void)[] = []
    class Late extends HttpAgent {
      override createConnection(options: { port?: number }, done?: Done): undefined {
        waiting.push(() => {
          const socket = connect(options.port ?? 0, '127.0.0.1', () => done?.(null, socket))
        })
        return undefined
      }
    }
    const agent = new Late({ keepAlive: true })
    const { requests, transport, connections, asked } = await meetings(closing)(answerWell, { agent, maxSockets: 1 })
    const controller = new AbortController()
    const first = ending(requests.head('a', { signal: controller.signal }))
    await until(() => waiting.length === 1)
    controller.abort('enough')
    expect((await first).error).toBe('enough')
    expect(transport.load).toEqual({ taken: 0, waiting: 0 })
    const second = requests.head('b', {})
    await until(() => waiting.length > 0)
    for (const connected of waiting.splice(0)) connected()
    await until(() => asked.length === 1 || waiting.length > 0)
    for (const connected of waiting.splice(0)) connected()
    await second
    expect(asked.map(({ url }) => url)).toEqual(['/bucket/b'])
    agent.destroy()
    await until(() => connections.open === 0 && transport.load.taken === 0)
  })

  it('keeps what is idle when the disk is closed, and nothing that is in use, whose requests end', async () => {
    const agent = new HttpAgent({ keepAlive: true })
    const { requests, transport, connections, asked } = await meetings(closing)(
      (each) => {
        if (each.url.endsWith('half')) each.response.writeHead(200, { ...FACTS, 'content-length': 9 }).write('hello')
        else if (!each.url.endsWith('hold')) return answerWell(each)
        return undefined
      },
      { agent, maxSockets: 4 },
    )
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => requests.head(key, {})))
    const held = ['hold', 'x/hold'].map((key) => ending(requests.put(key, Buffer.from('x'), {})))
    const { stream } = await requests.get('half', {})
    const reading = ending(new Response(ReadableStream.from(piecesOf(stream))).bytes())
    await until(() => asked.length === 7)
    requests.close()
    for (const { error } of await Promise.all(held)) {
      expect(error).toMatchObject({ code: 'unavailable', retryable: false, reason: 'the disk was closed while the request was under way' })
    }
    expect((await reading).outcome).not.toBe('ok')
    await until(() => connections.open === 1 && transport.load.taken === 0)
    await requests.head('a', {})
    expect([connections.open, connections.opened]).toEqual([1, 4])
    agent.destroy()
  })

  it('that keeps no connections makes one for each request', async () => {
    const agent = new HttpAgent({ keepAlive: false })
    const { requests, transport, connections } = await meetings(closing)(answerWell, { agent })
    for (let i = 0; i < 3; i++) await requests.put('a', Buffer.from('x'), {})
    await until(() => connections.open === 0 && transport.load.taken === 0)
    expect(connections.opened).toBe(3)
  })
})
