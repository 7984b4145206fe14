/** FTPS: certificates are checked, data is protected, and empty files arrive. */
import { describe, expect, it } from '@jest/globals'
import { inspect } from 'node:util'
import { bytesFor, codeOf, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { isStorageError } from '../../../src/errors.ts'
import type { FtpServer } from '../../support/servers/ftp-server.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { diskOn } from './ftp-disk.ts'

const SERVERS: readonly (readonly [string, () => Promise<FtpServer>])[] = [
  ['proftpd, explicit', () => proftpd({ tls: 'explicit' })],
  ['proftpd, implicit', () => proftpd({ tls: 'implicit' })],
  ['vsftpd, explicit', () => vsftpd({ tls: 'explicit' })],
  ['vsftpd, implicit', () => vsftpd({ tls: 'implicit' })],
]

describe.each(SERVERS)('%s', (_name, find) => {
  it('stores and reads, empty files too', async () => {
    const { disk, leftovers } = await diskOn(await find())
    const large = bytesFor(3 * 1024 * 1024)
    for (let turn = 0; turn < 5; turn++) await disk.put(`empty/${turn}`, '')
    await disk.put('empty/stream', (async function* () {})())
    await disk.append('empty/appended', '')
    await disk.put('large.bin', large)
    expect((await disk.get('large.bin')).equals(large)).toBe(true)
    expect((await disk.get('large.bin', { range: { start: 5, end: 9 } })).equals(large.subarray(5, 9))).toBe(true)
    expect(await disk.files('empty')).toHaveLength(7)
    for (const path of await disk.files('empty')) expect([path, await disk.size(path)]).toEqual([path, 0])
    expect(await disk.text('empty/0')).toBe('')
    expect(await leftovers()).toEqual([])
  })

  it('refuses a certificate that it does not trust, and says how to trust it', async () => {
    const { disk } = await diskOn(await find(), { tls: {} })
    for (const call of [() => disk.exists('a.txt'), () => disk.put('a.txt', 'x'), () => disk.files()]) {
      const error = await rejectionOf(call())
      expect(codeOf(error)).toBe('configuration')
      expect(String(error)).toContain('tls.ca')
    }
  })

  it('refuses a certificate that is made out to another name', async () => {
    const server = await find()
    const { disk } = await diskOn(server, { tls: { ca: server.ca, servername: 'other.example.com' } })
    const error = await rejectionOf(disk.exists('a.txt'))
    expect(codeOf(error)).toBe('configuration')
  })

  it('trusts it unseen only when it is told to', async () => {
    const { disk } = await diskOn(await find(), { tls: { rejectUnauthorized: false } })
    await disk.put('a.txt', 'x')
    expect(await disk.text('a.txt')).toBe('x')
  })

  it('says that a password is wrong, without telling it', async () => {
    const { disk } = await diskOn(await find(), { password: 'not-the-password' })
    const error = await rejectionOf(disk.exists('a.txt'))
    expect(codeOf(error)).toBe('unauthenticated')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('not-the-password')
  })
})

describe('a disk without TLS', () => {
  it.each([
    ['proftpd', () => proftpd({ tls: 'explicit' })],
    ['vsftpd', () => vsftpd({ tls: 'explicit' })],
  ])('is told that %s wants it', async (_name, find) => {
    const { disk } = await diskOn(await find(), { secure: false })
    const error = await rejectionOf(disk.exists('a.txt'))
    expect(['configuration', 'unauthenticated']).toContain(codeOf(error))
    expect(String(error)).toContain('secure')
  })
})

describe('a disk with TLS', () => {
  it.each(['explicit', 'implicit'] as const)('does not go on without it where the server has none: %s', async (secure) => {
    const { disk } = await diskOn(await proftpd(), { secure, responseTimeoutMs: 3_000 })
    const error = await rejectionOf(disk.exists('a.txt'))
    expect(isStorageError(error) && error.code).toMatch(/^(configuration|timeout|unavailable)$/)
  })

  it('works where data connections need not resume the session', async () => {
    const { disk } = await diskOn(await proftpd({ tls: 'explicit', sessionReuse: false }))
    await disk.put('a.txt', 'x')
    expect(await disk.text('a.txt')).toBe('x')
  })
})
