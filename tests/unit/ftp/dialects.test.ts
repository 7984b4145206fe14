/** What differs between servers: how they list, where data connections go, permissions, times, and what they refuse. */
import { chmod, chown, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { Client } from 'basic-ftp'
import { parseFacts, parseListing, parseMlst, parseTime } from '../../../src/drivers/ftp/facts.ts'
import { codeOf, listed, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { diskOn, faultyDisk } from './ftp-disk.ts'

const { parseList } = new Client()
const SERVERS = [
  ['proftpd', () => proftpd()],
  ['vsftpd', () => vsftpd()],
] as const

describe('listings', () => {
  it('are read as MLSD sends them', () => {
    const facts = parseFacts(
      'type=cdir;modify=20260102030405; .\r\ntype=pdir; ..\r\nType=file;Size=12;Modify=20260102030405.678;UNIX.mode=0600;  lead; and=trail \r\n' +
        'modify=20260102030405;type=dir;unix.mode=0755; d\r\ntype=OS.unix=slink:/etc;size=3; link\r\nno facts\r\n\r\n',
    )
    const modified = new Date('2026-01-02T03:04:05.678Z')
    expect(facts.map(({ name, type, size, modified, visibility }) => ({ name, type, size, modified, visibility }))).toEqual([
      { name: ' lead; and=trail ', type: 'file', size: 12, modified, visibility: 'private' },
      { name: 'd', type: 'directory', size: undefined, modified: new Date('2026-01-02T03:04:05Z'), visibility: 'public' },
      { name: 'link', type: 'other', size: 3, modified: undefined, visibility: undefined },
    ])
    expect(parseMlst('250-Begin\n type=file;size=1;modify=20260102030405; /a b\n250 End')?.size).toBe(1)
    expect(parseMlst('250 nothing')).toBeUndefined()
    expect(parseTime('213 20260230')).toBeUndefined()
  })

  it('are read as ls prints them, and as DOS does', () => {
    const unix = `total 8\r\ndrwxr-xr-x    2 1001     1001         4096 Nov 21 00:09 d\r\n-rw-------    1 1001     1001            5 Nov 21  2024  a\u2028b \r\nlrwxrwxrwx    1 0  0   4 Nov 21 00:09 l -> /etc\r\n`
    expect(parseListing(unix, parseList).map(({ name, type, size, visibility }) => [name, type, size, visibility])).toEqual([
      ['d', 'directory', 4096, 'public'],
      [' a\u2028b ', 'file', 5, 'private'],
      ['l', 'other', 4, 'public'],
    ])
    const dos = '12-05-96  05:03PM       <DIR>          my Dir\r\n11-14-97  04:21PM                  953 AUDITOR3.INI\r\n'
    expect(parseListing(dos, parseList).map(({ name, type, size }) => [name, type, type === 'file' && size])).toEqual([
      ['my Dir', 'directory', false],
      ['AUDITOR3.INI', 'file', 953],
    ])
    expect(parseListing('', parseList)).toEqual([])
  })

  it('that nobody can read are an error, and no empty directory', () => {
    expect(() => parseListing('??? what is this\r\n', parseList)).toThrow('format')
  })

  it.each(SERVERS)('leave out links, names of no path, and what is no UTF-8, on %s', async (_name, find) => {
    const { disk, directory } = await diskOn(await find())
    await disk.put('d/a.txt', 'content')
    await symlink('a.txt', join(directory, 'd/link'))
    await symlink('/etc', join(directory, 'd/linked'))
    const latin1 = Buffer.concat([Buffer.from(`${directory}/d/`), Buffer.from([0xe9, 0x2e])])
    await writeFile(latin1, 'x')
    await writeFile(join(directory, 'd/back\\slash'), 'x')
    await writeFile(join(directory, 'd/\ufffd'), 'x')
    expect(await listed(disk)).toEqual(['d/', 'd/a.txt', 'd/\ufffd'])
    expect(await disk.fileExists('d/linked')).toBe(false)
    expect([await disk.text('d/link'), await disk.size('d/link')]).toEqual(['content', 7])
    await rm(latin1) // no command in UTF-8 can name it
    expect(await disk.deleteDirectory('d')).toEqual({ deleted: 3 })
    expect((await stat('/etc')).isDirectory()).toBe(true)
  })

  it.each(SERVERS)('of a directory that is closed to us are permission_denied on %s', async (_name, find) => {
    const { disk, directory } = await diskOn(await find())
    await mkdir(join(directory, 'closed'), { mode: 0o700 })
    await writeFile(join(directory, 'closed/a.txt'), 'x')
    await chown(join(directory, 'closed'), 0, 0)
    expect(codeOf(await rejectionOf(disk.files('closed')))).toBe('permission_denied')
    expect(codeOf(await rejectionOf(disk.put('closed/b.txt', 'x')))).toBe('permission_denied')
  })
})

describe('a refusal (550)', () => {
  it('is permission_denied where a directory above is closed, and not_found where nothing is', async () => {
    const { disk, directory } = await diskOn(await proftpd())
    await mkdir(join(directory, 'closed'), { mode: 0o700 })
    await writeFile(join(directory, 'closed/a.txt'), 'x')
    await chown(join(directory, 'closed'), 0, 0)
    for (const path of ['closed/a.txt', 'closed/deep/er.txt']) {
      const calls = [
        () => disk.stat(path),
        () => disk.get(path),
        () => disk.exists(path),
        () => disk.delete(path),
        () => disk.move(path, 'b.txt'),
      ]
      for (const call of calls) {
        expect([path, codeOf(await rejectionOf(call()))]).toEqual([path, 'permission_denied'])
      }
    }
    expect(await disk.exists('open/missing.txt')).toBe(false)
  })

  it.each(SERVERS)('is permission_denied for a file that may not be read or replaced, on %s', async (_name, find) => {
    const { disk, directory } = await diskOn(await find())
    await disk.put('d/a.txt', 'x')
    await chmod(join(directory, 'd/a.txt'), 0o600)
    await chown(join(directory, 'd/a.txt'), 0, 0)
    await chown(join(directory, 'd'), 0, 0)
    expect(codeOf(await rejectionOf(disk.get('d/a.txt')))).toBe('permission_denied')
    expect(codeOf(await rejectionOf(disk.put('d/a.txt', 'y')))).toBe('permission_denied')
    expect(codeOf(await rejectionOf(disk.append('d/a.txt', 'y')))).toBe('permission_denied')
    expect(await disk.size('d/a.txt')).toBe(1)
  })
})

describe('data connections', () => {
  it('go to the host of the control connection, whatever address the server says', async () => {
    const server = await proftpd({ passiveAddress: '192.0.2.1' })
    const { disk } = await diskOn(server)
    await disk.put('a.txt', 'x')
    expect(await disk.text('a.txt')).toBe('x')
  })

  it('are asked for by PASV where the server does not know EPSV', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    proxy.injectReply(/^EPSV/, '500 EPSV not understood')
    await disk.put('a.txt', 'x')
    expect(await disk.text('a.txt')).toBe('x')
    expect(proxy.commands.filter((command) => command === 'EPSV')).toHaveLength(1)
    expect(proxy.commands).toContain('PASV')
  })

  it('go where passiveHost says', async () => {
    const elsewhere = await diskOn(await proftpd(), { passiveHost: '127.0.0.2', responseTimeoutMs: 2_000 })
    expect(codeOf(await rejectionOf(elsewhere.disk.put('a.txt', 'x')))).toMatch(/^(unavailable|timeout)$/)
    const here = await diskOn(await proftpd(), { passiveHost: 'localhost' })
    await here.disk.put('a.txt', 'x')
    expect(await here.disk.text('a.txt')).toBe('x')
  })
})

describe('a server without MLST', () => {
  it('is listed by LIST, and asked for times', async () => {
    const { disk, proxy } = await faultyDisk({ poolSize: 1 })
    proxy.injectReply(/^FEAT/, '211 no features')
    await disk.put('a b/c.txt', 'content')
    const found = await disk.listPage('a b')
    expect(found.entries).toEqual([{ type: 'file', path: 'a b/c.txt', size: 7, lastModified: await disk.lastModified('a b/c.txt') }])
    expect(proxy.commands.some((command) => command.startsWith('MLS'))).toBe(false)
    expect((await disk.listPage('a b', { stat: false })).entries).toHaveLength(1)
  })
})

describe('visibility', () => {
  it.each(SERVERS)('is the permissions of the file on %s', async (_name, find) => {
    const { disk, directory } = await diskOn(await find())
    const modeOf = async (name: string): Promise<number> => (await stat(join(directory, name))).mode & 0o777
    await disk.put('a.txt', 'x', { visibility: 'private' })
    expect([await disk.visibility('a.txt'), await modeOf('a.txt')]).toEqual(['private', 0o600])
    await disk.setVisibility('a.txt', 'public')
    expect([await disk.visibility('a.txt'), await modeOf('a.txt')]).toEqual(['public', 0o644])
    await disk.append('b.txt', 'x', { visibility: 'private' })
    expect(await modeOf('b.txt')).toBe(0o600)
    await disk.makeDirectory('d/e', { visibility: 'private' })
    expect([await modeOf('d'), await modeOf('d/e')]).toEqual([0o700, 0o700])
  })

  it('is unsupported where the server has no SITE CHMOD, and left alone where the disk says so', async () => {
    const { disk, proxy, leftovers } = await faultyDisk()
    proxy.injectReply(/^SITE /, '500 SITE not understood', 9)
    expect(codeOf(await rejectionOf(disk.put('a.txt', 'x', { visibility: 'public' })))).toBe('unsupported')
    expect(await leftovers()).toEqual([])
    const plain = await faultyDisk({ permissions: false })
    expect(plain.driver.visibility).toBeUndefined()
    expect(codeOf(await rejectionOf(plain.disk.put('a.txt', 'x', { visibility: 'public' })))).toBe('unsupported')
    await plain.disk.put('a.txt', 'x')
    await plain.disk.copy('a.txt', 'b.txt')
    expect(plain.proxy.commands.some((command) => command.startsWith('SITE'))).toBe(false)
  })
})

describe('times', () => {
  it.each(SERVERS)('are set to the second, and kept by a move, on %s', async (_name, find) => {
    const { disk, driver } = await diskOn(await find())
    await disk.put('a.txt', 'x')
    const time = new Date('2020-02-29T23:59:58.700Z')
    await driver.setLastModified('a.txt', time)
    expect(await disk.lastModified('a.txt')).toEqual(new Date('2020-02-29T23:59:58Z'))
    await disk.move('a.txt', 'b/c.txt')
    expect(await disk.lastModified('b/c.txt')).toEqual(new Date('2020-02-29T23:59:58Z'))
    expect(codeOf(await rejectionOf(driver.setLastModified('missing.txt', time)))).toBe('not_found')
  })
})
