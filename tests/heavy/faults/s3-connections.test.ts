/**
 * Connections of the lean transport of S3, for as long as it takes to see that none is lost: aborts at any moment, over TLS and without,
 * and what becomes of connections that nobody uses.
 */
import { Agent } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { collect } from '../../../src/content.ts'
import { ETAG, lean, piecesOf, type Script, scriptedStore, until } from '../../unit/s3-lean/scripted-store.ts'
import { certificate } from '../../unit/s3-presets/tls-recorder.ts'

const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Answers of every kind, some late, some never, some cut, some an error. */
const moody: Script = async ({ method, url, index, body, request, response, socket }) => {
  const mood = index % 23
  if (mood === 3) await sleep(5)
  if (mood === 5) return void request.resume() // never
  if (mood === 7) return socket.resetAndDestroy()
  await body()
  if (mood === 11) return response.writeHead(503, { 'content-length': '0' }).end()
  if (mood === 13) return response.writeHead(200, { ...facts, 'content-length': '100000' }).write(Buffer.alloc(50_000))
  if (mood === 17) return response.writeHead(200, { ...facts, 'content-length': '100000' }).write('x', () => socket.destroy())
  if (method === 'GET' && url.includes('list-type')) return response.end('<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>')
  if (method === 'HEAD') return response.writeHead(200, { ...facts, 'content-length': '5' }).end()
  return response.writeHead(200, { ...facts, 'content-length': '5' }).end('hello')
}

describe.each([
  ['http', 'connections of the disk'],
  ['https', 'connections of the disk'],
  ['http', 'an agent'],
  ['https', 'an agent'],
])('over %s, by %s', (scheme, carrier) => {
  it('no abort, at whatever moment, leaves a connection or a turn behind', async () => {
    const store = await scriptedStore(moody, scheme === 'https' ? { pair: await certificate() } : {})
    const tls = { rejectUnauthorized: false }
    const agent = scheme === 'https' ? new SecureAgent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true })
    const { requests, transport } = lean({ endpoint: store.origin, maxSockets: 25, ...(carrier === 'an agent' ? { agent } : { tls }) })
    closing.push(
      () => agent.destroy(),
      () => requests.close(),
      () => store.close(),
    )
    const body = Buffer.alloc(200_000)
    const outcomes: Record<string, number> = {}
    let longestMs = 150
    const one = async (i: number): Promise<void> => {
      const controller = new AbortController()
      const { signal } = controller
      const reason = { i }
      const timer = setTimeout(() => controller.abort(reason), Math.random() ** 3 * longestMs)
      try {
        if (i % 5 === 0) await requests.head('a', { signal })
        else if (i % 5 === 1) await requests.put('a', body, { signal, ifAbsent: i % 2 === 0 })
        else if (i % 5 === 2) await requests.list({ prefix: '', delimited: false, limit: 9, signal })
        else if (i % 5 === 3) await requests.delete('a', { signal })
        else await collect(piecesOf((await requests.get('a', { signal })).stream))
        outcomes['ok'] = (outcomes['ok'] ?? 0) + 1
      } catch (error) {
        const outcome = error === reason ? 'aborted' : String((error as { code?: unknown }).code)
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      } finally {
        clearTimeout(timer)
      }
    }
    for (let round = 0; round < 40; round++) {
      const before = outcomes['ok'] ?? 0
      await Promise.all(Array.from({ length: 100 }, (_, i) => one(round * 100 + i)))
      await until(() => transport.load.taken === 0)
      expect(transport.load.waiting).toBe(0)
      await until(() => store.connections.open <= 25) // it hears of what was closed a moment later
      // Some have to succeed, however busy the machine is.
      if ((outcomes['ok'] ?? 0) - before < 10) longestMs *= 1.5
    }
    expect(outcomes['ok']).toBeGreaterThan(100)
    expect(outcomes['aborted']).toBeGreaterThan(100)
    requests.close()
    agent.destroy()
    await until(() => store.connections.open === 0)
  })
})

it('a connection that nobody uses is closed after a while, and another one is opened when it is wanted', async () => {
  const store = await scriptedStore(({ response }) => response.writeHead(200, { ...facts, 'content-length': '5' }).end())
  const { requests } = lean({ endpoint: store.origin })
  closing.push(
    () => requests.close(),
    () => store.close(),
  )
  await Promise.all(Array.from({ length: 10 }, () => requests.head('a', {})))
  expect(store.connections.open).toBe(10)
  await until(() => store.connections.open === 0)
  await requests.head('a', {})
  expect(store.connections.opened).toBe(11)
})
