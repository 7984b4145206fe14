import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { FIRST_BYTES } from '../../../src/drivers/azure/body.ts'
import { bytesFor, drained } from '../../../src/testing/conformance/assertions.ts'
import { type FaultProxy, faultProxy } from '../../support/fault-proxy.ts'
import { type AzureStore, makeAzure } from '../../support/stores/azure-store.ts'

const LARGE = bytesFor(FIRST_BYTES + 9 * 1024 * 1024 + 3, 9)

let store: AzureStore
let proxy: FaultProxy
let disk: Disk

beforeEach(async () => {
  store = await makeAzure()
  const { origin, pathname } = new URL(store.options.endpoint as string)
  proxy = await faultProxy(origin)
  disk = new Disk(new AzureDriver({ ...store.options, endpoint: `${proxy.endpoint}${pathname}` }), { name: 'azure' })
})
afterEach(async () => {
  await disk.close()
  await store.driver.close()
  await proxy.close()
  await store.remove()
})

describe('reading from Azure', () => {
  it('takes one request for a small file, and none for its facts', async () => {
    await disk.put('a.txt', 'hello')
    proxy.reset()
    expect(await disk.text('a.txt')).toBe('hello')
    expect(proxy.requests).toHaveLength(1)
  })

  it('gives a large file whole and in order, as bytes and as a stream', async () => {
    await disk.put('a.bin', LARGE)
    expect((await disk.get('a.bin')).equals(LARGE)).toBe(true)
    expect((await drained(await disk.readStream('a.bin'))).equals(LARGE)).toBe(true)
    const range = { start: 5, end: LARGE.length - 7 }
    expect((await disk.get('a.bin', { range })).equals(LARGE.subarray(5, -7))).toBe(true)
    expect(
      (await drained(await disk.readStream('a.bin', { range: { suffix: FIRST_BYTES + 1 } }))).equals(LARGE.subarray(-FIRST_BYTES - 1)),
    ).toBe(true)
  })

  it('goes on at the byte where a connection broke', async () => {
    await disk.put('a.bin', LARGE)
    proxy.reset()
    proxy.inject({ method: 'GET' }, { resetResponse: 3_000_000 })
    proxy.inject({ method: 'GET', skip: 2 }, { truncate: 1_000_000 })
    expect((await drained(await disk.readStream('a.bin'))).equals(LARGE)).toBe(true)
    expect(proxy.faulted).toBe(2)
  })

  it('never gives bytes of two versions', async () => {
    await disk.put('a.bin', LARGE)
    const stream = await disk.readStream('a.bin')
    const reading = async (): Promise<void> => {
      let isReplaced = false
      for await (const _ of stream) {
        if (!isReplaced) await disk.put('a.bin', bytesFor(LARGE.length, 1))
        isReplaced = true
      }
    }
    await expect(reading()).rejects.toMatchObject({ code: 'precondition_failed', operation: 'read', path: 'a.bin' })
  })

  it('asks with a condition for everything after the first answer', async () => {
    await disk.put('a.bin', LARGE)
    const { etag } = await disk.stat('a.bin')
    await expect(disk.driver.read('a.bin', { ifMatch: '"0x1"' })).rejects.toMatchObject({ code: 'precondition_failed' })
    const { stat } = await disk.driver.read('a.bin', { range: { suffix: 4 }, ifMatch: etag })
    expect(stat.size).toBe(LARGE.length)
  })

  it('says that an archived file has to be fetched from the archive', async () => {
    await disk.put('a.txt', 'x', { storageClass: 'Archive' })
    await expect(disk.get('a.txt')).rejects.toMatchObject({ code: 'unsupported', reason: expect.stringContaining('archive') })
    expect((await disk.stat('a.txt')).storageClass).toBe('Archive')
  })
})
