/** Every precondition, on every kind of method: met, not met, and on what does not exist. */
import { describe, expect, it } from '@jest/globals'
import { apiClient, reasonOf } from './api-client.ts'

const api = apiClient()

/** A bucket with one object of metageneration 2. */
async function prepared(): Promise<{ readonly bucket: string; readonly generation: string }> {
  const bucket = await api.bucket()
  await api.put(bucket, 'a', 'one')
  const { json } = await api.ask(`/b/${bucket}/o/a`, { method: 'PATCH', body: { metadata: { k: 'v' } } })
  return { bucket, generation: String(json['generation']) }
}

const MET = [
  'ifGenerationMatch=G',
  'ifGenerationNotMatch=1',
  'ifGenerationNotMatch=0',
  'ifMetagenerationMatch=2',
  'ifMetagenerationNotMatch=1',
]
const NOT_MATCHED = ['ifGenerationMatch=1', 'ifGenerationMatch=0', 'ifMetagenerationMatch=1']
const MATCHED = ['ifGenerationNotMatch=G', 'ifMetagenerationNotMatch=2']

type Method = (bucket: string, query: string) => Promise<number>

const READS: readonly (readonly [string, Method])[] = [
  ['get', async (bucket, query) => (await api.object(bucket, 'a', `?${query}`)).status],
  ['download', async (bucket, query) => (await api.object(bucket, 'a', `?alt=media&${query}`)).status],
]

const CHANGES: readonly (readonly [string, Method])[] = [
  ['insert', async (bucket, query) => (await api.put(bucket, 'a', 'two', `&${query}`)).status],
  ['patch', async (bucket, query) => (await api.ask(`/b/${bucket}/o/a?${query}`, { method: 'PATCH', body: {} })).status],
  ['update', async (bucket, query) => (await api.ask(`/b/${bucket}/o/a?${query}`, { method: 'PUT', body: {} })).status],
  ['copy onto it', async (bucket, query) => (await api.ask(`/b/${bucket}/o/a/copyTo/b/${bucket}/o/a?${query}`, { method: 'POST' })).status],
  [
    'rewrite onto it',
    async (bucket, query) => (await api.ask(`/b/${bucket}/o/a/rewriteTo/b/${bucket}/o/a?${query}`, { method: 'POST' })).status,
  ],
  ['delete', async (bucket, query) => (await api.ask(`/b/${bucket}/o/a?${query}`, { method: 'DELETE' })).status],
]

describe.each(READS)('a %s', (_name, method) => {
  it.each(MET)('answers with %s', async (query) => {
    const { bucket, generation } = await prepared()
    expect(await method(bucket, query.replace('G', generation))).toBe(200)
  })

  it.each(NOT_MATCHED)('is 412 with %s', async (query) => {
    const { bucket } = await prepared()
    expect(await method(bucket, query)).toBe(412)
  })

  it.each(MATCHED)('is 304 with %s', async (query) => {
    const { bucket, generation } = await prepared()
    expect(await method(bucket, query.replace(/G$/, generation))).toBe(304)
  })
})

describe.each(CHANGES.slice(0, -1))('%s', (_name, method) => {
  it.each(MET)('is done with %s', async (query) => {
    const { bucket, generation } = await prepared()
    expect(await method(bucket, query.replace(/G$/, generation))).toBe(200)
  })

  it.each([...NOT_MATCHED, ...MATCHED])('is 412 with %s, and changes nothing', async (query) => {
    const { bucket, generation } = await prepared()
    expect(await method(bucket, query.replace(/G$/, generation))).toBe(412)
    expect((await api.object(bucket, 'a')).json).toMatchObject({ generation, metageneration: '2' })
  })
})

describe('delete', () => {
  it('keeps to them as well', async () => {
    const { bucket, generation } = await prepared()
    for (const query of [...NOT_MATCHED, ...MATCHED]) {
      const answer = await api.ask(`/b/${bucket}/o/a?${query.replace(/G$/, generation)}`, { method: 'DELETE' })
      expect([query, answer.status, reasonOf(answer)]).toEqual([query, 412, 'conditionNotMet'])
    }
    const done = await api.ask(`/b/${bucket}/o/a?ifGenerationMatch=${generation}`, { method: 'DELETE' })
    expect([done.status, (await api.object(bucket, 'a')).status]).toEqual([204, 404])
  })
})

describe('on what does not exist', () => {
  it('`ifGenerationMatch=0` lets an upload through once, and every NotMatch fails', async () => {
    const bucket = await api.bucket()
    const statuses = await Promise.all(
      ['1', '2', '3', '4'].map(async (text) => (await api.put(bucket, 'a', text, '&ifGenerationMatch=0')).status),
    )
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 412, 412, 412])
    for (const query of ['ifGenerationNotMatch=0', 'ifGenerationNotMatch=7', 'ifMetagenerationNotMatch=1', 'ifMetagenerationMatch=1']) {
      expect((await api.put(bucket, 'b', 'x', `&${query}`)).status).toBe(412)
    }
  })

  it.each(CHANGES.slice(1).concat(READS))('%s is 404', async (_name, method) => {
    expect(await method(await api.bucket(), 'ifGenerationMatch=7')).toBe(404)
  })
})

describe('of the source of a copy', () => {
  it.each(['copyTo', 'rewriteTo'])('hold for %s', async (method) => {
    const { bucket, generation } = await prepared()
    const copy = async (query: string): Promise<number> =>
      (await api.ask(`/b/${bucket}/o/a/${method}/b/${bucket}/o/b?${query}`, { method: 'POST' })).status
    for (const query of [`ifSourceGenerationMatch=${generation}`, 'ifSourceGenerationNotMatch=1', 'ifSourceMetagenerationMatch=2']) {
      expect([query, await copy(query)]).toEqual([query, 200])
    }
    for (const query of ['ifSourceGenerationMatch=1', `ifSourceGenerationNotMatch=${generation}`, 'ifSourceMetagenerationNotMatch=2']) {
      expect([query, await copy(query)]).toEqual([query, 412])
    }
  })

  it('hold for each source of a composition', async () => {
    const { bucket, generation } = await prepared()
    const compose = async (ifGenerationMatch: string): Promise<number> => {
      const sourceObjects = [{ name: 'a', objectPreconditions: { ifGenerationMatch } }]
      return (await api.ask(`/b/${bucket}/o/b/compose`, { method: 'POST', body: { sourceObjects } })).status
    }
    expect([await compose('1'), await compose(generation)]).toEqual([412, 200])
  })
})

describe('a precondition', () => {
  it('has to be a number', async () => {
    const { bucket } = await prepared()
    const answer = await api.object(bucket, 'a', '?ifGenerationMatch=abc')
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'invalidParameter'])
  })

  it('may be an entity tag, too', async () => {
    const { bucket } = await prepared()
    const etag = String((await api.object(bucket, 'a')).json['etag'])
    const ask = async (headers: Readonly<Record<string, string>>): Promise<number> =>
      (await api.ask(`/b/${bucket}/o/a?alt=media`, { headers })).status
    expect([await ask({ 'if-match': etag }), await ask({ 'if-match': 'x' }), await ask({ 'if-none-match': etag })]).toEqual([200, 412, 304])
  })

  it('of a bucket is judged by its metageneration', async () => {
    const bucket = await api.bucket()
    const patch = async (query: string): Promise<number> => (await api.ask(`/b/${bucket}?${query}`, { method: 'PATCH', body: {} })).status
    expect([await patch('ifMetagenerationMatch=9'), await patch('ifMetagenerationMatch=1')]).toEqual([412, 200])
    expect((await api.ask(`/b/${bucket}?ifMetagenerationNotMatch=2`)).status).toBe(304)
    expect((await api.ask(`/b/${bucket}?ifMetagenerationMatch=1`, { method: 'DELETE' })).status).toBe(412)
  })
})
