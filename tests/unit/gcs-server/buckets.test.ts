/** Buckets: their names, what can be set, what is refused, and the lifecycle on demand. */
import { describe, expect, it } from '@jest/globals'
import { type Answer, apiClient, reasonOf, type Resource } from './api-client.ts'

const api = apiClient()
const create = async (body: object, project = '?project=p'): Promise<Answer> => await api.ask(`/b${project}`, { method: 'POST', body })

describe('a bucket', () => {
  it('is made once', async () => {
    const name = await api.bucket()
    const again = await create({ name })
    expect([again.status, reasonOf(again)]).toEqual([409, 'conflict'])
    expect((await api.ask(`/b/${name}`)).json).toMatchObject({
      name,
      location: 'US',
      locationType: 'multi-region',
      storageClass: 'STANDARD',
      metageneration: '1',
    })
  })

  it.each(['ab', 'UPPER', 'has_space ', '-begins', 'ends-', 'x'.repeat(64), 'goog-bucket', '192.168.1.1', 5])(
    'is not called %j',
    async (name) => {
      expect((await create({ name })).status).toBe(400)
    },
  )

  it('needs a project, and a class that exists', async () => {
    expect(reasonOf(await create({ name: 'some-bucket' }, ''))).toBe('required')
    expect((await create({ name: 'some-bucket', storageClass: 'GOLD' })).status).toBe(400)
    expect((await api.ask('/b')).status).toBe(400)
  })

  it('is deleted when nothing is in it, old versions included', async () => {
    const name = await api.bucket({ versioning: { enabled: true } })
    const { json } = await api.put(name, 'a')
    const remove = async (): Promise<Answer> => await api.ask(`/b/${name}`, { method: 'DELETE' })
    expect([(await remove()).status, reasonOf(await remove())]).toEqual([409, 'conflict'])
    await api.ask(`/b/${name}/o/a`, { method: 'DELETE' })
    expect((await remove()).status).toBe(409)
    await api.ask(`/b/${name}/o/a?generation=${String(json['generation'])}`, { method: 'DELETE' })
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404])
  })

  it('is changed by PATCH where it is told to, and by PUT as a whole', async () => {
    const name = await api.bucket({ labels: { a: '1' }, versioning: { enabled: true }, storageClass: 'NEARLINE' })
    const change = async (method: string, body: object): Promise<Resource> => (await api.ask(`/b/${name}`, { method, body })).json
    expect(await change('PATCH', { labels: { b: '2' }, cors: [{ origin: ['*'] }] })).toMatchObject({
      labels: { a: '1', b: '2' },
      versioning: { enabled: true },
      cors: [{ origin: ['*'] }],
      metageneration: '2',
    })
    const { labels, cors } = await change('PATCH', { labels: { a: null, b: null }, cors: null })
    expect([labels, cors]).toEqual([undefined, undefined])
    const replaced = await change('PUT', { website: { mainPageSuffix: 'i' } })
    expect([replaced['versioning'], replaced['website'], replaced['location'], replaced['storageClass']]).toEqual([
      undefined,
      { mainPageSuffix: 'i' },
      'US',
      'NEARLINE',
    ])
  })

  it('gives its objects a class and a key', async () => {
    const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/k'
    const name = await api.bucket({ storageClass: 'COLDLINE', encryption: { defaultKmsKeyName: key } })
    expect((await api.put(name, 'a')).json).toMatchObject({ storageClass: 'COLDLINE', kmsKeyName: `${key}/cryptoKeyVersions/1` })
  })

  it('is listed by page and prefix', async () => {
    const names = await Promise.all([api.bucket(), api.bucket(), api.bucket()])
    const found: string[] = []
    let token = ''
    do {
      const { json } = await api.ask(`/b?project=p&maxResults=2&prefix=unit-&pageToken=${token}`)
      found.push(...((json['items'] ?? []) as readonly Resource[]).map((item) => String(item['name'])))
      token = (json['nextPageToken'] as string | undefined) ?? ''
    } while (token !== '')
    expect(found).toEqual(found.toSorted())
    expect(names.filter((name) => !found.includes(name))).toEqual([])
    expect((await api.ask(`/b?project=p&prefix=none-`)).json['items']).toBeUndefined()
  })

  it('keeps a locked retention policy', async () => {
    const name = await api.bucket({ retentionPolicy: { retentionPeriod: '5' } })
    const lock = `/b/${name}/lockRetentionPolicy?ifMetagenerationMatch=`
    expect([(await api.ask(`${lock}9`, { method: 'POST' })).status, (await api.ask(`${lock}1`, { method: 'POST' })).status]).toEqual([
      412, 200,
    ])
    expect((await api.ask(`/b/${name}`, { method: 'PATCH', body: { retentionPolicy: { retentionPeriod: '4' } } })).status).toBe(403)
    expect((await api.ask(`/b/${name}`, { method: 'PATCH', body: { retentionPolicy: null } })).status).toBe(403)
    expect((await api.ask(`/b/${name}`, { method: 'PATCH', body: { retentionPolicy: { retentionPeriod: '6' } } })).status).toBe(200)
  })
})

describe('the lifecycle', () => {
  const rule = (action: object, condition: object): object => ({ lifecycle: { rule: [{ action, condition }] } })
  const names = async (bucket: string): Promise<readonly string[]> =>
    ((await api.ask(`/b/${bucket}/o?versions=true`)).json['items'] as readonly Resource[] | undefined)?.map((item) =>
      String(item['name']),
    ) ?? []

  it.each([
    ['age', { age: 0 }, [] as string[]],
    ['age', { age: 1 }, ['logs/a.log', 'b.txt']],
    ['matchesPrefix', { age: 0, matchesPrefix: ['logs/'] }, ['b.txt']],
    ['matchesSuffix', { age: 0, matchesSuffix: ['.txt'] }, ['logs/a.log']],
    ['createdBefore', { createdBefore: '2020-01-01' }, ['logs/a.log', 'b.txt']],
    ['matchesStorageClass', { matchesStorageClass: ['NEARLINE'] }, ['logs/a.log', 'b.txt']],
    ['isLive', { isLive: false }, ['logs/a.log', 'b.txt']],
  ])('deletes by %s: %j', async (_name, condition, left) => {
    const bucket = await api.bucket(rule({ type: 'Delete' }, condition))
    await api.put(bucket, 'logs/a.log')
    await api.put(bucket, 'b.txt')
    await api.server.controls.lifecycle()
    expect((await names(bucket)).toSorted()).toEqual(left.toSorted())
  })

  it('deletes old versions by how many are newer', async () => {
    const bucket = await api.bucket({ versioning: { enabled: true }, ...rule({ type: 'Delete' }, { numNewerVersions: 2 }) })
    for (const text of ['1', '2', '3', '4']) await api.put(bucket, 'a', text)
    await api.server.controls.lifecycle()
    expect([(await names(bucket)).length, await api.content(bucket, 'a')]).toEqual([2, '4'])
  })

  it('changes classes', async () => {
    const bucket = await api.bucket(rule({ type: 'SetStorageClass', storageClass: 'ARCHIVE' }, { age: 0 }))
    await api.put(bucket, 'a')
    await api.server.controls.lifecycle()
    expect((await api.object(bucket, 'a')).json).toMatchObject({ storageClass: 'ARCHIVE', metageneration: '2' })
  })

  it('waits for holds', async () => {
    const bucket = await api.bucket(rule({ type: 'Delete' }, { age: 0 }))
    await api.put(bucket, 'a')
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { temporaryHold: true } })
    await api.server.controls.lifecycle()
    expect(await names(bucket)).toEqual(['a'])
  })

  it.each([
    [{ type: 'Explode' }, { age: 1 }],
    [{ type: 'Delete' }, {}],
    [{ type: 'SetStorageClass', storageClass: 'GOLD' }, { age: 1 }],
  ])('is refused for %j on %j', async (action, condition) => {
    expect((await create({ name: `unit-${Date.now()}`, ...rule(action, condition) })).status).toBe(400)
  })
})
