/** Redis, in memory alone. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { askKeeper } from './keeper-client.ts'
import { folderOf, freePort, need, ready, startDaemon, withRetries } from './processes.ts'

export interface RedisServer {
  /** `redis://127.0.0.1:port` */
  readonly url: string
  readonly host: string
  readonly port: number
}

/** The Redis of this run, or the one that `STOWAGE_TEST_REDIS_URL` names. All tests share it: put something random into your keys. */
export async function redisServer(): Promise<RedisServer> {
  const named = process.env['STOWAGE_TEST_REDIS_URL']
  if (named === undefined) return askKeeper<RedisServer>('redis')
  const { hostname, port } = new URL(named)
  return { url: named, host: hostname, port: Number(port || 6379) }
}

export function startRedis(run: string): Promise<RedisServer> {
  return withRetries(async () => {
    const folder = folderOf(run, 'redis')
    const port = await freePort()
    const command = [
      need('redis-server'),
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'no',
    ]
    const daemon = startDaemon(run, command, join(folder, 'log'))
    await ready(daemon, async () => (await say(port, 'PING\r\n', '\n')).startsWith('+PONG'))
    return { url: `redis://127.0.0.1:${port}`, host: '127.0.0.1', port }
  })
}

/** Sends a line, and resolves to what comes back up to a character. */
export function say(port: number, line: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(line))
    socket.setTimeout(2_000, () => socket.destroy(new Error('silence')))
    socket.on('error', reject).on('close', () => reject(new Error('closed')))
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text
      if (!heard.includes(end)) return
      resolve(heard)
      socket.destroy()
    })
  })
}
