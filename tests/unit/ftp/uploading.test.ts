/** Uploads: a temporary name, then a rename; what crashed writers left; and servers that do not rename over a file. */
import { randomBytes } from 'node:crypto'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { codeOf, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import type { FtpFaultProxy } from '../../support/ftp-fault-proxy.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { diskOn, faultyDisk } from './ftp-disk.ts'

const HOUR_MS = 60 * 60 * 1_000

/** The server hears nothing of the next rename. */
function refuseRename(proxy: FtpFaultProxy, reply: string): void {
  proxy.injectReply(/^RNFR /, '350 Ready')
  proxy.injectReply(/^RNTO /, reply)
}

describe('a server that does not rename over a file', () => {
  it('has the old one deleted first', async () => {
    const { disk, proxy, leftovers } = await faultyDisk()
    await disk.put('a.txt', 'old')
    refuseRename(proxy, '553 File exists')
    await disk.put('a.txt', 'new')
    expect(await disk.text('a.txt')).toBe('new')
    expect(proxy.commands.filter((command) => /^DELE .*a\.txt$/.test(command))).toHaveLength(1)
    expect(await leftovers()).toEqual([])
  })

  it('has it deleted for a move, too', async () => {
    const { disk, proxy } = await faultyDisk()
    await disk.put('a.txt', 'new')
    await disk.put('b.txt', 'old')
    refuseRename(proxy, '550 File exists')
    await disk.move('a.txt', 'b.txt')
    expect(await disk.allFiles()).toEqual(['b.txt'])
    expect(await disk.text('b.txt')).toBe('new')
  })

  it('keeps the file, and no litter, when it does not let it be deleted either', async () => {
    const { disk, proxy, leftovers } = await faultyDisk()
    await disk.put('a.txt', 'old')
    refuseRename(proxy, '553 File exists')
    proxy.injectReply(/^DELE .*a\.txt$/, '550 Permission denied')
    expect(codeOf(await rejectionOf(disk.put('a.txt', 'new')))).toBe('permission_denied')
    expect(await disk.text('a.txt')).toBe('old')
    expect(await leftovers()).toEqual([])
  })
})

describe('what the disk keeps to itself', () => {
  it('is not listed, and not to be named', async () => {
    const { disk, directory } = await diskOn(await proftpd())
    await writeFile(join(directory, '.stowage-tmp-abc-0123'), 'x')
    expect(await disk.allFiles()).toEqual([])
    for (const path of ['.stowage-tmp-abc-0123', 'a/.stowage', '.STOWAGE-x/b']) {
      const calls = [
        () => disk.put(path, 'x'),
        () => disk.get(path),
        () => disk.delete(path),
        () => disk.files(path),
        () => disk.copy('a.txt', path),
      ]
      for (const call of calls) {
        expect(codeOf(await rejectionOf(call()))).toBe('invalid_path')
      }
    }
  })

  it('goes with its directory', async () => {
    const { disk, directory } = await diskOn(await proftpd())
    await disk.put('a/b.txt', 'x')
    await writeFile(join(directory, 'a/.stowage-tmp-abc-0123'), 'x')
    expect(await disk.deleteDirectory('a')).toEqual({ deleted: 1 })
    expect(await disk.directoryExists('a')).toBe(false)
  })
})

describe('pruneIncompleteUploads', () => {
  const temp = (begun: number): string => `.stowage-tmp-${begun.toString(36)}-${randomBytes(8).toString('hex')}`

  it.each([
    ['proftpd', () => proftpd()],
    ['vsftpd', () => vsftpd()],
  ])('deletes what crashed writers left on %s, and nothing that is younger, is written to, or is not ours', async (_name, find) => {
    const { disk, driver, directory, leftovers } = await diskOn(await find())
    await disk.put('a/b/c.txt', 'x')
    const [old, young] = [Date.now() - 50 * HOUR_MS, Date.now() - HOUR_MS]
    const files = [temp(old), `a/${temp(old)}`, `a/b/${temp(old)}`, temp(young), `a/${temp(old)}`, '.stowage-other']
    for (const file of files) await writeFile(join(directory, file), 'x')
    for (const file of [...files.slice(0, 3), '.stowage-other']) await utimes(join(directory, file), new Date(old), new Date(old))
    expect(await driver.pruneIncompleteUploads()).toBe(3)
    expect(new Set(await leftovers())).toEqual(new Set([files[3], files[4], '.stowage-other']))
    expect(await driver.pruneIncompleteUploads({ olderThan: new Date(Date.now() + HOUR_MS) })).toBe(2)
    expect(await disk.allFiles()).toEqual(['a/b/c.txt'])
    expect(await leftovers()).toEqual(['.stowage-other'])
  })

  it('refuses a moment that is none', async () => {
    const { driver } = await diskOn(await proftpd())
    expect(codeOf(await rejectionOf(driver.pruneIncompleteUploads({ olderThan: new Date(Number.NaN) })))).toBe('invalid_argument')
  })
})
