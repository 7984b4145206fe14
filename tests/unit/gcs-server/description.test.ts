/** The server against Google's API description: its methods, their addresses, every parameter, and every field of what it answers. */
import { describe, expect, it } from '@jest/globals'
import { ROUTES } from '../../support/gcs-server/routes.ts'
import { apiClient, type Resource } from './api-client.ts'
import { addressOf, parametersOf, strangers } from './api-description.ts'

const api = apiClient()

describe('each method', () => {
  it.each(ROUTES.map((route) => [route.id, route] as const))('is at its address: %s', (id, { method, path }) => {
    expect({ method, path: path.replace(/:\w+/g, '{}') }).toEqual(addressOf(id))
  })

  it.each(ROUTES.map((route) => [route.id, route] as const))('knows what it does about each parameter: %s', (id, route) => {
    const known = [...route.honoured, ...(route.ignored ?? []), ...(route.refused ?? [])]
    expect(known.toSorted()).toEqual(parametersOf(id))
  })

  it('is named once', () => {
    expect(new Set(ROUTES.map(({ id }) => id)).size).toBe(ROUTES.length)
  })
})

describe('the description', () => {
  it('finds what a schema does not have', () => {
    const object = { name: 'a', colour: 'red', size: 7, acl: [{ entity: 'allUsers', mood: 1 }], metadata: { any: 'text', number: 5 } }
    expect(strangers(object, 'Object')).toEqual(['colour', 'size is a number', 'acl[0].mood', 'metadata.number is a number'])
    expect(strangers({ lifecycle: { rule: [{ action: { type: 'Delete' }, when: 'now' }] }, versioning: { on: true } }, 'Bucket')).toEqual([
      'lifecycle.rule[0].when',
      'versioning.on',
    ])
  })

  it('does not know methods that Google does not have', () => {
    expect(parametersOf('storage.objects.rename')).toBeUndefined()
    expect(addressOf('storage.objects.rename')).toBeUndefined()
  })
})

describe('every field of an answer is in the schema of', () => {
  const full = {
    cacheControl: 'no-cache',
    contentDisposition: 'inline',
    contentLanguage: 'de',
    customTime: '2026-01-02T03:04:05Z',
    metadata: { a: 'b' },
    storageClass: 'NEARLINE',
    temporaryHold: true,
    eventBasedHold: true,
    retention: { mode: 'Unlocked', retainUntilTime: '2026-01-02T03:04:05Z' },
  }

  it('an object, new and noncurrent, with all that it can have', async () => {
    const bucket = await api.bucket({ versioning: { enabled: true } })
    await api.put(bucket, 'a', '1', '&kmsKeyName=projects/p/locations/global/keyRings/r/cryptoKeys/k')
    const holds = { temporaryHold: false, eventBasedHold: false }
    const patched = await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: full })
    expect([patched.status, strangers(patched.json, 'Object')]).toEqual([200, []])
    expect(patched.json).toMatchObject({ ...full, storageClass: 'STANDARD', customTime: '2026-01-02T03:04:05.000Z' })
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: holds })
    await api.put(bucket, 'a', '2')
    const { json } = await api.ask(`/b/${bucket}/o?versions=true&projection=full`)
    const items = json['items'] as readonly Resource[]
    expect(strangers(json, 'Objects')).toEqual([])
    expect(items.map((item) => typeof item['timeDeleted'])).toEqual(['string', 'undefined'])
  })

  it('a composition, a rewrite in parts and a list with prefixes and pages', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'dir/a', 'x'.repeat(1024 * 1024 + 1))
    await api.put(bucket, 'b')
    const body = { sourceObjects: [{ name: 'b' }, { name: 'b' }] }
    const composed = await api.ask(`/b/${bucket}/o/c/compose`, { method: 'POST', body })
    expect([composed.json['componentCount'], strangers(composed.json, 'Object')]).toEqual([2, []])
    const path = `/b/${bucket}/o/dir%2Fa/rewriteTo/b/${bucket}/o/copy?maxBytesRewrittenPerCall=1048576`
    const first = await api.ask(path, { method: 'POST' })
    expect([first.json['done'], strangers(first.json, 'RewriteResponse')]).toEqual([false, []])
    const last = await api.ask(`${path}&rewriteToken=${String(first.json['rewriteToken'])}`, { method: 'POST' })
    expect([last.json['done'], strangers(last.json, 'RewriteResponse')]).toEqual([true, []])
    const page = await api.ask(`/b/${bucket}/o?delimiter=/&maxResults=2`)
    expect(strangers(page.json, 'Objects')).toEqual([])
    expect(Object.keys(page.json).toSorted()).toEqual(['items', 'kind', 'nextPageToken'])
  })

  it('a bucket with all that it can have, and a list of them', async () => {
    const name = await api.bucket({
      location: 'eu',
      versioning: { enabled: true },
      labels: { a: 'b' },
      cors: [{ origin: ['*'], method: ['GET'], responseHeader: ['x'], maxAgeSeconds: 3 }],
      lifecycle: { rule: [{ action: { type: 'Delete' }, condition: { age: 3, isLive: true } }] },
      encryption: { defaultKmsKeyName: 'projects/p/locations/l/keyRings/r/cryptoKeys/k' },
      retentionPolicy: { retentionPeriod: '5' },
      website: { mainPageSuffix: 'index.html' },
      logging: { logBucket: 'logs' },
      billing: { requesterPays: false },
    })
    const { json } = await api.ask(`/b/${name}?projection=full`)
    expect(strangers(json, 'Bucket')).toEqual([])
    expect(json).toMatchObject({
      location: 'EU',
      versioning: { enabled: true },
      labels: { a: 'b' },
      retentionPolicy: { retentionPeriod: '5' },
    })
    const list = await api.ask(`/b?project=p&projection=full&maxResults=1`)
    expect(strangers(list.json, 'Buckets')).toEqual([])
    const uniform = await api.bucket({ iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } })
    expect(strangers((await api.ask(`/b/${uniform}?projection=full`)).json, 'Bucket')).toEqual([])
  })

  it('grants, policies, permissions and the service account', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const grant = { entity: 'user-someone@example.com', role: 'READER' }
    for (const path of [`/b/${bucket}/o/a/acl`, `/b/${bucket}/defaultObjectAcl`]) {
      expect(strangers((await api.ask(path, { method: 'POST', body: grant })).json, 'ObjectAccessControl')).toEqual([])
      expect(strangers((await api.ask(path)).json, 'ObjectAccessControls')).toEqual([])
    }
    expect(strangers((await api.ask(`/b/${bucket}/acl`, { method: 'POST', body: grant })).json, 'BucketAccessControl')).toEqual([])
    expect(strangers((await api.ask(`/b/${bucket}/acl`)).json, 'BucketAccessControls')).toEqual([])
    expect(strangers((await api.ask(`/b/${bucket}/iam`)).json, 'Policy')).toEqual([])
    const tested = await api.ask(`/b/${bucket}/iam/testPermissions?permissions=storage.objects.get`)
    expect(strangers(tested.json, 'TestIamPermissionsResponse')).toEqual([])
    expect(strangers((await api.ask(`/projects/p/serviceAccount`)).json, 'ServiceAccount')).toEqual([])
  })
})
