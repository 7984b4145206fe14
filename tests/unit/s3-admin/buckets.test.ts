import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { CreateMultipartUploadCommand, DeleteObjectCommand, ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { BucketRequests } from '../../../src/drivers/s3/buckets.ts'
import type { S3LifecycleRule } from '../../../src/drivers/s3/lifecycle.ts'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import type { Buckets } from '../../../src/driver.ts'
import { recordingProxy } from '../../support/recording-proxy.ts'
import { bench } from './support.ts'

const { parts, name, clear } = bench()
afterAll(clear)

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

describe('buckets', () => {
  it('are created, found, told about and deleted', async () => {
    const { buckets, bucket } = await parts({ create: false })
    expect(await buckets.exists()).toBe(false)
    await buckets.create()
    expect(await buckets.exists()).toBe(true)
    const entry = (await buckets.list()).find((each) => each.name === bucket)
    expect(Math.abs(Date.now() - (entry?.created?.getTime() ?? 0))).toBeLessThan(3_600_000)
    expect(await buckets.info()).toMatchObject({ name: bucket, versioning: 'off', created: entry?.created })
    await buckets.delete()
    expect(await buckets.exists()).toBe(false)
    expect((await buckets.list()).map((each) => each.name)).not.toContain(bucket)
  })

  it('may have other names than the disk has', async () => {
    const { buckets, bucket } = await parts()
    const other = await name()
    await buckets.create(other)
    expect((await buckets.list()).map((each) => each.name)).toEqual(expect.arrayContaining([bucket, other]))
    expect((await buckets.info(other)).name).toBe(other)
    await buckets.versioning.set('enabled', other)
    expect([await buckets.versioning.get(other), await buckets.versioning.get()]).toEqual(['enabled', 'off'])
    await buckets.delete(other)
    expect([await buckets.exists(other), await buckets.exists()]).toEqual([false, true])
  })

  it('are what every store calls buckets', async () => {
    const { buckets } = await parts({ create: false })
    const shared: Buckets = buckets
    expect(await shared.exists()).toBe(false)
  })

  it('of others are there, and cannot be made again', async () => {
    const { buckets, bucket, server } = await parts()
    const other = await parts({ ...server.other, bucket, create: false })
    expect(await other.buckets.exists()).toBe(true)
    await expect(other.buckets.create()).rejects.toMatchObject({ code: 'already_exists', operation: 'buckets' })
    await expect(other.buckets.delete()).rejects.toMatchObject({ code: 'permission_denied' })
    expect(await buckets.exists()).toBe(true)
  })

  it('are not there for wrong credentials, and not missing either', async () => {
    const { buckets } = await parts({ key: 'nobody', secret: 'nothing', create: false })
    await expect(buckets.exists()).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(buckets.list()).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  it('that are missing are a wrong configuration, but for exists and delete', async () => {
    const { buckets } = await parts({ create: false })
    await buckets.delete()
    await buckets.delete(undefined, { force: true })
    for (const call of [
      () => buckets.info(),
      () => buckets.versioning.get(),
      () => buckets.lifecycle.get(),
      () => buckets.lifecycle.set([]),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining('there is no bucket') })
  })

  it('with files are deleted by force alone', async () => {
    const { buckets, bucket, client } = await parts()
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'ünï/a b+c.txt', Body: 'x' }))
    await expect(buckets.delete()).rejects.toMatchObject({ code: 'precondition_failed' })
    await buckets.delete(bucket, { force: true })
    expect(await buckets.exists()).toBe(false)
  })

  it('are emptied by force of versions, delete markers and open uploads', async () => {
    const { buckets, bucket, client } = await parts()
    await buckets.versioning.set('enabled')
    for (let i = 0; i < 3; i++) await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a.txt', Body: `${i}` }))
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'per%cent/日本.txt', Body: 'x' }))
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a.txt' }))
    for (const Key of ['up/a', 'up/b', 'up/c d']) await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }))
    await buckets.delete(bucket, { force: true })
    expect(await buckets.exists()).toBe(false)
  })

  it('leave everything as it is when the call is aborted before', async () => {
    const { buckets, bucket, client } = await parts()
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'a' }))
    const reason = new Error('no longer wanted')
    const options = { signal: AbortSignal.abort(reason), force: true }
    for (const call of [
      () => buckets.delete(bucket, options),
      () => buckets.create('x', options),
      () => buckets.list(options),
      () => buckets.exists(bucket, options),
    ])
      await expect(call()).rejects.toBe(reason)
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads).toHaveLength(1)
  })
})

describe('versioning', () => {
  it('is switched on and suspended, and then not off any more', async () => {
    const { buckets } = await parts()
    expect(await buckets.versioning.get()).toBe('off')
    await buckets.versioning.set('off')
    await buckets.versioning.set('enabled')
    expect(await buckets.versioning.get()).toBe('enabled')
    await buckets.versioning.set('suspended')
    expect(await buckets.versioning.get()).toBe('suspended')
    await expect(buckets.versioning.set('off')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(buckets.versioning.set('on' as 'off')).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('is refused where the store has none', async () => {
    const { buckets } = await parts({ preset: 'r2', create: false })
    expect(await buckets.versioning.get()).toBe('off')
    await expect(buckets.versioning.set('enabled')).rejects.toMatchObject({ code: 'unsupported' })
  })
})

describe('lifecycle rules', () => {
  it('come back as they were set', async () => {
    const { buckets } = await parts()
    expect(await buckets.lifecycle.get()).toEqual([])
    const rules = [
      { id: 'tmp', enabled: true, filter: { prefix: 'tmp/' }, expire: { days: 7 }, abortUploads: { days: 1 } },
      { id: 'old', enabled: false, noncurrent: { expire: { days: 30 } } },
      { id: 'day', enabled: true, filter: { prefix: 'logs/' }, expire: { date: new Date('2030-01-01') } },
      { id: 'cold', enabled: true, filter: { prefix: 'a/' }, transitions: [{ days: 30, storageClass: 'STANDARD_IA' }] },
      { id: 'tagged', enabled: true, filter: { prefix: 'b/', tags: { keep: 'no' } }, expire: { days: 1 } },
      { id: 'markers', enabled: true, filter: { prefix: 'c/' }, expiredDeleteMarkers: true },
    ]
    await buckets.lifecycle.set(rules)
    const byId = (a: { id?: string | undefined }, b: { id?: string | undefined }): number => (a.id ?? '').localeCompare(b.id ?? '')
    expect((await buckets.lifecycle.get()).toSorted(byId)).toEqual(rules.toSorted(byId))
    await buckets.lifecycle.set([])
    expect(await buckets.lifecycle.get()).toEqual([])
  })

  it.each([
    ['that do nothing', { id: 'x' }, 'does nothing'],
    ['with half a day', { expire: { days: 0.5 } }, 'whole number'],
    ['with a time that is none', { expire: {} as { days: number } }, 'either days or a date'],
    ['at noon', { expire: { date: new Date('2030-01-01T12:00:00Z') } }, 'midnight'],
    ['that keep versions and do nothing', { expire: { days: 1 }, noncurrent: { keep: 3 } }, '"keep"'],
  ])('are refused before they are sent: %s', async (_, rule, reason) => {
    const { buckets } = await parts({ endpoint: 'http://127.0.0.1:1', create: false })
    await expect(buckets.lifecycle.set([rule])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(reason),
    })
  })
})

/** Answers as Amazon documents, for what the test server does not implement. */
async function amazon(answers: Readonly<Record<string, { status?: number; body?: string }>>, options: Partial<S3DriverOptions> = {}) {
  const proxy = await recordingProxy({
    answer: ({ method, url }) => {
      const found = Object.entries(answers).find(([request]) => `${method} ${url}`.startsWith(request))?.[1] ?? {}
      return { status: found.status ?? 200, headers: { 'content-type': 'application/xml' }, body: found.body ?? '' }
    },
  })
  const settings = settingsOf({ bucket: 'b', region: 'eu-west-1', endpoint: proxy.endpoint, key: 'k', secret: 's', retries: 0, ...options })
  const connection = new S3Connection(settings)
  open.push(
    () => connection.close(),
    () => proxy.close(),
  )
  return { buckets: new BucketRequests(connection, settings), requests: proxy.requests }
}

const error = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`

describe('on Amazon', () => {
  it('default encryption is set, read and removed', async () => {
    const rule = (inner: string): string => `<ServerSideEncryptionConfiguration><Rule>${inner}</Rule></ServerSideEncryptionConfiguration>`
    const kms =
      '<ApplyServerSideEncryptionByDefault><KMSMasterKeyID>alias/k</KMSMasterKeyID><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault>'
    const { buckets, requests } = await amazon({
      'GET /b/?encryption': { body: rule(`${kms}<BucketKeyEnabled>true</BucketKeyEnabled>`) },
    })
    expect(await buckets.encryption.get()).toEqual({ type: 'kms', keyId: 'alias/k', bucketKey: true })
    await buckets.encryption.set({ type: 'kms', keyId: 'alias/k' })
    await buckets.encryption.set({ type: 'store' })
    await buckets.encryption.set(undefined)
    await expect(buckets.encryption.set({ type: 'store', keyId: 'x' })).rejects.toMatchObject({ code: 'invalid_argument' })
    const sent = requests.map(({ method, url, body }) => [`${method} ${url}`, String(body)])
    expect(sent.slice(1)).toEqual([
      ['PUT /b/?encryption=', expect.stringContaining(`<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/k</KMSMasterKeyID>`)],
      ['PUT /b/?encryption=', expect.stringContaining('<SSEAlgorithm>AES256</SSEAlgorithm>')],
      ['DELETE /b/?encryption=', ''],
    ])
    expect(sent[1]?.[1]).toContain('<BucketKeyEnabled>true</BucketKeyEnabled>')
  })

  it('there is none where none was set', async () => {
    const { buckets } = await amazon({
      'GET /b/?encryption': { status: 404, body: error('ServerSideEncryptionConfigurationNotFoundError') },
    })
    expect(await buckets.encryption.get()).toBeUndefined()
  })

  it('buckets are made in a region, with ownership and locks', async () => {
    const { buckets, requests } = await amazon({})
    await buckets.create('c', { region: 'eu-central-1', objectOwnership: 'BucketOwnerPreferred', acl: 'public-read', objectLock: true })
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      path: '/c/',
      headers: {
        'x-amz-object-ownership': 'BucketOwnerPreferred',
        'x-amz-acl': 'public-read',
        'x-amz-bucket-object-lock-enabled': 'true',
      },
    })
    expect(String(requests[0]?.body)).toContain('<LocationConstraint>eu-central-1</LocationConstraint>')
  })

  it('say what may be known of them', async () => {
    const block = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'].map(
      (flag) => `<${flag}>true</${flag}>`,
    )
    const { buckets } = await amazon({
      'GET /b/?versioning': { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' },
      'GET /b/?publicAccessBlock': { body: `<PublicAccessBlockConfiguration>${block.join('')}</PublicAccessBlockConfiguration>` },
      'GET /b/?ownershipControls': {
        body: '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>',
      },
      'GET /b/?object-lock': { status: 404, body: error('ObjectLockConfigurationNotFoundError') },
      'GET /b/?encryption': { status: 403, body: error('AccessDenied') },
      'GET /?': { status: 403, body: error('AccessDenied') },
    })
    expect(await buckets.info()).toEqual({
      name: 'b',
      versioning: 'enabled',
      publicAccess: 'blocked',
      objectOwnership: 'BucketOwnerEnforced',
      objectLock: false,
    })
  })

  it('what fails for a passing reason is no fact', async () => {
    const { buckets } = await amazon({ 'GET /b/?versioning': { status: 503, body: error('SlowDown') } })
    await expect(buckets.info()).rejects.toMatchObject({ code: 'rate_limited' })
  })

  it('lists go on for as long as there are more', async () => {
    const page = (name: string, token: string): string =>
      `<ListAllMyBucketsResult><Buckets><Bucket><Name>${name}</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket></Buckets>${token}</ListAllMyBucketsResult>`
    const { buckets, requests } = await amazon({
      'GET /?continuation-token=t': { body: page('b', '') },
      'GET /?': { body: page('a', '<ContinuationToken>t</ContinuationToken>') },
    })
    expect(await buckets.list()).toEqual([
      { name: 'a', created: new Date('2026-01-01') },
      { name: 'b', created: new Date('2026-01-01') },
    ])
    expect(requests).toHaveLength(2)
  })

  it('what cannot be deleted by force is told', async () => {
    const { buckets, requests } = await amazon({
      'GET /b/?uploads': { body: '<ListMultipartUploadsResult></ListMultipartUploadsResult>' },
      'GET /b/?': {
        body: '<ListVersionsResult><Version><Key>a</Key><VersionId>1</VersionId></Version></ListVersionsResult>',
      },
      'POST /b/?delete': {
        body: '<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>locked</Message></Error></DeleteResult>',
      },
    })
    const deleted = buckets.delete('b', { force: true })
    await expect(deleted).rejects.toMatchObject({
      code: 'partial_failure',
      failures: [{ path: 'a', error: { code: 'permission_denied' } }],
    })
    expect(requests.map(({ method }) => method)).not.toContain('DELETE')
  })

  it('every part of a lifecycle rule comes back as it was set', async () => {
    let stored = ''
    const proxy = await recordingProxy({
      answer: ({ method, body }) => {
        if (method === 'PUT') stored = String(body)
        return { status: 200, headers: { 'content-type': 'application/xml' }, body: method === 'GET' ? stored : '' }
      },
    })
    const settings = settingsOf({ bucket: 'b', region: 'eu-west-1', endpoint: proxy.endpoint, key: 'k', secret: 's' })
    const connection = new S3Connection(settings)
    open.push(
      () => connection.close(),
      () => proxy.close(),
    )
    const rules: readonly S3LifecycleRule[] = [
      { id: 'all', enabled: true, expire: { days: 1 } },
      { id: 'tag', enabled: true, filter: { tags: { a: '1' } }, expire: { days: 1 } },
      { id: 'size', enabled: true, filter: { largerThan: 10 }, expire: { days: 1 } },
      {
        id: 'every condition',
        enabled: false,
        filter: { prefix: 'a/', tags: { a: '1', b: '2' }, largerThan: 10, smallerThan: 20 },
        transitions: [
          { days: 30, storageClass: 'STANDARD_IA' },
          { date: new Date('2030-01-01'), storageClass: 'GLACIER' },
        ],
        expire: { date: new Date('2031-01-01') },
        noncurrent: { transitions: [{ days: 3, storageClass: 'GLACIER_IR' }], expire: { days: 9 }, keep: 2 },
        abortUploads: { days: 1 },
      },
    ]
    const { lifecycle } = new BucketRequests(connection, settings)
    await lifecycle.set(rules)
    expect(stored).toContain('<And>')
    expect(await lifecycle.get()).toEqual(rules)
    stored =
      '<LifecycleConfiguration><Rule><Prefix>old/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>'
    expect(await lifecycle.get()).toEqual([{ enabled: true, filter: { prefix: 'old/' }, expire: { days: 1 } }])
  })
})
