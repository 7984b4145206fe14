import { execFile } from 'node:child_process'
import { inspect, promisify } from 'node:util'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { listenAnywhere } from '../../support/forwarding.ts'
import { answerError, answerWell, closedAfterEach, ending, ETAG, lean, type Script, scriptedStore } from './scripted-store.ts'

const BYTES = Buffer.from('hello')
const closing = closedAfterEach()

interface Wire {
  readonly origin: string
  /** The heads of the requests, as they came. */
  readonly heads: string[]
}

/** Everything that reaches a store, byte by byte. */
async function wire(): Promise<Wire> {
  const heads: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end)
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        heads.push(head)
        text = text.slice(end + 4 + length)
        socket.write(`HTTP/1.1 200 OK\r\netag: ${ETAG}\r\nlast-modified: ${new Date(0).toUTCString()}\r\ncontent-length: 0\r\n\r\n`)
      }
    })
  })
  const origin = `http://127.0.0.1:${await listenAnywhere(server)}`
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { origin, heads }
}

function disk(origin: string, options: Partial<S3DriverOptions> = {}): Disk {
  const given = {
    bucket: 'b',
    region: 'us-east-1',
    endpoint: origin,
    pathStyle: true,
    key: 'AKID',
    secret: 'hush',
    transport: 'lean',
  } as const
  const made = new Disk(new S3Driver({ ...given, ...options }))
  closing.unshift(() => made.close())
  return made
}

const EVIL = 'x\r\nx-evil: 1\r\n\r\nDELETE /b/other HTTP/1.1\r\nhost: x\r\n\r\n'
/** Line breaks in all their forms, and what Node would cut down to one. */
const BREAKS = [EVIL, 'x\nx-evil: 1', 'x\rx-evil: 1', 'x\u0000x-evil: 1', 'x\u010a\u010dx-evil: 1']

function expectNothingOf({ heads }: Wire): void {
  for (const head of heads) {
    expect(head).toMatch(/^PUT \/b\/\S+ HTTP\/1\.1\r\n/)
    for (const line of head.split('\r\n').slice(1)) expect(line).toMatch(/^[a-z0-9-]+: [\x20-\x7e]*$/i)
    expect(head).not.toMatch(/^x-evil/im)
  }
}

describe('nothing reaches the wire beyond its own header', () => {
  it.each(BREAKS)('of metadata: %j', async (text) => {
    const store = await wire()
    const { driver } = disk(store.origin)
    const content = {
      replayable: true,
      bytes: BYTES,
      size: 5,
      async *stream() {
        yield BYTES
      },
    }
    const results = await Promise.all([
      ending(driver.write('a', content, { metadata: { name: text } })),
      ending(driver.write('b', content, { metadata: { [text]: 'value' } })),
    ])
    expectNothingOf(store)
    expect(results[0].outcome).toBe('ok') // a value is encoded
    expect(results[1].outcome).toBe('invalid_argument')
  })

  const options = ['contentType', 'cacheControl', 'contentDisposition', 'contentEncoding', 'contentLanguage', 'storageClass'] as const
  it.each(options)('of %s', async (name) => {
    const store = await wire()
    const to = disk(store.origin)
    for (const text of BREAKS) expect((await ending(to.put('a', BYTES, { [name]: text }))).outcome).toBe('invalid_argument')
    expect(store.heads).toEqual([])
  })

  it('of a key', async () => {
    const store = await wire()
    const { requests } = lean({ bucket: 'b', endpoint: store.origin })
    for (const text of BREAKS) {
      await requests.put(text, BYTES, {})
      await requests.copy(text, text, { replace: false }).catch(() => undefined)
    }
    requests.close()
    expectNothingOf(store)
    expect(store.heads.length).toBe(BREAKS.length * 2)
  })

  const settings: readonly Partial<S3DriverOptions>[] = [
    { storageClass: EVIL },
    { token: EVIL },
    { key: EVIL },
    { region: EVIL },
    { serverSideEncryption: 'aws:kms', kmsKeyId: EVIL },
    { serverSideEncryption: EVIL },
  ]
  it.each(settings)('of the configuration: %j', async (given) => {
    const store = await wire()
    const { error } = await ending((async () => disk(store.origin, given).put('a', BYTES))())
    expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid_argument|configuration)$/) as unknown })
    expect(store.heads).toEqual([])
  })

  it('of tags, conditions and versions', async () => {
    const store = await wire()
    const { requests } = lean({ bucket: 'b', endpoint: store.origin })
    await ending(requests.put('a', BYTES, { tags: { [EVIL]: EVIL } }))
    const outcomes = await Promise.all([
      ending(requests.put('a', BYTES, { ifMatch: EVIL })),
      ending(requests.copy('a', 'b', { replace: false, sourceIfMatch: EVIL })),
      ending(requests.get('a', { range: EVIL })),
    ])
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['invalid_argument', 'invalid_argument', 'invalid_argument'])
    await ending(requests.uploadPart({ key: 'a', uploadId: EVIL, number: 1 }, BYTES, {}))
    requests.close()
    expectNothingOf(store)
    expect(store.heads.length).toBe(2)
  })

  it('of a bucket', async () => {
    const store = await wire()
    expect(() => lean({ bucket: EVIL, endpoint: store.origin })).toThrow('"bucket"')
    expect(store.heads).toEqual([])
  })
})

describe('secrets', () => {
  const KEY = 'AKIDISTINCTIVEKEYID7'
  const SECRET = 'distinctive/secret+of/this+test/0123456789'
  const TOKEN = 'distinctiveTokenOfThisTest0123456789=='
  const CUSTOMER = Buffer.alloc(32, 'customer').toString('base64')
  const options = { key: KEY, secret: SECRET, token: TOKEN, sseCustomerKey: CUSTOMER }
  const secrets = [KEY, SECRET, TOKEN, CUSTOMER, 'AWS4-HMAC-SHA256 Credential', 'customer-key']

  /** What is known of a signature without knowing it: 64 hexadecimal digits. */
  const SIGNATURE = /\b[0-9a-f]{64}\b/

  function expectNoSecretIn(error: unknown): void {
    expect(error).toMatchObject({ code: expect.any(String) as unknown })
    const own = error as { readonly cause?: unknown; readonly stack?: string; readonly message: string }
    const texts = [
      inspect(error, { depth: 20, showHidden: true, getters: true }),
      JSON.stringify(error),
      JSON.stringify(own.cause, Object.getOwnPropertyNames(own.cause ?? {})) ?? '',
      String(own.stack),
    ]
    for (const text of texts) {
      for (const secret of secrets) expect(text).not.toContain(secret)
      expect(text).not.toMatch(SIGNATURE)
    }
  }

  /** A store that tells in its error all that it was told. */
  const echoing = (status: number, code: string): Script => {
    return async (asked) => {
      await asked.body()
      const { authorization = '' } = asked.headers
      const told = Object.values(asked.headers).join(' ').replaceAll('<', '')
      answerError(asked, status, code, { message: `we got ${authorization} and ${told}` })
    }
  }

  const failures: readonly (readonly [title: string, script: Script, options?: Partial<S3DriverOptions>])[] = [
    ['a refused signature that is told back', echoing(403, 'SignatureDoesNotMatch')],
    ['a key that is told back', echoing(403, 'InvalidAccessKeyId')],
    ['a token that is told back', echoing(400, 'InvalidToken')],
    ['an unknown error that tells everything', echoing(400, 'Whatever')],
    [
      'a late error that tells everything',
      async (asked) => {
        await asked.body()
        asked.response.writeHead(200).end(`<Error><Code>AccessDenied</Code><Message>${asked.headers.authorization}</Message></Error>`)
      },
    ],
    ['too many requests', (asked) => answerError(asked, 503, 'SlowDown')],
    ['a cut connection', ({ socket }) => void socket.resetAndDestroy()],
    ['silence', () => undefined, { socketTimeoutMs: 50 }],
    ['nonsense', ({ socket }) => void socket.end('nonsense')],
    ['a page', ({ response }) => response.end('<html></html>')],
    ['an answer without a length', ({ response }) => response.write('x'), { socketTimeoutMs: 50 }],
  ]

  it.each(failures)('are in no error: %s', async (_title, script, more = {}) => {
    const store = await scriptedStore(script)
    closing.push(() => store.close())
    const to = disk(store.origin, { ...options, retries: 0, ...more })
    const calls = [to.put('a', BYTES), to.put('a', BYTES, { ifAbsent: true }), to.get('a'), to.stat('a'), to.files('x'), to.copy('a', 'b')]
    for (const { outcome, error } of await Promise.all(calls.map(ending))) if (outcome !== 'ok') expectNoSecretIn(error)
  })

  it('are not logged, nor is anything else', async () => {
    const store = await scriptedStore((asked) =>
      asked.index % 2 === 0 ? echoing(403, 'SignatureDoesNotMatch')(asked) : void asked.socket.destroy(),
    )
    closing.push(() => store.close())
    const source = `
      import { S3Driver } from ${JSON.stringify(new URL('../../../src/drivers/s3/s3-driver.ts', import.meta.url).href)}
      for (const endpoint of [${JSON.stringify(store.origin)}, 'http://127.0.0.1:1', 'https://127.0.0.1:1']) {
        const driver = new S3Driver({ bucket: 'b', endpoint, pathStyle: true, retries: 1, ...${JSON.stringify(options)} })
        const signal = AbortSignal.timeout(1)
        for (let i = 0; i < 4; i++) await Promise.allSettled([driver.stat('a', {}), driver.read('a', {}), driver.stat('a', { signal })])
        await driver.close()
      }`
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
    expect([stdout, stderr]).toEqual(['', ''])
    expect(store.asked.length).toBeGreaterThan(8)
  })

  it('are told from words: what a store says is kept', async () => {
    const message = 'The authorization mechanism is not supported. Please use AWS4-HMAC-SHA256, k.'
    const store = await scriptedStore((asked) => answerError(asked, 400, 'InvalidRequest', { message }))
    closing.push(() => store.close())
    const { error } = await ending(disk(store.origin, { key: 'k', secret: 's' }).get('a'))
    expect(error).toMatchObject({ cause: { message } })
  })

  it('are in no error of what cannot be sent, or connected to', async () => {
    const store = await scriptedStore(answerWell)
    closing.push(() => store.close())
    const errors = await Promise.all([
      ending(disk(store.origin, { ...options, token: `${TOKEN}\n` }).put('a', BYTES)),
      ending(disk(store.origin, { ...options, key: `${KEY}\r\n` }).put('a', BYTES)),
      ending(disk('https://127.0.0.1:1', { ...options, retries: 0 }).put('a', BYTES)),
      ending(disk(store.origin.replace('http', 'https'), { ...options, retries: 0 }).put('a', BYTES)),
      ending(disk('http://127.0.0.1:1', { ...options, retries: 0 }).put('a', BYTES)),
      ending(
        disk(store.origin, {
          ...options,
          key: undefined,
          secret: undefined,
          token: undefined,
          credentials: async () =>
            Promise.reject(Object.assign(new Error(`no ${SECRET}`), { name: 'CredentialsProviderError', secret: SECRET })),
        }).put('a', BYTES),
      ),
    ])
    for (const { error } of errors.slice(0, 5)) expectNoSecretIn(error)
    expect(errors[5]?.error).toMatchObject({ code: 'unauthenticated' })
  })
})
