import { describe, expect, it } from '@jest/globals'
import { toContent } from '../../src/content.ts'
import { rewrite } from '../../src/rewrite.ts'
import { recorded } from '../support/recorded.ts'

describe('rewriting', () => {
  it('gives up soon where a directory, or a file above, is in the way', async () => {
    const store = recorded()
    await store.memory.write('photos/a.txt', toContent('x'), {})
    for (const path of ['photos', 'photos/a.txt/b.txt']) {
      store.calls.length = 0
      const addition = { driver: store, path, side: 'append', separator: '' } as const
      await expect(rewrite(addition, toContent('y'), {})).rejects.toMatchObject({ code: 'already_exists' })
      expect(store.calls.filter((call) => call.startsWith('write'))).toHaveLength(3)
    }
    expect([...store.memory.files.keys()]).toEqual(['photos/a.txt'])
  })

  it('goes on after a race that it lost to who made the file', async () => {
    const store = recorded()
    let reads = 0
    const read: typeof store.read = async (path, options) => {
      if (reads++ > 0) return store.read(path, options)
      const missing = store.read(path, options)
      await missing.catch(() => store.memory.write(path, toContent('first'), {}))
      return missing
    }
    await rewrite({ driver: { ...store, read }, path: 'a.txt', side: 'append', separator: ', ' }, toContent('second'), {})
    expect(Buffer.from(store.memory.files.get('a.txt')?.bytes ?? []).toString()).toBe('first, second')
  })

  it('asks for the visibility of a file whose facts leave it out, and keeps it', async () => {
    const store = recorded()
    const read: typeof store.read = async (path, options) => {
      const { stat, body } = await store.read(path, options)
      return { stat: { ...stat, visibility: undefined }, body }
    }
    const addition = { driver: { ...store, read }, path: 'a.txt', side: 'append', separator: '' } as const
    for (const [visibility, ofDisk] of [
      ['public', 'private'],
      ['private', 'public'],
    ] as const) {
      await store.memory.write('a.txt', toContent('x'), { visibility })
      await rewrite(addition, toContent('y'), { visibility: ofDisk })
      expect(await store.visibility?.get('a.txt', {})).toBe(visibility)
    }
  })

  it('goes on after a race that it lost to who deleted the file before its visibility was told', async () => {
    const store = recorded()
    await store.memory.write('a.txt', toContent('x'), {})
    const read: typeof store.read = async (path, options) => {
      const { stat, body } = await store.read(path, options)
      await store.memory.delete([path], {})
      return { stat: { ...stat, visibility: undefined }, body }
    }
    await rewrite({ driver: { ...store, read }, path: 'a.txt', side: 'append', separator: '' }, toContent('y'), {})
    expect(Buffer.from(store.memory.files.get('a.txt')?.bytes ?? []).toString()).toBe('y')
  })
})
