/** Numbers that look like chance, the same ones for the same seed. */

/** From 0 to below 1. Mulberry32, by Tommy Ettinger; public domain. */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One of them, each as likely as its weight says. */
export function pick<T>(random: () => number, weighted: readonly (readonly [value: T, weight: number])[]): T {
  let rest = random() * weighted.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [value, weight] of weighted) if ((rest -= weight) < 0) return value
  throw new Error('nothing to pick from')
}
