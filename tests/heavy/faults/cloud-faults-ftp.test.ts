/**
 * What networks do, between the FTP disk and its server: whatever happens, the file is the old one or the new one, nothing else is left,
 * no call outlives its time and no connection stays behind. The dialects and the pool have tests of their own in tests/unit/ftp.
 */
import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { collect } from '../../../src/content.ts'
import { Disk } from '../../../src/disk.ts'
import { FtpDriver, type FtpDriverOptions } from '../../../src/drivers/ftp/ftp-driver.ts'
import { type DataFault, type FtpFaultProxy, ftpFaultProxy } from '../../support/ftp-fault-proxy.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { ftpOptions } from '../../support/stores/ftp-store.ts'

const PATH = 'dir/file.bin'
const OLD = randomBytes(600_000)
const NEW = randomBytes(700_000)
const ALWAYS = Number.POSITIVE_INFINITY

let options: FtpDriverOptions
let directory: string
let proxy: FtpFaultProxy
let direct: Disk
let disk: Disk

beforeEach(async () => {
  const server = await proftpd()
  if (server.directory === undefined) throw new Error('these tests look beneath the server: leave STOWAGE_TEST_FTP_HOST unset')
  proxy = await ftpFaultProxy(server)
  options = ftpOptions(server)
  directory = join(server.directory, options.root ?? '')
  direct = new Disk(new FtpDriver(options))
  disk = new Disk(new FtpDriver({ ...options, port: proxy.port }), { timeoutMs: 20_000 })
  await direct.put(PATH, OLD)
})

afterEach(async () => {
  await disk.close()
  while (proxy.control.open + proxy.data.open > 0) await sleep(5) // Bounded by the limit of the test.
  await proxy.close()
  await direct.close()
  await rm(directory, { recursive: true, force: true })
})

async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'ok'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

async function write(run: () => Promise<unknown>): Promise<string> {
  const outcome = await outcomeOf(run)
  expect(proxy.faulted).toBeGreaterThan(0)
  expect((await direct.get(PATH)).equals(outcome === 'ok' ? NEW : OLD)).toBe(true)
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  expect(names.filter((entry) => entry.isFile()).map((entry) => entry.name)).toEqual(['file.bin'])
  return outcome
}

async function read(run: () => Promise<Uint8Array>): Promise<string> {
  const outcome = await outcomeOf(async () => expect(Buffer.compare(await run(), OLD)).toBe(0))
  expect(proxy.faulted).toBeGreaterThan(0)
  return outcome
}

async function* slices(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 60_000) yield bytes.subarray(start, start + 60_000)
}

type Row = readonly [title: string, fault: DataFault, times: number, bytes: string, stream: string]

describe('an upload by FTP', () => {
  const rows: readonly Row[] = [
    ['a reset in the middle', { resetAfter: 100_000 }, 1, 'unavailable', 'unavailable'],
    ['resets without end', { resetAfter: 100_000 }, ALWAYS, 'unavailable', 'unavailable'],
    ['an end that comes too early, unseen by the client', { endAfter: 100_000 }, ALWAYS, 'unavailable', 'unavailable'],
    ['a slow connection', { bytesPerSecond: 1_500_000 }, 1, 'ok', 'ok'],
  ]

  it.each(rows)('of bytes meets %s', async (_title, fault, times, bytes) => {
    proxy.injectData({ direction: 'up', times }, fault)
    expect(await write(() => disk.put(PATH, NEW))).toBe(bytes)
  })

  it.each(rows)('of a stream meets %s', async (_title, fault, times, _bytes, stream) => {
    proxy.injectData({ direction: 'up', times }, fault)
    expect(await write(() => disk.writeStream(PATH, slices(NEW)))).toBe(stream)
  })

  it.each([/^STOR /, /^SIZE /, /^RNTO /])('of bytes is made again when the connection dies at %s', async (command) => {
    proxy.injectReset(command)
    expect(await write(() => disk.put(PATH, NEW))).toBe('ok')
  })

  it('that meets silence ends in time', async () => {
    proxy.injectData({ direction: 'up', times: ALWAYS }, { stallAfter: 100_000 })
    expect(await write(() => disk.put(PATH, NEW, { timeoutMs: 1_500 }))).toBe('timeout')
  })

  it.each([
    ['STOR', '450 Busy'],
    ['STOR', '421 Too many users'],
    ['RNFR', '421 Too many users'],
    ['RNFR', '451 Local error'],
  ])('that meets %s being answered by %s without end leaves the old file', async (command, reply) => {
    proxy.injectReply(new RegExp(`^${command} `), reply, ALWAYS)
    expect(await write(() => disk.put(PATH, NEW))).toMatch(/^(unavailable|rate_limited)$/)
  })
})

describe('a download by FTP', () => {
  // What is larger than a piece goes on at its byte, also when it is streamed.
  const rows: readonly Row[] = [
    ['a reset in the middle', { resetAfter: 300_000 }, 1, 'ok', 'ok'],
    ['resets without end', { resetAfter: 0 }, ALWAYS, 'unavailable', 'unavailable'],
    ['an end that comes too early', { endAfter: 300_000 }, 1, 'ok', 'ok'],
    ['ends without end', { endAfter: 0 }, ALWAYS, 'unavailable', 'unavailable'],
    ['a slow connection', { bytesPerSecond: 1_500_000 }, 1, 'ok', 'ok'],
  ]

  it.each(rows)('meets %s', async (_title, fault, times, bytes) => {
    proxy.injectData({ direction: 'down', times }, fault)
    expect(await read(() => disk.get(PATH))).toBe(bytes)
  })

  it.each(rows)('as a stream meets %s', async (_title, fault, times, _bytes, stream) => {
    proxy.injectData({ direction: 'down', times }, fault)
    expect(await read(async () => collect(await disk.readStream(PATH)))).toBe(stream)
  })

  it('that meets silence ends in time', async () => {
    proxy.injectData({ direction: 'down', times: ALWAYS }, { stallAfter: 300_000 })
    expect(await read(() => disk.get(PATH, { timeoutMs: 1_500 }))).toBe('timeout')
  })

  it('goes on after the server said once that it was busy', async () => {
    proxy.injectReply(/^RETR /, '421 Too many users')
    expect(await read(() => disk.get(PATH))).toBe('ok')
  })
})

describe('a call by FTP', () => {
  const calls = [
    ['stat', /^(MLST|SIZE) /, async () => (await disk.stat(PATH)).size === OLD.length],
    ['list', /^MLSD/, async () => (await disk.files('dir')).join() === PATH],
    ['delete', /^DELE /, async () => disk.delete(PATH).then(() => direct.missing(PATH))],
  ] as const

  it.each(calls)('%s is made again on another connection', async (_name, command, run) => {
    proxy.injectReset(command)
    expect(await run()).toBe(true)
    expect(proxy.faulted).toBe(1)
  })

  it.each(calls)('%s ends when each connection dies, or in time when none answers', async (_name, command, run) => {
    proxy.injectReset(command, ALWAYS)
    expect(await outcomeOf(run)).toMatch(/^(unavailable|partial_failure)$/)
    await disk.close()
    await proxy.close()
    proxy = await ftpFaultProxy({ host: options.host, port: options.port ?? 21 })
    disk = new Disk(new FtpDriver({ ...options, port: proxy.port }), { timeoutMs: 1_500 })
    proxy.injectSilence(command, ALWAYS)
    expect(await outcomeOf(run)).toBe('timeout')
    expect((await direct.get(PATH)).equals(OLD)).toBe(true)
  })
})
