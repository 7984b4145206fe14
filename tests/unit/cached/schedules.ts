/**
 * The protocol of `cache-store.ts`, step by step in every order: writers (begin, origin, end) that may die after any step, and
 * readers that fill (prepare, origin, commit). At rest the cache has to be empty or hold what the origin holds.
 */
import type { CacheStore, Ticket } from '../../../src/decorators/cached/cache-store.ts'
import type { CacheEntry } from '../../../src/decorators/cached/entry.ts'

/** Which actor takes each step: '0' and '1' write, '2' and '3' read. */
export type Schedule = string

/** How many steps each actor takes, of three. */
export type Steps = readonly [number, number, number, number]

export const WHOLE: Steps = [3, 3, 3, 3]
/** All ways to die, but for those that only swap the two writers. */
export const DYING: readonly Steps[] = [
  [1, 3, 3, 3],
  [2, 3, 3, 3],
  [1, 1, 3, 3],
  [1, 2, 3, 3],
  [2, 2, 3, 3],
]

/** Every order, but for those that only swap two actors that do the same: the one with the lower number goes first. */
export function* schedules(steps: Steps, taken = '', left: readonly number[] = steps): Generator<Schedule> {
  if (left.every((count) => count === 0)) yield taken
  for (const [actor, count] of left.entries()) {
    if (count === 0 || isSwap(steps, taken, actor)) continue
    yield* schedules(
      steps,
      taken + actor,
      left.map((other, index) => (index === actor ? other - 1 : other)),
    )
  }
}

function isSwap(steps: Steps, taken: string, actor: number): boolean {
  return actor % 2 === 1 && steps[actor] === steps[actor - 1] && !taken.includes(String(actor)) && !taken.includes(String(actor - 1))
}

/** One order of all, at random. */
export function randomSchedule(steps: Steps, random: () => number): Schedule {
  const actors = steps.flatMap((count, actor) => Array.from({ length: count }, () => String(actor)))
  for (let index = actors.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    const [a, b] = [actors[index] as string, actors[other] as string]
    actors[index] = b
    actors[other] = a
  }
  return actors.join('')
}

const LIFE_MS = 60_000

/** @returns what the cache holds at rest, and what the origin does */
export async function play(store: CacheStore, path: string, schedule: Schedule): Promise<{ cached: string | undefined; origin: string }> {
  let origin = 'v'
  const taken = [0, 0, 0, 0]
  const tickets: (Ticket | undefined)[] = []
  const read: string[] = []
  for (const actor of Array.from(schedule, Number)) {
    const step = taken[actor]
    taken[actor] = Number(step) + 1
    if (actor < 2) {
      if (step === 0) await store.begin([path], `token ${path} ${actor}`, LIFE_MS)
      else if (step === 1) origin = `w${actor}`
      else await store.end([path], `token ${path} ${actor}`)
    } else if (step === 0) tickets[actor] = await store.prepare(path, 'content')
    else if (step === 1) read[actor] = origin
    else await fill(store, { path, ticket: tickets[actor], content: read[actor] as string })
  }
  const entry = await store.get(path, 'content')
  return { cached: entry?.content && Buffer.from(entry.content).toString(), origin }
}

async function fill(
  store: CacheStore,
  { path, ticket, content }: { path: string; ticket: Ticket | undefined; content: string },
): Promise<void> {
  if (ticket === undefined) return
  const stat = { path, size: content.length, lastModified: new Date(0), etag: content }
  const entry: CacheEntry = { stat, content: Buffer.from(content), storedAt: Date.now(), softMs: LIFE_MS, hardMs: LIFE_MS }
  await store.commit(path, entry, ticket)
}

/** The schedule where the cache ended up with something old. */
export function isStale({ cached, origin }: { cached: string | undefined; origin: string }): boolean {
  return cached !== undefined && cached !== origin
}

/** What most caches do: forget after the write, fill whenever something was read. */
export function deleteAfterWrite(store: CacheStore): CacheStore {
  const anyTime = async (path: string): Promise<Ticket> => (await store.prepare(path, 'content')) as Ticket
  return {
    open: () => store.open(),
    get: (path, wanted) => store.get(path, wanted),
    prepare: anyTime,
    commit: async (path, entry) => store.commit(path, entry, await anyTime(path)),
    release: (path) => store.release(path),
    begin: async () => undefined,
    end: (paths, token) => store.end(paths, token),
    beginAll: async () => undefined,
    endAll: (token) => store.endAll(token),
    close: () => store.close(),
  }
}

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
