import { afterEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { keyOf } from '../../../src/drivers/azure/keys.ts'
import { compareUtf8 } from '../../../src/path.ts'
import { listed } from '../../../src/testing/conformance/assertions.ts'
import { type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'
import { makeAzure } from '../../support/stores/azure-store.ts'

const KEY = Buffer.alloc(64, 7).toString('base64')

let proxy: RecordingProxy
afterEach(() => proxy?.close())

type Order = (a: string, b: string) => number
const UTF16: Order = (a, b) => (a < b ? -1 : Number(a > b))

/** A container with these blobs, which lists flat, as List Blobs does, in pages of so many at most. */
async function container(
  names: readonly string[],
  { order = compareUtf8, page = 5_000 }: { readonly order?: Order; readonly page?: number } = {},
): Promise<Disk> {
  const sorted = names.toSorted(order)
  proxy = await recordingProxy({
    answer: ({ query }) => {
      const prefix = query.get('prefix') ?? ''
      const found = sorted.filter((name) => name.startsWith(prefix))
      const start = Number(query.get('marker') ?? 0)
      const end = start + Math.min(page, Number(query.get('maxresults') ?? 5_000))
      const blobs = found.slice(start, end).map(blobXml).join('')
      const next = end < found.length ? `<NextMarker>${end}</NextMarker>` : '<NextMarker/>'
      const body = `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="files"><Blobs>${blobs}</Blobs>${next}</EnumerationResults>`
      return { status: 200, headers: { 'content-type': 'application/xml' }, body }
    },
  })
  return new Disk(new AzureDriver({ container: 'files', endpoint: `${proxy.endpoint}/acct`, accountKey: KEY }), { name: 'azure' })
}

function blobXml(name: string): string {
  const text = name.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
  return `<Blob><Name>${text}</Name><Properties><Last-Modified>Sat, 21 Nov 2026 14:00:00 GMT</Last-Modified><Etag>0x1</Etag><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`
}

describe('a listing of Azure', () => {
  it('of 25,000 files tells each exactly once, in five requests', async () => {
    const names = Array.from({ length: 25_000 }, (_, index) => `d/${index % 10}/${String(index).padStart(5, '0')}`)
    const disk = await container(names)
    expect(await disk.allFiles()).toEqual(names.toSorted(compareUtf8))
    expect(proxy.requests).toHaveLength(5)
    await disk.close()
  })

  const NAMES = [
    'a',
    'b/\u{1f600}/x',
    'b/\ue000',
    'b/\uff5e/y',
    'b/z',
    'c./x',
    'c.-a',
    'c. z',
    'c.',
    'c.a',
    '\u{1f600}',
    '\uff5e',
    '\ue000/1',
    'z',
  ].map(keyOf)

  it.each([
    ['UTF-8 bytes', compareUtf8],
    ['UTF-16 units', UTF16],
  ])('is in the order of UTF-8 bytes over a store that orders by %s, however small its pages', async (_, order) => {
    for (const page of [1, 2, 3, 100]) {
      const disk = await container(NAMES, { order, page })
      const places = await listed(disk)
      expect(places).toEqual(places.toSorted(compareUtf8))
      expect(places.filter((place) => !place.endsWith('/'))).toHaveLength(NAMES.length)
      expect(new Set(places).size).toBe(places.length)
      for (const limit of [1, 2, 5]) {
        expect({ page, limit, found: await listed(disk, '', { recursive: true, pageSize: limit }) }).toEqual({ page, limit, found: places })
      }
      await disk.close()
      await proxy.close()
    }
  })

  it('asks the store to begin where it is told to, and leaves out what comes before', async () => {
    const disk = await container(['a', 'b', 'c'])
    expect(await listed(disk, '', { recursive: true, after: 'b' })).toEqual(['c'])
    expect(proxy.requests[0]?.query.get('startFrom')).toBe('b')
    await disk.close()
  })

  it('refuses a cursor of something else', async () => {
    const disk = await container(['a'])
    for (const cursor of ['x', 'bm8', Buffer.from('[1,2]').toString('base64url')]) {
      await expect(disk.listPage('', { cursor })).rejects.toMatchObject({ code: 'invalid_argument', operation: 'list' })
    }
    expect(proxy.requests).toEqual([])
    await disk.close()
  })

  it('hides what no path leads to, and takes names that end in a slash for directories', async () => {
    const store = await makeAzure()
    const disk = new Disk(store.driver)
    for (const name of ['a/b.txt', 'folder/', 'a//c.txt', 'deep/er/']) await store.container.getBlockBlobClient(name).upload('x', 1)
    expect(await listed(disk)).toEqual(['a/', 'a/b.txt', 'deep/', 'deep/er/', 'folder/'])
    expect([await disk.directories(), await disk.files('a')]).toEqual([['a', 'deep', 'folder'], ['a/b.txt']])
    await disk.close()
    await store.remove()
  })
})
