import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import { api } from '../../../src/drivers/s3/sdk.ts'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { recordingProxy, type RecordingOptions, type RecordingProxy } from '../../support/recording-proxy.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

async function store(answer: RecordingOptions['answer']): Promise<RecordingProxy> {
  const proxy = await recordingProxy({ answer })
  open.push(() => proxy.close())
  return proxy
}

function connect(options: Partial<S3DriverOptions>): S3Connection {
  const keys = options.client === undefined && options.credentials === undefined ? { key: 'k', secret: 's' } : {}
  const connection = new S3Connection(settingsOf({ bucket: 'b', region: 'us-east-1', pathStyle: true, ...keys, ...options }, {}))
  open.push(() => connection.close())
  return connection
}

const ok = { status: 200, headers: { etag: '"1"' } }
const put = (size: number): PutObjectCommand => new PutObjectCommand({ Bucket: 'b', Key: 'a', Body: Buffer.alloc(size) })

describe('the client', () => {
  it('is made at the first use, once', async () => {
    const connection = connect({ endpoint: 'http://127.0.0.1:1' })
    expect(connection.opened).toBeUndefined()
    const [first, second] = await Promise.all([connection.open(), connection.open()])
    expect(first).toBe(second)
    expect(connection.opened).toBe(first)
    expect(api(connection)).toBe(first)
  })

  it('sends large bodies over one connection, without waiting for leave', async () => {
    const proxy = await store(() => ok)
    const { client } = await api(connect({ endpoint: proxy.endpoint }))
    for (let i = 0; i < 5; i++) await client.send(put(3 * 1024 * 1024))
    expect(proxy.requests.map(({ headers }) => headers['expect'])).toEqual([undefined, undefined, undefined, undefined, undefined])
    expect(proxy.connections.opened).toBe(1)
  })

  it('opens no more connections than it may', async () => {
    const proxy = await store(() => ok)
    const { client } = await api(connect({ endpoint: proxy.endpoint, maxSockets: 2 }))
    await Promise.all(Array.from({ length: 10 }, () => client.send(put(10))))
    expect(proxy.connections.opened).toBeLessThanOrEqual(2)
  })

  it.each([
    ['whenRequired', undefined],
    ['whenSupported', expect.any(String)],
  ] as const)('sends checksums as configured: %s', async (checksums, expected) => {
    const proxy = await store(() => ok)
    const { client } = await api(connect({ endpoint: proxy.endpoint, checksums }))
    await client.send(put(10))
    await client.send(new GetObjectCommand({ Bucket: 'b', Key: 'a' }))
    expect(proxy.requests[0]?.headers['x-amz-checksum-crc32']).toEqual(expected)
    expect(proxy.requests[1]?.headers['x-amz-checksum-mode']).toEqual(expected)
  })

  it.each([0, 2])('repeats a request that failed: %i times', async (retries) => {
    const proxy = await store(() => ({ status: 503 }))
    const { client } = await api(connect({ endpoint: proxy.endpoint, retries }))
    await expect(client.send(new HeadObjectCommand({ Bucket: 'b', Key: 'a' }))).rejects.toMatchObject({
      $metadata: { attempts: retries + 1 },
    })
    expect(proxy.requests).toHaveLength(retries + 1)
  })

  it('gives up on a server that never answers', async () => {
    const silent = await silence()
    const { client } = await api(connect({ endpoint: `http://127.0.0.1:${portOf(silent)}`, retries: 0, socketTimeoutMs: 200 }))
    await expect(client.send(new HeadObjectCommand({ Bucket: 'b', Key: 'a' }))).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('signs for the region, with the token', async () => {
    const proxy = await store(() => ok)
    const { client } = await api(connect({ endpoint: proxy.endpoint, region: 'eu-north-1', token: 'a token' }))
    await client.send(put(1))
    expect(proxy.requests[0]?.headers).toMatchObject({
      authorization: expect.stringMatching(/Credential=k\/\d+\/eu-north-1\/s3\/aws4_request/),
      'x-amz-security-token': 'a token',
    })
  })

  it('signs for us-east-1 where an endpoint has no region and none is found', async () => {
    const hidden = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE'] as const
    const before = hidden.map((name) => [name, process.env[name]] as const)
    for (const name of hidden) process.env[name] = '/nowhere'
    delete process.env['AWS_REGION']
    try {
      const proxy = await store(() => ok)
      const { client } = await api(connect({ endpoint: proxy.endpoint, region: undefined }))
      await client.send(put(1))
      process.env['AWS_REGION'] = 'eu-south-2'
      const other = await api(connect({ endpoint: proxy.endpoint, region: undefined }))
      await other.client.send(put(1))
      expect(proxy.requests.map(({ headers }) => headers['authorization']?.split('/')[2])).toEqual(['us-east-1', 'eu-south-2'])
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })

  it('takes credentials from a function', async () => {
    const proxy = await store(() => ok)
    const credentials = async () => ({ accessKeyId: 'from-a-function', secretAccessKey: 's' })
    const { client } = await api(connect({ endpoint: proxy.endpoint, credentials }))
    await client.send(put(1))
    expect(proxy.requests[0]?.headers['authorization']).toContain('Credential=from-a-function/')
  })
})

describe('closing', () => {
  it('ends its connections, and a later use opens new ones', async () => {
    const proxy = await store(() => ok)
    const connection = connect({ endpoint: proxy.endpoint })
    await (await api(connection)).client.send(put(1))
    expect(proxy.connections.open).toBe(1)
    await connection.close()
    await connection.close()
    expect(connection.opened).toBeUndefined()
    while (proxy.connections.open > 0) await new Promise((resolve) => setImmediate(resolve))
    await (await api(connection)).client.send(put(1))
    expect(proxy.requests).toHaveLength(2)
  })

  it('while the client is being made leaves nothing open', async () => {
    const connection = connect({ endpoint: 'http://127.0.0.1:1' })
    const opening = connection.open()
    await connection.close()
    await opening
    expect(connection.opened).toBeUndefined()
  })

  it('leaves a client alone that came from elsewhere', async () => {
    const proxy = await store(() => ok)
    const client = new S3Client({
      endpoint: proxy.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'k', secretAccessKey: 's' },
    })
    open.push(() => client.destroy())
    const connection = connect({ client })
    expect((await api(connection)).client).toBe(client)
    await client.send(put(1))
    await connection.close()
    expect(proxy.connections.open).toBe(1)
    await client.send(put(1))
    expect(proxy.connections.opened).toBe(1)
  })
})

/** Takes connections and says nothing. */
async function silence(): Promise<Server> {
  const sockets = new Set<{ destroy(): unknown }>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
