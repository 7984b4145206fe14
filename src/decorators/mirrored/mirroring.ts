/** What a mirrored disk does about changes, loaded by the first of them: the journal, the copies, and what compares and mends. */
import type { CallOptions, Driver } from '../../driver.ts'
import { PartialFailureError, type PathFailure, toStorageError } from '../../errors.ts'
import { Background } from './background.ts'
import { Journal, type Work } from './journal.ts'
import { Syncing } from './syncing.ts'
import { type Difference, differences, type VerifyOptions } from './verifying.ts'

export interface MirroringOptions {
  readonly primary: Driver
  readonly mirrors: readonly Driver[]
  readonly mode: 'all' | 'background'
  readonly now: () => number
}

export class Mirroring {
  readonly #options: MirroringOptions
  readonly #journal: Journal
  readonly #syncing: Syncing
  readonly #background: Background

  constructor(options: MirroringOptions) {
    const { primary, mirrors, now } = options
    this.#options = options
    this.#journal = new Journal(primary, now)
    this.#syncing = new Syncing(primary)
    this.#background = new Background({ mirrors, journal: this.#journal, syncing: this.#syncing, now })
  }

  /** A change of the primary, and what follows from it for the mirrors. */
  async change<T>(work: Work, run: () => Promise<T>, options: CallOptions): Promise<T> {
    const journal = this.#journal
    const background = this.#background
    options.signal?.throwIfAborted()
    void background.replay()
    if (this.#options.mode === 'background') {
      const entry = await journal.add(work)
      try {
        return await run()
      } finally {
        background.add(entry) // also after a failure: the change may have happened
      }
    }
    const result = await run()
    const failures = await this.#syncAll(work, options)
    if (failures.length === 0) return result
    await journal.add(work).then(
      (entry) => background.add(entry),
      () => undefined,
    )
    throw new PartialFailureError(told(failures), { failures: failures.map(({ path, error }) => ({ path, error })) })
  }

  async verify(options: VerifyOptions): Promise<readonly Difference[]> {
    const { primary, mirrors } = this.#options
    const found: Difference[] = []
    for (const mirror of mirrors) for await (const difference of differences(primary, mirror, options)) found.push(difference)
    return found
  }

  async repair(options: VerifyOptions): Promise<number> {
    const { primary, mirrors } = this.#options
    const failures: PathFailure[] = []
    let mended = 0
    for (const mirror of mirrors) {
      for await (const { path } of differences(primary, mirror, options)) {
        try {
          await this.#syncing.path(mirror, path, options)
          mended++
        } catch (error) {
          options.signal?.throwIfAborted()
          failures.push({ path, error: toStorageError(error) })
        }
      }
    }
    if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
    return mended
  }

  flush(): Promise<void> {
    return this.#background.flush()
  }

  close(): Promise<void> {
    return this.#background.close()
  }

  async #syncAll(work: Work, options: CallOptions): Promise<MirrorFailure[]> {
    const path = 'paths' in work ? (work.paths[0] ?? '') : work.directory
    const outcomes = this.#options.mirrors.map(async (mirror): Promise<MirrorFailure[]> => {
      try {
        await this.#syncing.work(mirror, work, options)
        return []
      } catch (error) {
        options.signal?.throwIfAborted()
        return [{ path, mirror: mirror.name, error: toStorageError(error) }]
      }
    })
    return (await Promise.all(outcomes)).flat()
  }
}

interface MirrorFailure extends PathFailure {
  readonly mirror: string
}

function told(failures: readonly MirrorFailure[]): string {
  const missed = failures.map(({ mirror, error }) => `${mirror} (${error.reason})`).join(', ')
  return `the primary has the change, but these mirrors do not: ${missed}; they get it when they can be reached, or by repair()`
}
