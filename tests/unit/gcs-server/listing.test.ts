/** Listings: order, prefixes, pages, offsets, patterns, versions and partial answers. */
import { describe, expect, it } from '@jest/globals'
import { matchesGlob } from '../../support/gcs-server/glob.ts'
import { compareNames } from '../../support/gcs-server/model.ts'
import { apiClient, reasonOf, type Resource } from './api-client.ts'

const api = apiClient()

async function filled(...names: readonly string[]): Promise<string> {
  const bucket = await api.bucket()
  for (const name of names) await api.put(bucket, name)
  return bucket
}

interface Listed {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
  readonly next: string | undefined
}

async function list(bucket: string, query = ''): Promise<Listed> {
  const { json, status, text } = await api.ask(`/b/${bucket}/o?${query}`)
  if (status !== 200) throw new Error(text)
  const items = (json['items'] ?? []) as readonly Resource[]
  const names = items.map((item) => String(item['name']))
  return { names, prefixes: (json['prefixes'] ?? []) as readonly string[], next: json['nextPageToken'] as string | undefined }
}

/** Page by page, with the sizes of the pages. */
async function pages(bucket: string, query: string): Promise<readonly Listed[]> {
  const found: Listed[] = []
  let token = ''
  do {
    const page = await list(bucket, `${query}&pageToken=${encodeURIComponent(token)}`)
    found.push(page)
    token = page.next ?? ''
  } while (token !== '')
  return found
}

describe('a listing', () => {
  it('is in the order of the bytes of UTF-8', async () => {
    const names = ['Z', 'a', 'a!', 'a/b', 'a0', 'é', '\ufffd', '\u{1f600}']
    const bucket = await filled(...names.toReversed())
    expect((await list(bucket)).names).toEqual(names)
    expect(names.toSorted(compareNames)).toEqual(names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  })

  it('of nothing has no items', async () => {
    expect((await api.ask(`/b/${await api.bucket()}/o`)).json).toEqual({ kind: 'storage#objects' })
  })

  it('folds what is behind the delimiter', async () => {
    const bucket = await filled('a', 'd/1', 'd/2', 'd/e/3', 'd0', 'x/')
    expect(await list(bucket, 'delimiter=/')).toMatchObject({ names: ['a', 'd0'], prefixes: ['d/', 'x/'] })
    expect(await list(bucket, 'delimiter=/&prefix=d/')).toMatchObject({ names: ['d/1', 'd/2'], prefixes: ['d/e/'] })
    expect(await list(bucket, 'delimiter=/&prefix=d')).toMatchObject({ names: ['d0'], prefixes: ['d/'] })
    expect(await list(bucket, 'delimiter=/&includeTrailingDelimiter=true')).toMatchObject({
      names: ['a', 'd0', 'x/'],
      prefixes: ['d/', 'x/'],
    })
  })

  it('takes any delimiter', async () => {
    expect(await list(await filled('a--b--c', 'a-d'), 'delimiter=--')).toMatchObject({ names: ['a-d'], prefixes: ['a--'] })
  })

  it.each(['', 'delimiter=/'])('in pages has everything once, prefixes counted: %j', async (query) => {
    const names = ['a/1', 'a/2', 'b', 'c/1', 'c/2', 'c/3', 'd', 'e/', 'f']
    const bucket = await filled(...names)
    const whole = await list(bucket, query)
    for (const size of [1, 2, 3]) {
      const found = await pages(bucket, `${query}&maxResults=${size}`)
      expect(found.flatMap((page) => page.names)).toEqual(whole.names)
      expect(found.flatMap((page) => page.prefixes)).toEqual(whole.prefixes)
      expect(Math.max(...found.map((page) => page.names.length + page.prefixes.length))).toBe(size)
    }
  })

  it('goes on where it was while names come and go', async () => {
    const bucket = await filled('a', 'b', 'c', 'd')
    const { next } = await list(bucket, 'maxResults=2')
    await api.ask(`/b/${bucket}/o/b`, { method: 'DELETE' })
    await api.put(bucket, 'aa')
    await api.put(bucket, 'bb')
    expect((await list(bucket, `pageToken=${next ?? ''}`)).names).toEqual(['bb', 'c', 'd'])
  })

  it('has a thousand at most', async () => {
    const bucket = await api.bucket()
    const names = Array.from({ length: 1001 }, (_, at) => String(at).padStart(4, '0'))
    for (let at = 0; at < names.length; at += 50) await Promise.all(names.slice(at, at + 50).map((name) => api.put(bucket, name, '')))
    const found = await pages(bucket, 'maxResults=5000&fields=items/name,nextPageToken')
    expect(found.map((page) => page.names.length)).toEqual([1000, 1])
    expect(found.flatMap((page) => page.names)).toEqual(names)
  })

  it('begins at startOffset and ends before endOffset', async () => {
    const bucket = await filled('a', 'b', 'b/1', 'c', 'd')
    expect((await list(bucket, 'startOffset=b&endOffset=c')).names).toEqual(['b', 'b/1'])
    expect((await list(bucket, 'startOffset=b/')).names).toEqual(['b/1', 'c', 'd'])
  })

  it('keeps what a pattern matches', async () => {
    const bucket = await filled('a.txt', 'b.md', 'd/a.txt', 'd/e/a.txt')
    expect((await list(bucket, `matchGlob=${encodeURIComponent('*.txt')}`)).names).toEqual(['a.txt'])
    expect((await list(bucket, `matchGlob=${encodeURIComponent('**.txt')}`)).names).toEqual(['a.txt', 'd/a.txt', 'd/e/a.txt'])
    expect(await list(bucket, `matchGlob=${encodeURIComponent('**.txt')}&delimiter=/`)).toMatchObject({
      names: ['a.txt'],
      prefixes: ['d/'],
    })
  })

  it('shows old versions when it is asked to', async () => {
    const bucket = await api.bucket({ versioning: { enabled: true } })
    for (const text of ['1', '2', '3']) await api.put(bucket, 'a', text)
    await api.put(bucket, 'b')
    await api.ask(`/b/${bucket}/o/b`, { method: 'DELETE' })
    expect((await list(bucket)).names).toEqual(['a'])
    expect((await list(bucket, 'versions=true')).names).toEqual(['a', 'a', 'a', 'b'])
    expect((await pages(bucket, 'versions=true&maxResults=1')).map((page) => page.names)).toEqual([['a'], ['a'], ['a'], ['b']])
  })

  it('shows the fields it is asked for', async () => {
    const bucket = await filled('a', 'd/b')
    const { json } = await api.ask(`/b/${bucket}/o?delimiter=/&fields=items(name,size),prefixes`)
    expect(json).toEqual({ items: [{ name: 'a', size: '7' }], prefixes: ['d/'] })
    expect((await api.object(bucket, 'a', '?fields=name')).json).toEqual({ name: 'a' })
    expect((await api.object(bucket, 'a', '?fields=name(')).status).toBe(400)
  })

  it('refuses tokens that it did not give, and what it does not play', async () => {
    const bucket = await filled('a')
    expect((await api.ask(`/b/${bucket}/o?pageToken=none`)).status).toBe(400)
    expect(reasonOf(await api.ask(`/b/${bucket}/o?maxResults=-1`))).toBe('invalidParameter')
    expect((await api.ask(`/b/${bucket}/o?softDeleted=true`)).status).toBe(501)
    expect(reasonOf(await api.ask(`/b/no-such-bucket/o`))).toBe('notFound')
  })
})

describe('a pattern', () => {
  it.each([
    ['a?c', ['abc', 'aéc'], ['ac', 'a/c']],
    ['a*c', ['ac', 'abbc'], ['a/c', 'abd']],
    ['a**c', ['ac', 'a/b/c'], ['ab']],
    ['**/c', ['c', 'a/c', 'a/b/c'], ['ac']],
    ['a/**', ['a/', 'a/b/c'], ['a']],
    ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
    ['[!a]x', ['bx'], ['ax']],
    ['*.{jpg,png}', ['a.jpg', 'b.png'], ['a.gif', 'a/b.png']],
    ['a\\*', ['a*'], ['ab']],
    ['a.b', ['a.b'], ['axb']],
    ['a,b', ['a,b'], ['a']],
  ])('%s', (glob, matching, other) => {
    expect(matching.filter((name) => !matchesGlob(name, glob))).toEqual([])
    expect(other.filter((name) => matchesGlob(name, glob))).toEqual([])
  })

  it.each(['{a', 'a}', '[a'])('that nobody closes is refused: %s', (glob) => {
    expect(() => matchesGlob('a', glob)).toThrow('Invalid glob')
  })
})
