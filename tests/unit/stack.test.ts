import { describe, expect, it } from '@jest/globals'
import type { Driver } from '../../src/driver.ts'
import { closeStack, findLayer, layersOf } from '../../src/stack.ts'
import { stub } from '../support/stubs.ts'

const closed: string[] = []

function layer(kind: string, ...inner: Driver[]): Driver {
  return stub({ kind, inner, close: async () => void closed.push(kind) })
}

describe('a stack of drivers', () => {
  it('is walked level by level, each layer once', () => {
    const leaf = layer('leaf')
    const stack = layer('top', layer('left', leaf), layer('right', layer('deep', leaf)))
    expect(Array.from(layersOf(stack), ({ kind }) => kind)).toEqual(['top', 'left', 'right', 'leaf', 'deep'])
    expect(findLayer(stack, ({ kind }) => kind === 'leaf')).toBe(leaf)
    expect(findLayer(stack, () => false)).toBeUndefined()
  })

  it('is closed outermost first, each layer once and after all that stand on it', async () => {
    closed.length = 0
    const leaf = layer('leaf')
    await closeStack(layer('top', leaf, layer('middle', layer('deep', leaf))))
    expect(closed).toEqual(['top', 'middle', 'deep', 'leaf'])
  })

  it('leaves open what is shared, and what that stands on', async () => {
    closed.length = 0
    const shared = layer('shared', layer('leaf'))
    await closeStack(layer('top', layer('own', shared), layer('other')), shared)
    expect(closed).toEqual(['top', 'own', 'other'])
  })

  it('tries every layer, and rejects with the first failure', async () => {
    closed.length = 0
    const failing = stub({ kind: 'failing', inner: [layer('leaf')], close: () => Promise.reject(new Error('first')) })
    await expect(closeStack(layer('top', failing))).rejects.toThrow('first')
    expect(closed).toEqual(['top', 'leaf'])
  })
})
