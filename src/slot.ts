/**
 * A disk's configuration in its place: the driver is built at the first use, and built anew when a named disk below it is no
 * longer the one it was built over (faked, replaced, forgotten).
 */
import type { DiskConfig, DiskReference } from './config/disk-config.ts'
import { buildDriver, diskDefaults, type Extensions } from './config/registry.ts'
import { references } from './config/validate.ts'
import type { Mount } from './disk-source.ts'
import type { Driver } from './driver.ts'
import { ConfigurationError } from './errors.ts'
import { closeStack } from './stack.ts'

/** What a slot sees of the disks around it. */
export interface Neighbours {
  readonly extensions: Extensions
  /** Counts whatever may change what is behind a name. */
  readonly generation: () => number
  /** The driver behind a name, now. */
  readonly driverOf: (name: string) => Driver | Promise<Driver>
  /** Takes the end of something that is closed in passing. */
  readonly closing: (done: Promise<void>) => void
}

interface Built {
  readonly mount: Mount
  /** The named disks that the driver stands on, as they were. */
  readonly below: ReadonlyMap<string, Driver>
}

export class Slot {
  readonly name: string
  readonly config: DiskConfig
  readonly #neighbours: Neighbours
  #built: Built | Promise<Built> | undefined
  /** The generation in which what was built is known to be good. */
  #checked = -1
  #building = false

  constructor(name: string, config: DiskConfig, neighbours: Neighbours) {
    this.name = name
    this.config = config
    this.#neighbours = neighbours
  }

  /** @throws ConfigurationError for an unknown driver and missing keys */
  mount(): Mount | Promise<Mount> {
    const built = this.#built
    if (built === undefined) return this.#build()
    if (built instanceof Promise) return built.then(() => this.mount())
    if (this.#checked === this.#neighbours.generation()) return built.mount
    return this.#isCurrent(built) ? built.mount : this.#rebuild(built)
  }

  /** The names of the disks that this one stands on, when it was built. */
  get below(): readonly string[] {
    return this.#built === undefined || this.#built instanceof Promise ? [] : [...this.#built.below.keys()]
  }

  /** Closes what this disk opened; the next use builds it anew. */
  async close(): Promise<void> {
    await this.detach()()
  }

  /** Lets go of what was built, so that the next use builds it anew. @returns what closes the old one */
  detach(): () => Promise<void> {
    const detached = this.#built
    this.#built = undefined
    return async () => {
      const built = await Promise.resolve(detached).catch(() => undefined) // what could not be made need not be closed
      if (built !== undefined) await closeStack(built.mount.driver, ...built.below.values())
    }
  }

  #isCurrent({ below }: Built): boolean {
    for (const [name, driver] of below) if (this.#neighbours.driverOf(name) !== driver) return false
    this.#checked = this.#neighbours.generation()
    return true
  }

  #rebuild(old: Built): Mount | Promise<Mount> {
    this.#built = undefined
    this.#neighbours.closing(closeStack(old.mount.driver, ...old.below.values()))
    return this.#build()
  }

  #construct(): Built | Promise<Built> {
    // Configurations are judged for circles; what a factory of `extend` resolves shows only now.
    if (this.#building) throw new ConfigurationError(`disks reference each other: ${this.name} → … → ${this.name}`)
    this.#building = true
    try {
      return construct(this.name, this.config, this.#neighbours)
    } finally {
      this.#building = false
    }
  }

  #build(): Mount | Promise<Mount> {
    const generation = this.#neighbours.generation()
    const built = this.#construct()
    const settle = (done: Built): Mount => {
      this.#built = done
      this.#checked = generation
      return done.mount
    }
    if (!(built instanceof Promise)) return settle(built)
    this.#built = built
    const isMine = (): boolean => this.#built === built
    return built.then(
      (done) => (isMine() ? settle(done) : done.mount),
      (error: unknown) => {
        if (isMine()) this.#built = undefined
        throw error
      },
    )
  }
}

/** Builds a driver once everything it refers to is there. A promise only where an `extend` factory gave one. */
function construct(name: string, config: DiskConfig, neighbours: Neighbours): Built | Promise<Built> {
  const below = new Map<string, Driver>()
  const inline = new Map<DiskReference, Driver>()
  const pending: Promise<void>[] = []
  const keep = (reference: DiskReference, driver: Driver): void =>
    void (typeof reference === 'string' ? below : inline).set(reference, driver)
  const referred = neighbours.extensions.has(config.driver) ? [] : references(config) // the keys of an extension are its own
  for (const { at, disk } of referred) {
    const made = typeof disk === 'string' ? neighbours.driverOf(disk) : inlineDriver(`${name}.${at}`, disk, { neighbours, below })
    if (made instanceof Promise) pending.push(made.then((driver) => keep(disk, driver)))
    else keep(disk, made)
  }
  const resolve = (reference: DiskReference): Driver => {
    const known = typeof reference === 'string' ? below.get(reference) : inline.get(reference)
    if (known !== undefined) return known
    const made = typeof reference === 'string' ? neighbours.driverOf(reference) : inlineDriver(name, reference, { neighbours, below })
    if (made instanceof Promise)
      throw new ConfigurationError('a disk below it is still being made: await Storage.load(), or make its driver first')
    keep(reference, made)
    return made
  }
  const finish = (): Built | Promise<Built> => {
    const { visibility, timeoutMs, urlExpiration } = diskDefaults(config, name, neighbours.extensions)
    const built = (driver: Driver): Built => ({ mount: { driver, name, visibility, timeoutMs, urlExpiration }, below })
    const driver = buildDriver(config, { name, resolve }, neighbours.extensions)
    return driver instanceof Promise ? driver.then(built) : built(driver)
  }
  return pending.length === 0 ? finish() : Promise.all(pending).then(finish)
}

/** The driver of a disk that has no name of its own; it belongs to the disk around it, but for the named disks that it stands on. */
function inlineDriver(
  name: string,
  config: DiskConfig,
  { neighbours, below }: { readonly neighbours: Neighbours; readonly below: Map<string, Driver> },
): Driver | Promise<Driver> {
  const take = (built: Built): Driver => {
    for (const [named, driver] of built.below) below.set(named, driver)
    return built.mount.driver
  }
  const built = construct(name, config, neighbours)
  return built instanceof Promise ? built.then(take) : take(built)
}
