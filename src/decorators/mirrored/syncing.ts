/** Makes a mirror as the primary is: one path, or everything in a directory. */
import { discard, streamContent, wholeBody } from '../../content.ts'
import { changed, keptOptions, pagesOf } from '../../derive.ts'
import type { CallOptions, Driver, FileStat } from '../../driver.ts'
import { isNotFound, UnavailableError } from '../../errors.ts'
import type { Work } from './journal.ts'

const ATTEMPTS = 5
const AT_ONCE = 8

/** One path at a time per process, so that the last to finish shows the newest. */
export class Syncing {
  readonly #primary: Driver
  readonly #waiting = new Map<string, Promise<void>>()

  constructor(primary: Driver) {
    this.#primary = primary
  }

  async work(mirror: Driver, work: Work, options: CallOptions): Promise<void> {
    if ('paths' in work) return this.#all(mirror, work.paths, options)
    for (const driver of [mirror, this.#primary]) {
      for await (const entries of pagesOf(driver, work.directory, { recursive: true, stat: false, signal: options.signal })) {
        await this.#all(
          mirror,
          entries.filter(({ type }) => type === 'file').map(({ path }) => path),
          options,
        )
      }
    }
  }

  async path(mirror: Driver, path: string, options: CallOptions): Promise<void> {
    const key = `${mirror.name} ${path}`
    const before = this.#waiting.get(key) ?? Promise.resolve()
    const turn = before.catch(() => undefined).then(() => this.#sync(mirror, path, options))
    this.#waiting.set(key, turn)
    try {
      await turn
    } finally {
      if (this.#waiting.get(key) === turn) this.#waiting.delete(key)
    }
  }

  async #all(mirror: Driver, paths: readonly string[], options: CallOptions): Promise<void> {
    const next = paths.values()
    const run = async (): Promise<void> => {
      for (const path of next) await this.path(mirror, path, options)
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, paths.length) }, run))
  }

  /** Copies, or deletes what is not there; again if the primary changed meanwhile. */
  async #sync(mirror: Driver, path: string, { signal }: CallOptions): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const copied = await this.#copy(mirror, path, { signal })
      const now = await statOrNothing(this.#primary, path, { signal })
      if (copied === undefined ? now === undefined : now !== undefined && !changed(copied, now)) return
    }
    throw new UnavailableError('the file changes faster than it can be mirrored')
  }

  /** @returns the facts of what was copied; undefined when the file is not there */
  async #copy(mirror: Driver, path: string, { signal }: CallOptions): Promise<FileStat | undefined> {
    const source = await this.#primary.read(path, { signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (source === undefined) {
      const [failure] = await mirror.delete([path], { signal })
      if (failure !== undefined) throw failure.error
      return undefined
    }
    const { stat, body } = source
    try {
      const kept = mirror.supports.metadata ? keptOptions(stat, { signal }) : { signal }
      const visibility =
        mirror.visibility === undefined ? undefined : (stat.visibility ?? (await this.#primary.visibility?.get(path, { signal })))
      await mirror.write(path, streamContent(wholeBody(body, stat.size), stat.size), { ...kept, visibility })
    } finally {
      await discard(body)
    }
    return stat
  }
}

async function statOrNothing(driver: Driver, path: string, { signal }: CallOptions): Promise<FileStat | undefined> {
  return driver.stat(path, { signal }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined
    throw error
  })
}
