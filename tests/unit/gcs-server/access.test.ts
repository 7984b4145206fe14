/** Who may do what: tokens, permissions, ACLs, public objects, uniform access and policies. */
import { createSign } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Credentials } from '../../support/gcs-server/accounts.ts'
import { type Answer, apiClient, type Asked, reasonOf, type Resource } from './api-client.ts'

const api = apiClient()

/** At the address that wants tokens. */
async function as(token: string | undefined, path: string, asked: Asked = {}): Promise<Answer> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const place = path.startsWith('/upload') ? path : `/storage/v1${path}`
  return await api.ask(`${api.server.origin}${place}`, { ...asked, headers: { ...asked.headers, ...authorization } })
}

function jwt({ client_email, private_key, token_uri }: Credentials, claims: object = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const scope = 'https://www.googleapis.com/auth/devstorage.full_control'
  const payload = { iss: client_email, aud: token_uri, scope, iat: now, exp: now + 3600, ...claims }
  const text = [{ alg: 'RS256', typ: 'JWT' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createSign('RSA-SHA256').update(text).sign(private_key, 'base64url')}`
}

async function exchange(assertion: string): Promise<Answer> {
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString()
  return await api.ask(`${api.server.origin}/token`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
}

describe('a token', () => {
  it('is what the token endpoint gives for a JWT that the account signed', async () => {
    const { json } = await exchange(jwt(api.server.credentials))
    expect(json).toMatchObject({ token_type: 'Bearer', expires_in: 3600 })
    expect((await as(String(json['access_token']), '/b?project=p')).status).toBe(200)
  })

  it('can be a JWT itself', async () => {
    expect((await as(jwt(api.server.credentials), '/b?project=p')).status).toBe(200)
  })

  it('is not given for a JWT that somebody else signed, that expired, or that was changed', async () => {
    const { credentials, controls } = api.server
    const other = await controls.account({ name: 'other' })
    const [head = '', payload = '', signature = ''] = jwt(credentials).split('.')
    const bad = [
      jwt({ ...other, client_email: credentials.client_email }),
      jwt(credentials, { iat: 1, exp: 2 }),
      jwt(credentials, { iss: 'nobody@example.com' }),
      [head, `${payload.slice(0, -2)}xx`, signature].join('.'),
      'nothing',
    ]
    for (const assertion of bad) {
      const { status, json } = await exchange(assertion)
      expect([status, json['error']]).toEqual([400, 'invalid_grant'])
      expect((await as(assertion, '/b?project=p')).status).toBe(401)
    }
  })

  it('is missed with 401 required, and refused with 401 authError when it is invalid or has expired', async () => {
    const nobody = await as(undefined, '/b?project=p')
    expect([nobody.status, reasonOf(nobody)]).toEqual([401, 'required'])
    const wrong = await as('ya29.wrong', '/b?project=p')
    const error = {
      message: 'Invalid Credentials',
      domain: 'global',
      reason: 'authError',
      locationType: 'header',
      location: 'Authorization',
    }
    expect([wrong.status, wrong.json]).toEqual([401, { error: { code: 401, message: 'Invalid Credentials', errors: [error] } }])
    expect((await as((await api.server.controls.token({ seconds: -1 })).token, '/b?project=p')).status).toBe(401)
  })
})

describe('an account without a permission', () => {
  async function without(...denied: readonly string[]): Promise<string> {
    const { client_email } = await api.server.controls.account({ name: `limited-${Math.random().toString(36).slice(2)}`, denied })
    return (await api.server.controls.token({ email: client_email })).token
  }

  it.each([
    ['storage.objects.get', (bucket: string, token: string) => as(token, `/b/${bucket}/o/a`)],
    ['storage.objects.list', (bucket: string, token: string) => as(token, `/b/${bucket}/o`)],
    ['storage.objects.delete', (bucket: string, token: string) => as(token, `/b/${bucket}/o/a`, { method: 'DELETE' })],
    ['storage.objects.update', (bucket: string, token: string) => as(token, `/b/${bucket}/o/a`, { method: 'PATCH', body: {} })],
    [
      'storage.objects.create',
      (bucket: string, token: string) =>
        as(token, `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=b`, { method: 'POST', body: 'x' }),
    ],
    ['storage.buckets.get', (bucket: string, token: string) => as(token, `/b/${bucket}`)],
    ['storage.buckets.delete', (bucket: string, token: string) => as(token, `/b/${bucket}`, { method: 'DELETE' })],
  ] as const)('is told so: %s', async (permission, ask) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const answer = await ask(bucket, await without(permission))
    expect([answer.status, reasonOf(answer), answer.text]).toEqual([
      403,
      'forbidden',
      expect.stringContaining(`does not have ${permission} access`),
    ])
  })

  it('to delete cannot replace, and without one to list cannot learn what is missing', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'old')
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=`
    const token = await without('storage.objects.delete')
    expect((await as(token, `${path}a`, { method: 'POST', body: 'x' })).status).toBe(403)
    expect((await as(token, `${path}b`, { method: 'POST', body: 'x' })).status).toBe(200)
    expect((await as(await without('storage.objects.list'), `/b/${bucket}/o/none`)).status).toBe(403)
    expect((await as(await without(), `/b/${bucket}/o/none`)).status).toBe(404)
  })

  it('tests for what it holds', async () => {
    const bucket = await api.bucket()
    const query = 'permissions=storage.objects.get&permissions=storage.objects.list'
    const { json } = await as(await without('storage.objects.list'), `/b/${bucket}/iam/testPermissions?${query}`)
    expect(json['permissions']).toEqual(['storage.objects.get'])
  })
})

describe('an ACL', () => {
  const entities = ({ json }: Answer): readonly unknown[] =>
    (json['items'] as readonly Resource[]).map((item) => [item['entity'], item['role']])

  it('grants, changes and takes back', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const path = `/b/${bucket}/o/a/acl`
    expect(entities(await api.ask(path))).toContainEqual(['project-viewers-123456789012', 'READER'])
    const made = await api.ask(path, { method: 'POST', body: { entity: 'user-x@example.com', role: 'READER' } })
    expect(made.json).toMatchObject({ entity: 'user-x@example.com', role: 'READER', email: 'x@example.com', object: 'a', bucket })
    const one = `${path}/${encodeURIComponent('user-x@example.com')}`
    expect((await api.ask(one, { method: 'PATCH', body: { role: 'OWNER' } })).json['role']).toBe('OWNER')
    expect((await api.ask(one, { method: 'DELETE' })).status).toBe(204)
    expect([(await api.ask(one)).status, (await api.object(bucket, 'a')).json['metageneration']]).toEqual([404, '4'])
  })

  it('makes an object public, and private again', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    const anonymous = async (): Promise<number> => (await as(undefined, `/b/${bucket}/o/a?alt=media`)).status
    expect(await anonymous()).toBe(401)
    await api.ask(`/b/${bucket}/o/a/acl`, { method: 'POST', body: { entity: 'allUsers', role: 'READER' } })
    expect([await anonymous(), await (await fetch(`${api.server.origin}/${bucket}/a`)).text()]).toEqual([200, 'hello'])
    await api.ask(`/b/${bucket}/o/a?predefinedAcl=private`, { method: 'PATCH', body: {} })
    expect([await anonymous(), entities(await api.ask(`/b/${bucket}/o/a/acl`)).length]).toEqual([401, 1])
  })

  it.each(['authenticatedRead', 'bucketOwnerFullControl', 'bucketOwnerRead', 'private', 'projectPrivate', 'publicRead'])(
    'can be predefined: %s',
    async (predefined) => {
      const bucket = await api.bucket()
      const { status } = await api.put(bucket, 'a', 'x', `&predefinedAcl=${predefined}`)
      const { json } = await api.object(bucket, 'a', '?projection=full')
      const acl = json['acl'] as readonly Resource[]
      expect([status, acl.some(({ entity }) => entity === 'allUsers')]).toEqual([200, predefined === 'publicRead'])
    },
  )

  it('is refused where it makes no sense', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const path = `/b/${bucket}/o/a/acl`
    for (const body of [
      { role: 'READER' },
      { entity: 'allUsers' },
      { entity: 'allUsers', role: 'KING' },
      { entity: 'someone', role: 'READER' },
    ]) {
      expect((await api.ask(path, { method: 'POST', body })).status).toBe(400)
    }
    expect((await api.put(bucket, 'b', 'x', '&predefinedAcl=everyone')).status).toBe(400)
  })

  it('of a bucket gives new objects theirs', async () => {
    const bucket = await api.bucket()
    await api.ask(`/b/${bucket}/defaultObjectAcl`, { method: 'POST', body: { entity: 'allUsers', role: 'READER' } })
    await api.put(bucket, 'a')
    expect((await fetch(`${api.server.origin}/${bucket}/a`)).status).toBe(200)
  })
})

describe('where access is uniform', () => {
  const uniform = { iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } }

  it('every ACL is refused', async () => {
    const bucket = await api.bucket(uniform)
    await api.put(bucket, 'a')
    const answers = [
      await api.ask(`/b/${bucket}/o/a/acl`),
      await api.ask(`/b/${bucket}/o/a/acl`, { method: 'POST', body: { entity: 'allUsers', role: 'READER' } }),
      await api.put(bucket, 'b', 'x', '&predefinedAcl=publicRead'),
      await api.ask(`/b/${bucket}/o/a?predefinedAcl=publicRead`, { method: 'PATCH', body: {} }),
      await api.ask(`/b/${bucket}/acl`),
    ]
    for (const answer of answers)
      expect([answer.status, reasonOf(answer), answer.text]).toEqual([
        400,
        'invalid',
        expect.stringContaining('uniform bucket-level access'),
      ])
    const { json } = await api.object(bucket, 'a', '?projection=full')
    expect([json['acl'], (await api.object(bucket, 'b')).status]).toEqual([undefined, 404])
  })

  it('a policy makes its objects public', async () => {
    const bucket = await api.bucket(uniform)
    await api.put(bucket, 'a')
    const { json } = await api.ask(`/b/${bucket}/iam`)
    const bindings = [{ role: 'roles/storage.objectViewer', members: ['allUsers'] }]
    const policy = { bindings, etag: json['etag'] }
    expect((await api.ask(`/b/${bucket}/iam`, { method: 'PUT', body: policy })).json['bindings']).toEqual(bindings)
    expect((await fetch(`${api.server.origin}/${bucket}/a`)).status).toBe(200)
    expect((await api.ask(`/b/${bucket}/iam`, { method: 'PUT', body: policy })).status).toBe(412)
  })
})

describe('where public access is prevented', () => {
  it('nothing becomes public', async () => {
    const bucket = await api.bucket({ iamConfiguration: { publicAccessPrevention: 'enforced' } })
    expect((await api.put(bucket, 'a', 'x', '&predefinedAcl=publicRead')).status).toBe(412)
    await api.put(bucket, 'a')
    expect((await api.ask(`/b/${bucket}/o/a/acl`, { method: 'POST', body: { entity: 'allUsers', role: 'READER' } })).status).toBe(412)
    const bindings = [{ role: 'roles/storage.objectViewer', members: ['allUsers'] }]
    expect((await api.ask(`/b/${bucket}/iam`, { method: 'PUT', body: { bindings } })).status).toBe(412)
    expect((await fetch(`${api.server.origin}/${bucket}/a`)).status).toBe(401)
  })
})
