/** Against a local server that answers as AWS documents the API of KMS: JSON 1.1 over POST, errors by `__type`. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { awsKms } from '../../../src/decorators/encrypted/aws-kms.ts'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { kmsKeys, wrapNewKey } from '../../../src/decorators/encrypted/key-providers.ts'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { type Listening, listen } from '../../support/listen.ts'

interface Call {
  readonly target: string
  readonly body: Readonly<Record<string, unknown>>
}

const KEY_ID = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd'
const closers: Listening[] = []
const environment = { ...process.env }
afterEach(async () => {
  Object.assign(process.env, environment)
  await Promise.all(closers.splice(0).map((server) => server.close()))
})

interface Kms {
  readonly calls: Call[]
  readonly endpoint: string
  fail: string | undefined
}

/** Wraps by turning the bytes around behind the encryption context, which has to be the same both ways. */
async function kmsServer(): Promise<Kms> {
  const server = await listen((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => void chunks.push(chunk))
    req.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string | object>
      kms.calls.push({ target: String(req.headers['x-amz-target']), body })
      const [status, answer] =
        kms.fail === undefined ? answerTo(String(req.headers['x-amz-target']), body) : [400, { __type: kms.fail, message: 'no' }]
      res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer))
    })
  })
  closers.push(server)
  const kms: Kms = { calls: [], endpoint: server.origin, fail: undefined }
  return kms
}

function answerTo(target: string, body: Readonly<Record<string, unknown>>): [number, object] {
  const context = JSON.stringify(body['EncryptionContext'])
  if (target === 'TrentService.Encrypt') {
    const wrapped = Buffer.from(String(body['Plaintext']), 'base64').toReversed()
    return [200, { KeyId: KEY_ID, CiphertextBlob: Buffer.concat([Buffer.from(`${context}|`), wrapped]).toString('base64') }]
  }
  const blob = Buffer.from(String(body['CiphertextBlob']), 'base64')
  const bar = blob.indexOf('|')
  if (blob.toString('utf8', 0, bar) !== context) return [400, { __type: 'InvalidCiphertextException', message: null }]
  return [
    200,
    {
      KeyId: KEY_ID,
      Plaintext: Buffer.from(blob.subarray(bar + 1).toReversed()).toString('base64'),
    },
  ]
}

function credentials(): void {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'a secret of the test' })
}

describe('AWS KMS', () => {
  it('wraps a new key and unwraps it once, with the id and the context', async () => {
    credentials()
    const server = await kmsServer()
    const kms = awsKms({ keyId: KEY_ID, region: 'eu-central-1', endpoint: server.endpoint })
    const wrapped = await wrapNewKey(kms, 'k1')
    const memory = new MemoryDriver()
    const vault = new Disk(encrypted({ keyProvider: kmsKeys(kms, { wrapped: { k1: wrapped } }) })(memory))
    await Promise.all([vault.put('a', 'x'), vault.put('b', 'y')])
    await expect(vault.text('a')).resolves.toBe('x')
    const again = new Disk(encrypted({ keyProvider: kmsKeys(kms, { wrapped: { k1: wrapped } }) })(memory))
    await expect(again.text('b')).resolves.toBe('y')
    const EncryptionContext = { purpose: 'stowage', key: 'k1' }
    expect(server.calls).toMatchObject([
      { target: 'TrentService.Encrypt', body: { KeyId: KEY_ID, EncryptionContext } },
      { target: 'TrentService.Decrypt', body: { KeyId: KEY_ID, CiphertextBlob: wrapped, EncryptionContext } },
      { target: 'TrentService.Decrypt', body: { KeyId: KEY_ID, EncryptionContext } },
    ])
    expect(Buffer.from(String(server.calls[0]?.body['Plaintext']), 'base64')).toHaveLength(32)
    // A wrapped key under another id is another key.
    const moved = new Disk(encrypted({ keyProvider: kmsKeys(kms, { wrapped: { k2: wrapped } }) })(memory))
    await expect(moved.get('a')).rejects.toMatchObject({ code: 'corrupted' })
  })

  it.each([
    ['InvalidCiphertextException', 'corrupted'],
    ['IncorrectKeyException', 'corrupted'],
    ['NotFoundException', 'configuration'],
    ['DisabledException', 'configuration'],
    ['KMSInvalidStateException', 'configuration'],
    ['InvalidKeyUsageException', 'configuration'],
    ['ValidationException', 'configuration'],
    ['AccessDeniedException', 'permission_denied'],
    ['UnrecognizedClientException', 'unauthenticated'],
    ['ExpiredTokenException', 'unauthenticated'],
    ['KeyUnavailableException', 'unavailable'],
  ])('says %s as %s, without what was sent', async (name, code) => {
    credentials()
    const server = await kmsServer()
    server.fail = name
    const kms = awsKms({ keyId: KEY_ID, region: 'eu-central-1', endpoint: server.endpoint, client: await quickClient(server.endpoint) })
    const failure = await kms.wrap(Buffer.from('0123456789abcdef0123456789abcdef'), {}).catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ code, cause: { message: name } })
    expect(JSON.stringify([failure, (failure as Error).cause, (failure as Error).message])).not.toContain('0123456789abcdef')
  })

  it('needs a region beside an endpoint, and a service that answers', async () => {
    credentials()
    const server = await kmsServer()
    delete process.env['AWS_REGION']
    await expect(awsKms({ keyId: KEY_ID, endpoint: server.endpoint }).unwrap(Buffer.alloc(9), {})).rejects.toMatchObject({
      code: 'configuration',
    })
    const client = await quickClient('http://127.0.0.1:1')
    await expect(awsKms({ keyId: KEY_ID, client }).unwrap(Buffer.alloc(9), {})).rejects.toMatchObject({ code: 'unavailable' })
  })
})

/** A client that does not try again: some of these failures would be. */
async function quickClient(endpoint: string): Promise<object> {
  const { KMSClient } = await import('@aws-sdk/client-kms')
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a secret of the test' }
  return new KMSClient({ region: 'eu-central-1', endpoint, credentials, maxAttempts: 1 })
}
