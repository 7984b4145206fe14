/** Both transports have to ask at the same place, whatever the settings: of each of these, what they ask is compared. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import { answerWell, ending, scriptedStore, type ScriptedStore } from './scripted-store.ts'

/** What the shared configuration of this machine, and of whoever runs the tests, says. */
const VARIABLES = [
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
] as const
type Variables = Partial<Record<(typeof VARIABLES)[number], string>>

const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]))
let folder: string
let files = 0
let secure: ScriptedStore
let plain: ScriptedStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-aws-'))
  secure = await scriptedStore(answerWell, { pair: await certificate() })
  plain = await scriptedStore(answerWell)
})

afterEach(() => {
  for (const name of VARIABLES) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
})

afterAll(async () => {
  await Promise.all([secure.close(), plain.close(), rm(folder, { recursive: true })])
})

/** As if this were all that the environment says. */
async function environment(variables: Variables, config?: string): Promise<void> {
  for (const name of VARIABLES) delete process.env[name]
  // A name of its own: the SDK remembers files.
  const file = join(folder, `config-${files++}`)
  if (config !== undefined) await writeFile(file, config)
  Object.assign(process.env, { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), ...variables })
}

interface Place {
  readonly host: string | undefined
  readonly url: string
  readonly region: string | undefined
}

/** Where a disk asks for a file, or the code of the error. */
async function placeOf(transport: 'lean' | 'sdk', options: Partial<S3DriverOptions>): Promise<Place | string> {
  const isPlain = options.endpoint?.startsWith('http:') === true
  const store = isPlain ? plain : secure
  const tls = { host: '127.0.0.1', port: store.port, rejectUnauthorized: false }
  const driver = new S3Driver({ bucket: 'bucket', key: 'k', secret: 's', retries: 0, transport, ...(!isPlain && { tls }), ...options })
  const disk = new Disk(driver)
  const asked = store.asked.length
  try {
    const { outcome, error } = await ending(disk.stat('a b.txt'))
    if (outcome !== 'ok') return `${outcome}: ${(error as { cause?: { code?: string } }).cause?.code}`
    const { headers, url } = store.asked[asked] as (typeof store.asked)[number]
    return { host: headers.host, url, region: /Credential=[^/]+\/\d+\/([^/]+)/.exec(headers.authorization ?? '')?.[1] }
  } finally {
    await disk.close()
  }
}

interface Case {
  readonly options?: Partial<S3DriverOptions>
  readonly env?: Variables
  readonly config?: string
  readonly host: string
  readonly path?: string
  readonly region: string
}

const REGION = { region: 'eu-west-1' }
const profile = (lines: string): string => `[default]\nregion = eu-west-1\n${lines}\n`

const cases: Readonly<Record<string, Case>> = {
  'a region': { options: REGION, host: 'bucket.s3.eu-west-1.amazonaws.com', region: 'eu-west-1' },
  'us-east-1': { options: { region: 'us-east-1' }, host: 'bucket.s3.us-east-1.amazonaws.com', region: 'us-east-1' },
  'the global region': { options: { region: 'aws-global' }, host: 'bucket.s3.amazonaws.com', region: 'us-east-1' },
  'a region of China': { options: { region: 'cn-north-1' }, host: 'bucket.s3.cn-north-1.amazonaws.com.cn', region: 'cn-north-1' },
  'a region of the government': {
    options: { region: 'us-gov-west-1' },
    host: 'bucket.s3.us-gov-west-1.amazonaws.com',
    region: 'us-gov-west-1',
  },
  'a region with FIPS in its name': {
    options: { region: 'fips-us-east-1' },
    host: 'bucket.s3-fips.us-east-1.amazonaws.com',
    region: 'us-east-1',
  },
  'in the path': { options: { ...REGION, pathStyle: true }, host: 's3.eu-west-1.amazonaws.com', path: '/bucket', region: 'eu-west-1' },
  'a bucket with dots': {
    options: { ...REGION, bucket: 'my.bucket' },
    host: 's3.eu-west-1.amazonaws.com',
    path: '/my.bucket',
    region: 'eu-west-1',
  },
  'a bucket with capitals': {
    options: { ...REGION, bucket: 'Bucket' },
    host: 's3.eu-west-1.amazonaws.com',
    path: '/Bucket',
    region: 'eu-west-1',
  },
  accelerated: { options: { ...REGION, accelerate: true }, host: 'bucket.s3-accelerate.amazonaws.com', region: 'eu-west-1' },
  'a region in the environment': { env: { AWS_REGION: 'eu-north-1' }, host: 'bucket.s3.eu-north-1.amazonaws.com', region: 'eu-north-1' },
  'a region in a file': { config: profile(''), host: 'bucket.s3.eu-west-1.amazonaws.com', region: 'eu-west-1' },
  'a region of a profile': {
    env: { AWS_PROFILE: 'other' },
    config: `${profile('')}[profile other]\nregion = ap-south-1\n`,
    host: 'bucket.s3.ap-south-1.amazonaws.com',
    region: 'ap-south-1',
  },
  'the environment before a file': {
    env: { AWS_REGION: 'eu-north-1' },
    config: profile(''),
    host: 'bucket.s3.eu-north-1.amazonaws.com',
    region: 'eu-north-1',
  },
  'FIPS in the environment': {
    options: { region: 'us-east-1' },
    env: { AWS_USE_FIPS_ENDPOINT: 'true' },
    host: 'bucket.s3-fips.us-east-1.amazonaws.com',
    region: 'us-east-1',
  },
  'FIPS in a file': {
    options: { region: 'us-east-1' },
    config: profile('use_fips_endpoint = true'),
    host: 'bucket.s3-fips.us-east-1.amazonaws.com',
    region: 'us-east-1',
  },
  'no FIPS in the environment': {
    options: REGION,
    env: { AWS_USE_FIPS_ENDPOINT: 'false' },
    host: 'bucket.s3.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
  },
  'dual stack in the environment': {
    options: REGION,
    env: { AWS_USE_DUALSTACK_ENDPOINT: 'true' },
    host: 'bucket.s3.dualstack.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
  },
  'dual stack in a file, in the path': {
    options: { ...REGION, pathStyle: true },
    config: profile('use_dualstack_endpoint = true'),
    host: 's3.dualstack.eu-west-1.amazonaws.com',
    path: '/bucket',
    region: 'eu-west-1',
  },
  'an endpoint in the environment': {
    options: REGION,
    env: { AWS_ENDPOINT_URL_S3: 'https://store.example.com/base/' },
    host: 'bucket.store.example.com',
    path: '/base',
    region: 'eu-west-1',
  },
  'an endpoint in a file': {
    options: REGION,
    config: profile('endpoint_url = https://store.example.com:9443'),
    host: 'bucket.store.example.com:9443',
    region: 'eu-west-1',
  },
  'an endpoint of S3 in a file': {
    options: REGION,
    config: `${profile('services = mine')}[services mine]\ns3 =\n  endpoint_url = https://store.example.com\n`,
    host: 'bucket.store.example.com',
    region: 'eu-west-1',
  },
  'an endpoint in a file that is to be ignored': {
    options: REGION,
    env: { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' },
    config: profile('endpoint_url = https://store.example.com:9443'),
    host: 'bucket.s3.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
  },
  'an endpoint': { options: { ...REGION, endpoint: 'https://store.example.com' }, host: 'bucket.store.example.com', region: 'eu-west-1' },
  'an endpoint with a port': {
    options: { endpoint: 'https://store.example.com:9000', pathStyle: true },
    host: 'store.example.com:9000',
    path: '/bucket',
    region: 'us-east-1',
  },
  'an endpoint with the port of its scheme': {
    options: { endpoint: 'https://store.example.com:443', pathStyle: true },
    host: 'store.example.com',
    path: '/bucket',
    region: 'us-east-1',
  },
  'an endpoint with a path': {
    options: { ...REGION, endpoint: 'https://store.example.com/s3/v1', pathStyle: true },
    host: 'store.example.com',
    path: '/s3/v1/bucket',
    region: 'eu-west-1',
  },
  'an endpoint, and a region in a file': {
    options: { endpoint: 'https://store.example.com' },
    config: profile(''),
    host: 'bucket.store.example.com',
    region: 'eu-west-1',
  },
  'an endpoint of Amazon': {
    options: { ...REGION, endpoint: 'https://s3.eu-west-1.amazonaws.com' },
    host: 'bucket.s3.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
  },
  'an address for an endpoint': {
    options: { ...REGION, endpoint: 'https://192.0.2.1:9000' },
    host: '192.0.2.1:9000',
    path: '/bucket',
    region: 'eu-west-1',
  },
  'an address of IPv6': {
    options: { ...REGION, endpoint: 'https://[2001:db8::1]:9000' },
    host: '[2001:db8::1]:9000',
    path: '/bucket',
    region: 'eu-west-1',
  },
}

describe('a request goes where the settings say', () => {
  it.each(Object.entries(cases))('%s', async (_name, { options = {}, env = {}, config, host, path = '', region }) => {
    await environment(env, config)
    const expected = { host, url: `${path}/a%20b.txt`, region }
    expect(await placeOf('lean', options)).toEqual(expected)
    expect(await placeOf('sdk', options)).toEqual(expected)
  })

  it('without TLS', async () => {
    await environment({})
    for (const endpoint of [plain.origin, `${plain.origin}/base`, plain.origin.replace('127.0.0.1', 'localhost')]) {
      const place = await placeOf('lean', { endpoint })
      expect(place).toEqual(await placeOf('sdk', { endpoint }))
      expect(place).toMatchObject({ url: `${new URL(endpoint).pathname.replace(/\/$/, '')}/bucket/a%20b.txt` })
    }
  })

  it('and without a region anywhere it goes nowhere', async () => {
    await environment({})
    expect(await placeOf('lean', {})).toMatch(/^configuration/)
    expect(await placeOf('sdk', {})).toMatch(/^configuration/)
  })

  const hasIpv6 = Object.values(networkInterfaces()).some((list = []) => list.some(({ address }) => address === '::1'))
  const given = hasIpv6 ? it : it.skip
  given(`to an IPv6 address over the network${hasIpv6 ? '' : ' (skipped: this machine has no IPv6)'}`, async () => {
    await environment({})
    const { createServer } = await import('node:http')
    const heads: (string | undefined)[] = []
    const server = createServer((request, response) => {
      heads.push(`${request.headers.host} ${request.url}`)
      response.writeHead(200, { 'content-length': '5', etag: '"1"', 'last-modified': new Date(0).toUTCString() }).end()
    })
    await once(server.listen(0, '::1'), 'listening')
    const { port } = server.address() as { port: number }
    const disk = new Disk(new S3Driver({ bucket: 'bucket', key: 'k', secret: 's', endpoint: `http://[::1]:${port}` }))
    expect((await disk.stat('a')).size).toBe(5)
    expect(heads).toEqual([`[::1]:${port} /bucket/a`])
    await disk.close()
    await new Promise((resolve) => server.close(resolve))
  })
})
