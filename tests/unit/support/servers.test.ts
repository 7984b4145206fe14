import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { clamd } from '../../support/servers/clamd.ts'
import { find } from '../../support/servers/processes.ts'
import { redisServer, say } from '../../support/servers/redis-server.ts'

const url = (path: string): string => JSON.stringify(new URL(`../../support/servers/${path}`, import.meta.url).href)

/** A process that starts a server, says what it knows of it, and then does nothing. */
const OWNER = `
  const { startKeeper } = await import(${url('keeper-client.ts')})
  const { redisServer } = await import(${url('redis-server.ts')})
  const { port } = await redisServer()
  console.log(JSON.stringify({ port, directory: (await startKeeper()).directory }))
  setInterval(() => {}, 1_000)`

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

const variables = { ...process.env }

afterEach(() => {
  process.env = { ...variables }
})

/** What clamd says of a stream (INSTREAM: chunks, each after its length, the last one empty). */
async function scanned(port: number, content: Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const [length, end] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(content.byteLength)
  socket.end(Buffer.concat([Buffer.from('zINSTREAM\0'), length, content, end]))
  return Buffer.concat(await socket.toArray()).toString()
}

describe('the servers of a test run', () => {
  it('find the EICAR test file, and nothing where nothing is', async () => {
    const { port, eicarHex } = await clamd()
    await expect(scanned(port, Buffer.from(eicarHex, 'hex'))).resolves.toContain('FOUND')
    await expect(scanned(port, Buffer.from('harmless'))).resolves.toBe('stream: OK\0')
  })

  it('are started once, however many ask', async () => {
    const [first, second] = await Promise.all([redisServer(), redisServer()])
    expect(second).toEqual(first)
    expect(await say(first.port, 'PING\r\n', '\n')).toBe('+PONG\r\n')
  })

  it('are those that the environment names, if it does', async () => {
    process.env['STOWAGE_TEST_REDIS_URL'] = 'redis://redis.test:6380'
    expect(await redisServer()).toEqual({ url: 'redis://redis.test:6380', host: 'redis.test', port: 6380 })
  })

  it('end when the process that wanted them is killed', async () => {
    const { STOWAGE_TEST_KEEPER: _, ...env } = process.env
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string]
    const { port, directory } = JSON.parse(line) as { port: number; directory: string }
    expect(await answers(port)).toBe(true)
    owner.kill('SIGKILL')
    while (existsSync(directory)) await sleep(20) // Bounded by the limit of the test.
    expect(await answers(port)).toBe(false)
  })

  it('say how to get what is not installed', async () => {
    process.env['PATH'] = ''
    expect(find('a-daemon-that-nobody-has')).toBeUndefined()
    const { need } = await import('../../support/servers/processes.ts')
    expect(() => need('a-daemon-that-nobody-has')).toThrow('npm run servers:install')
  })
})
