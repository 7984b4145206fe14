/** Sweeps the directories that a disk writes into, once each, in the background: sweep.ts says what of. */
import type { Root } from './containment.ts'
import { HIDDEN_PREFIX } from './keys.ts'
import { openDirectory } from './local-files.ts'

const MAX_SWEPT = 10_000

/** Sweeps each directory once, one after the other, in the background. */
export class Sweeper {
  readonly #root: Root
  readonly #swept = new Set<string>()
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(root: Root) {
    this.#root = root
  }

  /** Called when a directory is first written into. */
  visit(directory: string): void {
    if (this.#closed || this.#swept.has(directory)) return
    if (this.#swept.size >= MAX_SWEPT) this.#swept.clear()
    this.#swept.add(directory)
    this.#work = this.#work.then(() => this.#sweep(directory)).catch(() => undefined)
  }

  /** Waits for what is under way, and begins nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#work
  }

  async #sweep(directory: string): Promise<void> {
    const { sweepNames } = await import('./sweep.ts')
    await this.#root.within(directory, async (at) => {
      for await (const { name } of await openDirectory(`${at}/.`)) {
        if (name.startsWith(HIDDEN_PREFIX)) await sweepNames(at, [name])
      }
    })
  }
}
