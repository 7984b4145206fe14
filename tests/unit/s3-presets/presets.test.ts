import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { DiskConfig } from '../../../src/config/disk-config.ts'
import type { Disk } from '../../../src/disk.ts'
import { StorageManager } from '../../../src/storage-manager.ts'
import { tlsRecorder, type TlsRecorder } from './tls-recorder.ts'

const MiB = 1024 * 1024
const KEYS = { key: 'k', secret: 's' }
type Name = 's3' | 'minio' | 'r2' | 'spaces' | 'wasabi' | 'b2' | 'supabase'

interface Preset {
  readonly config: DiskConfig
  /** Where a PUT of `a b.txt` goes. */
  readonly host: string
  readonly path: string
  /** What requests are signed for. */
  readonly region: string
  readonly publicUrl: string | undefined
  /** Abilities that the store lacks. */
  readonly lacks: readonly string[]
  /** Which of the headers of a full put it is sent. */
  readonly tags: boolean
  readonly storageClass: boolean
  readonly checksum: boolean
  /** Upload URLs with a limit. */
  readonly limits: boolean
}

const WHOLE = { lacks: [], tags: true, storageClass: true, checksum: false, limits: true }

const PRESETS: Readonly<Record<Name, Preset>> = {
  s3: {
    ...WHOLE,
    config: { driver: 's3', bucket: 'b-1', region: 'eu-west-1', ...KEYS },
    host: 'b-1.s3.eu-west-1.amazonaws.com',
    path: '/a%20b.txt',
    region: 'eu-west-1',
    publicUrl: 'https://b-1.s3.eu-west-1.amazonaws.com/a%20b.txt',
    checksum: true,
  },
  minio: {
    ...WHOLE,
    config: { driver: 'minio', bucket: 'b-1', endpoint: 'https://minio.example.com', ...KEYS },
    host: 'minio.example.com',
    path: '/b-1/a%20b.txt',
    region: 'us-east-1',
    publicUrl: 'https://minio.example.com/b-1/a%20b.txt',
  },
  r2: {
    ...WHOLE,
    config: { driver: 'r2', bucket: 'b-1', accountId: '0123abcd', ...KEYS },
    host: '0123abcd.r2.cloudflarestorage.com',
    path: '/b-1/a%20b.txt',
    region: 'auto',
    publicUrl: undefined,
    lacks: ['versions', 'publicUrl'],
    tags: false,
    limits: false,
  },
  spaces: {
    ...WHOLE,
    config: { driver: 'spaces', bucket: 'b-1', region: 'ams3', ...KEYS },
    host: 'b-1.ams3.digitaloceanspaces.com',
    path: '/a%20b.txt',
    region: 'ams3',
    publicUrl: 'https://b-1.ams3.digitaloceanspaces.com/a%20b.txt',
    lacks: ['ifAbsent', 'ifMatch'],
    storageClass: false,
  },
  wasabi: {
    ...WHOLE,
    config: { driver: 'wasabi', bucket: 'b-1', region: 'eu-central-1', ...KEYS },
    host: 'b-1.s3.eu-central-1.wasabisys.com',
    path: '/a%20b.txt',
    region: 'eu-central-1',
    publicUrl: 'https://b-1.s3.eu-central-1.wasabisys.com/a%20b.txt',
    lacks: ['ifAbsent', 'ifMatch'],
    storageClass: false,
  },
  b2: {
    ...WHOLE,
    config: { driver: 'b2', bucket: 'b-1', region: 'us-west-004', ...KEYS },
    host: 'b-1.s3.us-west-004.backblazeb2.com',
    path: '/a%20b.txt',
    region: 'us-west-004',
    publicUrl: 'https://b-1.s3.us-west-004.backblazeb2.com/a%20b.txt',
    lacks: ['ifAbsent', 'ifMatch'],
    tags: false,
    storageClass: false,
    limits: false,
  },
  supabase: {
    ...WHOLE,
    config: { driver: 'supabase', bucket: 'b-1', endpoint: 'https://ref.storage.supabase.co/storage/v1/s3', region: 'eu-west-2', ...KEYS },
    host: 'ref.storage.supabase.co',
    path: '/storage/v1/s3/b-1/a%20b.txt',
    region: 'eu-west-2',
    publicUrl: 'https://ref.storage.supabase.co/storage/v1/object/public/b-1/a%20b.txt',
    lacks: ['versions', 'ifAbsent', 'ifMatch'],
    tags: false,
    storageClass: false,
    limits: false,
  },
}
const EACH = Object.entries(PRESETS) as [Name, Preset][]

let recorder: TlsRecorder
const open: Disk[] = []
beforeAll(async () => {
  recorder = await tlsRecorder()
})
afterEach(async () => {
  for (const disk of open.splice(0)) await disk.close()
  recorder.requests.length = 0
})
afterAll(() => recorder.close())

function build(config: DiskConfig, transport?: 'lean' | 'sdk'): Disk {
  const disk = new StorageManager().build({ ...config, transport, tls: recorder.tls } as DiskConfig)
  open.push(disk)
  return disk
}

const TRANSPORTS = ['lean', 'sdk'] as const
const ON_BOTH = EACH.flatMap(([name, preset]) => TRANSPORTS.map((transport) => [name, transport, preset] as const))

describe.each(ON_BOTH)('%s, over the transport "%s"', (name, transport, preset) => {
  const make = (config: DiskConfig = preset.config): Disk => build(config, transport)

  it('is asked at its address, signed for its region, and never with an ACL', async () => {
    await make().put('a b.txt', 'x', { contentType: 'text/plain', metadata: { by: 'ada' } })
    const [{ method, path, headers } = { method: '', path: '', headers: {} as Record<string, string> }] = recorder.requests
    expect([method, headers['host'], path]).toEqual(['PUT', preset.host, preset.path])
    expect(headers['authorization']).toMatch(new RegExp(`Credential=k/\\d{8}/${preset.region}/s3/aws4_request`))
    expect(headers).toMatchObject({ 'content-type': 'text/plain', 'x-amz-meta-by': 'ada', 'content-length': '1' })
    expect(Object.keys(headers).filter((each) => /acl|grant/.test(each))).toEqual([])
    expect('x-amz-checksum-crc32' in headers).toBe(preset.checksum)
    expect(headers).not.toHaveProperty('transfer-encoding')
    expect(recorder.requests).toHaveLength(1)
  })

  it('gets of tags and storage classes what it knows', async () => {
    await make().put('a b.txt', 'x', { tags: { a: '1' }, storageClass: 'STANDARD_IA' })
    await make({ ...preset.config, storageClass: 'STANDARD_IA' } as DiskConfig).put('a b.txt', 'x')
    const [own, configured] = recorder.requests.map(({ headers }) => headers)
    expect(own?.['x-amz-tagging']).toBe(preset.tags ? 'a=1' : undefined)
    expect(own?.['x-amz-storage-class']).toBe(preset.storageClass ? 'STANDARD_IA' : undefined)
    expect(configured?.['x-amz-storage-class']).toBe(preset.storageClass ? 'STANDARD_IA' : undefined)
  })

  it('says what it lacks, and is not asked for it', async () => {
    const disk = make()
    const abilities = ['versions', 'ifAbsent', 'ifMatch', 'publicUrl', 'temporaryUrl', 'temporaryUploadUrl', 'metadata', 'rangedRead']
    expect(abilities.filter((ability) => !disk.supports(ability)).toSorted()).toEqual(preset.lacks.toSorted())
    expect(disk.supports('visibility')).toBe(false)
    await expect(disk.setVisibility('a', 'public')).rejects.toMatchObject({ code: 'unsupported' })
    for (const condition of [{ ifAbsent: true }, { ifMatch: '"1"' }]) {
      const put = disk.put('a', 'x', condition).then(() => 'sent')
      const lacks = preset.lacks.includes(Object.keys(condition)[0] ?? '')
      await (lacks ? expect(put).rejects.toMatchObject({ code: 'unsupported' }) : expect(put).resolves.toBe('sent'))
    }
    expect(recorder.requests).toHaveLength(preset.lacks.includes('ifAbsent') ? 0 : 2)
  })

  it('has public URLs, or none', async () => {
    const disk = make()
    if (preset.publicUrl === undefined) await expect(disk.url('a b.txt')).rejects.toMatchObject({ code: 'unsupported' })
    else expect(await disk.url('a b.txt')).toBe(preset.publicUrl)
    const domain = make({ ...preset.config, url: 'https://files.example.com' })
    expect(await domain.url('a b.txt')).toBe('https://files.example.com/a%20b.txt')
  })

  it('signs URLs for its address and its region', async () => {
    const url = new URL(await make().temporaryUrl('a b.txt', 60))
    expect([url.protocol, url.host, url.pathname]).toEqual(['https:', preset.host, preset.path])
    expect(url.searchParams.get('X-Amz-Credential')).toMatch(new RegExp(`^k/\\d{8}/${preset.region}/s3/aws4_request$`))
    expect(recorder.requests).toEqual([])
  })

  it('limits uploads, or says that it cannot', async () => {
    const limited = make().temporaryUploadUrl('a b.txt', 60, { maxSize: 10 })
    await (preset.limits
      ? expect(limited).resolves.toMatchObject({ method: 'POST', fields: { key: 'a b.txt' } })
      : expect(limited).rejects.toMatchObject({ code: 'unsupported' }))
  })

  it('takes an endpoint in place of its own', async () => {
    await make({ ...preset.config, endpoint: 'https://store.example.com', pathStyle: true } as DiskConfig).put('a', 'x')
    expect([recorder.requests[0]?.headers['host'], recorder.requests[0]?.path]).toEqual(['store.example.com', '/b-1/a'])
    expect(recorder.requests[0]?.headers).not.toHaveProperty('x-amz-checksum-crc32')
  })

  it(`is called ${name === 's3' ? 's3' : `s3:${name}`}`, () => {
    expect(make().driver.name).toBe(name === 's3' ? 's3' : `s3:${name}`)
    expect(make().driver.kind).toBe('s3')
  })
})

describe('quirks', () => {
  it.each<[string, DiskConfig, string]>([
    ['spaces', { driver: 'spaces', bucket: 'b-1', endpoint: 'https://fra1.digitaloceanspaces.com', ...KEYS }, 'fra1'],
    ['wasabi', { driver: 'wasabi', bucket: 'b-1', endpoint: 'https://s3.ap-northeast-1.wasabisys.com', ...KEYS }, 'ap-northeast-1'],
    ['wasabi, without a region', { driver: 'wasabi', bucket: 'b-1', ...KEYS }, 'us-east-1'],
    ['b2', { driver: 'b2', bucket: 'b-1', endpoint: 'https://s3.eu-central-003.backblazeb2.com', ...KEYS }, 'eu-central-003'],
    ['r2 of a jurisdiction', { driver: 'r2', bucket: 'b-1', endpoint: 'https://x.eu.r2.cloudflarestorage.com', ...KEYS }, 'auto'],
    ['minio in a region', { driver: 'minio', bucket: 'b-1', endpoint: 'https://minio.example.com', region: 'home', ...KEYS }, 'home'],
  ])('the region is that of the endpoint: %s', async (_, config, region) => {
    const url = new URL(await build(config).temporaryUrl('a', 60))
    expect(url.searchParams.get('X-Amz-Credential')?.split('/')[2]).toBe(region)
  })

  it.each((['spaces', 'wasabi'] as const).flatMap((name) => TRANSPORTS.map((transport) => [name, transport] as const)))(
    'visibility is an ACL where it is asked for: %s, over the transport "%s"',
    async (name, transport) => {
      const disk = build({ ...PRESETS[name].config, acl: true } as DiskConfig, transport)
      expect(disk.supports('visibility')).toBe(true)
      await disk.put('a', 'x', { visibility: 'public' })
      expect(recorder.requests[0]?.headers['x-amz-acl']).toBe('public-read')
    },
  )

  it.each(['minio', 'r2', 'b2', 'supabase'] as const)('ACLs are refused where there are none: %s', async (name) => {
    const put = async (): Promise<unknown> => build({ ...PRESETS[name].config, acl: true } as unknown as DiskConfig).put('a', 'x')
    await expect(put()).rejects.toMatchObject({ code: 'configuration' })
    expect(recorder.requests).toEqual([])
  })

  it.each(TRANSPORTS)('R2 gets parts of equal size, whatever their number: %s', async (transport) => {
    const disk = build({ ...PRESETS.r2.config, partSize: 5 * MiB } as DiskConfig, transport)
    await disk.writeStream('a', chunks(3, 4 * MiB))
    const sizes = recorder.requests.filter(({ query }) => query.has('partNumber')).map(({ size }) => size)
    expect(sizes.toSorted((a, b) => b - a)).toEqual([5 * MiB, 5 * MiB, 2 * MiB])
  })

  it.each(TRANSPORTS)('parts carry no checksums where only those are sent that have to be: %s', async (transport) => {
    const disk = build({ ...PRESETS.b2.config, partSize: 5 * MiB } as DiskConfig, transport)
    await disk.writeStream('a', chunks(2, 4 * MiB))
    expect(recorder.requests.length).toBeGreaterThan(3)
    for (const { headers } of recorder.requests)
      expect(Object.keys(headers).filter((header) => /checksum|sdk-checksum|trailer/.test(header))).toEqual([])
  })
})

async function* chunks(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size)
}
