/** What only this store does: how bytes go up and come back, generations, compose, versions, and what is kept out of sight. */
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from '@jest/globals'
import { toContent } from '../../../src/content.ts'
import { Disk } from '../../../src/disk.ts'
import { GcsDriver, type GcsDriverOptions } from '../../../src/drivers/gcs/gcs-driver.ts'
import { bytesFor, codeOf, drained, rejectionOf } from '../../../src/testing/conformance/assertions.ts'
import { type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'
import { type GcsBucket, makeBucket } from '../../support/stores/gcs-store.ts'

const CHUNK = 256 * 1024

let proxy: RecordingProxy | undefined
let opened: GcsDriver[] = []
afterEach(async () => {
  await Promise.all(opened.map((driver) => driver.close()))
  opened = []
  await proxy?.close()
  proxy = undefined
})

interface Made {
  readonly disk: Disk
  readonly driver: GcsDriver
  readonly bucket: GcsBucket
  /** What was asked since the last call, as `POST upload multipart`. */
  readonly asked: () => readonly string[]
}

async function made(options: Partial<GcsDriverOptions> & { readonly versioned?: boolean } = {}): Promise<Made> {
  const bucket = await makeBucket({ chunkSize: CHUNK, ...options })
  proxy = await recordingProxy({ upstream: bucket.options.endpoint })
  const driver = new GcsDriver({ ...bucket.options, endpoint: proxy.endpoint })
  opened.push(driver)
  const { requests } = proxy
  const asked = (): readonly string[] =>
    requests.splice(0).map(({ method, path, query }) => {
      const kind = query.get('uploadType') ?? query.get('alt') ?? ''
      const place = path.replace(/^.*?\/o(\/|$)/, 'o/').replace(/^o\/[^/]+(\/rewriteTo|\/compose|$).*/, 'o$1')
      return [method, path.startsWith('/upload/') ? 'upload' : place, query.has('upload_id') ? 'session' : kind].join(' ').trim()
    })
  return { driver, disk: new Disk(driver, { name: 'gcs' }), bucket, asked }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

async function* slices(bytes: Buffer, size = 50_000): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

const ONE = ['POST upload multipart']
const session = (chunks: number): string[] => ['POST upload resumable', ...Array.from({ length: chunks }, () => 'PUT upload session')]

describe('uploads', () => {
  it.each([
    [0, ONE],
    [1, ONE],
    [CHUNK - 1, ONE],
    [CHUNK, ONE],
    [CHUNK + 1, session(2)],
    [2 * CHUNK, session(2)],
    [3 * CHUNK + 1, session(4)],
  ])('of %i bytes take as many requests as they need, whether the length is known or not', async (size, requests) => {
    const { disk, asked } = await made()
    const bytes = bytesFor(size, 7)
    for (const contents of [bytes, slices(bytes), slices(bytes, CHUNK), slices(bytes, 3 * CHUNK), new Blob([new Uint8Array(bytes)])]) {
      expect((await disk.put('a.bin', contents)).size).toBe(size)
      expect(asked()).toEqual(requests)
      expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
      asked()
    }
  })

  it('keep metadata that is not ASCII, and every header', async () => {
    const { disk } = await made()
    const headers = { contentType: 'text/plain; charset=utf-8', cacheControl: 'no-store', contentLanguage: 'de' }
    for (const contents of ['x', slices(bytesFor(CHUNK + 1))]) {
      await disk.put('a.txt', contents, { ...headers, metadata: { owner: 'Zoë 公司', empty: '' }, storageClass: 'NEARLINE' })
      expect(await disk.stat('a.txt')).toMatchObject({ ...headers, metadata: { owner: 'Zoë 公司', empty: '' }, storageClass: 'NEARLINE' })
    }
  })

  it('have the storage class of the disk, and say what is none', async () => {
    const { disk } = await made({ storageClass: 'COLDLINE' })
    await disk.put('a.txt', 'x')
    expect((await disk.stat('a.txt')).storageClass).toBe('COLDLINE')
    expect(codeOf(await rejectionOf(disk.put('b.txt', 'x', { storageClass: 'LUKEWARM' })))).toBe('invalid_argument')
    expect(codeOf(await rejectionOf(disk.put('b.txt', slices(bytesFor(CHUNK + 1)), { storageClass: 'LUKEWARM' })))).toBe('invalid_argument')
    expect(await disk.allFiles()).toEqual(['a.txt'])
  })

  it('cancel the session when the source fails, or the call is aborted', async () => {
    const { disk, bucket } = await made()
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield bytesFor(3 * CHUNK)
      throw new Error('the source broke')
    }
    await rejectionOf(disk.put('a.bin', failing()))
    expect(await bucket.leftovers()).toEqual([])
    const controller = new AbortController()
    const stopping = async function* (): AsyncGenerator<Buffer> {
      yield bytesFor(3 * CHUNK)
      controller.abort('enough')
      yield bytesFor(3 * CHUNK)
    }
    expect(await rejectionOf(disk.put('a.bin', stopping(), { signal: controller.signal }))).toBe('enough')
    expect([await disk.allFiles(), await bucket.leftovers()]).toEqual([[], []])
  })
})

describe('generations', () => {
  it('are etag and version alike: of a write, of facts, of listings', async () => {
    const { disk } = await made()
    for (const contents of ['one', slices(bytesFor(CHUNK + 1))]) {
      const { etag, versionId } = await disk.put('a.txt', contents)
      const stat = await disk.stat('a.txt')
      const [entry] = (await disk.listPage('')).entries
      expect([etag, versionId, stat.etag, stat.versionId]).toEqual([stat.etag, stat.etag, etag, etag])
      expect(entry).toMatchObject({ path: 'a.txt', etag })
    }
  })

  it('do not change with the ACL', async () => {
    const { disk } = await made({ uniformAccess: false })
    const { etag } = await disk.put('a.txt', 'x')
    await disk.setVisibility('a.txt', 'public')
    expect(await disk.stat('a.txt')).toMatchObject({ etag, visibility: 'public' })
    await disk.setVisibility('a.txt', 'private')
    expect(await disk.stat('a.txt')).toMatchObject({ etag, visibility: 'private' })
  })

  it('refuse an etag that no object could have without asking', async () => {
    const { disk, asked } = await made()
    for (const ifMatch of ['"abc"', '0', '-1', '1e3', ''])
      expect(codeOf(await rejectionOf(disk.put('a.txt', 'x', { ifMatch })))).toBe('precondition_failed')
    expect(asked()).toEqual([])
  })
})

describe('reads', () => {
  it('are two requests, at the same time', async () => {
    const { disk, asked } = await made()
    await disk.put('a.txt', 'x')
    asked()
    await disk.get('a.txt')
    expect([...asked()].sort()).toEqual(['GET o', 'GET o media'])
  })

  it('give what is stored, also of files that are packed', async () => {
    const { disk } = await made()
    const packed = gzipSync('hello '.repeat(1_000))
    await disk.put('a.txt', packed, { contentEncoding: 'gzip', contentType: 'text/plain' })
    expect((await disk.get('a.txt')).equals(packed)).toBe(true)
    expect((await disk.get('a.txt', { range: { start: 2, end: 9 } })).equals(packed.subarray(2, 9))).toBe(true)
    expect(await disk.size('a.txt')).toBe(packed.length)
  })
})

describe('append', () => {
  it('does not read the file, and leaves nothing but it', async () => {
    const { disk, driver, bucket, asked } = await made({ versioned: false })
    await disk.put('log.txt', 'one\n', { metadata: { owner: 'ann' }, cacheControl: 'no-store', storageClass: 'NEARLINE' })
    asked()
    await driver.append('log.txt', toContent('two\n'), {})
    expect(asked()).toEqual(['GET o', 'POST upload multipart', 'POST o/compose', 'DELETE o'])
    await driver.append('log.txt', toContent(slices(bytesFor(CHUNK + 1))), {})
    expect(await disk.stat('log.txt')).toMatchObject({
      size: 8 + CHUNK + 1,
      contentType: 'text/plain',
      cacheControl: 'no-store',
      metadata: { owner: 'ann' },
      storageClass: 'NEARLINE',
    })
    expect([await disk.allFiles(), await bucket.leftovers()]).toEqual([['log.txt'], []])
  })

  it('keeps what is public public', async () => {
    const { disk } = await made({ uniformAccess: false })
    await disk.put('a.txt', 'x', { visibility: 'public' })
    await disk.append('a.txt', 'y')
    await disk.append('new.txt', 'y', { visibility: 'public' })
    expect([await disk.visibility('a.txt'), await disk.visibility('new.txt'), await disk.text('a.txt')]).toEqual(['public', 'public', 'xy'])
  })
})

describe('multipart uploads', () => {
  it('compose as many parts as there are, in their order', async () => {
    const { driver, disk, bucket } = await made({ versioned: false })
    const id = await driver.multipart.create('a.bin', { metadata: { owner: 'ann' } })
    const numbers = Array.from({ length: 70 }, (_, index) => index + 1)
    const parts = await Promise.all(numbers.map((number) => driver.multipart.part('a.bin', id, number, toContent(`${number},`), {})))
    expect((await driver.multipart.list('a.bin', id, {})).map(({ number }) => number)).toEqual(numbers)
    const { size, etag } = await driver.multipart.complete('a.bin', id, parts, {})
    expect(await disk.text('a.bin')).toBe(`${numbers.join(',')},`)
    expect(await disk.stat('a.bin')).toMatchObject({ size, etag, metadata: { owner: 'ann' } })
    expect(await bucket.leftovers()).toEqual([])
  })

  it('take only ids that they gave, for the path that they gave them for', async () => {
    const { driver } = await made()
    const id = await driver.multipart.create('a.bin', {})
    for (const [path, uploadId] of [
      ['b.bin', id],
      ['a.bin', 'never-given'],
      ['a.bin', '../../a'],
      ['a.bin', ''],
    ] as const) {
      expect(codeOf(await rejectionOf(driver.multipart.part(path, uploadId, 1, toContent('x'), {})))).toBe('invalid_argument')
      expect(codeOf(await rejectionOf(driver.multipart.list(path, uploadId, {})))).toBe('invalid_argument')
    }
    for (const number of [0, 10_001, 1.5])
      expect(codeOf(await rejectionOf(driver.multipart.part('a.bin', id, number, toContent('x'), {})))).toBe('invalid_argument')
  })

  it('refuse a part that was replaced since', async () => {
    const { driver } = await made({ versioned: false })
    const id = await driver.multipart.create('a.bin', {})
    const old = await driver.multipart.part('a.bin', id, 1, toContent('old'), {})
    await driver.multipart.part('a.bin', id, 1, toContent('new'), {})
    expect(codeOf(await rejectionOf(driver.multipart.complete('a.bin', id, [old], {})))).toBe('invalid_argument')
  })
})

describe('the reserved folder', () => {
  it('is never listed, and no path is in it', async () => {
    const { driver, disk, bucket } = await made()
    await driver.multipart.create('a.bin', {})
    await disk.put('.stowage.txt', 'x')
    await disk.put('a/.stowage/b', 'x')
    expect((await bucket.leftovers()).length).toBe(1)
    expect(await disk.allFiles()).toEqual(['.stowage.txt', 'a/.stowage/b'])
    expect([await disk.directories(), await disk.files('.stowage'), (await disk.listPage('', { limit: 1 })).entries.length]).toEqual([
      ['a'],
      [],
      1,
    ])
    for (const path of ['.stowage', '.stowage/x', '.stowage/uploads/y']) {
      expect(codeOf(await rejectionOf(disk.put(path, 'x')))).toBe('invalid_path')
      expect(codeOf(await rejectionOf(disk.get(path)))).toBe('invalid_path')
      expect(codeOf(await rejectionOf(disk.delete(path)))).toBe('invalid_path')
      expect(codeOf(await rejectionOf(disk.copy('.stowage.txt', path)))).toBe('invalid_path')
    }
  })

  it('is emptied of what is old, and of nothing else', async () => {
    const { driver, disk, bucket } = await made({ versioned: false })
    await disk.put('kept.txt', 'x')
    const id = await driver.multipart.create('a.bin', {})
    await driver.multipart.part('a.bin', id, 1, toContent('x'), {})
    expect((await driver.pruneIncompleteUploads({ olderThan: 3_600 })).aborted).toBe(0)
    expect((await driver.pruneIncompleteUploads({ olderThan: new Date(Date.now() - 3_600_000) })).aborted).toBe(0)
    const { aborted, uploads } = await driver.pruneIncompleteUploads({ olderThan: new Date(Date.now() + 60_000) })
    expect({ aborted, ids: uploads.map(({ uploadId }) => uploadId) }).toEqual({ aborted: 1, ids: [id] })
    expect([await disk.allFiles(), await bucket.leftovers()]).toEqual([['kept.txt'], []])
    for (const olderThan of [-1, Number.NaN, new Date(Number.NaN), undefined])
      expect(codeOf(await rejectionOf(driver.pruneIncompleteUploads({ olderThan } as never)))).toBe('invalid_argument')
  })
})

describe('copies and moves', () => {
  it('stay in the store, with everything', async () => {
    const { disk, asked } = await made()
    await disk.put('a.txt', 'x', { storageClass: 'NEARLINE', cacheControl: 'no-store', metadata: { owner: 'Zoë' } })
    asked()
    await disk.copy('a.txt', 'b.txt')
    expect(asked()).toEqual(['GET o', 'POST o/rewriteTo'])
    await disk.move('b.txt', 'c.txt')
    expect(asked()).toEqual(['GET o', 'POST o/rewriteTo', 'DELETE o'])
    const { storageClass, cacheControl, metadata } = await disk.stat('c.txt')
    expect({ storageClass, cacheControl, metadata }).toEqual({
      storageClass: 'NEARLINE',
      cacheControl: 'no-store',
      metadata: { owner: 'Zoë' },
    })
  })
})

describe('versions', () => {
  it('are listed, the newest first, read and deleted', async () => {
    const { disk, driver } = await made()
    const ids: (string | undefined)[] = []
    for (const text of ['one', 'two', 'three']) ids.unshift((await disk.put('a.txt', text)).versionId)
    await disk.put('a.txt2', 'other')
    const found = await all(driver.versions('a.txt'))
    expect(found.map(({ versionId, isLatest, size }) => [versionId, isLatest, size])).toEqual([
      [ids[0], true, 5],
      [ids[1], false, 3],
      [ids[2], false, 3],
    ])
    await driver.delete(['a.txt'], { versionId: ids[1] })
    expect(await disk.text('a.txt')).toBe('three')
    expect(codeOf(await rejectionOf(disk.get('a.txt', { versionId: ids[1] })))).toBe('not_found')
    await disk.delete('a.txt')
    expect((await all(driver.versions('a.txt'))).map(({ isLatest }) => isLatest)).toEqual([false, false])
  })
})

describe('foreign objects', () => {
  it('that name folders are directories, and names that are no paths are left out', async () => {
    const { disk, bucket } = await made()
    for (const name of ['folder/', 'deep/er/', 'a//b', '/c', 'd/./e', 'f/../g', 'plain.txt'])
      await bucket.api(
        'POST',
        `/b/${bucket.name}/o?uploadType=media&name=${encodeURIComponent(name)}`.replace('/b/', '/../../upload/storage/v1/b/'),
      )
    expect(await disk.allFiles()).toEqual(['plain.txt'])
    expect(await disk.allDirectories()).toEqual(['a', 'd', 'deep', 'deep/er', 'f', 'folder'])
    expect(await disk.directories()).toEqual(['a', 'd', 'deep', 'f', 'folder'])
    expect(await disk.files('folder')).toEqual([])
  })
})

describe('listings', () => {
  it('ask for a page at a time, and for no more facts than are wanted', async () => {
    const { disk, asked } = await made()
    await Promise.all(Array.from({ length: 25 }, (_, index) => disk.put(`d/${String(index).padStart(2, '0')}`, 'x')))
    asked()
    expect((await disk.files('d')).length).toBe(25)
    expect(asked()).toEqual(['GET o/'])
    const seen = []
    for await (const { path } of disk.list('d', { pageSize: 10 })) seen.push(path)
    expect([seen.length, asked().length]).toEqual([25, 3])
  })
})

describe('signed requests', () => {
  const ODD = "with spaces/plus+percent%hash#question?and&quote's(round)@at/é/公司/👍🏽!*.txt"

  it.each(['a.txt', ODD])('read, and upload, with a plain fetch: %s', async (path) => {
    const { disk } = await made()
    const { url, method, headers } = await disk.temporaryUploadUrl(path, 60, { contentType: 'text/plain', metadata: { owner: 'ann' } })
    expect((await fetch(url, { method, headers, body: 'hello' })).status).toBe(200)
    expect(await disk.stat(path)).toMatchObject({ size: 5, contentType: 'text/plain', metadata: { owner: 'ann' } })
    const answer = await fetch(await disk.temporaryUrl(path, 60, { download: 'näme.txt', contentType: 'application/x-other' }))
    expect([answer.status, await answer.text(), answer.headers.get('content-type')]).toEqual([200, 'hello', 'application/x-other'])
    expect(answer.headers.get('content-disposition')).toContain("filename*=UTF-8''n%C3%A4me.txt")
    const head = await fetch(await disk.temporaryUrl(path, 60, { method: 'HEAD' }), { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5'])
    const tampered = new URL(await disk.temporaryUrl(path, 60))
    tampered.searchParams.set('X-Goog-Expires', '600')
    expect((await fetch(tampered)).status).toBe(403)
    expect((await fetch(await disk.temporaryUrl(path, 60), { method: 'PUT', body: 'x' })).status).toBe(403)
  })

  it('upload what keeps to its size, as a form', async () => {
    const { disk } = await made()
    const statuses: number[] = []
    for (const size of [4, 5, 10, 11]) {
      const {
        url,
        method,
        fields = {},
      } = await disk.temporaryUploadUrl('a/é.txt', 60, { contentType: 'text/plain', minSize: 5, maxSize: 10 })
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
      form.append('file', new Blob(['x'.repeat(size)]))
      statuses.push((await fetch(url, { method, body: form })).status)
    }
    expect(statuses.map((status) => status < 300)).toEqual([false, true, true, false])
    expect(await disk.stat('a/é.txt')).toMatchObject({ size: 10, contentType: 'text/plain' })
  })
})

describe('what is closed', () => {
  it('leaves no connection, and opens again when it is used', async () => {
    const { disk, driver } = await made()
    await disk.put('a.txt', 'x')
    const stream = await disk.readStream('a.txt')
    await drained(stream)
    expect(driver.connections.open).toBeGreaterThan(0)
    await driver.close()
    expect(driver.connections).toEqual({ open: 0, idle: 0 })
    expect((await driver.stat('a.txt', {})).size).toBe(1)
  })
})
