import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { BLOCK_BYTES } from '../../../src/drivers/azure/blocks.ts'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { type FaultProxy, faultProxy, slowDown } from '../../support/fault-proxy.ts'
import { type AzureStore, makeAzure, uncommitted } from '../../support/stores/azure-store.ts'

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

const typeOf = async (name: string): Promise<string | undefined> => (await store.container.getBlobClient(name).getProperties()).blobType

describe('appending to a file on Azure', () => {
  it('makes an append blob, with its type and metadata', async () => {
    await disk.append('log.txt', 'one\n', { metadata: { by: 'ann' } })
    await disk.append('log.txt', 'two\n')
    expect([await typeOf('log.txt'), await disk.text('log.txt')]).toEqual(['AppendBlob', 'one\ntwo\n'])
    expect(await disk.stat('log.txt')).toMatchObject({ contentType: 'text/plain', metadata: { by: 'ann' } })
    await disk.append('empty.txt', '')
    expect(await disk.size('empty.txt')).toBe(0)
  })

  it('is one request once the file is there', async () => {
    await disk.append('log.txt', 'one\n')
    proxy.reset()
    await disk.driver.append?.('log.txt', { size: 2, replayable: true, bytes: Buffer.from('x\n'), stream: async function* () {} }, {})
    expect(proxy.requests).toHaveLength(1)
  })

  it('lists, reads, copies, moves and replaces what it made', async () => {
    await disk.append('log.txt', 'one\n')
    await disk.copy('log.txt', 'copy.txt')
    await disk.move('log.txt', 'moved.txt')
    await disk.append('copy.txt', 'two\n')
    await disk.put('moved.txt', 'new')
    expect([await disk.allFiles(), await disk.text('copy.txt'), await disk.text('moved.txt')]).toEqual([
      ['copy.txt', 'moved.txt'],
      'one\ntwo\n',
      'new',
    ])
  })

  it('takes streams larger than a block of an append', async () => {
    const bytes = bytesFor(9_000_000, 4)
    await disk.append('log.bin', [bytes.subarray(0, 1), bytes.subarray(1)])
    expect((await disk.get('log.bin')).equals(bytes)).toBe(true)
  })

  it('extends a file of blocks without sending it again, and keeps all that it has', async () => {
    const bytes = bytesFor(2 * BLOCK_BYTES + 1, 6)
    const kept = { contentType: 'image/png', metadata: { a: 'b' }, tags: { t: 'u' }, storageClass: 'Cool' }
    await disk.writeStream('a.bin', [bytes.subarray(0, 9), bytes.subarray(9)], kept)
    await disk.append('a.bin', 'end')
    await disk.append('a.bin', ['a', 'gain'])
    expect((await disk.get('a.bin')).equals(Buffer.concat([bytes, Buffer.from('endagain')]))).toBe(true)
    const { committedBlocks = [] } = await store.container.getBlockBlobClient('a.bin').getBlockList('committed')
    expect(committedBlocks.map(({ size }) => Number(size))).toEqual([BLOCK_BYTES, BLOCK_BYTES, 1, 3, 5])
    expect(await disk.stat('a.bin')).toMatchObject({ contentType: 'image/png', metadata: { a: 'b' }, storageClass: 'Cool' })
    expect((await store.container.getBlobClient('a.bin').getTags()).tags).toEqual({ t: 'u' })
  })

  it('rewrites a file that was put in one request', async () => {
    await disk.put('a.txt', 'one', { contentType: 'text/x-kit', tags: { t: 'u' } })
    await disk.append('a.txt', 'two')
    expect([await disk.text('a.txt'), await disk.mimeType('a.txt'), await typeOf('a.txt')]).toEqual(['onetwo', 'text/x-kit', 'BlockBlob'])
    expect((await store.container.getBlobClient('a.txt').getTags()).tags).toEqual({ t: 'u' })
    expect(await uncommitted(store.container)).toEqual([])
  })

  it('goes on when an append blob takes no more appends', async () => {
    const bytes = bytesFor(BLOCK_BYTES + 7, 8)
    await disk.append('log.bin', bytes, { metadata: { a: 'b' } })
    const headers = { 'content-type': 'application/xml', 'x-ms-error-code': 'BlockCountExceedsLimit' }
    const body = '<?xml version="1.0" encoding="utf-8"?><Error><Code>BlockCountExceedsLimit</Code><Message>full</Message></Error>'
    proxy.inject({ method: 'PUT', path: /comp=appendblock/ }, { answer: { status: 409, headers, body } })
    await disk.append('log.bin', 'end')
    expect((await disk.get('log.bin')).equals(Buffer.concat([bytes, Buffer.from('end')]))).toBe(true)
    expect([await typeOf('log.bin'), (await disk.stat('log.bin')).metadata]).toEqual(['BlockBlob', { a: 'b' }])
  })

  it('leaves a file that can be replaced by blocks under its etag, and only under that', async () => {
    await disk.append('log.bin', 'line')
    const { etag } = await disk.stat('log.bin')
    const large = [bytesFor(BLOCK_BYTES), bytesFor(10)]
    await expect(disk.writeStream('log.bin', large, { ifMatch: '"0x1"' })).rejects.toMatchObject({ code: 'precondition_failed' })
    await expect(disk.writeStream('log.bin', large, { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    expect((await disk.stat('log.bin')).etag).toBe(etag)
    await disk.writeStream('log.bin', large, { ifMatch: etag })
    expect(await disk.size('log.bin')).toBe(BLOCK_BYTES + 10)
  })

  it('never appends twice: a lost answer is told, and a store that did nothing is asked again', async () => {
    await disk.append('log.txt', 'one\n')
    proxy.inject({ method: 'PUT', path: /comp=appendblock/ }, { loseAnswer: true })
    await expect(disk.append('log.txt', 'two\n')).rejects.toMatchObject({ code: 'unavailable' })
    proxy.inject({ method: 'PUT', path: /comp=appendblock/, times: 2 }, slowDown('azure'))
    await disk.append('log.txt', 'three\n')
    expect(await disk.text('log.txt')).toBe('one\ntwo\nthree\n')
  })

  it('loses nothing of several who append to a file of blocks, and to none yet', async () => {
    await disk.writeStream('a.bin', [bytesFor(BLOCK_BYTES), bytesFor(10)])
    for (const path of ['a.bin', 'new.txt']) {
      await Promise.all(Array.from({ length: 6 }, (_, writer) => disk.append(path, `<${writer}>`)))
      const text = (await disk.get(path)).subarray(-18).toString()
      expect(text.match(/<\d>/g)?.toSorted()).toEqual(['<0>', '<1>', '<2>', '<3>', '<4>', '<5>'])
    }
  })
})
