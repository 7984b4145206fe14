import { beforeAll, describe, expect, it } from '@jest/globals'
import { collect } from '../../../src/content.ts'
import { Disk } from '../../../src/disk.ts'
import { answerFailure } from '../../../src/drivers/s3/lean/failure.ts'
import { originOf } from '../../../src/drivers/s3/lean/origin.ts'
import { redirectOf, temporaryRedirectOf } from '../../../src/drivers/s3/lean/repairs.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { settingsOf } from '../../../src/drivers/s3/settings.ts'
import { certificate } from '../s3-presets/tls-recorder.ts'
import {
  answerError,
  answerWell,
  type Asked,
  closedAfterEach,
  ending,
  type ErrorOptions,
  ETAG,
  lean,
  type Lean,
  type Script,
  scriptedStore,
  piecesOf,
} from './scripted-store.ts'

const BYTES = Buffer.from('hello')
const MINUTE = 60_000
const closing = closedAfterEach()
let pair: { readonly key: Buffer; readonly cert: Buffer }

beforeAll(async () => {
  pair = await certificate()
})

interface Met extends Lean {
  readonly asked: Asked[]
}

async function meeting(script: Script, options: Parameters<typeof lean>[0] = {}, parts: Parameters<typeof lean>[1] = {}): Promise<Met> {
  const store = await scriptedStore(script)
  const made = lean({ endpoint: store.origin, ...options }, parts)
  closing.push(
    () => made.requests.close(),
    () => store.close(),
  )
  return { ...made, asked: store.asked }
}

/** Amazon, as the requests mean it: all of its names lead here. */
async function amazon(script: Script, options: Parameters<typeof lean>[0] = {}, parts: Parameters<typeof lean>[1] = {}): Promise<Met> {
  const store = await scriptedStore(script, { pair })
  const tls = { host: '127.0.0.1', port: store.port, rejectUnauthorized: false }
  const made = lean({ pathStyle: false, region: 'eu-west-1', tls, ...options }, parts)
  closing.push(
    () => made.requests.close(),
    () => store.close(),
  )
  return { ...made, asked: store.asked }
}

async function refuse(asked: Asked, status: number, code: string, options: ErrorOptions = {}): Promise<void> {
  if (!asked.waits) await asked.body()
  answerError(asked, status, code, options)
}

/** What a request was signed for. */
function scopeOf({ headers }: Asked): string {
  return /Credential=[^/]+\/\d+\/([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? ''
}

function hostsOf(asked: readonly Asked[]): string[] {
  return asked.map(({ headers }) => headers.host ?? '')
}

describe('a clock that is off', () => {
  /** A store of another time, which refuses what is 15 minutes off. */
  function skewed(offMs: number): Script {
    return (asked) => {
      const theirs = Date.now() + offMs
      asked.response.setHeader('date', new Date(theirs).toUTCString())
      const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(asked.headers['x-amz-date'])) ?? []
      const signed = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s))
      return Math.abs(signed - theirs) > 15 * MINUTE ? refuse(asked, 403, 'RequestTimeTooSkewed') : answerWell(asked)
    }
  }

  it.each([20 * MINUTE, -20 * MINUTE, 400 * 24 * 60 * MINUTE])('by %d ms is noticed once', async (offMs) => {
    const { requests, asked } = await meeting(skewed(offMs), { retries: 0 })
    await requests.put('a', BYTES, { ifAbsent: true })
    await requests.put('b', BYTES, {})
    await requests.head('a', {})
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'PUT /bucket/a',
      'PUT /bucket/a',
      'PUT /bucket/b',
      'HEAD /bucket/a',
    ])
  })

  it('is noticed in the bare denial of a HEAD as well', async () => {
    const { requests, asked } = await meeting(skewed(20 * MINUTE), { retries: 0 })
    await requests.head('a', {})
    expect(asked.length).toBe(2)
  })

  it('is noticed anew when it changes', async () => {
    let now = Date.now()
    const { requests, asked } = await meeting(skewed(0), { retries: 0 }, { now: () => now })
    await requests.head('a', {})
    now += 60 * MINUTE
    await requests.head('a', {})
    now -= 60 * MINUTE
    await requests.head('a', {})
    expect(asked.length).toBe(5)
  })

  it('is told when it is not what the store means', async () => {
    const { requests, asked } = await meeting((each) => refuse(each, 403, 'RequestTimeTooSkewed'))
    expect((await ending(requests.head('a', {}))).outcome).toBe('permission_denied')
    expect((await ending(requests.get('a', {}))).outcome).toBe('unauthenticated')
    expect(asked.length).toBe(2)
  })

  it('does not make a loop of a store that never has the same time', async () => {
    let hour = 0
    const { requests, asked } = await meeting(async (each) => {
      each.response.setHeader('date', new Date(Date.now() + ++hour * 60 * MINUTE).toUTCString())
      await refuse(each, 403, 'RequestTimeTooSkewed')
    })
    expect((await ending(requests.get('a', {}))).outcome).toBe('unauthenticated')
    expect(asked.length).toBeLessThan(6)
  })

  it('is no reason to repeat other denials', async () => {
    const { requests, asked } = await meeting(async (each) => {
      each.response.setHeader('date', new Date(Date.now() + 20 * MINUTE).toUTCString())
      await refuse(each, 403, 'AccessDenied')
    })
    expect((await ending(requests.get('a', {}))).outcome).toBe('permission_denied')
    expect(asked.length).toBe(1)
  })
})

describe('a bucket in another region', () => {
  const ways: readonly (readonly [title: string, refusal: (asked: Asked) => Promise<void>])[] = [
    ['301 and a header', (asked) => refuse(asked, 301, 'PermanentRedirect', { headers: { 'x-amz-bucket-region': 'eu-north-1' } })],
    ['400 and its name', (asked) => refuse(asked, 400, 'AuthorizationHeaderMalformed', { region: 'eu-north-1' })],
    [
      '400 and a header',
      (asked) => refuse(asked, 400, 'AuthorizationHeaderMalformed', { headers: { 'x-amz-bucket-region': 'eu-north-1' } }),
    ],
  ]

  function inNorth(refusal: (asked: Asked) => Promise<void>): Script {
    return (asked) => (scopeOf(asked) === 'eu-north-1' ? answerWell(asked) : refusal(asked))
  }

  it.each(ways)('is found by %s, once', async (_way, refusal) => {
    const { requests, asked } = await amazon(inNorth(refusal), { retries: 0 })
    await requests.put('a', BYTES, { ifAbsent: true })
    const { stream } = await requests.get('a', {})
    await collect(piecesOf(stream))
    await requests.list({ prefix: '', delimited: true, limit: 9 })
    const [west, north] = ['bucket.s3.eu-west-1.amazonaws.com', 'bucket.s3.eu-north-1.amazonaws.com']
    expect(hostsOf(asked)).toEqual([west, north, north, north])
  })

  it('is found by a HEAD, whose answer has headers alone', async () => {
    const { requests, asked } = await amazon(inNorth((each) => refuse(each, 301, '', { headers: { 'x-amz-bucket-region': 'eu-north-1' } })))
    await requests.head('a', {})
    expect(hostsOf(asked)).toEqual(['bucket.s3.eu-west-1.amazonaws.com', 'bucket.s3.eu-north-1.amazonaws.com'])
  })

  it('is where signed URLs lead from then on, and public ones', async () => {
    const store = await scriptedStore(
      inNorth((each) => refuse(each, 301, 'PermanentRedirect', { region: 'eu-north-1' })),
      { pair },
    )
    const tls = { host: '127.0.0.1', port: store.port, rejectUnauthorized: false }
    const given = { bucket: 'bucket', region: 'eu-west-1', key: 'k', secret: 's', tls, transport: 'lean' } as const
    const [disk, proxied] = [{}, { publicEndpoint: 'https://files.example.com' }].map(
      (more) => new Disk(new S3Driver({ ...given, ...more })),
    ) as [Disk, Disk]
    closing.push(
      () => disk.close(),
      () => proxied.close(),
      () => store.close(),
    )
    const placesOf = async (each: Disk): Promise<readonly (string | undefined)[]> => {
      const url = new URL(await each.temporaryUrl('a', 60))
      return [url.host, url.searchParams.get('X-Amz-Credential')?.split('/')[2], new URL(await each.url('a')).host]
    }
    const [before, after] = ['bucket.s3.eu-west-1.amazonaws.com', 'bucket.s3.eu-north-1.amazonaws.com']
    expect(await placesOf(disk)).toEqual([before, 'eu-west-1', before])
    await disk.put('a', BYTES)
    await proxied.put('a', BYTES)
    expect(await placesOf(disk)).toEqual([after, 'eu-north-1', after])
    expect(await placesOf(proxied)).toEqual(['bucket.files.example.com', 'eu-north-1', 'bucket.files.example.com'])
  })

  it('gets a body again that waits for no refusal', async () => {
    const bodies: number[] = []
    const { requests } = await amazon(async (asked) => {
      bodies.push((await asked.body()).byteLength)
      if (scopeOf(asked) !== 'eu-north-1') answerError(asked, 301, 'PermanentRedirect', { region: 'eu-north-1' })
      else asked.response.writeHead(200, { etag: ETAG }).end()
    })
    await requests.put('a', Buffer.alloc(100_000), {})
    expect(bodies).toEqual([100_000, 100_000])
  })

  it.each([
    ['accelerated', { accelerate: true }, 'bucket.s3-accelerate.amazonaws.com', 'bucket.s3-accelerate.amazonaws.com'],
    ['with dots', { bucket: 'my.bucket' }, 's3.eu-west-1.amazonaws.com', 's3.eu-north-1.amazonaws.com'],
    ['in the path', { pathStyle: true }, 's3.eu-west-1.amazonaws.com', 's3.eu-north-1.amazonaws.com'],
  ] as const)('keeps its address but for the region: %s', async (_name, options, before, after) => {
    const { requests, asked } = await amazon(
      inNorth((each) => refuse(each, 301, 'PermanentRedirect', { region: 'eu-north-1' })),
      options,
    )
    await requests.head('a', {}).catch(() => undefined)
    await requests.put('a', BYTES, {})
    expect(hostsOf(asked)).toEqual([before, before, after])
  })

  it.each([
    ['bucket.s3-fips.dualstack.us-east-1.amazonaws.com', '', 'bucket.s3-fips.dualstack.us-west-2.amazonaws.com'],
    ['my.us-east-1.amazonaws.s3.us-east-1.amazonaws.com', '', 'my.us-east-1.amazonaws.s3.us-west-2.amazonaws.com'],
    ['s3.us-east-1.amazonaws.com', '/bucket', 's3.us-west-2.amazonaws.com'],
  ])('keeps what its address says besides the region: %s', (hostname, path, moved) => {
    const origin = { isSecure: true, hostname, host: hostname, port: undefined, path, region: 'us-east-1' }
    const failure = answerFailure(301, {}, { code: 'PermanentRedirect', region: 'us-west-2' })
    const tried = { origin, identity: { accessKeyId: 'k', secretAccessKey: 's' }, skewMs: 0 }
    const found = redirectOf(failure, tried, settingsOf({ bucket: 'bucket', key: 'k', secret: 's' }, {}))
    expect(found).toEqual({ ...origin, hostname: moved, host: moved, region: 'us-west-2' })
  })

  it('is not looked for from an address that a configuration file gave', () => {
    const origin = originOf({ base: 'https://s3.example.com/bucket', region: 'us-east-1' })
    const tried = { origin, identity: { accessKeyId: 'k', secretAccessKey: 's' }, skewMs: 0 }
    const settings = settingsOf({ bucket: 'bucket', key: 'k', secret: 's' }, {})
    expect(redirectOf(answerFailure(301, {}, { region: 'us-west-2' }), tried, settings)).toBeUndefined()
    const moved = answerFailure(307, { location: 'https://bucket.s3.us-west-2.amazonaws.com/' }, {})
    expect(temporaryRedirectOf(moved, tried, settings)).toBeUndefined()
  })

  it('that is said to be elsewhere each time is told so in the end', async () => {
    const { requests, asked } = await amazon((each) =>
      refuse(each, 301, 'PermanentRedirect', { region: scopeOf(each) === 'eu-north-1' ? 'eu-west-1' : 'eu-north-1' }),
    )
    expect((await ending(requests.get('a', {}))).outcome).toBe('configuration')
    expect(asked.length).toBe(4)
  })

  it.each(['evil.example.com/', '../x', 'x', 'eu-north-1.evil.com', 'EU-NORTH-1', ' eu-north-1'])(
    'is not looked for at %j',
    async (region) => {
      const { requests, asked } = await amazon((each) => refuse(each, 301, 'PermanentRedirect', { region }))
      expect((await ending(requests.get('a', {}))).outcome).toBe('configuration')
      expect(new Set(hostsOf(asked))).toEqual(new Set(['bucket.s3.eu-west-1.amazonaws.com']))
      expect(asked.length).toBe(1)
    },
  )

  it('is not looked for by a disk whose address was given', async () => {
    const headers = { 'x-amz-bucket-region': 'eu-north-1', location: 'https://bucket.s3.eu-north-1.amazonaws.com/a' }
    for (const [status, code] of [
      [301, 'PermanentRedirect'],
      [307, 'TemporaryRedirect'],
      [400, 'AuthorizationHeaderMalformed'],
    ] as const) {
      const { requests, asked } = await meeting((each) => refuse(each, status, code, { headers, region: 'eu-north-1' }), { retries: 0 })
      expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe(status === 307 ? 'unavailable' : 'configuration')
      expect(asked.length).toBe(1)
    }
  })
})

describe('a bucket that is being moved', () => {
  const there = 'bucket.s3-us-west-2.amazonaws.com'

  it('is asked where Amazon says, by this request alone', async () => {
    const { requests, asked } = await amazon((each) => {
      const headers = { location: `https://${there}/a?x=1` }
      return each.index === 0 ? refuse(each, 307, 'TemporaryRedirect', { headers }) : answerWell(each)
    })
    await requests.put('a', BYTES, {})
    await requests.put('a', BYTES, {})
    expect(hostsOf(asked)).toEqual(['bucket.s3.eu-west-1.amazonaws.com', there, 'bucket.s3.eu-west-1.amazonaws.com'])
    expect(asked[1]).toMatchObject({ method: 'PUT', url: '/a' })
  })

  it.each([
    'https://evil.example.com/a',
    'http://bucket.s3-us-west-2.amazonaws.com/a',
    'https://amazonaws.com.evil.com/a',
    'https://bucket.s3-us-west-2.amazonaws.com.evil.com/a',
    'https://bucket.s3.us-west-2.evilamazonaws.com/a',
    'https://ec2-198-51-100-1.compute-1.amazonaws.com/a',
    '//evil.example.com/a',
    '/elsewhere',
    'nonsense',
    '',
  ])('is never followed to %j', async (location) => {
    const { requests, asked } = await amazon((each) => refuse(each, 307, 'TemporaryRedirect', { headers: { location } }), { retries: 1 })
    expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe('unavailable')
    expect(new Set(hostsOf(asked))).toEqual(new Set(['bucket.s3.eu-west-1.amazonaws.com']))
  })
})

describe('an identity that has expired', () => {
  /** Identities in a row, each good until the next is asked for. */
  function identities(): { readonly load: () => Promise<{ accessKeyId: string; secretAccessKey: string }>; loads: number } {
    const made = {
      loads: 0,
      load: async () => ({ accessKeyId: `KEY${++made.loads}`, secretAccessKey: 'hush' }),
    }
    return made
  }

  const keyOf = ({ headers }: Asked): string => /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? ''

  it('is renewed once, for fifty requests at once', async () => {
    const source = identities()
    let good = 'KEY1'
    const { requests, asked } = await meeting((each) => (keyOf(each) === good ? answerWell(each) : refuse(each, 400, 'ExpiredToken')), {
      credentials: source.load,
      retries: 0,
    })
    await requests.put('a', BYTES, {})
    good = 'KEY2'
    await Promise.all(Array.from({ length: 50 }, (_, i) => requests.put(`a${i}`, BYTES, { ifAbsent: true })))
    expect(source.loads).toBe(2)
    expect(asked.length).toBeLessThanOrEqual(101)
    await requests.put('a', BYTES, {})
    expect(source.loads).toBe(2)
  })

  it('is taken for why a HEAD is refused without a word', async () => {
    let loads = 0
    const credentials = async () => ({ accessKeyId: `KEY${++loads}`, secretAccessKey: 'hush', sessionToken: 'token' })
    const { requests, asked } = await meeting((each) => (keyOf(each) === 'KEY2' ? answerWell(each) : refuse(each, 400, '')), {
      credentials,
    })
    expect((await requests.head('a', {})).contentLength).toBe(5)
    expect([loads, asked.length]).toEqual([2, 2])
    const lasting = await meeting((each) => refuse(each, 400, ''))
    expect((await ending(lasting.requests.head('a', {}))).outcome).toBe('invalid_argument')
    expect(lasting.asked.length).toBe(1)
  })

  it('and is not replaced by another is told', async () => {
    let loads = 0
    const credentials = async () => {
      loads++
      return { accessKeyId: 'KEY', secretAccessKey: 'hush' }
    }
    const { requests, asked } = await meeting((each) => refuse(each, 400, 'ExpiredToken'), { credentials })
    expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe('unauthenticated')
    expect([loads, asked.length]).toEqual([2, 1])
  })

  it('of a disk with a key in its configuration is told', async () => {
    const { requests, asked } = await meeting((each) => refuse(each, 400, 'ExpiredToken'), { token: 'token' })
    expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe('unauthenticated')
    expect(asked.length).toBe(1)
  })

  it.each(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken'])(
    'is something else than %s, which is told at once',
    async (code) => {
      const source = identities()
      const { requests, asked } = await meeting((each) => refuse(each, 403, code), { credentials: source.load })
      expect((await ending(requests.put('a', BYTES, {}))).outcome).toBe('unauthenticated')
      expect([source.loads, asked.length]).toEqual([1, 1])
    },
  )
})
