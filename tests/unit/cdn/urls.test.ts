/** Addresses of a CDN disk: public ones, signed ones, and the stacks that may not have any. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { bytesContent } from '../../../src/content.ts'
import { type CdnDriver, cdn } from '../../../src/decorators/cdn/cdn.ts'
import type { CdnProvider } from '../../../src/decorators/cdn/providers.ts'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { fallback } from '../../../src/decorators/fallback/fallback.ts'
import { retrying } from '../../../src/decorators/retrying.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import { served } from '../../../src/decorators/served.ts'
import { Disk } from '../../../src/disk.ts'
import type { Driver } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { StorageManager } from '../../../src/storage-manager.ts'

const url = 'https://cdn.example.com'
const now = new Date('2030-01-01T00:00:00Z')
const expiresAt = new Date('2030-01-01T01:00:00Z')
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const s3 = (more: Partial<S3DriverOptions> = {}): S3Driver =>
  new S3Driver({ bucket: 'my-space', region: 'fra1', key: 'AKID', secret: 'SECRET', ...more })
const on = (provider: CdnProvider, inner: Driver = s3()): CdnDriver => cdn({ url, provider, now: () => now })(inner) as CdnDriver

const SIGNERS: readonly (readonly [CdnProvider, RegExp])[] = [
  [{ type: 'cloudfront', keyPairId: 'K1', privateKey }, /^\?Expires=1893459600&Signature=[\w~-]+&Key-Pair-Id=K1$/],
  [{ type: 'bunny', securityKey: 'k' }, /^\?token=HS256-[\w-]{43}&expires=1893459600$/],
  [{ type: 'bunny', securityKey: 'k', scheme: 'sha256' }, /^\?token=[\w-]{43}&expires=1893459600$/],
  [{ type: 'bunny', securityKey: 'k', scheme: 'md5' }, /^\?token=[\w-]{22}&expires=1893459600$/],
  [{ type: 'cloudflare', secret: 'k' }, /^\?verify=1893456000-[\w%]+$/],
  [{ type: 'fastly', tokenKey: 'a2V5' }, /^\?token=1893459600_[\da-f]{64}$/],
  [{ type: 'fastly', tokenKey: 'a2V5', hash: 'sha1' }, /^\?token=1893459600_[\da-f]{40}$/],
]

describe('public addresses', () => {
  it.each([
    ["it's (1)!*.txt", 'it%27s%20%281%29%21%2A.txt'],
    ['a%20b/ü?#&+.txt', 'a%2520b/%C3%BC%3F%23%26%2B.txt'],
  ])('are encoded once: %s', async (path, encoded) => {
    expect(await new Disk(cdn({ url })(new MemoryDriver())).url(path)).toBe(`${url}/${encoded}`)
  })

  it('have the prefixes of scoped layers below, but not of those that a handler answers for', async () => {
    const inner = scoped('in')(retrying()(scoped('out')(new MemoryDriver())))
    expect(await cdn({ url })(inner).publicUrl?.('a')).toBe(`${url}/out/in/a`)
    expect(await scoped('above')(cdn({ url })(new MemoryDriver())).publicUrl?.('a')).toBe(`${url}/above/a`)
    const handler = served({ disk: 'x', secret: 'a long secret of the test' })(inner)
    expect(await cdn({ url: `${url}/storage/x` })(handler).publicUrl?.('a')).toBe(`${url}/storage/x/a`)
  })

  it.each(['', 'cdn.example.com', '/files', 'ftp://x', 'https://x/?a=1', 'https://x/#a', 'https://user:pass@x', 'https://x/%ff'])(
    'need a base: not %j',
    (bad) => {
      expect(() => cdn({ url: bad })(new MemoryDriver())).toThrow(expect.objectContaining({ code: 'configuration' }))
    },
  )
})

describe('signed addresses', () => {
  it.each(SIGNERS)('are of the network: %j', async (provider, query) => {
    const disk = on(provider, new MemoryDriver())
    expect(disk.supports.temporaryUrl).toBe(true)
    for (const method of ['GET', 'HEAD'] as const) {
      const request = await disk.signUrl?.("a b/it's.txt", { method, expiresAt })
      expect(request).toEqual({ url: expect.any(String), method, headers: {} })
      const [address, search] = (request?.url ?? '').split(/(?=\?)/)
      expect(address).toBe(`${url}/a%20b/it%27s.txt`)
      expect(search).toMatch(query)
    }
    await expect(disk.signUrl?.('a', { method: 'PUT', expiresAt })).rejects.toMatchObject({ code: 'unsupported' })
    await expect(disk.signUrl?.('a', { method: 'GET', expiresAt: now })).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('are of the store for uploads and for headers of the answer', async () => {
    const disk = new Disk(on({ type: 'bunny', securityKey: 'k' }))
    expect((await disk.temporaryUploadUrl('a.txt', 60)).url).toMatch(/^https:\/\/my-space\.s3\./)
    expect(await disk.temporaryUrl('a.txt', 60, { download: true })).toMatch(/^https:\/\/my-space\.s3\..*response-content-disposition/)
    expect(await disk.temporaryUrl('a.txt', expiresAt)).toMatch(/^https:\/\/cdn\.example\.com\/a\.txt\?token=/)
  })

  it.each<[string, CdnProvider | undefined]>([
    ['no provider', undefined],
    ['keys to purge with alone', { type: 'cloudfront', distributionId: 'D' }],
    ['half of the keys', { type: 'cloudfront', keyPairId: 'K' }],
    ['an empty key', { type: 'bunny', securityKey: '' }],
  ])('are of the store without keys to sign with: %s', async (_name, provider) => {
    expect(await new Disk(cdn({ url, provider })(s3())).temporaryUrl('a.txt')).toMatch(/^https:\/\/my-space\.s3\..*X-Amz-Signature=/)
    const plain = new Disk(cdn({ url, provider })(new MemoryDriver()))
    expect(plain.supports('temporaryUrl')).toBe(false)
    await expect(plain.temporaryUrl('a.txt')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(plain.layer('cdn')?.sign('a.txt', { expiresAt })).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('allow more than a file through the layer', async () => {
    const disk = new Disk(on({ type: 'cloudfront', keyPairId: 'K1', privateKey })).layer('cdn')
    const grant = { expiresAt, below: 'videos' }
    expect(await disk?.sign('videos/a.m3u8', { ...grant, ip: '1.2.3.4' })).toMatch(/\/videos\/a\.m3u8\?Policy=/)
    const { 'CloudFront-Policy': policy = '' } = (await disk?.cookies('videos/a.m3u8', grant)) ?? {}
    expect(Buffer.from(policy.replace(/_+$/, ''), 'base64').toString()).toContain(`"${url}/videos/*"`)
    await expect(on({ type: 'bunny', securityKey: 'k' }).cookies('a', grant)).rejects.toMatchObject({ code: 'unsupported' })
  })
})

describe('DigitalOcean Spaces', () => {
  const provider = { type: 'spaces' } as const
  const network = 'https://my-space.fra1.cdn.digitaloceanspaces.com'

  it("have the Space's own signature at the network's host", async () => {
    const inner = s3({ preset: 'spaces' })
    const disk = new Disk(cdn({ url: network, provider })(inner))
    const ours = new URL(await disk.temporaryUrl("a b/it's.txt", 60, { download: true }))
    expect(ours.origin + ours.pathname).toBe(`${network}/a%20b/it%27s.txt`)
    expect(ours.searchParams.get('X-Amz-SignedHeaders')).toBe('host')
    expect(ours.searchParams.get('X-Amz-Signature')).toMatch(/^[\da-f]{64}$/)
    const origin = new URL((await inner.signUrl('a.txt', { method: 'GET', expiresAt: new Date(Date.now() + 60_000) })).url)
    expect(origin.host).toBe('my-space.fra1.digitaloceanspaces.com')
    expect((await disk.temporaryUploadUrl('a.txt', 60)).url).toMatch(/^https:\/\/my-space\.fra1\.digitaloceanspaces\.com\//)
  })

  it('are refused where the Space is in the path', async () => {
    const disk = new Disk(cdn({ url: network, provider })(s3({ preset: 'spaces', pathStyle: true })))
    await expect(disk.temporaryUrl('a.txt')).rejects.toMatchObject({ code: 'configuration' })
  })

  it('have no signed addresses over a disk that has none', () => {
    expect(cdn({ url: network, provider })(new MemoryDriver()).signUrl).toBeUndefined()
  })
})

describe('over an encrypted disk', () => {
  const vault = (): Driver => encrypted({ key: generateKey() })(new MemoryDriver())
  const handler = served({ disk: 'vault', secret: 'a long secret of the test' })

  it.each([
    ['encrypted', vault],
    ['scoped(encrypted)', () => scoped('a')(vault())],
    ['with a public address alone between', () => served({ disk: 'vault', publicUrl: 'https://x' })(vault())],
    ['encrypted(served)', () => encrypted({ key: generateKey() })(handler(new MemoryDriver()))],
    ['a fallback that is encrypted', () => fallback({ fallbacks: [vault()] })(new MemoryDriver())],
  ])('it is refused when it is built: %s', (_name, inner) => {
    expect(() => cdn({ url })(inner())).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it.each([
    ['served(encrypted)', () => handler(vault())],
    ['retrying(served(scoped(encrypted)))', () => retrying()(handler(scoped('a')(vault())))],
  ])('it is built when a handler between decrypts: %s', async (_name, inner) => {
    const disk = new Disk(cdn({ url: `${url}/storage/vault` })(inner()))
    expect(await disk.temporaryUrl('a.txt')).toMatch(/^\/storage\/vault\/a\.txt\?expires=/)
  })
})

describe('a configured disk', () => {
  it('is built over another one, and closed without it', async () => {
    const storage = new StorageManager({
      disks: {
        files: { driver: 'memory' },
        assets: { driver: 'cdn', disk: 'files', url, provider: { type: 'fastly', tokenKey: 'a2V5', hash: 'sha1' }, prefix: 'public' },
      },
    })
    const assets = storage.disk('assets')
    await assets.put('a.txt', 'hello')
    expect(await storage.disk('files').text('public/a.txt')).toBe('hello')
    expect(await assets.url('a.txt')).toBe(`${url}/public/a.txt`)
    expect(await assets.temporaryUrl('a.txt')).toMatch(/\/public\/a\.txt\?token=\d+_[\da-f]{40}$/)
    expect(assets.toString()).toBe('assets: scoped(cdn(memory))')
    await storage.close()
  })

  it('may stand over an encrypted disk that is served', async () => {
    const storage = new StorageManager({
      disks: {
        bare: { driver: 'encrypted', disk: { driver: 'memory' }, key: generateKey() },
        vault: { driver: 'encrypted', disk: { driver: 'memory' }, key: generateKey(), serve: { secret: 'a long secret of the test' } },
        delivery: { driver: 'cdn', disk: 'vault', url: `${url}/storage/vault` },
        refused: { driver: 'cdn', disk: 'bare', url },
      },
    })
    expect(await storage.disk('delivery').url('a.txt')).toBe(`${url}/storage/vault/a.txt`)
    await expect(storage.disk('refused').url('a.txt')).rejects.toMatchObject({ code: 'configuration' })
    await storage.close()
  })

  it('is refused for a provider that nobody knows', () => {
    expect(() => cdn({ url, provider: { type: 'akamai' } as never })).toThrow(expect.objectContaining({ code: 'configuration' }))
  })

  it('is refused for times that are none', () => {
    const provider = { type: 'bunny', apiKey: 'k' } as const
    for (const more of [
      { repurgeAfter: -1 },
      { batchMs: Number.NaN },
      { retry: { baseDelayMs: -1 } },
      { requestTimeoutMs: Number.POSITIVE_INFINITY },
    ]) {
      expect(() => cdn({ url, provider, ...more })(new MemoryDriver())).toThrow(expect.objectContaining({ code: 'configuration' }))
    }
  })

  it('writes as the disk below does', async () => {
    const disk = cdn({ url })(new MemoryDriver())
    await disk.write('a', bytesContent(Buffer.from('x')), {})
    await expect(disk.write('a', bytesContent(Buffer.from('x')), { ifAbsent: true })).rejects.toMatchObject({ code: 'already_exists' })
    expect(disk.locate('a')).toEqual(disk.inner[0]?.locate('a'))
  })
})
