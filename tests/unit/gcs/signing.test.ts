/** Signed requests: the SDK signs the same, and the key's other half agrees. */
import { createVerify, generateKeyPairSync } from 'node:crypto'
import { Storage } from '@google-cloud/storage'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { GcsDriver, type GcsDriverOptions } from '../../../src/drivers/gcs/gcs-driver.ts'
import { rejectionOf } from '../../../src/testing/conformance/assertions.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEY = {
  type: 'service_account',
  client_email: 'signer@example.iam.gserviceaccount.com',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
}
const NOW = new Date(Math.floor(Date.now() / 1_000) * 1_000)
const IN_AN_HOUR = new Date(NOW.getTime() + 3_600_000)
const ODD = "with spaces/plus+percent%hash#question?and&quote's(round)@at/é/公司/👍🏽!*.txt"

let sdk: Storage
beforeAll(() => {
  sdk = new Storage({ projectId: 'project' })
  sdk.authClient.jsonContent = KEY
})

function driverOf(options: Partial<GcsDriverOptions> = {}): GcsDriver {
  return new GcsDriver({ bucket: 'bucket', credentials: KEY, ...options }, () => NOW)
}

describe('signed URLs', () => {
  it.each(['a.txt', ODD])('for GET are those of the SDK: %s', async (path) => {
    const own = await driverOf().signUrl(path, {
      method: 'GET',
      expiresAt: IN_AN_HOUR,
      contentType: 'image/png; a=b',
      contentDisposition: `attachment; filename="a b.png"; filename*=UTF-8''%C3%A9.png`,
    })
    const [theirs] = await sdk.bucket('bucket').file(path).getSignedUrl({
      version: 'v4',
      action: 'read',
      accessibleAt: NOW,
      expires: IN_AN_HOUR,
      responseType: 'image/png; a=b',
      responseDisposition: `attachment; filename="a b.png"; filename*=UTF-8''%C3%A9.png`,
    })
    expect(parts(own.url)).toEqual(parts(theirs))
    expect(own).toMatchObject({ method: 'GET', headers: {} })
  })

  it.each(['a.txt', ODD])('for PUT are those of the SDK: %s', async (path) => {
    const own = await driverOf().signUrl(path, {
      method: 'PUT',
      expiresAt: IN_AN_HOUR,
      contentType: 'text/plain',
      metadata: { Owner: 'ann  b' },
    })
    const [theirs] = await sdk
      .bucket('bucket')
      .file(path)
      .getSignedUrl({
        version: 'v4',
        action: 'write',
        accessibleAt: NOW,
        expires: IN_AN_HOUR,
        contentType: 'text/plain',
        extensionHeaders: { 'x-goog-meta-owner': 'ann  b' },
      })
    expect(parts(own.url)).toEqual(parts(theirs))
    expect(own).toMatchObject({ method: 'PUT', headers: { 'content-type': 'text/plain', 'x-goog-meta-owner': 'ann  b' } })
  })

  it('for HEAD sign that method', async () => {
    const [get, head] = await Promise.all(
      (['GET', 'HEAD'] as const).map((method) => driverOf().signUrl('a.txt', { method, expiresAt: IN_AN_HOUR })),
    )
    expect(head?.method).toBe('HEAD')
    expect(parts(head?.url ?? '')['X-Goog-Signature']).not.toBe(parts(get?.url ?? '')['X-Goog-Signature'])
  })

  it('are for the endpoint of the disk', async () => {
    const { url } = await driverOf({ endpoint: 'http://127.0.0.1:4443' }).signUrl('a.txt', { method: 'GET', expiresAt: IN_AN_HOUR })
    expect(url.startsWith('http://127.0.0.1:4443/bucket/a.txt?')).toBe(true)
  })

  it('are good for seven days at most', async () => {
    const days = (count: number): Date => new Date(NOW.getTime() + count * 86_400_000)
    await driverOf().signUrl('a.txt', { method: 'GET', expiresAt: days(7) })
    const later = { method: 'GET', expiresAt: new Date(days(7).getTime() + 1_000) } as const
    expect(await rejectionOf(driverOf().signUrl('a.txt', later))).toMatchObject({ code: 'invalid_argument' })
  })

  it('refuse metadata that is no header', async () => {
    const options = { method: 'PUT', expiresAt: IN_AN_HOUR, metadata: { name: 'é' } } as const
    expect(await rejectionOf(driverOf().signUrl('a.txt', options))).toMatchObject({ code: 'invalid_argument' })
  })

  it('print nothing, not even a warning about the key', async () => {
    const spies = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'error'), jest.spyOn(process, 'emitWarning')]
    try {
      await driverOf().signUrl('a.txt', { method: 'GET', expiresAt: IN_AN_HOUR })
      for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  })

  it('with a key that is none are a wrong configuration, which does not show it', async () => {
    const credentials = { ...KEY, private_key: 'SECRET-KEY without its lines' }
    const error = (await rejectionOf(driverOf({ credentials }).signUrl('a.txt', { method: 'GET', expiresAt: IN_AN_HOUR }))) as Error
    expect(error).toMatchObject({ code: 'configuration' })
    expect(`${error.message} ${String((error.cause as Error).message)}`).not.toContain('SECRET-KEY')
  })
})

describe('uploads of a limited size', () => {
  it('are a form, whose policy is signed', async () => {
    const disk = new Disk(driverOf(), { name: 'gcs' })
    const inAnHour = new Date(Date.now() + 3_600_000)
    const {
      url,
      method,
      fields = {},
    } = await disk.temporaryUploadUrl('a/é.png', inAnHour, {
      contentType: 'image/png',
      minSize: 5,
      maxSize: 5_000,
      metadata: { owner: 'ann' },
    })
    expect([url, method]).toEqual(['https://storage.googleapis.com/bucket/', 'POST'])
    expect(fields).toMatchObject({
      key: 'a/é.png',
      'Content-Type': 'image/png',
      'x-goog-meta-owner': 'ann',
      'x-goog-algorithm': 'GOOG4-RSA-SHA256',
    })
    const policy = fields['policy'] ?? ''
    const document = Buffer.from(policy, 'base64').toString('latin1')
    expect(document).toMatch(/^[\x20-\x7e]*$/)
    const { conditions, expiration } = JSON.parse(document) as { conditions: unknown[]; expiration: string }
    expect(new Date(expiration).getTime()).toBe(Math.floor(inAnHour.getTime() / 1_000) * 1_000)
    const told = Object.entries(fields).filter(([name]) => name !== 'policy' && name !== 'x-goog-signature')
    expect(conditions).toEqual([
      { bucket: 'bucket' },
      ...told.map(([name, value]) => ({ [name]: value })),
      ['content-length-range', 5, 5_000],
    ])
    const signature = Buffer.from(fields['x-goog-signature'] ?? '', 'hex')
    expect(createVerify('RSA-SHA256').update(policy).verify(publicKey, signature)).toBe(true)
  })
})

/** A URL without the order of its query. */
function parts(url: string): Readonly<Record<string, string>> {
  const { origin, pathname, searchParams } = new URL(url)
  return { origin, pathname, ...Object.fromEntries(searchParams), count: String([...searchParams].length) }
}
