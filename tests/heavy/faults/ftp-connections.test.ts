/** Connections: shared in turn, replaced when they turn out dead, given back by whoever read, and never in anybody's way. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import type { Disk } from '../../../src/disk.ts'
import { codeOf, drained, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { diskOn, faultyDisk, type FtpDisk } from '../../unit/ftp/ftp-disk.ts'

const LARGE = Buffer.alloc(3 * 1024 * 1024, 'abcdefgh')

async function settled({ driver }: FtpDisk): Promise<number> {
  for (let turn = 0; turn < 500 && driver.connections.open > driver.connections.idle; turn++) await sleep(10)
  return driver.connections.open - driver.connections.idle
}

describe('a connection that turned out dead', () => {
  it.each([
    ['stat', /^MLST /, async (disk: Disk) => (await disk.stat('a.txt')).size, 7],
    ['exists', /^MLST /, (disk: Disk) => disk.exists('a.txt'), true],
    ['exists of what is missing', /^MLST /, (disk: Disk) => disk.exists('missing'), false],
    ['files', /^EPSV/, (disk: Disk) => disk.files(), ['a.txt']],
    ['text', /^EPSV/, (disk: Disk) => disk.text('a.txt'), 'content'],
    ['put', /^EPSV/, async (disk: Disk) => (await disk.put('a.txt', 'changed')).size, 7],
    ['put, at its last command', /^RNTO /, async (disk: Disk) => (await disk.put('a.txt', 'changed')).size, 7],
    ['delete', /^DELE /, (disk: Disk) => disk.delete('a.txt'), undefined],
  ] as const)('is replaced, and %s tells the truth', async (_verb, command, call, wanted) => {
    const { disk, proxy, leftovers } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'content')
    proxy.injectReset(command)
    expect(await call(disk)).toEqual(wanted)
    expect([proxy.faulted, proxy.control.opened]).toEqual([1, 2])
    expect(await leftovers()).toEqual([])
  })

  it('is replaced when the server says goodbye (421)', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'x')
    proxy.injectReply(/^MLST /, '421 Timeout')
    expect(await disk.exists('a.txt')).toBe(true)
    expect(proxy.control.opened).toBe(2)
  })

  it('is replaced after the server hung up on it while it rested', async () => {
    const server = await proftpd({ idleSeconds: 1 })
    const { disk } = await diskOn(server)
    await disk.put('a.txt', 'x')
    await sleep(2_500)
    expect(await disk.exists('a.txt')).toBe(true)
    expect(await disk.text('a.txt')).toBe('x')
  })

  it('is an error when the next one dies as well, and never an absent file', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'x')
    proxy.injectReset(/^MLST /, 2)
    expect(codeOf(await rejectionOf(disk.exists('a.txt')))).toBe('unavailable')
    expect(await disk.exists('a.txt')).toBe(true)
  })

  it('is not replaced for a move, which may have been done', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'x')
    proxy.injectReset(/^RNTO /)
    expect(codeOf(await rejectionOf(disk.move('a.txt', 'b.txt')))).toBe('unavailable')
    expect((await disk.allFiles()).length).toBe(1)
  })

  it('does not lose a stream that nobody has read from yet', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'x')
    proxy.injectReset(/^EPSV/)
    await disk.put(
      'b.txt',
      (async function* () {
        yield 'one'
        yield 'two'
      })(),
    )
    expect(await disk.text('b.txt')).toBe('onetwo')
  })
})

describe('the pool', () => {
  it('serves many at once on few connections, in the order in which they came', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 2 })
    const order: number[] = []
    await Promise.all(Array.from({ length: 20 }, (_, index) => disk.put(`${index}`, 'x').then(() => order.push(index))))
    expect(proxy.control.opened).toBe(2)
    const late = order.filter((index, place) => index >= 2 && Math.abs(index - place) > 3) // the first two wait for their logins
    expect(late).toEqual([])
  })

  it('lets a call that is aborted while it waits go, and serves the others', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    await disk.put('a.txt', 'x')
    const controller = new AbortController()
    const first = disk.text('a.txt')
    const waiting = rejectionOf(disk.text('a.txt', { signal: controller.signal }))
    const last = disk.text('a.txt')
    controller.abort('enough')
    expect([await first, await waiting, await last]).toEqual(['x', 'enough', 'x'])
    expect(proxy.control.opened).toBe(1)
  })

  it('is not stopped by bodies that nobody reads', async () => {
    const { disk, driver } = await diskOn(await proftpd(), { poolSize: 1 })
    await disk.put('large.bin', LARGE)
    const streams = [await disk.readStream('large.bin'), await disk.readStream('large.bin')]
    expect(await disk.exists('large.bin')).toBe(true)
    await disk.put('b.txt', 'x')
    expect(await disk.text('b.txt')).toBe('x')
    expect(driver.connections.open).toBe(3)
    for (const stream of streams) expect((await drained(stream)).equals(LARGE)).toBe(true)
  })

  it('reads more bodies at once than it has connections: those that wait go on at their byte', async () => {
    const { disk, driver } = await diskOn(await proftpd(), { poolSize: 1 })
    await disk.put('large.bin', LARGE)
    const streams = []
    for (let index = 0; index < 14; index++) streams.push(await disk.readStream('large.bin'))
    expect(driver.connections.open).toBeLessThanOrEqual(9)
    for (const stream of streams) expect((await drained(stream)).equals(LARGE)).toBe(true)
  })

  it('reads them all at the same time, too', async () => {
    const { disk } = await diskOn(await proftpd(), { poolSize: 2 })
    await disk.put('large.bin', LARGE)
    const streams = await Promise.all(Array.from({ length: 14 }, () => disk.readStream('large.bin')))
    const bodies = await Promise.all(streams.map((stream) => drained(stream)))
    expect(bodies.every((body) => body.equals(LARGE))).toBe(true)
  })

  it('lets a body wait when the server takes no more connections', async () => {
    const made = await faultyDisk({ poolSize: 1 })
    const { disk, proxy } = made
    await disk.put('large.bin', LARGE)
    const stream = await disk.readStream('large.bin')
    proxy.injectReply(/^USER /, '530 Sorry, the maximum number of clients for this user already connected')
    expect(await disk.exists('large.bin')).toBe(true)
    expect((await drained(stream)).equals(LARGE)).toBe(true)
    expect(await settled(made)).toBe(0)
  })

  it('copies on one disk with one connection in the pool', async () => {
    const { disk } = await diskOn(await proftpd(), { poolSize: 1 })
    await disk.put('large.bin', LARGE)
    await disk.copy('large.bin', 'b/copy.bin')
    expect((await disk.get('b/copy.bin')).equals(LARGE)).toBe(true)
  })

  it('takes the connections of destroyed streams back', async () => {
    const made = await faultyDisk({ poolSize: 1 })
    const { disk, proxy } = made
    await disk.put('large.bin', LARGE)
    for (let turn = 0; turn < 6; turn++) {
      const stream = await disk.readStream('large.bin')
      if (turn % 2 === 0) for await (const _ of stream) break
      stream.destroy()
      expect(await settled(made)).toBe(0)
    }
    expect(proxy.data.open).toBe(0)
    expect(proxy.control.open).toBeLessThanOrEqual(2)
  })

  it('takes leave of the server when the disk is closed, and opens again when it is used again', async () => {
    const { disk, driver, proxy } = await faultyDisk()
    await disk.put('a.txt', 'x')
    await disk.close()
    await disk.close()
    expect(driver.connections).toEqual({ open: 0, idle: 0 })
    expect(proxy.commands.at(-1)).toBe('QUIT')
    expect(await disk.text('a.txt')).toBe('x')
  })

  it('closes what is at work when the disk is closed as soon as that is done', async () => {
    const { disk, driver } = await faultyDisk()
    await disk.put('large.bin', LARGE)
    const stream = await disk.readStream('large.bin')
    const getting = disk.get('large.bin')
    await disk.close()
    expect((await getting).equals(LARGE)).toBe(true)
    expect((await drained(stream)).equals(LARGE)).toBe(true)
    await disk.close()
    expect(driver.connections).toEqual({ open: 0, idle: 0 })
  })
})
