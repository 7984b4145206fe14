import { afterEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { toAzureError } from '../../../src/drivers/azure/azure-errors.ts'
import { entriesOf } from '../../../src/testing/conformance/assertions.ts'
import { type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'
import { azurite } from '../../support/servers/azurite.ts'

const KEY = Buffer.alloc(64, 7).toString('base64')

let proxy: RecordingProxy | undefined
afterEach(async () => {
  await proxy?.close()
  proxy = undefined
})

/** What the SDK would throw for an answer. */
const sdkError = (statusCode: number | undefined, code: string, more: object = {}): object => ({
  name: 'RestError',
  message: `${code} happened\nRequestId:1`,
  code,
  statusCode,
  ...more,
})

describe('an answer of Azure', () => {
  it.each<[number | undefined, string, string, boolean]>([
    [404, 'BlobNotFound', 'not_found', false],
    [404, 'ContainerNotFound', 'configuration', false],
    [409, 'BlobAlreadyExists', 'already_exists', false],
    [412, 'ConditionNotMet', 'precondition_failed', false],
    [403, 'AuthenticationFailed', 'unauthenticated', false],
    [401, 'InvalidAuthenticationInfo', 'unauthenticated', false],
    [403, 'AuthorizationFailure', 'permission_denied', false],
    [403, 'AuthorizationPermissionMismatch', 'permission_denied', false],
    [503, 'ServerBusy', 'rate_limited', true],
    [500, 'OperationTimedOut', 'unavailable', true],
    [500, 'InternalError', 'unavailable', true],
    [429, '', 'rate_limited', true],
    [503, '', 'rate_limited', true],
    [502, '', 'unavailable', true],
    [409, 'BlobArchived', 'unsupported', false],
    [412, 'LeaseIdMissing', 'permission_denied', false],
    [409, 'BlobImmutableDueToPolicy', 'permission_denied', false],
    [400, 'Md5Mismatch', 'corrupted', false],
    [413, 'RequestBodyTooLarge', 'quota_exceeded', false],
    [400, 'MetadataTooLarge', 'invalid_argument', false],
    [400, 'SomethingNew', 'unknown', false],
    [undefined, 'ECONNRESET', 'unavailable', true],
    [undefined, 'ENOTFOUND', 'unavailable', true],
  ])('with status %s and code %s is %s', (status, code, wanted, retryable) => {
    expect(toAzureError(sdkError(status, code), 'files')).toMatchObject({ code: wanted, retryable })
  })

  it('keeps status, code and request id as its cause, and nothing secret', () => {
    const secrets = {
      request: { method: 'GET', url: 'https://a.b/c?sig=SECRET', headers: { authorization: 'SECRET' } },
      response: { headers: { get: (name: string) => (name === 'x-ms-request-id' ? 'req-1' : undefined) }, bodyAsText: 'SECRET' },
      details: { AuthenticationErrorDetail: 'SECRET' },
      message: 'refused https://a.b/c?sig=SECRET\nSECRET',
    }
    const error = toAzureError({ ...sdkError(403, 'AuthenticationFailed'), ...secrets }, 'files') as Error
    expect(error.cause).toMatchObject({
      code: 'AuthenticationFailed',
      statusCode: 403,
      requestId: 'req-1',
      message: 'refused https://a.b/c',
    })
    const told = [
      error.message,
      error.stack,
      JSON.stringify(error),
      ...Object.values(Object.getOwnPropertyDescriptors(error.cause)).map(({ value }) => String(value)),
    ]
    expect(told.filter((text) => text?.includes('SECRET'))).toEqual([])
  })

  it('to HEAD without a body says what may be the matter', async () => {
    proxy = await recordingProxy({ answer: () => ({ status: 403 }) })
    const disk = new Disk(new AzureDriver({ container: 'files', endpoint: `${proxy.endpoint}/acct`, accountKey: KEY }), { name: 'azure' })
    await expect(disk.stat('a')).rejects.toMatchObject({ code: 'permission_denied', reason: expect.stringContaining('credentials') })
    await disk.close()
  })

  it('that the SDK cannot parse is not quoted in the cause', () => {
    const header = { response: { headers: new Map([['x-ms-error-code', 'AuthenticationFailed']]) } }
    const message = `Error "SyntaxError: Unexpected token" occurred while parsing the response body - <html>${'x'.repeat(9_000)} the signature.`
    const { cause } = toAzureError({ name: 'RestError', message, code: 'PARSE_ERROR', statusCode: 403, ...header }, 'files') as Error
    expect((cause as Error).message).toBe('Error "SyntaxError: Unexpected token" occurred while parsing the response body')
  })

  it('leaves what is not of the SDK as it is', () => {
    const error = new TypeError('x')
    expect([toAzureError(error, 'files'), toAzureError('reason', 'files')]).toEqual([error, 'reason'])
  })

  it('of an identity that cannot be had is unauthenticated', () => {
    expect(toAzureError({ name: 'CredentialUnavailableError', message: 'no' }, 'files')).toMatchObject({ code: 'unauthenticated' })
  })
})

describe('a container that is missing', () => {
  it('is a ConfigurationError that names it, from every method', async () => {
    const { accountKey, endpoint } = await azurite()
    const disk = new Disk(new AzureDriver({ container: 'no-such-container', endpoint, accountKey }), { name: 'azure' })
    const many = Array.from({ length: 9 }, (_, index) => `${index}`)
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      get: () => disk.get('a'),
      getOrNull: () => disk.getOrNull('a'),
      suffix: () => disk.get('a', { range: { suffix: 1 } }),
      readStream: () => disk.readStream('a'),
      exists: () => disk.exists('a'),
      directoryExists: () => disk.directoryExists('a'),
      stat: () => disk.stat('a'),
      list: () => entriesOf(disk),
      'list of one directory': () => entriesOf(disk, 'a', {}),
      put: () => disk.put('a', 'x'),
      'put of a stream': () => disk.put('a', [Buffer.alloc(6_000_000), Buffer.alloc(6_000_000)]),
      append: () => disk.append('a', 'x'),
      prepend: () => disk.prepend('a', 'x'),
      delete: () => disk.delete('a'),
      'delete of many': () => disk.delete(many),
      deleteDirectory: () => disk.deleteDirectory('a'),
      copy: () => disk.copy('a', 'b'),
      move: () => disk.move('a', 'b'),
      'buckets.info': () => disk.buckets?.info() as Promise<unknown>,
    }
    for (const [method, call] of Object.entries(calls)) {
      const { code, message } = (await call().then(
        () => new Error('none'),
        (error: unknown) => error,
      )) as Error & { code?: string }
      expect([method, code, message.includes('no-such-container')]).toEqual([method, 'configuration', true])
    }
    expect(await disk.check()).toMatchObject({ ok: false, error: { code: 'configuration' } })
    await disk.close()
  })
})

describe('a wrong key', () => {
  it('is unauthenticated, from every verb', async () => {
    const { endpoint, accountName, real } = await azurite()
    const disk = new Disk(new AzureDriver({ container: 'files', endpoint, accountName, accountKey: KEY, retries: 0 }), { name: 'azure' })
    const calls = [
      () => disk.get('a'),
      () => disk.put('a', 'x'),
      () => entriesOf(disk),
      () => disk.delete('a'),
      () => disk.delete(['a', 'b']),
      () => disk.delete(['a', 'b', 'c', 'd', 'e']),
      ...(real ? [] : [() => disk.stat('a')]),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unauthenticated' })
    await disk.close()
  })
})

describe('an account that is not there', () => {
  it('is unavailable, and the call ends in its time', async () => {
    const disk = new Disk(new AzureDriver({ container: 'files', endpoint: 'http://127.0.0.1:9/acct', accountKey: KEY, retries: 1 }))
    await expect(disk.get('a')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await disk.close()
  })
})
