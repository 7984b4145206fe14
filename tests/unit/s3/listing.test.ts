/** Listing: every object once, in pages that are asked for ahead of time; and what no path can name is left out. */
import { describe, expect, it } from '@jest/globals'
import type { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { listed } from '../../../src/testing/conformance/assertions.ts'
import type { Answer } from '../../support/fault-proxy.ts'
import type { RecordedRequest } from '../../support/recording-proxy.ts'
import { s3Fixture, until } from './s3-fixture.ts'

const s3 = s3Fixture()

/** A store of many objects that is nothing but their keys. */
function scripted(keys: readonly string[]): (request: RecordedRequest) => Answer {
  return ({ query }) => {
    const [after, limit] = [query.get('start-after') ?? '', Number(query.get('max-keys') ?? 1_000)]
    const rest = keys.slice(keys.findIndex((key) => key > after))
    const page = after >= (keys.at(-1) ?? '') ? [] : rest.slice(0, limit)
    const contents = page.map(
      (key) => `<Contents><Key>${key}</Key><Size>1</Size><ETag>"x"</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>`,
    )
    const truncated = page.length > 0 && page.at(-1) !== keys.at(-1)
    const body = `<ListBucketResult><IsTruncated>${truncated}</IsTruncated>${contents.join('')}</ListBucketResult>`
    return { status: 200, headers: { 'content-type': 'application/xml' }, body }
  }
}

const many = Array.from(
  { length: 25_000 },
  (_, index) => `d${String(Math.floor(index / 700)).padStart(2, '0')}/${String(index).padStart(6, '0')}`,
)

describe('a listing', () => {
  it('of 25,000 objects has each exactly once, in 25 requests', async () => {
    const { disk, proxy } = await s3.recorded({}, scripted(many))
    expect(await disk.allFiles()).toEqual(many)
    expect(proxy.requests).toHaveLength(25)
  })

  it('asks for the next page before it is wanted, and for each page once', async () => {
    const { disk, proxy } = await s3.recorded({}, scripted(many.slice(0, 2_500)))
    const first = await disk.listPage('', { recursive: true })
    await until(() => proxy.requests.length === 2)
    const second = await disk.listPage('', { recursive: true, cursor: first.cursor })
    const third = await disk.listPage('', { recursive: true, cursor: second.cursor })
    expect(third.cursor).toBeUndefined()
    expect(proxy.requests.map(({ query }) => query.get('start-after'))).toEqual([null, many[999], many[1_999]])
  })

  it('is never of pages that were asked for before something in them changed', async () => {
    const { disk, proxy } = await s3.recorded()
    const paths = Array.from({ length: 1_003 }, (_, index) => `a/${String(index).padStart(4, '0')}`)
    await Promise.all(paths.map((path) => disk.put(path, '')))
    const changes = {
      put: () => disk.put('a/zz', ''),
      delete: () => disk.delete('a/1001'),
      copy: () => disk.copy('a/0001', 'a/zzz'),
      move: () => disk.move('a/1002', 'b'),
    }
    const expected = new Set(paths.slice(1_000))
    for (const [change, make] of Object.entries(changes)) {
      proxy.requests.length = 0
      const { cursor } = await disk.listPage('a')
      await until(() => proxy.requests.length === 2)
      await make()
      if (change === 'delete') expected.delete('a/1001')
      else if (change === 'move') expected.delete('a/1002')
      else expected.add(change === 'put' ? 'a/zz' : 'a/zzz')
      const { entries } = await disk.listPage('a', { cursor })
      expect([change, entries.map(({ path }) => path)]).toEqual([change, [...expected]])
    }
    proxy.requests.length = 0
    const { cursor } = await disk.listPage('a')
    await until(() => proxy.requests.length === 2)
    await disk.delete('a/0000')
    await disk.listPage('a', { cursor })
    expect(proxy.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'DELETE'])
    await s3.disk().delete('a/zz')
    expect((await disk.allFiles('a')).includes('a/zz')).toBe(false)
  })

  it('asks for nothing that a limit leaves out', async () => {
    const { disk, proxy } = await s3.recorded({}, scripted(many))
    const { entries, cursor } = await disk.listPage('', { recursive: true, limit: 10 })
    expect([entries.length, cursor]).toEqual([10, many[8]])
    expect(await disk.directoryExists('d00')).toBe(true)
    expect(proxy.requests.map(({ query }) => query.get('max-keys'))).toEqual(['11', '2'])
  })

  it('gives no more than a limit, also of a page that was asked for ahead without one', async () => {
    const { disk, proxy } = await s3.recorded({}, scripted(many))
    const { cursor } = await disk.listPage('', { recursive: true })
    await until(() => proxy.requests.length === 2)
    const { entries } = await disk.listPage('', { recursive: true, cursor, limit: 10 })
    expect(entries.length).toBe(10)
  })

  it('gives up what was asked for ahead when it is aborted, or its disk closed', async () => {
    const { disk, proxy } = await s3.faulty()
    await Promise.all(Array.from({ length: 1_001 }, (_, index) => disk.put(`a/${index}`, '')))
    proxy.reset()
    proxy.inject({ method: 'GET', path: /start-after|continuation-token/, times: 3 }, { stallResponse: 0 })
    const controller = new AbortController()
    const { cursor } = await disk.listPage('a')
    await until(() => proxy.requests.length === 2)
    const next = disk.listPage('a', { cursor, signal: controller.signal })
    await new Promise(setImmediate)
    controller.abort('enough')
    await expect(next).rejects.toBe('enough')
    await disk.listPage('a')
    await until(() => proxy.requests.length === 4)
    await disk.close()
    await until(() => proxy.connections.open === 0)
  })

  it('tells what the store tells of a file', async () => {
    const disk = s3.disk()
    const { etag } = await disk.put('a b+c.txt', 'hello')
    const { entries } = await disk.listPage()
    expect(entries).toMatchObject([{ type: 'file', path: 'a b+c.txt', size: 5, etag }])
  })

  it('shows the markers of directories as directories, and leaves out keys that are no paths', async () => {
    const { client, name: Bucket } = s3.bucket
    for (const Key of ['marked/', 'a//b', 'a/../b', '/lead', 'ctrl\u0001', 'plain/x', './y'])
      await client.putObject({ Bucket, Key, Body: '' })
    const disk = s3.disk()
    expect(await listed(disk)).toEqual(['marked/', 'plain/', 'plain/x'])
    expect(await listed(disk, '', {})).toEqual(['a/', 'marked/', 'plain/'])
  })

  it('of a bucket that is missing is a mistake in the configuration', async () => {
    const disk = s3.disk({ bucket: 'no-such-bucket' })
    await expect(disk.allFiles()).rejects.toMatchObject({ code: 'configuration', operation: 'list' })
  })
})

describe('a delete', () => {
  it('of 2,500 files is three requests', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.delete(many.slice(0, 2_500))
    expect(proxy.requests.map(({ method, query }) => [method, query.has('delete')])).toEqual([
      ['POST', true],
      ['POST', true],
      ['POST', true],
    ])
  })

  it('of one file is one request', async () => {
    const { disk, proxy } = await s3.recorded()
    await disk.put('a.txt', 'x')
    await disk.delete('a.txt')
    expect(proxy.requests.map(({ method }) => method)).toEqual(['PUT', 'DELETE'])
  })

  it('tells what it could not delete, and why, and deletes the rest', async () => {
    const errors =
      '<Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error><Error><Key>c</Key><Code>SlowDown</Code></Error>'
    const { disk } = await s3.recorded({}, ({ query }) =>
      query.has('delete') ? { status: 200, body: `<DeleteResult>${errors}</DeleteResult>` } : undefined,
    )
    const error = (await disk.delete(['a', 'b', 'c']).catch((reason: unknown) => reason)) as { failures: { path: string; error: Error }[] }
    expect(error.failures.map(({ path, error: { name } }) => [path, name])).toEqual([
      ['b', 'PermissionDeniedError'],
      ['c', 'RateLimitedError'],
    ])
  })

  it('of one version leaves the others', async () => {
    const { client, name: Bucket } = s3.bucket
    await client.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
    const disk = s3.disk()
    const [first, second] = [await disk.put('a.txt', 'one'), await disk.put('a.txt', 'two')]
    await (disk.driver as S3Driver).delete(['a.txt'], { versionId: second.versionId })
    expect(await disk.text('a.txt')).toBe('one')
    expect((await disk.stat('a.txt')).versionId).toBe(first.versionId)
  })

  it('escapes whatever a key has, and deletes by itself what XML cannot carry', async () => {
    const { disk, proxy } = await s3.recorded()
    const paths = ['<&>"\'.txt', 'a\u{10ffff}', 'b\uffff', 'c\ufffe', ' d ', 'é/😀']
    for (const path of paths) await disk.put(path, 'x')
    proxy.requests.length = 0
    await disk.delete(paths)
    expect(await disk.allFiles()).toEqual([])
    expect(proxy.requests.map(({ method }) => method).sort()).toEqual(['DELETE', 'DELETE', 'GET', 'POST'])
  })
})
