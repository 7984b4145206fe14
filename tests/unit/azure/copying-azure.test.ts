import { afterEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import type { Answer } from '../../support/fault-proxy.ts'
import { type RecordedRequest, type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'
import { makeAzure } from '../../support/stores/azure-store.ts'

const KEY = Buffer.alloc(64, 7).toString('base64')
const MiB = 1024 * 1024
const DONE = { etag: '"0x2"', 'last-modified': 'Sat, 21 Nov 2026 14:00:00 GMT', 'x-ms-request-id': 'r' }

let proxy: RecordingProxy
afterEach(() => proxy.close())

interface Source {
  readonly size: number
  readonly headers?: Readonly<Record<string, string>>
  /** For some requests another answer than Azure gives when all is well. */
  readonly answer?: (request: RecordedRequest) => Answer | undefined
}

/** An account that answers as Azure documents. */
async function account({ size, headers = {}, answer }: Source): Promise<Disk> {
  const source = {
    ...DONE,
    etag: '"0x1"',
    'content-type': 'image/png',
    'x-ms-blob-type': 'BlockBlob',
    'content-length': String(size),
    ...headers,
  }
  proxy = await recordingProxy({
    answer: (request) => {
      const scripted = answer?.(request)
      if (scripted !== undefined) return scripted
      if (request.method === 'HEAD') return { status: 200, headers: source }
      if (request.query.get('comp') === 'tags') return { status: 200, headers: { 'content-type': 'application/xml' }, body: TAGS }
      const isCreated = request.method === 'PUT' && request.headers['x-ms-requires-sync'] === undefined
      return { status: isCreated ? 201 : 202, headers: { ...DONE, 'x-ms-copy-status': 'success', 'x-ms-copy-id': 'c' } }
    },
  })
  return new Disk(new AzureDriver({ container: 'files', endpoint: `${proxy.endpoint}/acct`, accountKey: KEY, retries: 0 }), {
    name: 'azure',
  })
}

const TAGS = '<?xml version="1.0" encoding="utf-8"?><Tags><TagSet><Tag><Key>t</Key><Value>u</Value></Tag></TagSet></Tags>'

const writes = (): RecordedRequest[] => proxy.requests.filter(({ method }) => method === 'PUT')

describe('a copy on Azure', () => {
  it('of up to 256 MiB is one request, of the version that was looked at', async () => {
    const disk = await account({ size: 256 * MiB, headers: { 'x-ms-access-tier': 'Cool', 'x-ms-tag-count': '1' } })
    await disk.copy('a ü.png', 'b.png', { ifAbsent: true })
    const [request, ...others] = writes()
    expect(others).toEqual([])
    expect(request?.path).toBe('/acct/files/b.png')
    expect(request?.headers).toMatchObject({
      'x-ms-requires-sync': 'true',
      'x-ms-source-if-match': '"0x1"',
      'if-none-match': '*',
      'x-ms-access-tier': 'Cool',
      'x-ms-copy-source-tag-option': 'COPY',
    })
    const source = new URL(request?.headers['x-ms-copy-source'] as string)
    expect([source.pathname, source.searchParams.get('sp'), source.searchParams.has('sig')]).toEqual([
      '/acct/files/a%20%C3%BC.png',
      'rt',
      true,
    ])
    await disk.close()
  })

  it('with another content type is a Put Blob From URL, which keeps the rest', async () => {
    const disk = await account({
      size: 5,
      headers: { 'x-ms-tag-count': '1', 'cache-control': 'max-age=1', 'x-ms-meta-order_x002d_id': '42' },
    })
    await disk.copy('a.png', 'b.webp', { contentType: 'image/webp' })
    const [request] = writes()
    expect(request?.headers).toMatchObject({
      'x-ms-blob-type': 'BlockBlob',
      'x-ms-blob-content-type': 'image/webp',
      'x-ms-blob-cache-control': 'max-age=1',
      'x-ms-meta-order_x002d_id': '42',
      'x-ms-tags': 't=u',
      'x-ms-source-if-match': '"0x1"',
      'x-ms-copy-source-blob-properties': 'false',
    })
    await disk.close()
  })

  it('of more than 256 MiB is made of blocks that the store copies, and committed under the conditions', async () => {
    const disk = await account({ size: 300 * MiB })
    await disk.copy('a.png', 'b.png', { ifMatch: '"0x9"' })
    const blocks = writes().filter(({ query }) => query.get('comp') === 'block')
    expect(blocks.toSorted((a, b) => rangeStart(a) - rangeStart(b)).map(({ headers }) => headers['x-ms-source-range'])).toEqual([
      `bytes=0-${128 * MiB - 1}`,
      `bytes=${128 * MiB}-${256 * MiB - 1}`,
      `bytes=${256 * MiB}-${300 * MiB - 1}`,
    ])
    const commit = writes().at(-1)
    const ids = [...(commit?.body.toString() ?? '').matchAll(/<Latest>(.*?)<\/Latest>/g)].map(([, id]) => id)
    const staged = blocks.toSorted((a, b) => rangeStart(a) - rangeStart(b)).map(({ query }) => query.get('blockid'))
    expect(ids).toEqual(staged)
    expect(commit?.headers).toMatchObject({ 'if-match': '"0x9"', 'x-ms-blob-content-type': 'image/png' })
    await disk.close()
  })

  it('of a source that changes meanwhile begins anew', async () => {
    let changes = 2
    const disk = await account({
      size: 5,
      answer: ({ method }) =>
        method === 'PUT' && changes-- > 0 ? { status: 412, headers: { 'x-ms-error-code': 'SourceConditionNotMet' } } : undefined,
    })
    await disk.copy('a.png', 'b.png')
    expect(writes()).toHaveLength(3)
    await disk.close()
  })

  it('and a move delete the very version that was copied, or nothing', async () => {
    const disk = await account({
      size: 5,
      answer: ({ method }) => (method === 'DELETE' ? { status: 412, headers: { 'x-ms-error-code': 'ConditionNotMet' } } : undefined),
    })
    await expect(disk.move('a.png', 'b.png')).rejects.toMatchObject({ code: 'precondition_failed', operation: 'move' })
    expect(proxy.requests.at(-1)?.headers).toMatchObject({ 'if-match': '"0x1"' })
    await disk.close()
  })
})

describe('a copy on a server that lacks Azure’s ways', () => {
  it('is carried through this process, or made by Copy Blob', async () => {
    const store = await makeAzure()
    proxy = await recordingProxy({ upstream: new URL(store.options.endpoint as string).origin })
    const { pathname } = new URL(store.options.endpoint as string)
    const disk = new Disk(new AzureDriver({ ...store.options, endpoint: `${proxy.endpoint}${pathname}` }), { name: 'azure' })
    await disk.put('a.txt', 'x', { tags: { t: 'u' }, metadata: { a: 'b' } })
    await disk.copy('a.txt', 'b.bin', { contentType: 'image/png' })
    expect([await disk.text('b.bin'), await disk.mimeType('b.bin')]).toEqual(['x', 'image/png'])
    expect((await store.container.getBlobClient('b.bin').getTags()).tags).toEqual({ t: 'u' })
    await disk.close()
    await store.driver.close()
    await store.remove()
  })
})

function rangeStart({ headers }: RecordedRequest): number {
  return Number(/bytes=(\d+)/.exec(headers['x-ms-source-range'] ?? '')?.[1])
}
