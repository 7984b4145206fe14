/** Objects after they were stored: metadata, versions, holds, copies and compositions. */
import { describe, expect, it } from '@jest/globals'
import { apiClient, reasonOf, type Resource } from './api-client.ts'

const api = apiClient()

describe('metadata', () => {
  it('is merged by PATCH: null removes a field or a key', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const patch = async (body: object): Promise<Resource> => (await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body })).json
    await patch({ metadata: { a: '1', b: '2' }, cacheControl: 'no-cache', contentDisposition: 'inline' })
    const { metadata, cacheControl, contentDisposition, contentType, metageneration } = await patch({
      metadata: { a: null, c: '3' },
      cacheControl: null,
    })
    expect([metadata, cacheControl, contentDisposition, contentType, metageneration]).toEqual([
      { b: '2', c: '3' },
      undefined,
      'inline',
      'text/plain',
      '3',
    ])
    expect((await patch({ metadata: null }))['metadata']).toBeUndefined()
  })

  it('is replaced by PUT', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { metadata: { a: '1' }, cacheControl: 'no-cache' } })
    const { json } = await api.ask(`/b/${bucket}/o/a`, { method: 'PUT', body: { contentType: 'a/b' } })
    expect([json['contentType'], json['metadata'], json['cacheControl']]).toEqual(['a/b', undefined, undefined])
  })

  it('cannot change what the server says', async () => {
    const bucket = await api.bucket()
    const { json: before } = await api.put(bucket, 'a')
    const lies = { size: '99', crc32c: 'AAAAAA==', generation: '1', name: 'b', md5Hash: 'x', timeCreated: 'never', storageClass: 'ARCHIVE' }
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: lies })
    const { updated: _u, etag: _e, metageneration: _m, ...same } = before
    expect((await api.object(bucket, 'a')).json).toMatchObject(same)
  })

  it('of a missing object is 404, in the words of Google', async () => {
    const bucket = await api.bucket()
    const message = `No such object: ${bucket}/a`
    const error = { code: 404, message, errors: [{ message, domain: 'global', reason: 'notFound' }] }
    expect((await api.object(bucket, 'a')).json).toEqual({ error })
    expect((await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: {} })).json).toEqual({ error })
    expect((await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' })).json).toEqual({ error })
  })
})

describe('generations', () => {
  it('grow with every write', async () => {
    const bucket = await api.bucket()
    const generations: number[] = []
    for (let turn = 0; turn < 20; turn++) generations.push(Number((await api.put(bucket, 'a')).json['generation']))
    expect(generations).toEqual([...new Set(generations)].toSorted((a, b) => a - b))
    expect((await api.object(bucket, 'a', `?generation=${generations[0]}`)).status).toBe(404)
  })

  it('stay readable where the bucket keeps versions', async () => {
    const bucket = await api.bucket({ versioning: { enabled: true } })
    const old = String((await api.put(bucket, 'a', 'old')).json['generation'])
    await api.put(bucket, 'a', 'new')
    expect((await api.object(bucket, 'a', `?alt=media&generation=${old}`)).text).toBe('old')
    await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' })
    expect([(await api.object(bucket, 'a')).status, (await api.object(bucket, 'a', `?generation=${old}`)).status]).toEqual([404, 200])
    await api.ask(`/b/${bucket}/o/a/copyTo/b/${bucket}/o/a?sourceGeneration=${old}`, { method: 'POST' })
    expect(await api.content(bucket, 'a')).toBe('old')
    await api.ask(`/b/${bucket}/o/a?generation=${old}`, { method: 'DELETE' })
    expect([(await api.object(bucket, 'a', `?generation=${old}`)).status, await api.content(bucket, 'a')]).toEqual([404, 'old'])
  })
})

describe('an object that is held', () => {
  it.each(['temporaryHold', 'eventBasedHold'])('by %s can be neither deleted nor replaced, and its metadata can change', async (hold) => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'old')
    const set = async (value: boolean): Promise<number> =>
      (await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { [hold]: value } })).status
    expect(await set(true)).toBe(200)
    const refused = await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' })
    expect([refused.status, reasonOf(refused), (await api.put(bucket, 'a', 'new')).status]).toEqual([403, 'forbidden', 403])
    expect([await set(false), await api.content(bucket, 'a'), (await api.put(bucket, 'a', 'new')).status]).toEqual([200, 'old', 200])
  })

  it('by a retention policy is held until its time has come', async () => {
    const bucket = await api.bucket({ retentionPolicy: { retentionPeriod: '3600' } })
    await api.put(bucket, 'a')
    expect(reasonOf(await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' }))).toBe('retentionPolicyNotMet')
    await api.server.controls.advance({ ms: 3601 * 1000 })
    expect((await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' })).status).toBe(204)
  })
})

describe.each(['copyTo', 'rewriteTo'])('%s', (method) => {
  const copy = async (bucket: string, rest: string, body: object = {}): Promise<Resource> => {
    const { json } = await api.ask(`/b/${bucket}/o/a/${method}/b/${rest}`, { method: 'POST', body })
    return (method === 'copyTo' ? json : (json['resource'] ?? json)) as Resource
  }

  it('keeps the settings, and the sums', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { metadata: { k: 'v' }, cacheControl: 'no-cache' } })
    const made = await copy(bucket, `${bucket}/o/b`)
    expect(made).toMatchObject({
      name: 'b',
      contentType: 'text/plain',
      metadata: { k: 'v' },
      cacheControl: 'no-cache',
      md5Hash: 'XUFAKrxLKna5cZ2REBfFkg==',
    })
    expect([made['metageneration'], await api.content(bucket, 'b')]).toEqual(['1', 'hello'])
  })

  it('takes the settings that it is given in place of all of the source', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello')
    await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { metadata: { k: 'v' }, cacheControl: 'no-cache' } })
    const made = await copy(bucket, `${bucket}/o/b`, { metadata: { n: 'w' }, contentType: 'a/b' })
    expect([made['metadata'], made['contentType'], made['cacheControl']]).toEqual([{ n: 'w' }, 'a/b', undefined])
  })

  it('goes to another bucket, class and ACL, and onto itself', async () => {
    const [bucket, other] = [await api.bucket(), await api.bucket({ storageClass: 'NEARLINE' })]
    await api.put(bucket, 'a', 'hello')
    expect(await copy(bucket, `${other}/o/b`)).toMatchObject({ bucket: other, storageClass: 'STANDARD' })
    expect(await copy(bucket, `${bucket}/o/a`, { storageClass: 'COLDLINE' })).toMatchObject({
      storageClass: 'COLDLINE',
      contentType: 'text/plain',
    })
    await copy(bucket, `${bucket}/o/public?destinationPredefinedAcl=publicRead`)
    expect((await fetch(`${api.server.origin}/${bucket}/public`)).status).toBe(200)
  })

  it('is 404 for a missing source or bucket', async () => {
    const bucket = await api.bucket()
    expect((await api.ask(`/b/${bucket}/o/a/${method}/b/${bucket}/o/b`, { method: 'POST' })).status).toBe(404)
    await api.put(bucket, 'a')
    expect((await api.ask(`/b/${bucket}/o/a/${method}/b/no-such-bucket/o/b`, { method: 'POST' })).status).toBe(404)
  })
})

describe('a rewrite in parts', () => {
  it('is there when all of it is through', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'x'.repeat(2 * 1024 * 1024 + 1))
    const path = `/b/${bucket}/o/a/rewriteTo/b/${bucket}/o/b?maxBytesRewrittenPerCall=1048576`
    let token = ''
    const written: unknown[] = []
    for (let done = false; !done; ) {
      const { json } = await api.ask(`${path}${token}`, { method: 'POST' })
      done = json['done'] === true
      token = `&rewriteToken=${String(json['rewriteToken'])}`
      written.push([json['totalBytesRewritten'], (await api.object(bucket, 'b')).status])
    }
    expect(written).toEqual([
      ['1048576', 404],
      ['2097152', 404],
      ['2097153', 200],
    ])
  })

  it('refuses tokens of others, and parts that are no whole MiB', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a')
    const path = `/b/${bucket}/o/a/rewriteTo/b/${bucket}/o/b`
    expect((await api.ask(`${path}?rewriteToken=x`, { method: 'POST' })).status).toBe(400)
    expect((await api.ask(`${path}?maxBytesRewrittenPerCall=5`, { method: 'POST' })).status).toBe(400)
  })
})

describe('a move', () => {
  it('takes an object with all it has to another name', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hello', '&predefinedAcl=publicRead')
    const { json } = await api.ask(`/b/${bucket}/o/a/moveTo/o/d%2Fb`, { method: 'POST' })
    expect([json['name'], json['contentType'], await api.content(bucket, 'd/b')]).toEqual(['d/b', 'text/plain', 'hello'])
    expect((await api.object(bucket, 'a')).status).toBe(404)
    expect((await fetch(`${api.server.origin}/${bucket}/d/b`)).status).toBe(200)
  })

  it('moves nothing when a precondition does not hold', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'one')
    await api.put(bucket, 'b', 'two')
    expect((await api.ask(`/b/${bucket}/o/a/moveTo/o/b?ifGenerationMatch=0`, { method: 'POST' })).status).toBe(412)
    expect((await api.ask(`/b/${bucket}/o/a/moveTo/o/c?ifSourceGenerationMatch=1`, { method: 'POST' })).status).toBe(412)
    expect([await api.content(bucket, 'a'), await api.content(bucket, 'b')]).toEqual(['one', 'two'])
  })
})

describe('a composition', () => {
  const compose = async (bucket: string, names: readonly string[], rest: object = {}) =>
    await api.ask(`/b/${bucket}/o/c/compose`, { method: 'POST', body: { sourceObjects: names.map((name) => ({ name })), ...rest } })

  it('is its sources one after the other, with the sum of the whole and no MD5', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'hel')
    await api.put(bucket, 'b', 'lo')
    const { json } = await compose(bucket, ['a', 'b'], { destination: { contentType: 'a/b', metadata: { k: 'v' } } })
    expect(json).toMatchObject({ crc32c: 'mnG7TA==', size: '5', componentCount: 2, contentType: 'a/b', metadata: { k: 'v' } })
    expect([json['md5Hash'], await api.content(bucket, 'c')]).toEqual([undefined, 'hello'])
    expect((await compose(bucket, ['c', 'a', 'c'])).json).toMatchObject({ componentCount: 5, size: '13' })
    await api.ask(`/b/${bucket}/o/a`, { method: 'DELETE' })
    expect(await api.content(bucket, 'c')).toBe('hellohelhello')
  })

  it('has at least one source and 32 at most, and all of them exist', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'x')
    const many = Array.from({ length: 33 }, () => 'a')
    const answers = [
      await compose(bucket, []),
      await compose(bucket, many),
      await compose(bucket, many.slice(1)),
      await compose(bucket, ['a', 'no']),
    ]
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 200, 404])
  })

  it('keeps to the precondition of its target', async () => {
    const bucket = await api.bucket()
    await api.put(bucket, 'a', 'x')
    const target = async (generation: string): Promise<number> => {
      const path = `/b/${bucket}/o/a/compose?ifGenerationMatch=${generation}`
      return (await api.ask(path, { method: 'POST', body: { sourceObjects: [{ name: 'a' }, { name: 'a' }] } })).status
    }
    expect([await target('0'), await target(String((await api.object(bucket, 'a')).json['generation']))]).toEqual([412, 200])
    expect(await api.content(bucket, 'a')).toBe('xx')
  })
})
