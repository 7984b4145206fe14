/**
 * What waits to be purged: each target once, oldest first. Many files of one directory become that directory, and more than anybody
 * should remember becomes everything, so that neither memory nor the number of requests grows with the number of writes.
 */
import { dirname } from '../../path.ts'
import { covers, directoryTarget, EVERYTHING, type PurgeTarget, targetKey } from './purge-target.ts'

/** Somebody who wants to know, but not for longer than until then. */
export interface Waiter {
  readonly until: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export interface Item {
  readonly target: PurgeTarget
  /** In the queue. */
  readonly ids: readonly string[]
  /** Milliseconds since 1970. */
  readonly dueAt: number
  /** It is the second purge of a change. */
  readonly repeat: boolean
  /** A second one is to follow. */
  readonly followed: boolean
  readonly waiters: readonly Waiter[]
}

/** Above this, files of one directory are purged as that directory. */
export const MAX_SIBLINGS = 100
export const MAX_WAITING = 10_000

export class Backlog {
  readonly #items = new Map<string, Item>()

  get size(): number {
    return this.#items.size
  }

  values(): Iterable<Item> {
    return this.#items.values()
  }

  /** @returns ids that the new one makes needless */
  add(item: Item): readonly string[] {
    const key = keyOf(item)
    const known = this.#items.get(key)
    this.#items.set(key, known === undefined ? item : { ...merged([known, item], item.target), ids: item.ids })
    return known?.ids ?? []
  }

  delete(items: readonly Item[]): void {
    for (const item of items) this.#items.delete(keyOf(item))
  }

  /** Those whose time has come. */
  due(now: number): readonly Item[] {
    return [...this.#items.values()].filter(({ dueAt }) => dueAt <= now)
  }

  nextDueAt(): number | undefined {
    let next: number | undefined
    for (const { dueAt } of this.#items.values()) next = Math.min(next ?? dueAt, dueAt)
    return next
  }

  /** Makes first purges due. */
  hurry(now: number): void {
    for (const [key, item] of this.#items) if (!item.repeat) this.#items.set(key, { ...item, dueAt: Math.min(item.dueAt, now) })
  }

  /** Replaces what has become too many by what covers them. */
  collapse({ takesPrefixes, takesAll }: { readonly takesPrefixes: boolean; readonly takesAll: boolean }, now: number): void {
    if (takesPrefixes) this.#collapseDirectories(now)
    if (takesAll && this.#items.size > MAX_WAITING) this.#replace(EVERYTHING, [...this.#items.values()])
    const wides = [...this.#items.values()].filter(({ target }) => target.type !== 'file')
    for (const wide of wides) {
      const within = [...this.#items.values()].filter(
        (item) => item.repeat === wide.repeat && covers(wide.target, item.target) && isDueWith(item, wide),
      )
      if (within.length > 1) this.#replace(wide.target, within)
    }
  }

  #collapseDirectories(now: number): void {
    const directories = new Map<string, Item[]>()
    for (const item of this.due(now)) {
      const directory = dirname(item.target.path)
      if (item.target.type !== 'file' || directory === '') continue
      const siblings = directories.get(`${item.repeat}:${directory}`) ?? []
      directories.set(`${item.repeat}:${directory}`, siblings)
      siblings.push(item)
    }
    for (const siblings of directories.values()) {
      const [first] = siblings
      if (first !== undefined && siblings.length > MAX_SIBLINGS) this.#replace(directoryTarget(dirname(first.target.path)), siblings)
    }
  }

  #replace(target: PurgeTarget, items: readonly Item[]): void {
    this.delete(items)
    const wide = merged(items, target)
    const known = this.#items.get(keyOf(wide))
    this.#items.set(keyOf(wide), known === undefined ? wide : merged([known, wide], target))
  }
}

function keyOf({ repeat, target }: Item): string {
  return `${repeat ? 'again' : 'first'}:${targetKey(target)}`
}

/** First purges are made when the first of them is due, second ones when the last is. */
function merged(items: readonly Item[], target: PurgeTarget): Item {
  const repeat = items.every((item) => item.repeat)
  const times = items.filter((item) => item.repeat === repeat).map(({ dueAt }) => dueAt)
  return {
    target,
    ids: items.flatMap(({ ids }) => ids),
    dueAt: times.reduce((a, b) => (repeat ? Math.max(a, b) : Math.min(a, b))),
    repeat,
    followed: items.some(({ followed, repeat: isRepeat }) => followed || (isRepeat && !repeat)),
    waiters: items.flatMap(({ waiters }) => waiters),
  }
}

/** A second purge must not be made before its time. */
function isDueWith(item: Item, wide: Item): boolean {
  return !item.repeat || item.dueAt <= wide.dueAt
}
