import { describe, expect, it } from '@jest/globals'
import { SlidingWindow, TokenBucket } from '../../../src/decorators/cdn/limits.ts'

describe('a token bucket', () => {
  it('holds its capacity, and gains by the second', () => {
    const bucket = new TokenBucket(10, 2)
    expect(bucket.waitMs(10, 1_000)).toBe(0)
    bucket.take(10, 1_000)
    expect(bucket.waitMs(1, 1_000)).toBe(500)
    expect(bucket.waitMs(4, 1_000)).toBe(2_000)
    expect(bucket.waitMs(11, 3_000)).toBe(Number.POSITIVE_INFINITY)
    expect(bucket.waitMs(4, 3_000)).toBe(0)
    bucket.take(4, 3_000)
    expect(bucket.waitMs(10, 60_000)).toBe(0)
    bucket.take(10, 60_000)
    expect(bucket.waitMs(1, 60_000)).toBe(500) // it never holds more
  })
})

describe('a sliding window', () => {
  it('lets no more through in any stretch of its length', () => {
    const window = new SlidingWindow(5, 1_000)
    const taken: number[] = []
    for (let now = 0; now < 5_000; now += 7) {
      if (window.waitMs(1, now) > 0) continue
      window.take(1, now)
      taken.push(now)
    }
    for (const start of taken) expect(taken.filter((at) => at >= start && at < start + 1_000).length).toBeLessThanOrEqual(5)
    expect(taken.length).toBeGreaterThanOrEqual(20)
  })

  it('says how long until what is asked for is free', () => {
    const window = new SlidingWindow(5, 1_000)
    window.take(3, 0)
    window.take(2, 400)
    expect(window.waitMs(3, 500)).toBe(500)
    expect(window.waitMs(4, 500)).toBe(900)
    expect(window.waitMs(6, 500)).toBe(Number.POSITIVE_INFINITY)
    expect(window.waitMs(4, 1_400)).toBe(0)
  })
})
