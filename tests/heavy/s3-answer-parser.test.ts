/** The reading of answers that tests/unit/s3-lean compares with Node's for two seconds, for longer. */
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compare, right, wrong } from '../unit/s3-lean/random-answers.ts'

describe('an answer of any sort', () => {
  it('that is right means the same to us and to Node, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(right, async (sample) => expect(await compare(sample)).toBe('both')),
      { numRuns: 10_000 },
    )
  })

  it('that is damaged is refused where Node refuses it, and otherwise means the same, or has a reason to be refused', async () => {
    const counts = { both: 0, neither: 0, stricter: 0, misread: 0 }
    const property = fc.asyncProperty(wrong, async (sample) => {
      counts[await compare(sample)]++
    })
    await fc.assert(property, { numRuns: 40_000 })
    expect(Math.min(counts.both, counts.neither, counts.stricter)).toBeGreaterThan(200)
  })
})
