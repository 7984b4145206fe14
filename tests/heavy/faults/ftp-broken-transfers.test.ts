/** Transfers that break: a download goes on at its byte, an upload leaves the old file and no litter, and nothing hangs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { bytesFor, codeOf, drained, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { diskOn, faultyDisk } from '../../unit/ftp/ftp-disk.ts'

const LARGE = bytesFor(2 * 1024 * 1024 + 7)

describe('a download that breaks', () => {
  it.each([
    ['is reset', { resetAfter: 700_001 }],
    ['ends too early', { endAfter: 700_001 }],
  ])('goes on at the byte where it %s', async (_how, fault) => {
    const { disk, proxy } = await faultyDisk()
    await disk.put('a.bin', LARGE)
    proxy.injectData({ direction: 'down' }, fault)
    expect((await disk.get('a.bin')).equals(LARGE)).toBe(true)
    expect(proxy.faulted).toBe(1)
    expect(proxy.commands.filter((command) => command.startsWith('REST '))).toHaveLength(1)
  })

  it('goes on within a range, and again', async () => {
    const { disk, proxy } = await faultyDisk()
    await disk.put('a.bin', LARGE)
    proxy.injectData({ direction: 'down', times: 2 }, { resetAfter: 300_000 })
    const range = { start: 100_003, end: 1_500_001 }
    expect((await disk.get('a.bin', { range })).equals(LARGE.subarray(range.start, range.end))).toBe(true)
    expect(proxy.faulted).toBe(2)
  })

  it('is an error when the file is another one meanwhile', async () => {
    const { disk, proxy } = await faultyDisk()
    await disk.put('a.bin', LARGE)
    proxy.injectData({ direction: 'down' }, { resetAfter: 300_000 })
    const stream = await disk.readStream('a.bin')
    await disk.put('a.bin', LARGE.subarray(1))
    expect(codeOf(await rejectionOf(drained(stream)))).toBe('unavailable')
  })

  it('is an error when it breaks each time', async () => {
    const { disk, proxy } = await faultyDisk()
    await disk.put('a.bin', LARGE)
    proxy.injectData({ direction: 'down', times: 99 }, { resetAfter: 0 })
    expect(codeOf(await rejectionOf(disk.get('a.bin')))).toBe('unavailable')
    expect(proxy.faulted).toBeLessThan(10)
  })

  it.each([
    ['timeoutMs', { timeoutMs: 400 }, {}],
    ['the time that the server may keep silent', {}, { responseTimeoutMs: 2_000 }],
  ])('does not hang when nothing more comes: %s', async (_limit, limits, options) => {
    const { disk, proxy } = await faultyDisk(options)
    await disk.put('a.bin', LARGE)
    proxy.injectData({ direction: 'down', times: 9 }, { stallAfter: 300_000 })
    expect(codeOf(await rejectionOf(disk.get('a.bin', limits)))).toBe('timeout')
    expect(await disk.size('a.bin')).toBe(LARGE.length)
  })

  it('is an error in a listing too, and no shorter list', async () => {
    const { disk, proxy } = await faultyDisk()
    for (let index = 0; index < 40; index++) await disk.put(`${index}.txt`, 'x')
    proxy.injectData({ direction: 'down' }, { resetAfter: 300 })
    const found = await disk.files().catch((error: unknown) => codeOf(error))
    expect(['unavailable', 40]).toContain(Array.isArray(found) ? found.length : found)
  })
})

describe('a transfer that is slow', () => {
  it.each(['down', 'up'] as const)('is none that breaks, as long as it goes on: %s', async (direction) => {
    const { disk, proxy } = await faultyDisk({ responseTimeoutMs: 1_000 })
    if (direction === 'down') await disk.put('a.bin', LARGE)
    proxy.injectData({ direction }, { bytesPerSecond: 1_000_000 })
    if (direction === 'up') await disk.put('a.bin', LARGE)
    expect((await disk.get('a.bin')).equals(LARGE)).toBe(true)
    expect(proxy.faulted).toBe(1)
  })
})

describe('an upload that breaks', () => {
  it.each([
    ['is reset', { resetAfter: 700_001 }, ['unavailable']],
    ['is cut off, as if that were all', { endAfter: 700_001 }, ['unavailable']],
  ])('leaves the old file and no litter: it %s', async (_how, fault, codes) => {
    const { disk, proxy, leftovers } = await faultyDisk()
    await disk.put('a.bin', 'old')
    proxy.injectData({ direction: 'up' }, fault)
    expect(codes).toContain(codeOf(await rejectionOf(disk.put('a.bin', LARGE))))
    expect(await disk.text('a.bin')).toBe('old')
    expect(await leftovers()).toEqual([])
    await disk.put('a.bin', 'new')
    expect(await disk.text('a.bin')).toBe('new')
  })

  it('does not hang when the server takes no more', async () => {
    const { disk, proxy, leftovers } = await faultyDisk({ responseTimeoutMs: 700 })
    await disk.put('a.bin', 'old')
    proxy.injectData({ direction: 'up' }, { stallAfter: 100_000 })
    expect(codeOf(await rejectionOf(disk.put('a.bin', bytesFor(64 * 1024 * 1024))))).toBe('timeout')
    expect(await disk.text('a.bin')).toBe('old')
    expect(await leftovers()).toEqual([])
  })

  it('is repeated on a connection that was dead, from bytes', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.bin', 'old')
    proxy.injectData({ direction: 'up' }, { resetAfter: 700_001 })
    proxy.injectReset(/^STOR /)
    await disk.put('a.bin', 'new')
    expect(await disk.text('a.bin')).toBe('new')
  })

  it.each([
    ['552 Quota exceeded', 'quota_exceeded'],
    ['452 Insufficient storage', 'quota_exceeded'],
    ['451 Local error', 'unavailable'],
    ['425 Cannot open data connection', 'unavailable'],
    ['532 Need account for storing files', 'permission_denied'],
  ])('says what the server says: %s', async (reply, code) => {
    const { disk, proxy, leftovers } = await faultyDisk()
    await disk.put('a.bin', 'old')
    proxy.injectReply(/^STOR /, reply)
    expect(codeOf(await rejectionOf(disk.put('a.bin', 'new')))).toBe(code)
    expect(await disk.text('a.bin')).toBe('old')
    expect(await leftovers()).toEqual([])
  })

  it('is seen while its source waits', async () => {
    const { disk, proxy } = await faultyDisk()
    proxy.injectData({ direction: 'up' }, { resetAfter: 3 })
    async function* waiting(): AsyncGenerator<string> {
      yield 'some bytes'
      await sleep(60_000, undefined, { ref: false })
    }
    expect(codeOf(await rejectionOf(disk.put('a.txt', waiting())))).toBe('unavailable')
  })
})

describe('a server that does not answer', () => {
  it.each(['MLST', 'STOR', 'RNTO', 'RETR'])('ends in a timeout: %s', async (verb) => {
    const { disk, proxy } = await faultyDisk({ responseTimeoutMs: 2_000 })
    await disk.put('a.txt', 'old')
    proxy.injectSilence(new RegExp(`^${verb} `))
    const call = verb === 'MLST' || verb === 'RETR' ? disk.text('a.txt') : disk.put('a.txt', 'new')
    expect(codeOf(await rejectionOf(call))).toBe('timeout')
    expect(await disk.text('a.txt')).toBe('old')
  })

  it('ends in a timeout while it is being connected to', async () => {
    const { disk, proxy } = await faultyDisk({ responseTimeoutMs: 2_000 })
    proxy.injectSilence(/^USER /)
    expect(codeOf(await rejectionOf(disk.exists('a.txt')))).toBe('timeout')
    expect(await disk.exists('a.txt')).toBe(false)
  })
})

describe('an aborted upload', () => {
  it('leaves no temporary file when the server has not begun yet', async () => {
    const { disk, leftovers } = await diskOn(await proftpd())
    await disk.put('a.txt', 'old')
    for (let turn = 0; turn < 25; turn++) {
      const controller = new AbortController()
      const writing = disk.put('a.txt', 'new', { signal: controller.signal }).catch((error: unknown) => error)
      await sleep(turn / 8)
      controller.abort('enough')
      const outcome = await writing
      const text = await disk.text('a.txt')
      expect(outcome === 'enough' ? text : 'new').toBe(outcome === 'enough' ? 'old' : text)
      if (text === 'new') await disk.put('a.txt', 'old')
    }
    expect(await leftovers()).toEqual([])
  })

  it.each([
    ['proftpd', () => proftpd()],
    ['proftpd over TLS', () => proftpd({ tls: 'explicit' })],
    ['vsftpd', () => vsftpd()],
    ['vsftpd over TLS', () => vsftpd({ tls: 'explicit' })],
  ])('leaves the old file and no temporary one on %s', async (_server, find) => {
    const { disk, leftovers } = await diskOn(await find())
    await disk.put('a.bin', 'old')
    const controller = new AbortController()
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let chunk = 0; ; chunk++) {
        if (chunk === 20) controller.abort('enough')
        yield LARGE.subarray(0, 65_536)
      }
    }
    expect(await rejectionOf(disk.put('a.bin', endless(), { signal: controller.signal }))).toBe('enough')
    expect(await disk.text('a.bin')).toBe('old')
    expect(await leftovers()).toEqual([])
  })
})
