/** What a layer with keys does about changes, loaded by the first of them: announce, purge, repeat. */
import type { CallOptions, Driver } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import type { CdnAddress } from './address.ts'
import { Changes, directoryTargets } from './changes.ts'
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
import type { CdnProvider } from './providers.ts'
import { type PurgeTarget, type PurgeWhat, targetsOf } from './purge-target.ts'
import type { Purger } from './purger.ts'
import { purgerOf } from './purgers.ts'

export interface PurgingOptions {
  readonly provider: CdnProvider
  readonly address: CdnAddress
  readonly dispatcher: DispatcherOptions
  /** Changes wait for their purge. */
  readonly waits: boolean
}

export class Purging {
  readonly #inner: Driver
  readonly #purger: Purger
  readonly #dispatcher: Dispatcher
  readonly #changes: Changes

  constructor(inner: Driver, { provider, address, dispatcher, waits }: PurgingOptions) {
    this.#inner = inner
    this.#purger = purgerOf(provider, address)
    this.#dispatcher = new Dispatcher(this.#purger, dispatcher)
    this.#changes = new Changes(this.#dispatcher, { waits })
  }

  ofFiles<T>(paths: readonly string[], options: CallOptions, run: () => Promise<T>): Promise<T> {
    return this.#changes.ofFiles(paths, options, run)
  }

  async ofDirectory<T>(path: string, options: CallOptions, run: () => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted()
    return this.#changes.of(await directoryTargets(this.#inner, this.#purger, { path, options }), options, run)
  }

  async purge(what: PurgeWhat, options: CallOptions): Promise<void> {
    return this.#changes.purge(this.#checked(what), options)
  }

  pending(): number {
    return this.#dispatcher.pending()
  }

  flush(timeoutMs: number): Promise<boolean> {
    return this.#dispatcher.drain(timeoutMs)
  }

  close(timeoutMs: number): Promise<void> {
    return this.#dispatcher.close(timeoutMs)
  }

  #checked(what: PurgeWhat): readonly PurgeTarget[] {
    const { name, takesPrefixes, takesAll } = this.#purger
    const targets = targetsOf(what)
    for (const { type } of targets) {
      if (type === 'prefix' && !takesPrefixes) throw new UnsupportedError(`${name} cannot purge a directory: name its files`)
      if (type === 'all' && !takesAll) throw new UnsupportedError(`${name} needs "serviceId" to purge everything`)
    }
    return targets
  }
}
