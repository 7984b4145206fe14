import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { createDigest, type Digest } from '../../../src/digest.ts'
import { Disk } from '../../../src/disk.ts'
import { crc64nvme } from '../../../src/drivers/s3/lean/crc64nvme.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { carried, closedAfterEach, ending, ETAG, type Script, scriptedStore, type ScriptedStore, until } from './scripted-store.ts'

const CONTENT = Buffer.alloc(600_000, 'some bytes ')
const closing = closedAfterEach()

async function meeting(script: Script, options: Partial<S3DriverOptions> = {}): Promise<ScriptedStore & { readonly disk: Disk }> {
  const store = await scriptedStore(script)
  const given = { bucket: 'b', endpoint: store.origin, pathStyle: true, key: 'k', secret: 's', checksums: 'whenSupported' } as const
  const disk = new Disk(new S3Driver(carried({ ...given, ...options })))
  closing.push(
    () => disk.close(),
    () => store.close(),
  )
  return { ...store, disk }
}

const CHECKSUMS: Readonly<Record<'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256', string>> = {
  crc32: Buffer.from(crc32(CONTENT).toString(16).padStart(8, '0'), 'hex').toString('base64'),
  crc32c: digested(createDigest('crc32c')),
  crc64nvme: digested(crc64nvme()),
  sha1: createHash('sha1').update(CONTENT).digest('base64'),
  sha256: createHash('sha256').update(CONTENT).digest('base64'),
}

function digested(digest: Digest): string {
  digest.update(CONTENT)
  return digest.digest('base64')
}

const facts = { etag: ETAG, 'last-modified': new Date(0).toUTCString() }

/** The content, or what a range names of it, with these headers. */
function serving(content: Buffer, headers: Readonly<Record<string, string>> = {}): Script {
  return ({ headers: { range }, response }) => {
    const [, from = '0', to] = /bytes=(\d+)-(\d*)/.exec(range ?? '') ?? []
    const slice = content.subarray(Number(from), to === undefined || to === '' ? content.length : Number(to) + 1)
    const part = range === undefined ? headers : { 'content-range': `bytes ${from}-${Number(from) + slice.length - 1}/${content.length}` }
    response.writeHead(range === undefined ? 200 : 206, { ...facts, ...part, 'content-length': slice.length }).end(slice)
  }
}

/** Bytes that came before the end, and how it ended. */
async function streamed(disk: Disk): Promise<{ readonly bytes: Buffer; readonly outcome: string }> {
  const chunks: Buffer[] = []
  const { outcome } = await ending(
    (async () => {
      for await (const chunk of await disk.readStream('a')) chunks.push(chunk as Buffer)
    })(),
  )
  return { bytes: Buffer.concat(chunks), outcome }
}

const CHANGED = Buffer.from(CONTENT)
CHANGED.writeUInt8(CHANGED.readUInt8(300_000) ^ 1, 300_000)

describe('a checksum that the store sends along', () => {
  it('is asked for where the store is said to know it', async () => {
    const known = await meeting(serving(CONTENT))
    await known.disk.get('a')
    expect(known.asked[0]?.headers['x-amz-checksum-mode']).toBe('ENABLED')
    const unknown = await meeting(serving(CONTENT), { checksums: 'whenRequired' })
    await unknown.disk.get('a')
    expect(unknown.asked[0]?.headers['x-amz-checksum-mode']).toBeUndefined()
  })

  it.each(Object.entries(CHECKSUMS))('%s is compared with what came', async (algorithm, value) => {
    const good = await meeting(serving(CONTENT, { [`x-amz-checksum-${algorithm}`]: value }))
    expect((await good.disk.get('a')).equals(CONTENT)).toBe(true)
    expect((await streamed(good.disk)).outcome).toBe('ok')
    const bad = await meeting(serving(CHANGED, { [`x-amz-checksum-${algorithm}`]: value }))
    expect((await ending(bad.disk.get('a'))).outcome).toBe('corrupted')
    const { bytes, outcome } = await streamed(bad.disk)
    expect(outcome).toBe('corrupted')
    expect(bytes.equals(CHANGED.subarray(0, bytes.length))).toBe(true)
  })

  it('of no bytes is compared, too', async () => {
    const bad = await meeting(serving(Buffer.alloc(0), { 'x-amz-checksum-crc32': CHECKSUMS.crc32 }))
    expect((await ending(bad.disk.get('a'))).outcome).toBe('corrupted')
    const good = await meeting(serving(Buffer.alloc(0), { 'x-amz-checksum-crc32': 'AAAAAA==' }))
    expect((await good.disk.get('a')).length).toBe(0)
  })

  it.each([
    { 'x-amz-checksum-crc32': `${CHECKSUMS.crc32}-2` },
    { 'x-amz-checksum-crc32c': 'AAAAAA==', 'x-amz-checksum-type': 'COMPOSITE' },
    { 'x-amz-checksum-xxhash128': 'AAAAAAAAAAA=' },
  ])('that is none of the whole, or of an unknown kind, is ignored: %j', async (headers) => {
    const { disk } = await meeting(serving(CONTENT, headers))
    expect((await disk.get('a')).equals(CONTENT)).toBe(true)
  })

  it('of the whole is not asked of a range', async () => {
    const { disk, asked } = await meeting(serving(CONTENT, { 'x-amz-checksum-crc32': 'AAAAAA==' }))
    expect((await disk.get('a', { range: { start: 0, end: 10 } })).equals(CONTENT.subarray(0, 10))).toBe(true)
    expect(asked[0]?.headers['x-amz-checksum-mode']).toBeUndefined()
  })

  it('lets a reader rest for as long as he likes', async () => {
    const { disk } = await meeting(serving(CONTENT, { 'x-amz-checksum-crc32': CHECKSUMS.crc32 }), { socketTimeoutMs: 200 })
    const stream = await disk.readStream('a')
    await new Promise((resolve) => void setTimeout(resolve, 450))
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(CONTENT)).toBe(true)
  })
})

describe('a download that is cut', () => {
  const checksum = { 'x-amz-checksum-crc32': CHECKSUMS.crc32 }

  it.each([{}, checksum])('goes on at the next byte, of the same version: %j', async (headers) => {
    const { disk, asked } = await meeting((each) => {
      if (each.index > 0) return serving(CONTENT)(each)
      each.response.writeHead(200, { ...facts, ...headers, 'content-length': CONTENT.length })
      each.response.write(CONTENT.subarray(0, 200_000), () => each.socket.end())
      return undefined
    })
    expect((await disk.get('a')).equals(CONTENT)).toBe(true)
    expect(asked[1]?.headers).toMatchObject({ range: `bytes=200000-${CONTENT.length - 1}`, 'if-match': ETAG.slice(1, -1) })
  })

  it('is compared with the checksum all the same', async () => {
    const { disk, asked } = await meeting((each) => {
      if (each.index > 0) return serving(CHANGED)(each)
      each.response.writeHead(200, { ...facts, ...checksum, 'content-length': CONTENT.length })
      each.response.write(CONTENT.subarray(0, 200_000), () => each.socket.end())
      return undefined
    })
    const { bytes, outcome } = await streamed(disk)
    expect(outcome).toBe('corrupted')
    expect(bytes.equals(CHANGED.subarray(0, bytes.length))).toBe(true)
    expect(asked).toHaveLength(2)
  })

  it('and is of another version by now is told, never mixed', async () => {
    const { disk } = await meeting(({ index, response, socket }) => {
      if (index > 0) response.writeHead(412).end()
      else response.writeHead(200, { ...facts, 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 200_000), () => socket.end())
    })
    const { bytes, outcome } = await streamed(disk)
    expect(outcome).toBe('precondition_failed')
    expect(bytes.equals(CONTENT.subarray(0, 200_000))).toBe(true)
  })

  it('each time at once is told', async () => {
    const { disk, connections } = await meeting(({ response, socket }) => {
      response.writeHead(200, { ...facts, 'content-length': CONTENT.length }).flushHeaders()
      setImmediate(() => socket.destroy())
    })
    expect((await streamed(disk)).outcome).toBe('unavailable')
    await until(() => connections.open === 0)
  })

  it.each([[-1], [1]])('answers with %d byte more than was asked for are no part of the file', async (more) => {
    const { disk } = await meeting((each) => {
      const { index, response, socket } = each
      if (index === 0) {
        response.writeHead(200, { ...facts, 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 100), () => socket.end())
        return
      }
      const size = CONTENT.length - 100 + more
      const range = { 'content-range': `bytes 100-${CONTENT.length - 1}/${CONTENT.length}`, 'content-length': size }
      response.writeHead(206, { ...facts, ...range }).end(Buffer.alloc(size))
    })
    const { bytes, outcome } = await streamed(disk)
    expect(outcome).not.toBe('ok')
    expect(bytes.equals(CONTENT.subarray(0, 100))).toBe(true)
  })
})

describe('a download over several connections', () => {
  const large = Buffer.alloc(12 * 1024 * 1024, 'some bytes ')
  const changed = Buffer.from(large)
  changed.writeUInt8(changed.readUInt8(9_000_000) ^ 1, 9_000_000)
  const headers = { 'x-amz-checksum-crc32': Buffer.from(crc32(large).toString(16).padStart(8, '0'), 'hex').toString('base64') }

  /** So slowly that more connections are faster. */
  function servingSlowly(content: Buffer): Script {
    return async ({ headers: { range }, response }) => {
      const [, from = '0', to = `${content.length - 1}`] = /bytes=(\d+)-(\d+)/.exec(range ?? '') ?? []
      const slice = content.subarray(Number(from), Number(to) + 1)
      const part = range === undefined ? headers : { 'content-range': `bytes ${from}-${to}/${content.length}` }
      response.writeHead(range === undefined ? 200 : 206, { ...facts, ...part, 'content-length': slice.length })
      for (let at = 0; at < slice.length && !response.destroyed; at += 65_536) {
        response.write(slice.subarray(at, at + 65_536))
        await sleep(4)
      }
      response.end()
    }
  }

  it.each([
    ['is whole', large, 'ok'],
    ['is compared with the checksum all the same', changed, 'corrupted'],
  ])('%s', async (_what, content, expected) => {
    const { disk, asked } = await meeting(servingSlowly(content))
    const { bytes, outcome } = await streamed(disk)
    expect(outcome).toBe(expected)
    expect(bytes.equals(content.subarray(0, bytes.length))).toBe(true)
    expect(asked.length).toBeGreaterThan(4)
  })
})
