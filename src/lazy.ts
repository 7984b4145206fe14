/**
 * Insides that the first use loads, so that nobody pays for what he has but does not use: what `import 'stowage'` reaches is compiled
 * at once and as a whole, and V8 takes its time for every function of it.
 *
 *   readonly #operations = new Lazy(async () => (await import('./operations.ts')).openOperations(settings))
 *   stat(path, options) { return this.#operations.use((operations) => operations.stat(path, options)) }
 *
 * Loaded once. Once they are there, a use waits for nothing. A load that failed is not remembered: the next use tries again.
 */
export class Lazy<Value extends object> {
  readonly #load: () => Promise<Value>
  #loaded: Value | undefined
  #loading: Promise<Value> | undefined

  constructor(load: () => Promise<Value>) {
    this.#load = load
  }

  /** What is there already, without loading anything. */
  get loaded(): Value | undefined {
    return this.#loaded
  }

  /** Loads them, the first time. Uses that wait for it begin in the order they came in. */
  use<Result>(task: (loaded: Value) => Promise<Result>): Promise<Result> {
    return this.#loaded === undefined ? this.#begin().then(task) : task(this.#loaded)
  }

  /** Only where they were used before, after the uses that wait: for `close()`, which loads nothing to have something to close. */
  async ifUsed(task: (loaded: Value) => void | Promise<void>): Promise<void> {
    const loaded = this.#loaded ?? (await this.#loading?.catch(() => undefined))
    if (loaded !== undefined) await task(loaded)
  }

  #begin(): Promise<Value> {
    this.#loading ??= this.#load().then(
      (loaded) => (this.#loaded = loaded),
      (error: unknown) => {
        this.#loading = undefined
        throw error
      },
    )
    return this.#loading
  }
}
