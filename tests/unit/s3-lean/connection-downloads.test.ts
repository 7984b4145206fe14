import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { ResponseChunks } from '../../../src/drivers/s3/response-chunks.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import { bareStore, FACTS } from './bare-store.ts'
import { closedAfterEach, ending, lean, until } from './scripted-store.ts'

const closing = closedAfterEach()
const CONTENT = Buffer.alloc(3_000_000)
for (let at = 0; at < CONTENT.length; at += 4) CONTENT.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)

describe.each([
  ['TCP', undefined],
  ['TLS', certificate],
])('the pieces of downloads over %s', (_name, identity) => {
  it.each([
    ['kept, and looked at in the end', false],
    ['moved to other threads at once', true],
  ])("are the reader's own: %s", async (_what, isMoved) => {
    const pair = await identity?.()
    const store = await bareStore(closing, ({ head, socket }) => void pour(socket, Number(/GET \/b\/(\d+)/.exec(head)?.[1])), { pair })
    const driver = new S3Driver({
      bucket: 'b',
      endpoint: store.origin,
      pathStyle: true,
      key: 'k',
      secret: 's',
      ...(pair && { tls: { ca: pair.cert } }),
    })
    closing.unshift(() => driver.close?.())
    const read = async (size: number): Promise<void> => {
      const pieces: Uint8Array[] = []
      for await (const piece of (await driver.read(String(size), {})).body) {
        pieces.push(isMoved ? structuredClone(piece, { transfer: [piece.buffer as ArrayBuffer] }) : piece)
        if (isMoved) expect(piece.byteLength).toBe(0)
        if (pieces.length % 5 === 0) await sleep(1)
      }
      expect(Buffer.concat(pieces).equals(CONTENT.subarray(0, size))).toBe(true)
    }
    const sizes = [70_000, 100_001, 300_000, 1_000_003, 2_900_000]
    for (let round = 0; round < 3; round++) await Promise.all([...sizes, ...sizes].map(read))
  })
})

describe.each([
  ['TCP', undefined],
  ['TLS', certificate],
])('a download over %s', (_name, identity) => {
  it.each([
    ['has not begun', 0],
    ['has rested', 1],
    ['rests after a while', 40],
  ])('whose reader %s is stopped, and whole when he comes back', async (_what, count) => {
    const SIZE = 48 * 1024 * 1024
    const pair = await identity?.()
    const block = Buffer.alloc(64 * 1024, 'bytes')
    let sent = 0
    const store = await bareStore(
      closing,
      ({ socket }) => {
        socket.write(`HTTP/1.1 200 Said\r\n${FACTS}Content-Length: ${SIZE}\r\n\r\n`)
        const more = (): void => {
          while (sent < SIZE) {
            sent += block.byteLength
            if (!socket.write(block)) {
              socket.once('drain', more)
              return
            }
          }
        }
        more()
      },
      { pair },
    )
    const { requests } = lean({ endpoint: store.origin, ...(pair && { tls: { ca: pair.cert } }) })
    closing.unshift(() => requests.close())
    const chunks = new ResponseChunks((await requests.get('a', {})).stream)
    let received = 0
    for (let i = 0; i < count; i++) {
      await chunks.wait()
      received += chunks.take()?.byteLength ?? 0
    }
    let before = -1
    while (before !== sent) {
      before = sent
      await sleep(50)
    }
    expect(chunks.buffered).toBeLessThan(512 * 1024)
    expect(sent - received).toBeLessThan(SIZE / 2) // what the system keeps in its buffers is in it
    while (!chunks.drained) {
      await chunks.wait()
      received += chunks.take()?.byteLength ?? 0
    }
    expect([received, chunks.failure]).toEqual([SIZE, undefined])
  })
})

/** An answer in writes of all sizes. */
async function pour(socket: Socket, size: number): Promise<void> {
  socket.write(`HTTP/1.1 200 Said\r\n${FACTS}Content-Length: ${size}\r\n\r\n`)
  for (let [at, step] = [0, 1]; at < size; at += step) {
    step = (step * 7_919) % 140_001
    if (!socket.write(CONTENT.subarray(at, Math.min(size, at + step)))) await once(socket, 'drain')
    else if (step % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a download', () => {
  it.each([true, false])('of a length without a body tells no bytes that never came (eager: %s)', async (eager) => {
    const store = await bareStore(closing, ({ socket }) => socket.write(`HTTP/1.1 204 No Content\r\n${FACTS}Content-Length: 500\r\n\r\n`))
    const driver = new S3Driver({ bucket: 'b', endpoint: store.origin, pathStyle: true, key: 'k', secret: 's', retries: 0 })
    closing.unshift(() => driver.close?.())
    const { requests, transport } = lean({ endpoint: store.origin, retries: 0 })
    const got = eager ? requests.get('a', { eager }) : driver.read('a', {}).then(({ body }) => body[Symbol.asyncIterator]().next())
    expect((await ending(got)).outcome).toBe('unavailable')
    await until(() => transport.load.taken === 0)
    requests.close()
  })

  it('that gets further connections, and whose reader then rests, is read ahead by what those bring, and not to its end', async () => {
    const TOTAL = 64 * 1024 * 1024
    let isFast = false
    const sent: number[] = []
    const store = await bareStore(closing, ({ head, socket }) => {
      const [, from, last] = /range: bytes=(\d+)-(\d+)/.exec(head) ?? []
      const range = from === undefined ? '' : `Content-Range: bytes ${from}-${last}/${TOTAL}\r\n`
      const length = from === undefined ? TOTAL : Number(last) + 1 - Number(from)
      socket.write(`HTTP/1.1 ${from === undefined ? 200 : 206} Said\r\n${FACTS}${range}Content-Length: ${length}\r\n\r\n`)
      const place = sent.push(0) - 1
      const more = (): void => {
        const bytes = Math.min(length - (sent[place] as number), 32 * 1024)
        if (bytes === 0) return
        sent[place] = (sent[place] as number) + bytes
        const isTaken = socket.write(Buffer.alloc(bytes))
        if (!isFast) setTimeout(more, 5)
        else if (isTaken) setImmediate(more)
        else socket.once('drain', more)
      }
      more()
    })
    const driver = new S3Driver({ bucket: 'b', endpoint: store.origin, pathStyle: true, key: 'k', secret: 's' })
    closing.unshift(() => driver.close?.())
    const pieces = (await driver.read('a', {})).body[Symbol.asyncIterator]()
    while (store.connections.length < 2) await pieces.next()
    isFast = true
    let before = -1
    while (before !== sent[0]) {
      before = sent[0] as number
      await sleep(200)
    }
    expect(sent[0]).toBeLessThan(TOTAL / 2) // what the system keeps in its buffers is in it
    await pieces.return?.()
  })
})
