/** An answer to HEAD has no body, so no code: what is wrong with the credentials is asked of an answer that has one. */
import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { answerError, answerWell, type Asked, closedAfterEach, type Script, scriptedStore, type ScriptedStore } from './scripted-store.ts'

const closing = closedAfterEach()

type Meeting = ScriptedStore & { readonly disk: Disk }

const keyOf = ({ headers }: Asked): string | undefined => /Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1]

/** Of a HEAD, a status alone. */
function deny(status: number, code: string): Script {
  return (asked) => answerError(asked, status, code)
}

describe.each(['lean', 'sdk'] as const)('a HEAD that is denied without a reason, by the transport "%s"', (transport) => {
  async function meeting(script: Script, options: Partial<S3DriverOptions> = {}): Promise<Meeting> {
    const store = await scriptedStore(script)
    const keys = options.credentials === undefined ? { key: 'AKID', secret: 'hush' } : {}
    const given = {
      bucket: 'bucket',
      region: 'us-east-1',
      endpoint: store.origin,
      pathStyle: true,
      retries: 0,
      transport,
      ...keys,
      ...options,
    }
    const disk = new Disk(new S3Driver(given))
    closing.push(
      () => disk.close(),
      () => store.close(),
    )
    return { ...store, disk }
  }

  it.each([
    [403, 'InvalidAccessKeyId'],
    [403, 'SignatureDoesNotMatch'],
    [400, 'ExpiredToken'],
    [400, 'InvalidToken'],
  ])('is told as credentials that are refused when they are: %i %s', async (status, code) => {
    const { disk } = await meeting(deny(status, code))
    await expect(disk.stat('a')).rejects.toMatchObject({ code: 'unauthenticated', path: 'a', cause: { code } })
    await expect(disk.exists('a')).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  it('is told as a bucket that is missing when it is', async () => {
    const { disk } = await meeting((asked) => (asked.method === 'HEAD' ? answerError(asked, 403) : answerError(asked, 404, 'NoSuchBucket')))
    await expect(disk.stat('a')).rejects.toMatchObject({ code: 'configuration' })
  })

  it('stays a denial when listing is denied as well', async () => {
    const { disk, asked } = await meeting(deny(403, 'AccessDenied'))
    await expect(disk.stat('a')).rejects.toMatchObject({ code: 'permission_denied' })
    expect(asked.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  it('stays what it was when listing is allowed', async () => {
    const { disk } = await meeting((asked) => (asked.method === 'HEAD' ? answerError(asked, 403) : answerWell(asked)))
    await expect(disk.stat('a')).rejects.toMatchObject({ code: 'permission_denied' })
  })

  it('is answered with the credentials that have been renewed since', async () => {
    const keys = ['AOLD', 'ANEW']
    const credentials = async () => ({ accessKeyId: keys.shift() ?? 'ANEW', secretAccessKey: 'hush' })
    const script: Script = (asked) => (keyOf(asked) === 'ANEW' ? answerWell(asked) : answerError(asked, 400, 'ExpiredToken'))
    const { disk } = await meeting(script, { credentials })
    if (transport === 'sdk') await expect(disk.stat('a')).rejects.toMatchObject({ code: 'unauthenticated' })
    else await expect(disk.stat('a')).resolves.toMatchObject({ size: 5 })
  })
})
