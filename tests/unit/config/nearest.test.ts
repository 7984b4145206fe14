import { describe, expect, it } from '@jest/globals'
import { didYouMean, nearest } from '../../../src/config/nearest.ts'

const WORDS = ['bucket', 'region', 'root', 'readOnly', 'maxConcurrency', 'url']

describe('the nearest word', () => {
  it.each([
    ['buket', 'bucket'],
    ['bukcet', 'bucket'],
    ['Bucket', 'bucket'],
    ['readonly', 'readOnly'],
    ['rot', 'root'],
    ['URL', 'url'],
    ['maxConcurency', 'maxConcurrency'],
    ['max_concurrency', 'maxConcurrency'],
    ['regions', 'region'],
  ])('to %j is %j', (word, expected) => {
    expect(nearest(word, WORDS)).toBe(expected)
  })

  it.each(['password', 'x', '', 'b'.repeat(10_000)])('is none for a word that nothing is near to', (word) => {
    expect(nearest(word, WORDS)).toBeUndefined()
    expect(didYouMean(word, WORDS)).toBe('')
  })

  it('is a question', () => {
    expect(didYouMean('buket', WORDS)).toBe(', did you mean "bucket"?')
  })
})
