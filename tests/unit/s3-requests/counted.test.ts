/** What the S3 disk costs in requests and connections, counted by a server that does nothing else (bench/null-server.ts). */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { type Conditions, type Counters, generated, NullServer } from '../../../bench/null-server.ts'
import { Disk } from '../../../src/disk.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'

const MIB = 1024 ** 2

let server: NullServer
let disk: Disk

beforeAll(async () => {
  server = await NullServer.start()
})

afterAll(() => server.close())

beforeEach(() => {
  disk = diskOf({})
})

afterEach(() => disk.close())

function diskOf(config: { maxSockets?: number }): Disk {
  const { endpoint } = server
  return new Disk(
    new S3Driver({ bucket: 'counted', region: 'us-east-1', endpoint, pathStyle: true, key: 'key', secret: 'secret', ...config }),
  )
}

async function counted(action: () => Promise<unknown>, conditions: Partial<Conditions> = {}): Promise<Counters> {
  server.configure(conditions)
  await action()
  return server.counters()
}

/** Of unknown length. */
function source(bytes: number): Readable {
  let at = 0
  return new Readable({
    read() {
      const chunk = generated(at, bytes)
      at += chunk.byteLength
      this.push(chunk.byteLength === 0 ? null : chunk)
    },
  })
}

describe('requests', () => {
  it('are one for a small put, a get and a size', async () => {
    expect((await counted(() => disk.put('a.txt', Buffer.alloc(10_240)))).requests).toEqual({ PutObject: 1 })
    expect((await counted(() => disk.get('s10240/a'))).requests).toEqual({ GetObject: 1 })
    expect((await counted(() => disk.size('s10240/a'))).requests).toEqual({ HeadObject: 1 })
  })

  it('are one for a stream of unknown length that fits in a part', async () => {
    const { requests, receivedBytes } = await counted(() => disk.writeStream('a.bin', source(MIB)))
    expect(requests).toEqual({ PutObject: 1 })
    expect(receivedBytes).toBe(MIB)
  })

  it('are three to delete 2,500 files', async () => {
    const paths = Array.from({ length: 2_500 }, (_, index) => `file-${index}`)
    const { requests, deletedKeys } = await counted(() => disk.delete(paths))
    expect(requests).toEqual({ DeleteObjects: 3 })
    expect(deletedKeys).toBe(2_500)
  })

  it('are 25 to list 25,000 files, each of which comes once', async () => {
    const paths = new Set<string>()
    let entries = 0
    const { requests } = await counted(async () => {
      for await (const { path } of disk.list('n25000', { recursive: true })) {
        paths.add(path)
        entries++
      }
    })
    expect(entries).toBe(25_000)
    expect(paths.size).toBe(25_000)
    expect(requests).toEqual({ ListObjectsV2: 25 })
  })
})

describe('connections', () => {
  it('are at most 3 for 256 MiB of unknown length', async () => {
    const { connections, requests, receivedBytes, openUploads } = await counted(() => disk.writeStream('large', source(256 * MIB)))
    expect(connections).toBeLessThanOrEqual(3)
    expect(requests).toMatchObject({ CreateMultipartUpload: 1, CompleteMultipartUpload: 1 })
    expect(requests['UploadPart']).toBeLessThanOrEqual(52)
    expect(receivedBytes).toBeGreaterThanOrEqual(256 * MIB)
    expect(openUploads).toBe(0)
  })

  it('are used again by one small request after the other', async () => {
    const { connections } = await counted(async () => {
      for (let index = 0; index < 20; index++) {
        await disk.put(`file-${index}`, 'content')
        await disk.get('s1024/file')
        await disk.size('s1024/file')
      }
    })
    expect(connections).toBe(1)
  })

  it('are not more than maxSockets', async () => {
    const few = diskOf({ maxSockets: 4 })
    const { connections, peakRequests } = await counted(() => Promise.all(Array.from({ length: 40 }, () => few.get('s1024/file'))), {
      latencyMs: 2,
    })
    await few.close()
    expect(connections).toBe(4)
    expect(peakRequests).toBe(4)
  })

  it('are many for one large file where each has its limit', async () => {
    const { peakRequests, requests } = await counted(
      async () => {
        let size = 0
        for await (const chunk of await disk.readStream(`s${24 * MIB}/large`)) size += (chunk as Buffer).byteLength
        expect(size).toBe(24 * MIB)
      },
      { bytesPerSecond: 4_000_000 },
    )
    expect(peakRequests).toBeGreaterThanOrEqual(3)
    expect(requests).toEqual({ GetObject: expect.any(Number) })
  })

  it('are all closed with the disk', async () => {
    await disk.get('s1024/file')
    expect(server.openConnections).toBeGreaterThan(0)
    await disk.close()
    while (server.openConnections > 0) await setTimeout(5)
  })
})
