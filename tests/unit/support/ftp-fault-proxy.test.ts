import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { types } from 'node:util'
import { Client } from 'basic-ftp'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type FtpFaultProxy, ftpFaultProxy } from '../../support/ftp-fault-proxy.ts'
import type { FtpServer } from '../../support/servers/ftp-server.ts'
import { proftpd } from '../../support/servers/proftpd.ts'

const BODY = randomBytes(300_000)

// The errors of sockets come from outside of Jest's realm, where basic-ftp looks for `instanceof Error`, and waits for ever otherwise.
Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(this, value) || (this === Error && types.isNativeError(value))
  },
})
let server: FtpServer
let proxy: FtpFaultProxy
let client: Client
let name: string

beforeEach(async () => {
  server = await proftpd()
  proxy = await ftpFaultProxy(server)
  name = `${randomBytes(6).toString('hex')}.bin`
  client = new Client(2_000)
  await client.access({ host: proxy.host, port: proxy.port, user: server.username, password: server.password })
})

afterEach(async () => {
  client.close()
  while (proxy.control.open + proxy.data.open > 0) await sleep(1)
  await proxy.close()
})

const upload = (): Promise<unknown> => client.uploadFrom(Readable.from([BODY]), name)
const stored = (): Promise<Buffer> => readFile(join(server.directory ?? '', name))

async function download(): Promise<Buffer> {
  const parts: Buffer[] = []
  const into = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      parts.push(chunk)
      done()
    },
  })
  await client.downloadTo(into, name)
  return Buffer.concat(parts)
}

describe('a fault proxy for FTP', () => {
  it('passes everything on', async () => {
    await upload()
    expect((await stored()).equals(BODY)).toBe(true)
    expect((await download()).equals(BODY)).toBe(true)
    expect((await client.list()).map((entry) => entry.name)).toContain(name)
    expect(proxy.commands).toContain('PASS ***')
    expect(proxy.data.opened).toBe(3)
    expect(proxy.control).toMatchObject({ opened: 1, open: 1 })
  })

  it('passes TLS on', async () => {
    const secure = await proftpd({ tls: 'explicit' })
    const through = await ftpFaultProxy(secure)
    const other = new Client(2_000)
    await other.access({
      host: through.host,
      port: through.port,
      user: secure.username,
      password: secure.password,
      secure: true,
      secureOptions: { ca: secure.ca },
    })
    await other.uploadFrom(Readable.from([BODY]), name)
    expect((await readFile(join(secure.directory ?? '', name))).equals(BODY)).toBe(true)
    expect(through.commands).toEqual(['AUTH TLS'])
    other.close()
    await through.close()
  })

  it('resets an upload', async () => {
    proxy.injectData({ direction: 'up' }, { resetAfter: 100_000 })
    await expect(upload()).rejects.toThrow()
    expect(proxy.faulted).toBe(1)
    await expect(stored().then((bytes) => bytes.length)).resolves.toBeLessThanOrEqual(100_000)
  })

  it('ends an upload too early, and nobody notices', async () => {
    proxy.injectData({ direction: 'up' }, { endAfter: 100_000 })
    await upload()
    expect((await stored()).equals(BODY.subarray(0, 100_000))).toBe(true)
  })

  it('resets, ends, corrupts and drips downloads', async () => {
    await writeFile(join(server.directory ?? '', name), BODY)
    proxy.injectData({ direction: 'down' }, { endAfter: 1_000 })
    expect((await download()).equals(BODY.subarray(0, 1_000))).toBe(true)
    proxy.injectData({ direction: 'down' }, { corrupt: 5 })
    expect((await download()).subarray(0, 7)).toEqual(Buffer.from(BODY.subarray(0, 7)).fill((BODY[5] ?? 0) ^ 1, 5, 6))
    proxy.injectData({ direction: 'down' }, { bytesPerSecond: BODY.length * 10 })
    expect((await download()).equals(BODY)).toBe(true)
    proxy.injectData({ direction: 'down' }, { resetAfter: 1_000 })
    await expect(download()).rejects.toThrow()
  })

  it('falls silent in a transfer, or to a command', async () => {
    await writeFile(join(server.directory ?? '', name), BODY)
    proxy.injectSilence(/^SIZE /)
    await expect(client.size(name)).rejects.toThrow(/timeout/i)
    await client.access({ host: proxy.host, port: proxy.port, user: server.username, password: server.password })
    proxy.injectData({ direction: 'down' }, { stallAfter: 1_000 })
    await expect(download()).rejects.toThrow(/timeout/i)
  })

  it('answers in place of the server, and hangs up', async () => {
    proxy.injectReply(/^MKD /, '450 Busy')
    await expect(client.send('MKD a-directory')).rejects.toMatchObject({ code: 450 })
    proxy.injectReset(/^NOOP/)
    await expect(client.send('NOOP')).rejects.toThrow()
    await client.access({ host: proxy.host, port: proxy.port, user: server.username, password: server.password })
    proxy.injectReply(/^NOOP/, '421 Too many')
    await expect(client.send('NOOP')).rejects.toMatchObject({ code: 421 })
  })
})
