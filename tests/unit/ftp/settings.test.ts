/** What a disk is configured with, judged before anything is connected to; and servers that are not there. */
import { describe, expect, it } from '@jest/globals'
import { inspect } from 'node:util'
import { StorageManager } from '../../../src/storage-manager.ts'
import { FtpDriver, type FtpDriverOptions } from '../../../src/drivers/ftp/ftp-driver.ts'
import { codeOf, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { listen } from '../../support/listen.ts'
import { diskOn } from './ftp-disk.ts'

function refusal(options: Partial<FtpDriverOptions>): unknown {
  try {
    return new FtpDriver({ host: 'example.com', ...options })
  } catch (error) {
    return codeOf(error)
  }
}

describe('the configuration', () => {
  it.each([
    [{ host: '' }],
    [{ host: 'ftp://example.com' }],
    [{ host: 'user@example.com' }],
    [{ username: 'a\r\nDELE b' }],
    [{ password: 'a\nb' }],
    [{ root: '../up' }],
    [{ root: 'a\r\nb' }],
    [{ poolSize: 0 }],
    [{ responseTimeoutMs: 0.5 }],
    [{ secure: true as unknown as 'explicit' }],
  ])('is refused before anything is done: %j', (options) => {
    expect(refusal(options)).toBe('configuration')
  })

  it('tells which disks share a server and an account', () => {
    const at = (options: Partial<FtpDriverOptions>): string => {
      const { store, key } = new FtpDriver({ host: 'Example.com', ...options }).locate('a.txt')
      return `${store} ${key}`
    }
    expect(at({ root: '/srv/' })).toBe('ftp://anonymous@example.com:21 srv/a.txt')
    expect(at({ secure: 'implicit', username: 'me' })).toBe('ftp://me@example.com:990/~ a.txt')
    expect(at({ root: '/' })).not.toBe(at({ root: '' }))
  })

  it('makes a disk by name', async () => {
    const { host, port, username, password, root } = await proftpd()
    const storage = new StorageManager({
      default: 'files',
      disks: {
        files: {
          driver: 'ftp',
          host,
          port: String(port),
          username,
          password,
          root: `${root}/never-made`,
          poolSize: '1',
          permissions: 'true',
        },
      },
    })
    expect(await storage.disk('files').files()).toEqual([])
    expect(await storage.disk('files').exists('a.txt')).toBe(false)
    expect(storage.disk('files').layer('ftp')?.kind).toBe('ftp')
    await storage.close()
  })
})

describe('a server', () => {
  it('that is not there is unavailable', async () => {
    const listener = await listen(() => undefined)
    const { port } = listener
    await listener.close()
    const error = await rejectionOf(new StorageManager({ disks: { a: { driver: 'ftp', host: '127.0.0.1', port } } }).disk('a').exists('x'))
    expect([codeOf(error), (error as { retryable?: boolean }).retryable]).toEqual(['unavailable', true])
  })

  it('that says nothing ends in a timeout', async () => {
    const listener = await listen(() => undefined)
    const { port } = listener
    const driver = new FtpDriver({ host: '127.0.0.1', port, responseTimeoutMs: 200 })
    expect(codeOf(await rejectionOf(driver.stat('a.txt', {})))).toBe('timeout')
    const controller = new AbortController()
    const waiting = rejectionOf(driver.stat('a.txt', { signal: controller.signal }))
    controller.abort('enough')
    expect(await waiting).toBe('enough')
    await listener.close()
  })

  it('that does not accept the password is told so, and nobody else', async () => {
    const { disk } = await diskOn(await proftpd(), { password: 'not-the-password' })
    const calls = [
      () => disk.exists('a.txt'),
      () => disk.getOrNull('a.txt'),
      () => disk.delete('a.txt'),
      () => disk.files(),
      () => disk.put('a.txt', 'x'),
    ]
    for (const call of calls) {
      const error = await rejectionOf(call())
      expect(codeOf(error)).toBe('unauthenticated')
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('not-the-password')
    }
  })
})
