import { describe, expect, it } from '@jest/globals'
import { lazySetting } from '../../src/lazy-abilities.ts'
import { Lazy } from '../../src/lazy.ts'

/** Insides that are there once `arrive` is called, or the next time `fail` is not. */
function pending(): { lazy: Lazy<{ name: string }>; loads: () => number; arrive: () => void; fail: (error: Error) => void } {
  let loads = 0
  let settle = Promise.withResolvers<{ name: string }>()
  const lazy = new Lazy(() => {
    loads++
    settle = Promise.withResolvers()
    return settle.promise
  })
  return { lazy, loads: () => loads, arrive: () => settle.resolve({ name: `load ${loads}` }), fail: (error) => settle.reject(error) }
}

describe('lazy insides', () => {
  it('are loaded by the first use, once, however many wait', async () => {
    const { lazy, loads, arrive } = pending()
    expect(loads()).toBe(0)
    const begun: number[] = []
    const uses = [1, 2, 3].map((number) =>
      lazy.use(async ({ name }) => {
        begun.push(number)
        return name
      }),
    )
    expect([loads(), begun]).toEqual([1, []])
    arrive()
    expect(lazy.loaded).toBeUndefined()
    expect(await Promise.all(uses)).toEqual(['load 1', 'load 1', 'load 1'])
    expect(lazy.loaded).toEqual({ name: 'load 1' })
    expect([loads(), begun]).toEqual([1, [1, 2, 3]])
  })

  it('are used without waiting once they are there', async () => {
    const { lazy, arrive } = pending()
    const first = lazy.use(async () => undefined)
    arrive()
    await first
    let begun = false
    const second = lazy.use(async () => {
      begun = true
    })
    expect(begun).toBe(true)
    await second
  })

  it('are loaded again after a load that failed', async () => {
    const { lazy, loads, arrive, fail } = pending()
    const waiting = [lazy.use(async () => 'used'), lazy.use(async () => 'used')]
    fail(new Error('no such file'))
    expect(await Promise.allSettled(waiting)).toEqual(waiting.map(() => ({ status: 'rejected', reason: new Error('no such file') })))
    const again = lazy.use(async ({ name }) => name)
    arrive()
    expect(await again).toBe('load 2')
    expect(loads()).toBe(2)
  })

  it('hand on what a use rejects with, and stay', async () => {
    const { lazy, loads, arrive } = pending()
    const failing = lazy.use(async () => {
      throw new Error('refused')
    })
    arrive()
    await expect(failing).rejects.toThrow('refused')
    await expect(lazy.use(async ({ name }) => name)).resolves.toBe('load 1')
    expect(loads()).toBe(1)
  })

  describe('to be closed', () => {
    it('are not loaded for it', async () => {
      const { lazy, loads } = pending()
      let closed = false
      await lazy.ifUsed(() => {
        closed = true
      })
      expect([loads(), closed]).toEqual([0, false])
    })

    it('are waited for while they load, after the uses that wait', async () => {
      const { lazy, arrive } = pending()
      const order: string[] = []
      const using = lazy.use(async () => void order.push('use'))
      const closing = lazy.ifUsed(async () => void order.push('close'))
      arrive()
      await Promise.all([using, closing])
      expect(order).toEqual(['use', 'close'])
    })

    it('are forgotten when their load fails', async () => {
      const { lazy, fail } = pending()
      const using = lazy.use(async () => 'used')
      const closing = lazy.ifUsed(() => {
        throw new Error('there was nothing to close')
      })
      fail(new Error('no such file'))
      await expect(using).rejects.toThrow('no such file')
      await expect(closing).resolves.toBeUndefined()
    })
  })

  it('may be settings of buckets', async () => {
    const kept = new Map<string | undefined, string>()
    let loads = 0
    const lazy = new Lazy(async () => {
      loads++
      return {
        colour: {
          get: async (name?: string) => kept.get(name) ?? 'none',
          set: async (value: string, name?: string) => void kept.set(name, value),
        },
      }
    })
    const setting = lazySetting(lazy, ({ colour }) => colour)
    expect(loads).toBe(0)
    expect(await setting.get('b')).toBe('none')
    await setting.set('red', 'b')
    expect(await setting.get('b')).toBe('red')
    expect(loads).toBe(1)
  })
})
