/** Identities that end while they are used: a new one is asked for when one has ended, not by each request that finds it so. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../src/disk.ts'
import { S3Driver, type S3Identity } from '../../src/drivers/s3/s3-driver.ts'
import { type RecordedRequest, type RecordingProxy, recordingProxy } from '../support/recording-proxy.ts'
import { type TestBucket, testBucket } from '../support/stores/s3-store.ts'

const LIFE_MS = 1_000
/** The SDK takes an identity for expired that has no more than this left. */
const MARGIN_MS = 5 * 60_000
const [WORKERS, REQUESTS] = [20, 3_000]

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

/** Makes requests side by side. @returns how long that took, in whole lives of an identity */
async function run(disk: Disk, isOver: (made: number) => boolean): Promise<{ lives: number; made: number }> {
  const began = performance.now()
  let made = 0
  const work = async (): Promise<void> => {
    while (!isOver(made)) {
      made++
      expect(await disk.text('a.txt')).toBe('hello')
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  return { lives: Math.floor((performance.now() - began) / LIFE_MS), made }
}

describe.each(['lean', 'sdk'] as const)('an identity that is soon to expire, over the transport "%s"', (transport) => {
  it('is renewed once a life, whoever asks, by a store that verifies signatures', async () => {
    const bucket: TestBucket = await testBucket()
    const { key, secret } = bucket.server
    let asked = 0
    const credentials = async (): Promise<S3Identity> => {
      asked++
      return { accessKeyId: key, secretAccessKey: secret, expiration: new Date(Date.now() + MARGIN_MS + LIFE_MS) }
    }
    const disk = new Disk(new S3Driver(bucket.options({ transport, key: undefined, secret: undefined, credentials })))
    open.push(
      () => bucket.remove(),
      () => disk.close(),
    )
    await disk.put('a.txt', 'hello')
    const { lives, made } = await run(disk, (count) => count >= REQUESTS)
    console.log(`${transport}: ${asked} identities for ${made} requests in ${lives} lives of one`)
    expect(asked).toBeGreaterThan(0)
    expect(asked).toBeLessThanOrEqual(lives + 2) // one before the run, and one for a life that had begun
  })
})

/** A store that takes an identity until it has expired, and none that was revoked. */
class Store {
  readonly #ends = new Map<string, number>()
  #proxy: RecordingProxy | undefined
  isRevoked = false
  refused = 0

  async start(): Promise<RecordingProxy> {
    this.#proxy = await recordingProxy({ answer: (request) => this.#answer(request) })
    return this.#proxy
  }

  readonly identity = async (): Promise<S3Identity> => {
    const accessKeyId = `AKID${this.#ends.size}`
    const expiration = new Date(Date.now() + LIFE_MS)
    this.#ends.set(accessKeyId, expiration.getTime())
    return { accessKeyId, secretAccessKey: 'secret', sessionToken: 'token', expiration }
  }

  get identities(): number {
    return this.#ends.size
  }

  #answer({ headers }: RecordedRequest): { status: number; headers?: Record<string, string>; body: string } {
    const [, key = ''] = /Credential=(\w+)/.exec(headers['authorization'] ?? '') ?? []
    if (this.isRevoked) return { status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' }
    if (Date.now() < (this.#ends.get(key) ?? 0)) return { status: 200, headers: { etag: '"1"', 'content-length': '5' }, body: 'hello' }
    this.refused++
    return { status: 400, body: '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>' }
  }
}

describe('an identity that lives for a second', () => {
  async function diskOf(store: Store): Promise<{ disk: Disk; proxy: RecordingProxy }> {
    const proxy = await store.start()
    const options = { bucket: 'b', region: 'us-east-1', endpoint: proxy.endpoint, pathStyle: true, credentials: store.identity }
    const disk = new Disk(new S3Driver({ ...options, transport: 'lean' }))
    open.push(
      () => proxy.close(),
      () => disk.close(),
    )
    return { disk, proxy }
  }

  it('is renewed when the store has refused it, once for all requests that met it, and none of them fails', async () => {
    const store = new Store()
    const { disk } = await diskOf(store)
    const { lives, made } = await run(disk, (count) => count >= REQUESTS && store.identities > 4)
    console.log(
      `${store.identities} identities for ${made} requests in ${lives} lives of one; ${store.refused} requests were refused at first`,
    )
    expect(store.identities).toBeLessThanOrEqual(lives + 1)
    expect(store.refused).toBeGreaterThanOrEqual(store.identities - 1)
    expect(store.refused).toBeLessThanOrEqual(WORKERS * (store.identities - 1))
  })

  it('that is revoked is an error at once', async () => {
    const store = new Store()
    const { disk, proxy } = await diskOf(store)
    expect(await disk.text('a.txt')).toBe('hello')
    store.isRevoked = true
    await expect(disk.text('a.txt')).rejects.toMatchObject({ code: 'unauthenticated', retryable: false })
    expect(proxy.requests).toHaveLength(2)
  })
})
