/**
 * Purges on their way to the provider: gathered for a moment, within the provider's limits, and repeated until they are taken.
 *
 *   go ──▶ backlog ──batchMs──▶ batch ──▶ provider ──taken──▶ [repeatMs] ──▶ once more
 *                                 ▲           │ 429, 5xx, no answer: everything waits (Retry-After, else 1 s … 5 min), this batch goes first
 *                                 └───────────┘ refused for what is in it: halved, until the one that is refused waits by itself
 *
 * A batch keeps its targets and its reference through all attempts; what is changed meanwhile goes into another. No purge is given up
 * while the process lives.
 */
import { nodeCrypto } from '../../builtins.ts'
import { type StorageError, toStorageError } from '../../errors.ts'
import { Backlog, type Item, MAX_WAITING, type Waiter } from './backlog.ts'
import type { CdnEvents } from './events.ts'
import type { PurgeQueue, QueuedPurge } from './purge-queue.ts'
import { type PurgeTarget, targetKey } from './purge-target.ts'
import { type Purger, refusalOf } from './purger.ts'

export interface DispatcherOptions {
  readonly queue: PurgeQueue
  readonly events: CdnEvents
  /** How long purges are gathered. */
  readonly batchMs: number
  /** When to purge once more what was changed; undefined: never. */
  readonly repeatMs: number | undefined
  readonly retry: { readonly baseDelayMs: number; readonly maxDelayMs: number }
  /** How long a request may take. */
  readonly timeoutMs: number
  readonly random: () => number
}

/** Purges that are announced, and made when the change has been made. */
export interface Announced {
  /** @param waiter told of the outcome */
  go(waiter?: Waiter): void
  /** Nothing was changed. */
  cancel(): void
}

interface Batch {
  readonly items: readonly Item[]
  readonly reference: string
  readonly attempts: number
  readonly dueAt: number
}

export class Dispatcher {
  readonly #purger: Purger
  readonly #options: DispatcherOptions
  readonly #backlog = new Backlog()
  /** Failed ones, in the order of their next attempts. */
  #failed: readonly Batch[] = []
  readonly #flying = new Set<Batch>()
  readonly #aborting = new AbortController()
  #recovery: Promise<void> | undefined
  /** Nothing is sent before: our own patience, and the provider's wish. */
  #pausedUntil = 0
  #refusedUntil = 0
  #failures = 0
  #lastError: StorageError | undefined
  #timer: NodeJS.Timeout | undefined
  /** Who waits until nothing is left. */
  readonly #drains = new Set<() => void>()
  #isClosed = false

  constructor(purger: Purger, options: DispatcherOptions) {
    this.#purger = purger
    this.#options = options
  }

  /** Targets that the provider has not taken yet. Second purges that wait for their time are not among them. */
  pending(): number {
    const items = [...this.#backlog.values(), ...[...this.#failed, ...this.#flying].flatMap((batch) => batch.items)]
    return new Set(items.filter(({ repeat }) => !repeat).map(({ target }) => targetKey(target))).size
  }

  /** Writes them into the queue. It never rejects. @param followed once more, when the network has spread the first */
  async announce(targets: readonly PurgeTarget[], { followed }: { readonly followed: boolean }): Promise<Announced> {
    await this.#recovered()
    const purges = targets.map((target) => queued(target, { dueAt: Date.now(), repeat: false }))
    await this.#queued(this.#options.queue.add(purges))
    return {
      go: (waiter) => {
        const waiters = waiter === undefined ? [] : [waiter]
        for (const purge of purges) this.#add(purge, { dueAt: Date.now() + this.#options.batchMs, followed, waiters })
        if (waiter !== undefined && this.#notBefore() > waiter.until) this.#rejectLate(this.#notBefore())
        this.#pump()
      },
      cancel: () => void this.#queued(this.#options.queue.remove(purges.map(({ id }) => id))),
    }
  }

  /** Sends what waits, without gathering. @returns whether all was taken in time */
  async drain(timeoutMs: number): Promise<boolean> {
    await this.#recovered()
    this.#backlog.hurry(Date.now())
    this.#pausedUntil = 0
    this.#failed = this.#failed.map((batch) => ({ ...batch, dueAt: 0 }))
    if (this.pending() === 0) return true
    let timer: NodeJS.Timeout | undefined
    let done: () => void = () => undefined
    const drained = new Promise<boolean>((resolve) => {
      done = () => resolve(true)
      timer = setTimeout(() => resolve(false), timeoutMs)
    })
    this.#drains.add(done)
    this.#pump()
    try {
      return await drained
    } finally {
      clearTimeout(timer)
      this.#drains.delete(done)
    }
  }

  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosed) return
    if (this.pending() > 0) await this.drain(timeoutMs)
    this.#isClosed = true
    clearTimeout(this.#timer)
    const left = [...this.#backlog.values(), ...[...this.#failed, ...this.#flying].flatMap(({ items }) => items)].filter(
      ({ repeat }) => !repeat,
    )
    for (const { reject } of left.flatMap(({ waiters }) => waiters)) reject(new Error('the disk was closed'))
    if (left.length > 0) this.#options.events.emit({ type: 'purge-abandoned', targets: left.map(({ target }) => target) })
    this.#aborting.abort()
    await this.#purger.close()
  }

  #recovered(): Promise<void> {
    this.#recovery ??= this.#recover()
    return this.#recovery
  }

  /** What an earlier process left. */
  async #recover(): Promise<void> {
    const left = await this.#queued(this.#options.queue.list())
    for (const purge of left ?? []) this.#add(purge, { dueAt: purge.dueAt, followed: !purge.repeat, waiters: [] })
    if (left !== undefined && left.length > 0) this.#pump()
  }

  #add({ id, type, path, repeat }: QueuedPurge, more: Pick<Item, 'dueAt' | 'followed' | 'waiters'>): void {
    const needless = this.#backlog.add({ target: { type, path }, ids: [id], repeat, ...more })
    if (needless.length > 0) void this.#queued(this.#options.queue.remove(needless))
    if (this.#backlog.size > MAX_WAITING) this.#backlog.collapse(this.#purger, Date.now())
  }

  /** Sends what may be sent, and comes back when more may. */
  #pump(): void {
    clearTimeout(this.#timer)
    while (!this.#isClosed && this.#flying.size < this.#purger.concurrency) {
      const next = this.#next(Date.now())
      if (next === undefined) break
      if ('waitMs' in next) {
        this.#timer = setTimeout(() => this.#pump(), Math.min(next.waitMs, MAX_TIMER_MS))
        // Gathering holds the process; waiting for better times does not.
        if (next.isLong && this.#drains.size === 0) this.#timer.unref()
        break
      }
      void this.#send(next)
    }
    if (this.#drains.size > 0 && this.pending() === 0) for (const done of this.#drains) done()
  }

  #notBefore(): number {
    return Math.max(this.#pausedUntil, this.#refusedUntil)
  }

  #next(now: number): Batch | { readonly waitMs: number; readonly isLong: boolean } | undefined {
    const times = [this.#backlog.nextDueAt(), ...this.#failed.map(({ dueAt }) => dueAt)].filter((time) => time !== undefined)
    if (times.length === 0) return undefined
    const at = Math.max(Math.min(...times), this.#notBefore())
    if (at > now) return { waitMs: at - now, isLong: this.#notBefore() > now || at - now > this.#options.batchMs }
    const failed = this.#failed.find(({ dueAt }) => dueAt <= now)
    const targets = failed?.items ?? this.#gather(now)
    if (targets.length === 0) return this.#next(now) // It became part of what is due later.
    const waitMs = this.#limitedMs(targets, now)
    if (waitMs > 0) return { waitMs, isLong: false }
    if (failed === undefined) this.#backlog.delete(targets)
    else this.#failed = this.#failed.filter((batch) => batch !== failed)
    for (const { meter, cost } of this.#purger.limits) meter.take(cost(targetsOf(targets)), now)
    return failed ?? { items: targets, reference: nodeCrypto().randomUUID(), attempts: 0, dueAt: now }
  }

  /** As many as one request takes within the limits of now; at least one. */
  #gather(now: number): readonly Item[] {
    this.#backlog.collapse(this.#purger, now)
    const due = this.#backlog.due(now)
    const type = due[0]?.target.type
    const fitting = this.#purger.mixes ? due : due.filter(({ target }) => target.type === type)
    let [few, many] = [1, Math.min(this.#purger.maxTargets, fitting.length)]
    while (few < many) {
      const middle = Math.ceil((few + many) / 2)
      if (this.#limitedMs(fitting.slice(0, middle), now) === 0) few = middle
      else many = middle - 1
    }
    return fitting.slice(0, few)
  }

  #limitedMs(items: readonly Item[], now: number): number {
    const targets = targetsOf(items)
    return Math.max(0, ...this.#purger.limits.map(({ meter, cost }) => meter.waitMs(cost(targets), now)))
  }

  async #send(batch: Batch): Promise<void> {
    this.#flying.add(batch)
    const signal = AbortSignal.any([AbortSignal.timeout(this.#options.timeoutMs), this.#aborting.signal])
    try {
      await this.#purger.purge(targetsOf(batch.items), batch.reference, signal)
      this.#flying.delete(batch)
      await this.#taken(batch)
    } catch (error) {
      this.#flying.delete(batch)
      if (!this.#isClosed) this.#failedWith(toStorageError(error), batch)
    }
    this.#pump()
  }

  async #taken({ items }: Batch): Promise<void> {
    const { events, queue, repeatMs } = this.#options
    this.#failures = 0
    this.#pausedUntil = 0
    const followed = repeatMs === undefined ? [] : items.filter((item) => item.followed)
    const again = followed.map(({ target }) => queued(target, { dueAt: Date.now() + (repeatMs ?? 0), repeat: true }))
    for (const purge of again) this.#add(purge, { dueAt: purge.dueAt, followed: false, waiters: [] })
    for (const { resolve } of items.flatMap(({ waiters }) => waiters)) resolve()
    for (const repeat of [false, true]) {
      const targets = targetsOf(items.filter((item) => item.repeat === repeat))
      if (targets.length > 0) events.emit({ type: 'purged', targets, repeat })
    }
    if (again.length > 0) await this.#queued(queue.add(again))
    await this.#queued(queue.remove(items.flatMap(({ ids }) => ids)))
  }

  #failedWith(error: StorageError, batch: Batch): void {
    const { ofTargets, retryAfterMs } = refusalOf(error)
    const { events, retry } = this.#options
    const { items, attempts } = batch
    this.#lastError = error
    if (ofTargets && items.length > 1) {
      const middle = Math.ceil(items.length / 2)
      for (const half of [items.slice(0, middle), items.slice(middle)])
        this.#retryAt(0, { ...batch, items: half, reference: nodeCrypto().randomUUID() })
      return
    }
    const now = Date.now()
    const delay = ofTargets ? retry.maxDelayMs : this.#pause(now, retryAfterMs)
    const dueAt = now + delay
    this.#retryAt(dueAt, { ...batch, attempts: attempts + 1 })
    this.#rejectLate(dueAt, ofTargets ? items : undefined)
    events.emit({ type: 'purge-failed', targets: targetsOf(items), error, attempt: attempts + 1, retryInMs: delay })
  }

  /** @returns for how long nothing is sent */
  #pause(now: number, retryAfterMs: number | undefined): number {
    const { retry, random } = this.#options
    if (now >= this.#notBefore()) this.#failures += 1 // of several at once the first counts
    const exponential = retry.baseDelayMs * 2 ** Math.min(this.#failures - 1, 30)
    const delay = Math.min(retry.maxDelayMs, exponential) * (0.5 + random() / 2)
    if (retryAfterMs === undefined) this.#pausedUntil = Math.max(this.#pausedUntil, now + delay)
    else this.#refusedUntil = Math.max(this.#refusedUntil, now + Math.max(retryAfterMs, retry.baseDelayMs / 2))
    return this.#notBefore() - now
  }

  #retryAt(dueAt: number, batch: Batch): void {
    this.#failed = [...this.#failed, { ...batch, dueAt }].toSorted((a, b) => a.dueAt - b.dueAt)
  }

  /** Tells those who cannot wait so long. */
  #rejectLate(nextAt: number, items?: readonly Item[]): void {
    const all = items ?? [...this.#backlog.values(), ...this.#failed.flatMap((batch) => batch.items)]
    for (const { until, reject } of all.flatMap(({ waiters }) => waiters))
      if (until < nextAt) reject(this.#lastError ?? new Error('no purge was made yet'))
  }

  /** The result of a call to the queue; undefined when it failed. */
  async #queued<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call
    } catch (error) {
      this.#options.events.emit({ type: 'queue-failed', error })
      return undefined
    }
  }
}

/** Longer ones fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

function targetsOf(items: readonly Item[]): readonly PurgeTarget[] {
  return items.map(({ target }) => target)
}

function queued({ type, path }: PurgeTarget, { dueAt, repeat }: Pick<QueuedPurge, 'dueAt' | 'repeat'>): QueuedPurge {
  return { id: nodeCrypto().randomUUID(), type, path, dueAt, repeat }
}
