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
})
