/**
 * Works off the journal while nobody waits: a few entries at once, each until every mirror has it, with growing pauses between
 * attempts. What a process that died left behind is found at the first use. Entries of others are worked off at once, but removed
 * only when they are so old that their writer must be gone.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Driver } from '../../driver.ts'
import type { Journal, JournalEntry, Work } from './journal.ts'
import type { Syncing } from './syncing.ts'

const AT_ONCE = 4
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 60_000
/** A writer that has not finished by then is gone. */
const GRACE_MS = 15 * 60_000

export interface BackgroundOptions {
  readonly mirrors: readonly Driver[]
  readonly journal: Journal
  readonly syncing: Syncing
  readonly now: () => number
}

interface Task {
  readonly entry: JournalEntry
  readonly isOwn: boolean
}

export class Background {
  readonly #options: BackgroundOptions
  readonly #tasks: Task[] = []
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #replaying: Promise<void> | undefined
  #idle: (() => void)[] = []

  constructor(options: BackgroundOptions) {
    this.#options = options
  }

  /** Finds what is left of earlier. Only the first call does anything, unless it failed. */
  replay(): Promise<void> {
    this.#replaying ??= this.#replay().catch(() => {
      this.#replaying = undefined // the next operation tries again
    })
    return this.#replaying
  }

  add(entry: JournalEntry, isOwn = true): void {
    this.#tasks.push({ entry, isOwn })
    this.#start()
  }

  /** Waits until every mirror has everything. */
  async flush(): Promise<void> {
    await this.replay()
    if (this.#tasks.length === 0 && this.#running.size === 0) return
    await new Promise<void>((resolve) => void this.#idle.push(resolve))
  }

  /** Ends what is under way; the journal keeps the rest. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#tasks.length = 0
    await Promise.allSettled(this.#running)
    this.#tell()
  }

  async #replay(): Promise<void> {
    const known = new Set(this.#tasks.map(({ entry }) => entry.file))
    for await (const entry of this.#options.journal.entries()) if (!known.has(entry.file)) this.add(entry, false)
  }

  #start(): void {
    while (this.#running.size < AT_ONCE && !this.#stop.signal.aborted) {
      const task = this.#tasks.shift()
      if (task === undefined) return
      const run = this.#work(task)
        .catch(() => undefined) // stopped: the journal still has it
        .finally(() => {
          this.#running.delete(run)
          this.#start()
          this.#tell()
        })
      this.#running.add(run)
    }
  }

  async #work({ entry, isOwn }: Task): Promise<void> {
    const { journal, now } = this.#options
    await Promise.all(this.#options.mirrors.map((mirror) => this.#until(mirror, entry.work)))
    if (isOwn || now() - entry.writtenAt > GRACE_MS) await journal.remove(entry)
  }

  /** Tries until it is done, or the disk is closed. */
  async #until(mirror: Driver, work: Work): Promise<void> {
    const { signal } = this.#stop
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.#options.syncing.work(mirror, work, { signal })
      } catch {
        signal.throwIfAborted()
        await pause(pauseMs, undefined, { signal, ref: false })
      }
    }
  }

  #tell(): void {
    if (this.#tasks.length > 0 || this.#running.size > 0) return
    for (const wake of this.#idle.splice(0)) wake()
  }
}
