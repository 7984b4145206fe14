import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { BLOCK_BYTES, blockBytes, blockId } from '../../../src/drivers/azure/blocks.ts'
import { bytesFor } from '../../../src/testing/conformance/assertions.ts'
import { faultProxy, slowDown } from '../../support/fault-proxy.ts'
import { type AzureStore, makeAzure, uncommitted } from '../../support/stores/azure-store.ts'

let store: AzureStore
let disk: Disk

beforeEach(async () => {
  store = await makeAzure()
  disk = new Disk(store.driver, { name: 'azure' })
})
afterEach(async () => {
  await store.driver.close()
  await store.remove()
})

async function* pieces(bytes: Uint8Array, size = 700_001): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    await Promise.resolve()
    yield bytes.subarray(start, start + size)
  }
}

async function* failingAfter(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes)
  throw new Error('the source broke')
}

describe('an upload to Azure', () => {
  it.each([0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 1])(
    'of %i bytes of unknown length arrives whole',
    async (size) => {
      const bytes = bytesFor(size, 3)
      expect((await disk.writeStream('a.bin', pieces(bytes))).size).toBe(size)
      expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
      const { committedBlocks = [] } = await store.container.getBlockBlobClient('a.bin').getBlockList('committed')
      expect(committedBlocks.length).toBe(size <= BLOCK_BYTES ? 0 : Math.ceil(size / BLOCK_BYTES))
    },
  )

  it('of bytes in memory is one request up to 32 MiB, and blocks beyond', async () => {
    for (const [size, blocks] of [
      [32 * 1024 * 1024, 0],
      [32 * 1024 * 1024 + 1, 7],
    ] as const) {
      const bytes = bytesFor(size, 5)
      await disk.put('a.bin', bytes)
      const { committedBlocks = [] } = await store.container.getBlockBlobClient('a.bin').getBlockList('committed')
      expect(committedBlocks.length).toBe(blocks)
      expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
    }
  })

  it('keeps headers, metadata, tags and tier, in one request and in blocks', async () => {
    const options = {
      contentType: 'image/png',
      cacheControl: 'max-age=1',
      metadata: { 'order-id': 'ü' },
      tags: { a: 'b' },
      storageClass: 'cool',
    }
    for (const content of [bytesFor(10), pieces(bytesFor(BLOCK_BYTES + 1))]) {
      await disk.put('a.bin', content, options)
      const { contentType, cacheControl, metadata, storageClass } = await disk.stat('a.bin')
      expect({ contentType, cacheControl, metadata, storageClass }).toEqual({
        contentType: 'image/png',
        cacheControl: 'max-age=1',
        metadata: { 'order-id': 'ü' },
        storageClass: 'Cool',
      })
      expect((await store.container.getBlobClient('a.bin').getTags()).tags).toEqual({ a: 'b' })
    }
  })

  it('refuses the storage class of another store, and headers that are not ASCII', async () => {
    await expect(disk.put('a.bin', 'x', { storageClass: 'STANDARD_IA' })).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(disk.put('a.bin', 'x', { contentDisposition: 'attachment; filename="ü"' })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
    expect(await disk.allFiles()).toEqual([])
  })

  it('leaves nothing behind when its source fails after blocks went up, or when it is aborted', async () => {
    const bytes = bytesFor(3 * BLOCK_BYTES)
    await expect(disk.writeStream('new.bin', failingAfter(bytes))).rejects.toThrow('the source broke')
    const controller = new AbortController()
    const aborted = disk.writeStream('other.bin', pieces(bytes), {
      signal: controller.signal,
      onProgress: ({ loaded }) => void (loaded > 2 * BLOCK_BYTES && controller.abort(new Error('enough'))),
    })
    await expect(aborted).rejects.toThrow('enough')
    expect([await disk.allFiles(), await uncommitted(store.container)]).toEqual([[], []])
  })

  it('that fails over a file leaves the file as it was', async () => {
    const { etag } = await disk.put('old.bin', 'old')
    await expect(disk.writeStream('old.bin', failingAfter(bytesFor(2 * BLOCK_BYTES)))).rejects.toThrow('the source broke')
    expect([await disk.text('old.bin'), (await disk.stat('old.bin')).etag]).toEqual(['old', etag])
  })

  it('that fails does not discard the blocks of another that is under way', async () => {
    const blob = store.container.getBlockBlobClient('a.bin')
    const id = blockId('somebody else', 0)
    await blob.stageBlock(id, 'theirs', 6)
    await expect(disk.writeStream('a.bin', failingAfter(bytesFor(2 * BLOCK_BYTES)))).rejects.toThrow('the source broke')
    await blob.commitBlockList([id])
    expect(await disk.text('a.bin')).toBe('theirs')
  })

  it('replaces an append blob, small or large', async () => {
    for (const size of [10, BLOCK_BYTES + 1]) {
      await disk.delete('log')
      await disk.append('log', 'line')
      expect((await store.container.getBlobClient('log').getProperties()).blobType).toBe('AppendBlob')
      await disk.writeStream('log', pieces(bytesFor(size)))
      expect((await disk.get('log')).equals(bytesFor(size))).toBe(true)
    }
  })

  it('judges conditions when blocks are committed', async () => {
    const { etag } = await disk.put('a.bin', 'old')
    const bytes = bytesFor(BLOCK_BYTES + 1)
    await expect(disk.writeStream('a.bin', pieces(bytes), { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    await expect(disk.writeStream('a.bin', pieces(bytes), { ifMatch: '"0x1"' })).rejects.toMatchObject({ code: 'precondition_failed' })
    expect(await disk.text('a.bin')).toBe('old')
    await disk.writeStream('a.bin', pieces(bytes), { ifMatch: etag })
    expect(await disk.size('a.bin')).toBe(bytes.length)
  })
})

describe('two uploads of blocks to one file', () => {
  const [first, second] = [bytesFor(3 * BLOCK_BYTES + 5, 1), bytesFor(2 * BLOCK_BYTES + 7, 2)]

  it('leave one of them whole, when their contents can be read again', async () => {
    const blob = (bytes: Buffer): Blob => new Blob([new Uint8Array(bytes)])
    const results = await Promise.allSettled([disk.put('a.bin', blob(first)), disk.put('a.bin', blob(second))])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    const stored = await disk.get('a.bin')
    expect(stored.equals(first) || stored.equals(second)).toBe(true)
  })

  it('never mix: the one whose blocks were discarded fails when it cannot begin anew', async () => {
    const other = Promise.withResolvers<void>()
    async function* waiting(): AsyncGenerator<Uint8Array> {
      yield* pieces(first.subarray(0, 2 * BLOCK_BYTES + 1))
      await other.promise
      yield first.subarray(2 * BLOCK_BYTES + 1)
    }
    const losing = disk.writeStream('a.bin', waiting())
    await until(async () => (await uncommitted(store.container)).length > 0)
    await disk.writeStream('a.bin', pieces(second))
    other.resolve()
    await expect(losing).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect((await disk.get('a.bin')).equals(second)).toBe(true)
  })

  it('tell the loser of ifAbsent that the file is there', async () => {
    const upload = (bytes: Buffer): Promise<unknown> => disk.writeStream('a.bin', pieces(bytes), { ifAbsent: true })
    const results = await Promise.allSettled([upload(first), upload(second)])
    const codes = results.map((result) => (result.status === 'fulfilled' ? 'won' : (result.reason as { code: string }).code))
    expect(codes.toSorted()).toEqual(['already_exists', 'won'])
    expect((await disk.get('a.bin')).equals(codes[0] === 'won' ? first : second)).toBe(true)
  })
})

describe('an upload over a bad network', () => {
  it('repeats blocks that were reset, refused or changed on their way', async () => {
    const proxy = await faultProxy(store.options.endpoint as string)
    const through = new Disk((await at(proxy.endpoint)).driver, { name: 'azure' })
    proxy.inject({ method: 'PUT', path: /comp=block&/ }, { resetRequest: 100_000 })
    proxy.inject({ method: 'PUT', path: /comp=block&/, skip: 1, times: 2 }, slowDown('azure'))
    const bytes = bytesFor(3 * BLOCK_BYTES)
    await through.writeStream('a.bin', pieces(bytes))
    expect(proxy.faulted).toBe(3)
    expect((await disk.get('a.bin')).equals(bytes)).toBe(true)
    await through.close()
    await proxy.close()
  })

  it('never stores what arrived otherwise than it was sent', async () => {
    const proxy = await faultProxy(store.options.endpoint as string)
    const through = new Disk((await at(proxy.endpoint)).driver, { name: 'azure' })
    for (const content of [bytesFor(1_000), pieces(bytesFor(2 * BLOCK_BYTES))]) {
      proxy.inject({ method: 'PUT' }, { corruptRequest: 500 })
      await expect(through.put('a.bin', content)).rejects.toMatchObject({ disk: 'azure' })
      proxy.reset()
    }
    expect(await disk.allFiles()).toEqual([])
    await through.close()
    await proxy.close()
  })

  it('does not take a lost answer for a lost condition, nor the other way round', async () => {
    const proxy = await faultProxy(store.options.endpoint as string)
    const through = new Disk((await at(proxy.endpoint)).driver, { name: 'azure' })
    proxy.inject({ method: 'PUT' }, { loseAnswer: true })
    await expect(through.put('a.txt', 'mine', { ifAbsent: true })).rejects.toMatchObject({ code: 'unavailable' })
    proxy.inject({ method: 'PUT' }, slowDown('azure'))
    await through.put('b.txt', 'mine', { ifAbsent: true }) // the store said that it did nothing
    proxy.inject({ method: 'PUT' }, { loseAnswer: true })
    await through.put('c.txt', 'mine') // done twice, which is the same as once
    expect(await disk.allFiles()).toEqual(['a.txt', 'b.txt', 'c.txt'])
    await through.close()
    await proxy.close()
  })

  it('gives up in time, and leaves nothing', async () => {
    const proxy = await faultProxy(store.options.endpoint as string)
    const through = new Disk((await at(proxy.endpoint)).driver, { name: 'azure' })
    proxy.inject({ method: 'PUT', times: 100 }, { stallRequest: 10 })
    await expect(through.put('a.bin', bytesFor(100_000), { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' })
    proxy.reset()
    proxy.inject({ method: 'PUT', times: 100 }, slowDown('azure'))
    await expect(
      (await at(proxy.endpoint, 0)).driver.write(
        'a.bin',
        { size: 1, replayable: true, bytes: Buffer.from('x'), stream: () => pieces(Buffer.from('x')) },
        {},
      ),
    ).rejects.toMatchObject({
      code: 'rate_limited',
      retryable: true,
    })
    await through.close()
    await proxy.close()
    expect(await disk.allFiles()).toEqual([])
  })
})

describe('the blocks of an upload', () => {
  it('grow, so that 50,000 hold all that Azure takes', () => {
    expect([0, 4_999, 5_000, 49_999].map(blockBytes)).toEqual([BLOCK_BYTES, BLOCK_BYTES, 2 * BLOCK_BYTES, 512 * BLOCK_BYTES])
    const total = Array.from({ length: 50_000 }, (_, index) => blockBytes(index)).reduce((sum, size) => sum + size, 0)
    expect(total).toBeGreaterThan(20 * 1024 ** 4)
    expect(Math.max(...[0, 25_000, 49_999].map(blockBytes))).toBeLessThanOrEqual(4_000 * 1024 ** 2)
  })

  it('have names of one length, that of Microsoft’s own SDKs', () => {
    const ids = [blockId('a'.repeat(36), 0), blockId('b'.repeat(36), 49_999), blockId('', 7)]
    expect(ids.map((id) => [id.length, Buffer.from(id, 'base64').length])).toEqual([
      [64, 48],
      [64, 48],
      [64, 48],
    ])
  })
})

/** The same container, by way of a proxy. */
async function at(endpoint: string, retries = 4): Promise<{ driver: AzureStore['driver'] }> {
  const { AzureDriver } = await import('../../../src/drivers/azure/azure-driver.ts')
  const { pathname } = new URL(store.options.endpoint as string)
  return {
    driver: new AzureDriver({ ...store.options, endpoint: `${endpoint.replace(/\/$/, '').replace(pathname, '')}${pathname}`, retries }),
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => void setTimeout(resolve, 5))
}
