/** The body of an answer, as whoever reads it hears of it: whenever he comes, rests or leaves, and whatever happens before. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import type { ByteSink, ByteStream } from '../../../src/drivers/s3/byte-stream.ts'
import { answerWell, closedAfterEach, ETAG, meetings, type Script, until } from './scripted-store.ts'

const MS = 200
const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }
const closing = closedAfterEach()
const meeting = meetings(closing, { retries: 0 })

class Heard implements ByteSink {
  text = ''
  endings: unknown[] = []
  onData: (() => void) | undefined

  data(piece: Uint8Array): void {
    this.text += Buffer.from(piece).toString()
    this.onData?.()
  }

  end(): void {
    this.endings.push('whole')
  }

  fail(reason: unknown): void {
    this.endings.push({ reason })
  }

  async whole(): Promise<string> {
    await until(() => this.endings.length > 0)
    expect(this.endings).toEqual(['whole'])
    return this.text
  }
}

function reading(stream: ByteStream): Heard {
  const heard = new Heard()
  stream.read(heard)
  return heard
}

/** The head of an answer of ten bytes, and these of them; what follows is up to the test. */
const beginning =
  (bytes: string): Script =>
  ({ response }) => {
    response.writeHead(200, { ...facts, 'content-length': '10' }).flushHeaders()
    if (bytes.length === 10) response.end(bytes)
    else if (bytes !== '') response.write(bytes)
  }

describe('an answer', () => {
  it.each(['', 'hello'])('that breaks before it is read fails when it is, once: after %j', async (bytes) => {
    const { requests, asked, transport } = await meeting(beginning(bytes))
    const { stream } = await requests.get('a', {})
    await sleep(20)
    asked[0]?.socket.destroy()
    await sleep(20)
    const { endings } = reading(stream)
    await until(() => endings.length > 0 && transport.load.taken === 0)
    await sleep(20)
    expect(endings).toMatchObject([{ reason: { code: 'ECONNRESET' } }])
  })

  const reasons = [{ what: 'the reason itself' }, new Error('stop'), 'stop', 0, false, null] as const

  it.each(reasons)('that is aborted before it is read fails with the reason: %p', async (reason) => {
    const { requests, transport, connections } = await meeting(beginning('hello'))
    const controller = new AbortController()
    const { stream } = await requests.get('a', { signal: controller.signal })
    controller.abort(reason)
    await until(() => transport.load.taken === 0 && connections.open === 0)
    const { endings } = reading(stream)
    await until(() => endings.length > 0)
    expect(endings).toEqual([{ reason }])
  })

  it.each(reasons)('that is aborted while it is read fails with the reason: %p', async (reason) => {
    const { requests, transport, connections } = await meeting(beginning('hello'))
    const controller = new AbortController()
    const heard = reading((await requests.get('a', { signal: controller.signal })).stream)
    await until(() => heard.text === 'hello')
    controller.abort(reason)
    await until(() => transport.load.taken === 0 && connections.open === 0 && heard.endings.length > 0)
    expect(heard.endings).toEqual([{ reason }])
  })

  it.each(['', 'hello'])('that came whole before it is read is there, and its connection free afterwards: %j', async (content) => {
    const { requests, connections, transport } = await meeting(({ response }) =>
      response.writeHead(200, { ...facts, 'content-length': content.length }).end(content),
    )
    for (let i = 0; i < 3; i++) {
      const { stream } = await requests.get('a', {})
      await sleep(20)
      expect(await reading(stream).whole()).toBe(content)
      await until(() => transport.load.taken === 0)
      stream.destroy() // too late to matter
    }
    expect([connections.opened, connections.open]).toEqual([1, 1])
  })

  it.each(['', 'hello', 'helloworld'])('that is destroyed before it is read is told to nobody, and leaves nothing: %j', async (bytes) => {
    const { requests, connections, transport } = await meeting((each) => (each.index === 0 ? beginning(bytes)(each) : answerWell(each)))
    const { stream } = await requests.get('a', {})
    await sleep(20)
    stream.destroy()
    stream.destroy()
    await until(() => transport.load.taken === 0)
    if (bytes.length < 10) await until(() => connections.open === 0)
    await requests.head('a', {})
    expect(transport.load).toEqual({ taken: 0, waiting: 0 })
  })

  it('that is destroyed while it is read is told no further', async () => {
    const { requests, connections, transport } = await meeting(beginning('hello'))
    const { stream } = await requests.get('a', {})
    const heard = new Heard()
    heard.onData = () => stream.destroy()
    stream.read(heard)
    await until(() => connections.open === 0 && transport.load.taken === 0)
    expect([heard.text, heard.endings]).toEqual(['hello', []])
  })

  it('rests as long as its reader does, and loses nothing', async () => {
    const content = 'abc'.repeat(1_000_000)
    const { requests, connections, transport } = await meeting(
      ({ response }) => response.writeHead(200, { ...facts, 'content-length': content.length }).end(content),
      { socketTimeoutMs: MS },
    )
    const { stream } = await requests.get('a', {})
    const heard = new Heard()
    let pauses = 0
    heard.onData = () => {
      if (heard.text.length < 500_000 * pauses) return
      pauses++
      stream.pause()
      const { length } = heard.text
      setTimeout(
        () => {
          expect(heard.text.length).toBe(length)
          stream.resume()
        },
        pauses === 1 ? MS * 2.5 : 10,
      )
    }
    stream.read(heard)
    expect(await heard.whole()).toBe(content)
    expect(pauses).toBeGreaterThan(3)
    await until(() => transport.load.taken === 0)
    expect([connections.opened, connections.open]).toEqual([1, 1])
  })

  it('of which nobody has read anything may be silent for as long', async () => {
    const { requests, asked } = await meeting(beginning(''), { socketTimeoutMs: MS })
    const { stream } = await requests.get('a', {})
    await sleep(MS * 2.5)
    const heard = reading(stream)
    asked[0]?.response.end('helloworld')
    expect(await heard.whole()).toBe('helloworld')
  })

  it('whose reader has just come back is given time', async () => {
    const { requests, asked } = await meeting(beginning('hello'), { socketTimeoutMs: MS })
    const { stream } = await requests.get('a', {})
    const heard = reading(stream)
    await until(() => heard.text === 'hello')
    stream.pause()
    await sleep(MS * 0.8)
    stream.resume()
    await sleep(MS * 0.4)
    asked[0]?.response.end('world')
    expect(await heard.whole()).toBe('helloworld')
  })

  it('that falls silent while it is read fails as such, and leaves nothing', async () => {
    const { requests, connections, transport } = await meeting(beginning('hello'), { socketTimeoutMs: MS })
    const heard = reading((await requests.get('a', {})).stream)
    await until(() => heard.endings.length > 0 && connections.open === 0 && transport.load.taken === 0)
    expect(heard.text).toBe('hello')
    expect(heard.endings).toMatchObject([{ reason: { code: 'TimeoutError' } }])
  })
})
