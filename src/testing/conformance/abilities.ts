/** Abilities that some stores lack: URLs, multipart uploads, versions, places; and the errors, which say where they happened. */
import { isStorageError } from '../../errors.ts'
import { toContent } from '../../content.ts'
import type { Driver } from '../../driver.ts'
import { encodePath } from '../../path.ts'
import {
  bytesFor,
  codeOf,
  expectBytes,
  expectError,
  expectFile,
  expectNoLeftovers,
  expectUnchanged,
  listed,
  rejectionOf,
} from './assertions.ts'
import { type ConformanceTest, needs, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import { NAMES } from './paths.ts'
import type { Subject } from './subject.ts'

const PART_BYTES = 5 * 1024 * 1024 // what S3 takes at least, of every part but the last

const versions = needs(
  (driver) => driver.supports.versions,
  async ({ disk }) => {
    await expectError(disk.stat('a.txt', { versionId: 'v1' }), 'unsupported', { operation: 'stat', path: 'a.txt' })
    await expectError(disk.readStream('a.txt', { versionId: 'v1' }), 'unsupported', { operation: 'read', path: 'a.txt' })
    return disk.get('a.txt', { versionId: 'v1' })
  },
)

export const abilities: readonly ConformanceTest[] = [
  reads('says that it supports what it has, and nothing that nobody knows', async ({ disk, driver }) => {
    for (const ability of ['visibility', 'publicUrl', 'append', 'multipart'] as const) {
      expect([ability, disk.supports(ability)]).toEqual([ability, driver[ability] !== undefined])
    }
    for (const [flag, value] of Object.entries(driver.supports)) {
      expect([flag, typeof value]).toEqual([flag, 'boolean'])
      if (flag !== 'encryptedAtRest') expect([flag, disk.supports(flag)]).toEqual([flag, value])
    }
    for (const unknown of ['flight', '__proto__', 'constructor', 'stat', '']) expect(disk.supports(unknown)).toBe(false)
    if (driver.supports.temporaryUrl || driver.supports.temporaryUploadUrl) expect(typeof driver.signUrl).toBe('function')
  }),

  reads('names its kind, and its stack from the outside in', async ({ disk, driver }) => {
    expect([typeof driver.kind, driver.kind.length > 0, Array.isArray(driver.inner)]).toEqual(['string', true, true])
    expect(driver.name.startsWith(driver.kind)).toBe(true)
    for (const inner of driver.inner) expect(driver.name.includes(inner.name)).toBe(true)
    expect(disk.layer(driver.kind) === driver).toBe(true)
    expect(disk.toString()).toBe(`${disk.name}: ${driver.name}`)
  }),

  reads(
    'makes public URLs with every segment percent-encoded',
    async ({ disk, driver }) => {
      for (const path of NAMES) expectEncoded(await disk.url(path), path, driver)
    },
    needs(
      (driver) => driver.publicUrl !== undefined,
      ({ disk }) => disk.url('a.txt'),
    ),
  ),

  reads(
    'makes temporary URLs with every segment percent-encoded, one for each path',
    async ({ disk, driver }) => {
      for (const path of NAMES) expectEncoded(await disk.temporaryUrl(path, 60, { download: 'näme "1".txt' }), path, driver)
      const urls = await disk.temporaryUrls(['a.txt', 'b/ü.txt'], new Date(Date.now() + 60_000))
      expect(Object.keys(urls)).toEqual(['a.txt', 'b/ü.txt'])
      expectEncoded(urls['b/ü.txt'] as string, 'b/ü.txt', driver)
      expect(Object.keys(await disk.temporaryUrls('a.txt'))).toEqual(['a.txt'])
      for (const expires of [0, -1, new Date(0), Number.NaN, new Date(Number.NaN)]) {
        await expectError(disk.temporaryUrl('a.txt', expires), 'invalid_argument', { operation: 'signUrl', path: 'a.txt' })
      }
    },
    needs(
      (driver) => driver.supports.temporaryUrl,
      ({ disk }) => disk.temporaryUrl('a.txt'),
    ),
  ),

  writes(
    'signs uploads, with every segment of the path percent-encoded',
    async (t) => {
      await expectUnchanged(t, async () => {
        for (const path of NAMES) {
          const { url, method, headers, expiresAt } = await t.disk.temporaryUploadUrl(path, 60, { contentType: 'text/plain' })
          expect([['PUT', 'POST'].includes(method), typeof headers, expiresAt.getTime() > Date.now()]).toEqual([true, 'object', true])
          if (method === 'PUT') expectEncoded(url, path, t.driver)
        }
      })
      await expectError(t.disk.temporaryUploadUrl('a.txt', -1), 'invalid_argument', { operation: 'signUrl', path: 'a.txt' })
    },
    needs(
      (driver) => driver.supports.temporaryUploadUrl,
      ({ disk }) => disk.temporaryUploadUrl('a.txt'),
    ),
  ),

  writes('makes one file of the parts of a multipart upload, and shows none before', async (t) => {
    const { multipart } = t.driver
    if (multipart === undefined) return hasNoMultipart(t)
    const [first, last] = [bytesFor(PART_BYTES, 1), bytesFor(1_003, 2)]
    await t.disk.put('a.bin', 'old')
    const id = await multipart.create('a.bin', { contentType: 'application/x-kit' })
    const uploaded = [
      await multipart.part('a.bin', id, 2, toContent(last), {}),
      await multipart.part('a.bin', id, 1, toContent('replaced by the next'), {}),
      await multipart.part('a.bin', id, 1, toContent(first), {}),
    ]
    await expectFile(t.disk, 'a.bin', 'old')
    expect(await listed(t.disk)).toEqual(['a.bin'])
    const parts = await multipart.list('a.bin', id, {})
    expect(parts.map(({ number, size }) => [number, size])).toEqual([
      [1, PART_BYTES],
      [2, 1_003],
    ])
    expect(parts.map(({ etag }) => etag)).toEqual([uploaded[2]?.etag, uploaded[0]?.etag])
    const { size } = await multipart.complete('a.bin', id, parts, {})
    expect(size).toBe(PART_BYTES + 1_003)
    await expectFile(t.disk, 'a.bin', Buffer.concat([first, last]))
    if (t.driver.supports.metadata) expect(await t.disk.mimeType('a.bin')).toBe('application/x-kit')
    await expectNoLeftovers(t)
  }),

  writes('forgets a multipart upload that is aborted, and its parts', async (t) => {
    const { multipart } = t.driver
    if (multipart === undefined) return hasNoMultipart(t)
    const id = await multipart.create('a.bin', {})
    await multipart.part('a.bin', id, 1, toContent('part'), {})
    await multipart.abort('a.bin', id, {})
    await multipart.abort('a.bin', id, {})
    expect(isStorageError(await rejectionOf(multipart.part('a.bin', id, 2, toContent('x'), {})))).toBe(true)
    expect(isStorageError(await rejectionOf(multipart.complete('a.bin', id, [], {})))).toBe(true)
    expect(await listed(t.disk)).toEqual([])
    await expectNoLeftovers(t)
  }),

  writes('judges the conditions of a multipart upload when it is completed', async (t) => {
    const { multipart } = t.driver
    if (multipart === undefined) return hasNoMultipart(t)
    if (!t.driver.supports.ifAbsent) return
    const id = await multipart.create('a.bin', {})
    const part = await multipart.part('a.bin', id, 1, toContent('part'), {})
    await t.disk.put('a.bin', 'came first')
    expect(codeOf(await rejectionOf(multipart.complete('a.bin', id, [part], { ifAbsent: true })))).toBe('already_exists')
    await expectFile(t.disk, 'a.bin', 'came first')
    await multipart.abort('a.bin', id, {})
    await expectNoLeftovers(t)
  }),

  writes(
    'keeps old versions, and reads them by their id',
    async ({ disk, store }) => {
      await store.keepVersions?.()
      const [first, second] = [await disk.put('a.txt', 'first'), await disk.put('a.txt', 'second')]
      expect([typeof first.versionId, first.versionId === second.versionId]).toEqual(['string', false])
      expectBytes(await disk.get('a.txt', { versionId: first.versionId }), 'first')
      expectBytes(await disk.get('a.txt', { versionId: second.versionId }), 'second')
      expect((await disk.stat('a.txt', { versionId: first.versionId })).size).toBe(5)
      expect((await disk.stat('a.txt')).versionId).toBe(second.versionId)
    },
    versions,
  ),

  reads('locates one place for each path, the same every time', async ({ driver }) => {
    const [a, again, b] = [driver.locate('a/b.txt'), driver.locate('a/b.txt'), driver.locate('a/b.txt2')]
    expect(again).toEqual(a)
    if (a === undefined) expect(b).toBeUndefined()
    else expect([typeof a.store, typeof a.key, a.store === b?.store, a.key === b?.key]).toEqual(['string', 'string', true, false])
  }),

  reads('says in its errors what was asked, of what path, on what disk', async ({ disk }) => {
    const error = await rejectionOf(disk.get('/missing//file.txt'))
    const { name, code, operation, path, disk: where, retryable } = error as Error & Record<string, unknown>
    const told = { name: 'FileNotFoundError', code: 'not_found', operation: 'read', where: 'kit', retryable: false }
    expect({ name, code, operation, where, retryable }).toEqual(told)
    expect(String(path).includes('missing')).toBe(true)
    expect((error as Error).message.includes('on disk "kit"')).toBe(true)
  }),

  reads('checks itself, and leaves nothing behind', async (t) => {
    await t.seed.put('a.txt', 'x')
    await expectUnchanged(t, async () => {
      const { ok, steps, error } = await t.disk.check()
      expect({ ok, error: codeOf(error) }).toEqual({ ok: !t.readOnly, error: t.readOnly ? 'read_only' : 'undefined' })
      expect(steps.map(({ name }) => name)).toEqual(t.readOnly ? ['write'] : ['write', 'read', 'list', 'delete'])
    })
  }),

  reads('closes as often as it is told to', async ({ disk, seed }) => {
    await seed.put('a.txt', 'x')
    await disk.text('a.txt')
    await disk.close()
    await disk.close()
  }),

  reads('refuses every write once it is read-only, and changes nothing', async (t) => {
    await t.seed.put('a.txt', 'old')
    await t.seed.put('d/b.txt', 'old')
    const disk = t.readOnly ? t.disk : t.disk.readOnly()
    await expectUnchanged(t, async () => {
      const calls = {
        put: () => disk.put('a.txt', 'new'),
        ifAbsent: () => disk.put('new.txt', 'new', { ifAbsent: true }),
        writeStream: () => disk.writeStream('new.txt', ['new']),
        putFile: () => disk.putFile('d', new Blob(['new'])),
        putFileAs: () => disk.putFileAs('d', new Blob(['new']), 'c.txt'),
        append: () => disk.append('a.txt', 'new'),
        prepend: () => disk.prepend('a.txt', 'new'),
        delete: () => disk.delete('a.txt'),
        'delete of many': () => disk.delete(['a.txt', 'd/b.txt']),
        deleteDirectory: () => disk.deleteDirectory('d'),
        copy: () => disk.copy('a.txt', 'new.txt'),
        move: () => disk.move('a.txt', 'new.txt'),
        copyTo: () => disk.copyTo(disk, 'a.txt', 'new.txt'),
        moveTo: () => disk.moveTo(disk, 'a.txt', 'new.txt'),
        ...(t.driver.visibility && { setVisibility: () => disk.setVisibility('a.txt', 'public') }),
        ...(t.driver.directories && { makeDirectory: () => disk.makeDirectory('new') }),
      }
      for (const [method, call] of Object.entries(calls)) {
        expect([method, codeOf(await rejectionOf(call(), method))]).toEqual([method, 'read_only'])
      }
    })
    expect(await disk.text('a.txt')).toBe('old')
  }),
]

/** The last segments of the URL's path are those of the path, or of its name in the store, and nothing in it is left to be read in another way. */
function expectEncoded(url: string, path: string, driver: Driver): void {
  const [pathname = ''] = url.replace(/^[a-z]+:\/\/[^/]+/i, '').split(/[?#]/)
  const key = driver.locate(path)?.key ?? path // a store that cannot keep a name as it is has another for it
  const named = pathname.endsWith(`/${encodePath(path)}`) ? path : key
  expect(pathname.endsWith(`/${encodePath(named)}`)).toBe(true)
  expect(pathname.split('/').slice(-named.split('/').length).map(decodeURIComponent).join('/')).toBe(named)
  expect(/^[\w\-.~%/]*$/.test(pathname)).toBe(true)
}

function hasNoMultipart({ disk, driver }: Subject): void {
  expect([disk.supports('multipart'), driver.multipart]).toEqual([false, undefined])
}
