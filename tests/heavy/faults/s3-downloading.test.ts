/** Reading: one version from begin to end, over however many connections, and no socket that stays behind. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { discard } from '../../../src/content.ts'
import { bytesFor, drained } from '../../../src/testing/conformance/assertions.ts'
import { slowDown } from '../../support/fault-proxy.ts'
import { s3Fixture, until } from '../../unit/s3/s3-fixture.ts'

const s3 = s3Fixture()
const MiB = 1024 * 1024

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: { code?: unknown }) => error.code ?? error,
  )
}

describe('a download', () => {
  it('is one request, facts and body', async () => {
    const { disk, proxy } = await s3.recorded()
    await s3.disk().put('a.txt', 'hello')
    expect(await disk.text('a.txt')).toBe('hello')
    expect(await disk.text('a.txt', { range: { start: 1, end: 3 } })).toBe('el')
    expect(await disk.text('a.txt', { range: { suffix: 2 } })).toBe('lo')
    expect(await disk.text('a.txt', { range: { start: 0 } })).toBe('hello')
    expect(proxy.requests.map(({ method, headers }) => [method, headers['range']])).toEqual([
      ['GET', undefined],
      ['GET', 'bytes=1-2'],
      ['GET', 'bytes=-2'],
      ['GET', undefined],
    ])
  })

  it('goes on at the next byte, of the same version, when its connection breaks', async () => {
    const { disk, proxy } = await s3.faulty()
    const bytes = bytesFor(2 * MiB)
    const { etag = '' } = await disk.put('a.bin', bytes)
    proxy.inject({ method: 'GET' }, { resetResponse: 300_000 })
    proxy.inject({ method: 'GET' }, { truncate: 400_000 })
    proxy.inject({ method: 'GET' }, { resetResponse: 0 })
    proxy.inject({ method: 'GET' }, slowDown('s3'))
    expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
    proxy.inject({ method: 'GET' }, { resetResponse: 300_000 })
    expect(
      (await drained(await disk.readStream('a.bin', { range: { start: 5, end: 1_500_000 } }))).equals(bytes.subarray(5, 1_500_000)),
    ).toBe(true)
    expect(proxy.faulted).toBe(5)
    expect(etag).not.toBe('')
  })

  it('gives up on a connection that breaks again and again without a byte between', async () => {
    const { disk, proxy } = await s3.faulty({ retries: 0 })
    await disk.put('a.bin', bytesFor(MiB))
    proxy.inject({ method: 'GET', times: 100 }, { resetResponse: 0 })
    expect(await codeOf(disk.get('a.bin'))).toBe('unavailable')
    proxy.reset()
    proxy.inject({ method: 'GET', times: 100 }, { truncate: 0 })
    expect(await codeOf(drained(await disk.readStream('a.bin')))).toBe('unavailable')
    expect(proxy.requests.length).toBeLessThan(20)
  })

  it('fails rather than mix two versions, when the file is replaced and its connection breaks', async () => {
    const { disk, proxy } = await s3.faulty()
    await disk.put('a.bin', bytesFor(2 * MiB, 1))
    proxy.inject({ method: 'GET' }, { resetResponse: 1_000_000 })
    const stream = await disk.readStream('a.bin')
    await s3.disk().put('a.bin', bytesFor(2 * MiB, 2))
    expect(await codeOf(drained(stream))).toBe('precondition_failed')
  })

  it('gives back its socket when it is not read, not read to its end, or aborted', async () => {
    const { disk, proxy } = await s3.faulty()
    await disk.put('a.bin', bytesFor(8 * MiB))
    proxy.inject({ method: 'GET', times: 100 }, { stallResponse: 200_000 })
    const before = proxy.connections.open
    for (let turn = 0; turn < 5; turn++) {
      ;(await disk.readStream('a.bin')).destroy()
      const stream = await disk.readStream('a.bin')
      for await (const _ of stream) break
      await discard((await disk.driver.read('a.bin', {})).body)
      const controller = new AbortController()
      const aborted = codeOf(disk.get('a.bin', { signal: controller.signal }))
      await sleep(20)
      controller.abort('enough')
      expect(await aborted).toBe('enough')
      expect(await codeOf(disk.get('a.bin', { timeoutMs: 50 }))).toBe('timeout')
      expect(await codeOf(disk.readStream('a.bin', { timeoutMs: 50 }).then(drained))).toBe('timeout')
    }
    await until(() => proxy.connections.open <= before)
  })

  it('that drips slowly is bounded by timeoutMs', async () => {
    const { disk, proxy } = await s3.faulty()
    await disk.put('a.bin', bytesFor(MiB))
    proxy.inject({ method: 'GET' }, { dripBytesPerSecond: 10_000 })
    expect(await codeOf(disk.get('a.bin', { timeoutMs: 200 }))).toBe('timeout')
  })

  it('is refused when the store refuses it, whatever the range', async () => {
    const { disk, proxy } = await s3.faulty()
    await disk.put('a.bin', 'x')
    const body = '<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>'
    proxy.inject({ method: 'GET' }, { answer: { status: 403, body } })
    const error = await disk.get('a.bin').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(String(error)).toContain('archived')
  })

  it('is an error when something on the way answers a range with the whole file', async () => {
    const { disk } = await s3.recorded({}, ({ method }) =>
      method === 'GET' ? { status: 200, headers: { etag: '"1"', 'content-length': '5' }, body: 'hello' } : undefined,
    )
    expect(await codeOf(disk.get('a.txt', { range: { start: 1, end: 2 } }))).toBe('unavailable')
    expect(await disk.text('a.txt', { range: { start: 0, end: 9 } })).toBe('hello')
  })

  it('is an error when something on the way leaves out how long it is', async () => {
    const { disk } = await s3.recorded({}, () => ({ status: 200, headers: { etag: '"1"' }, body: 'hello' }))
    expect(await codeOf(disk.get('a.txt'))).toBe('unavailable')
  })
})

describe('a checksum that comes with a file', () => {
  const checked = async (body: string): Promise<Buffer> => {
    const headers = { etag: '"1"', 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-checksum-type': 'FULL_OBJECT', 'content-length': '5' } // of "hello"
    const { disk, proxy } = await s3.recorded({ checksums: 'whenSupported' }, () => ({ status: 200, headers, body }))
    const bytes = await disk.get('a.txt')
    expect(proxy.requests[0]?.headers['x-amz-checksum-mode']).toBe('ENABLED')
    return bytes
  }

  it('is compared', async () => {
    expect(String(await checked('hello'))).toBe('hello')
    expect(await codeOf(checked('jello'))).toBe('corrupted')
  })
})

describe('a large file over a slow network', () => {
  const bytes = bytesFor(24 * MiB + 5)

  it('comes over several connections, in order, all of one version', async () => {
    const { disk, proxy } = await s3.faulty()
    const { etag = '' } = await s3.disk().put('a.bin', bytes)
    proxy.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    const chunks: Buffer[] = []
    for await (const chunk of (await disk.readStream('a.bin')) as AsyncIterable<Buffer>) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    expect(proxy.connections.opened).toBeGreaterThan(3)
    proxy.reset()
    proxy.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    expect((await disk.get('a.bin', { range: { start: 7 } })).equals(bytes.subarray(7))).toBe(true)
    expect(proxy.requests.length).toBeGreaterThan(3)
    expect(etag).not.toBe('')
  })

  it('asks for each further range under the etag of the first', async () => {
    const { proxy: slow } = await s3.faulty()
    slow.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    const { disk, proxy } = await s3.recorded({}, undefined, slow.endpoint)
    const { etag = '' } = await s3.disk().put('a.bin', bytes)
    expect((await drained(await disk.readStream('a.bin'))).equals(bytes)).toBe(true)
    const [first, ...further] = proxy.requests.map(({ headers }) => headers['if-match'])
    expect(first).toBeUndefined()
    expect(further.length).toBeGreaterThan(3)
    expect(new Set(further)).toEqual(new Set([etag.replaceAll('"', '')]))
  })

  it('comes whole although its connections break', async () => {
    const { disk, proxy } = await s3.faulty()
    await s3.disk().put('a.bin', bytes)
    for (let turn = 0; turn < 4; turn++) {
      proxy.inject({ method: 'GET', times: 2 }, { dripBytesPerSecond: 8 * MiB })
      proxy.inject({ method: 'GET' }, { resetResponse: 700_000 })
      proxy.inject({ method: 'GET' }, slowDown('s3'))
    }
    proxy.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    expect((await drained(await disk.readStream('a.bin'))).equals(bytes)).toBe(true)
    expect(proxy.faulted).toBeGreaterThan(8)
  })

  it('is no mix when it is replaced meanwhile', async () => {
    const { disk, proxy } = await s3.faulty()
    await s3.disk().put('a.bin', bytes)
    proxy.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    const stream = await disk.readStream('a.bin')
    await s3.disk().put('a.bin', bytesFor(bytes.length, 9))
    expect(await codeOf(drained(stream))).toBe('precondition_failed')
  })

  it('gives back every socket when it is destroyed midway', async () => {
    const { disk, proxy } = await s3.faulty()
    await s3.disk().put('a.bin', bytes)
    proxy.inject({ method: 'GET', times: 1_000 }, { dripBytesPerSecond: 8 * MiB })
    const stream = await disk.readStream('a.bin')
    for await (const _ of stream) if (proxy.connections.open > 3) break
    await until(() => proxy.connections.open === 0)
  })
})
