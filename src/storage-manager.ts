/**
 * Named disks, from a configuration: made at their first use, seen live through every handle, closed together.
 *
 *   disk('vault') ── by name ──▶ fake? · set disk? · slot: configuration → driver
 *                                                     ╰─▶ the named disks below it, by name again
 *
 * The manager is itself the default disk. A handle keeps its name, not its driver: faking, replacing or forgetting a disk takes
 * effect on handles already in hand and on disks that wrap it.
 */
import type { DiskConfig, StorageConfig } from './config/disk-config.ts'
import { rememberUnset } from './config/env.ts'
import { nearest } from './config/nearest.ts'
import type { DriverFactory, Extension } from './config/registry.ts'
import { type Surroundings, validateConfig, validateDisk } from './config/validate.ts'
import { Disk, Filesystem } from './disk.ts'
import type { DiskSource, Mount } from './disk-source.ts'
import type { Driver } from './driver.ts'
import { ConfigurationError, InvalidArgumentError, quote, StrayDiskError } from './errors.ts'
import type { CopyOptions } from './options.ts'
import { Slot } from './slot.ts'
import { FakeDisk, type FakeOptions } from './testing/fake-disk.ts'

const NAMED_PATH = /^([\w-]+):\/\/(.*)$/s
const NOT_READY = 'no configuration was found yet: call configure, or await Storage.load()'

type State = 'unconfigured' | 'configured' | 'closed'

export class StorageManager<Name extends string = string> extends Filesystem {
  readonly #extensions = new Map<string, Extension>()
  readonly #slots = new Map<string, Slot>()
  readonly #disks = new Map<string, Disk>()
  readonly #fakes = new Map<string | undefined, FakeDisk>()
  readonly #closing = new Set<Promise<void>>()
  #handles = new Map<string | undefined, Disk>()
  #state: State = 'unconfigured'
  #loading: Promise<void> | undefined
  #default: string | undefined
  /** Counts configurations: a handle of an earlier one must not act on a later one. */
  #epoch = 0
  /** Counts whatever may change what is behind a name. */
  #generation = 0
  #strayAllowed = true
  /** Disks that were set, while what is behind them is being found: one that is met again stands on itself. */
  readonly #entered = new Set<string>()

  constructor(config?: StorageConfig<Name>) {
    super()
    if (config !== undefined) this.configure(config)
  }

  // ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes a configuration, in place of any before it. Disks handed out under that one reject from now on, and are closed.
   * @throws ConfigurationError for misspelt keys, cycles, and a default that is no disk; nothing is changed then
   */
  configure<const New extends string>(config: StorageConfig<New>): this {
    validateConfig(config, this.#extensions, this.#disks.keys())
    rememberUnset(config)
    if (this.#state !== 'unconfigured') this.#retireAll()
    else for (const name of Object.keys(config.disks)) if (this.#slots.has(name)) this.#retire(name)
    this.#adopt(config)
    return this
  }

  #adopt(config: StorageConfig): void {
    for (const [name, disk] of Object.entries<DiskConfig>(config.disks)) this.#slots.set(name, this.#slot(name, disk))
    this.#default = chooseDefault(config)
    this.#state = 'configured'
    this.#generation++
  }

  /** Finds the configuration now instead of at the first operation: a file below the working directory, else the environment. */
  async load(): Promise<this> {
    if (this.#state !== 'configured') {
      this.#loading ??= this.#discover().finally(() => {
        this.#loading = undefined
      })
      await this.#loading
    }
    // Drivers that an `extend` factory promised are waited for; one that fails says so at its first use.
    await Promise.allSettled(Array.from(this.#slots.values(), async (slot) => this.#extensions.has(slot.config.driver) && slot.mount()))
    return this
  }

  /** Adds or replaces a named disk. */
  configureDisk(name: string, config: DiskConfig): Disk {
    rememberUnset(config)
    validateDisk(name, config, this.#surroundings())
    this.#retire(name)
    this.#slots.set(name, this.#slot(name, config))
    return this.#handle(name)
  }

  /** Adds a driver, for `driver: name` in configurations. `keys`: the common keys that it handles itself. */
  extend<Config = DiskConfig>(
    driverName: string,
    factory: DriverFactory<Config>,
    { keys }: { readonly keys?: readonly string[] | undefined } = {},
  ): this {
    if (typeof factory !== 'function')
      throw new ConfigurationError(`extend(${quote(driverName)}, …) needs a function that makes the driver`)
    this.#extensions.set(driverName, { factory, keys })
    this.#generation++
    return this
  }

  /** The names of the disks; none before a configuration was found. */
  get names(): readonly string[] {
    const fakes = Array.from(this.#fakes.keys(), (name) => name ?? this.#default)
    return [...new Set([...this.#slots.keys(), ...this.#disks.keys(), ...fakes])].filter((name) => name !== undefined)
  }

  /** @throws ConfigurationError before a configuration was found */
  get defaultName(): string {
    if (this.#default !== undefined) return this.#default
    if (this.#state === 'configured') {
      const choice = this.names.length === 0 ? 'add one to "disks"' : `set "default" to one of ${this.names.join(', ')}`
      throw new ConfigurationError(`no disk is the default: ${choice}`)
    }
    throw new ConfigurationError(this.#state === 'closed' ? CLOSED : NOT_READY)
  }

  // ── disks ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The disk of this name, or the default one. It connects at its first operation. @throws ConfigurationError for an unknown name, once names are known */
  disk(name?: Name): Disk {
    const fake = this.#fake(name)
    if (fake !== undefined) return fake
    if (name !== undefined && this.#state === 'configured' && !this.#has(name)) throw this.#unknown(name)
    return this.#handle(name)
  }

  /** A disk that nobody else knows. The caller closes it. */
  build(config: DiskConfig, { name = 'on-demand' }: { readonly name?: string | undefined } = {}): Disk {
    rememberUnset(config)
    validateDisk(name, config, { ...this.#surroundings(), unnamed: true })
    const slot = this.#slot(name, config)
    return new Disk({ name, mount: () => this.#allowed(slot.mount()), close: () => slot.close() })
  }

  /** Puts a disk behind a name. The manager closes it with the others. */
  set(name: string, disk: Disk): this {
    if (!(disk instanceof Disk)) throw new InvalidArgumentError(`set(${quote(name)}, …) needs a disk: new Disk(driver) makes one`)
    this.#retire(name)
    this.#disks.set(name, disk)
    return this
  }

  /** Closes disks and those that wrap them. Their configuration stays: the next use makes them anew. */
  async forget(...names: string[]): Promise<void> {
    for (const name of names) this.#retire(name)
    await this.#settle()
  }

  /** Closes every driver once, outermost first. The manager can be configured again. */
  async close(): Promise<void> {
    if (this.#state !== 'unconfigured' || this.#slots.size > 0 || this.#disks.size > 0) this.#retireAll()
    this.#state = 'closed'
    await this.#settle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ── testing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a disk in memory in place of one, or of the default. Handles in hand and disks that wrap it follow. */
  fake(name?: string, options: FakeOptions = {}): FakeDisk {
    const key = name ?? this.#default
    const config = key === undefined ? undefined : this.#slots.get(key)?.config
    const fake = new FakeDisk(key ?? 'default', { ...options, config, onRestore: () => this.#unfake(key, fake) })
    this.#fakes.set(key, fake)
    this.#generation++
    return fake
  }

  /** Takes a fake away, or all of them. */
  restore(name?: string): void {
    if (name === undefined) this.#fakes.clear()
    else for (const key of name === this.#default ? [name, undefined] : [name]) this.#fakes.delete(key)
    this.#generation++
  }

  #unfake(key: string | undefined, fake: FakeDisk): void {
    if (this.#fakes.get(key) === fake) this.#fakes.delete(key)
    this.#generation++
  }

  /** From now on a disk whose files would be anywhere but in memory or in a fake rejects with StrayDiskError. */
  preventStrayDisks(on = true): void {
    this.#strayAllowed = !on
  }

  // ── the default disk ─────────────────────────────────────────────────────────────────────────────────────────────────

  get name(): string {
    return this.defaultName
  }

  get driver(): Driver {
    return this.disk().driver
  }

  with(...decorators: Parameters<Disk['with']>): Disk {
    return this.disk().with(...decorators)
  }

  scope(prefix: string): Disk {
    return this.disk().scope(prefix)
  }

  readOnly(): Disk {
    return this.disk().readOnly()
  }

  supports(ability: Parameters<Disk['supports']>[0]): boolean {
    return this.disk().supports(ability)
  }

  get layer(): Disk['layer'] {
    const disk = this.disk()
    return disk.layer.bind(disk)
  }

  get buckets(): Disk['buckets'] {
    return this.disk().buckets
  }

  override toString(): string {
    return this.disk().toString()
  }

  check(options?: Parameters<Disk['check']>[0]): ReturnType<Disk['check']> {
    return this.disk().check(options)
  }

  /** `disk://path` names a disk; without one it is the default disk. */
  override async copy(from: string, to: string, options: CopyOptions = {}): Promise<void> {
    await this.#found(from, to)
    const [source, target] = [this.#place(from, 'copy'), this.#place(to, 'copy')]
    if (source.disk === target.disk) await source.disk.copy(source.path, target.path, options)
    else await source.disk.copyTo(target.disk, source.path, target.path, options)
  }

  override async move(from: string, to: string, options: CopyOptions = {}): Promise<void> {
    await this.#found(from, to)
    const [source, target] = [this.#place(from, 'move'), this.#place(to, 'move')]
    if (source.disk === target.disk) await source.disk.move(source.path, target.path, options)
    else await source.disk.moveTo(target.disk, source.path, target.path, options)
  }

  protected override mount(): Mount | Promise<Mount> {
    return this.#mountOf(undefined, this.#epoch)
  }

  // ── behind the names ─────────────────────────────────────────────────────────────────────────────────────────────────

  #mountOf(name: string | undefined, epoch: number): Mount | Promise<Mount> {
    const fake = this.#fake(name)
    if (fake !== undefined) return Filesystem.mountOf(fake)
    if (epoch !== this.#epoch) throw new ConfigurationError(RECONFIGURED)
    if (name !== undefined && this.#has(name)) return this.#allowed(this.#made(name))
    if (this.#state === 'closed') throw new ConfigurationError(CLOSED)
    if (this.#state === 'unconfigured') return this.load().then(() => this.#mountOf(name, epoch))
    if (name !== undefined) throw this.#unknown(name)
    return this.#mountOf(this.defaultName, epoch)
  }

  #made(name: string): Mount | Promise<Mount> {
    const disk = this.#disks.get(name)
    if (disk === undefined) return (this.#slots.get(name) as Slot).mount()
    if (this.#entered.has(name))
      throw new ConfigurationError(`disk ${quote(name)} was set to a disk that stands on it: build that one anew`)
    this.#entered.add(name)
    try {
      return Filesystem.mountOf(disk)
    } finally {
      this.#entered.delete(name)
    }
  }

  #driverOf(name: string): Driver | Promise<Driver> {
    const mount = this.#mountOf(name, this.#epoch)
    return mount instanceof Promise ? mount.then(({ driver }) => driver) : mount.driver
  }

  #slot(name: string, config: DiskConfig): Slot {
    return new Slot(name, config, {
      extensions: this.#extensions,
      generation: () => this.#generation,
      driverOf: (other) => this.#driverOf(other),
      closing: (done) => this.#track(done),
    })
  }

  #handle(name: string | undefined): Disk {
    const existing = this.#handles.get(name)
    if (existing !== undefined) return existing
    const epoch = this.#epoch
    const label = (): string => name ?? this.#default ?? 'default'
    const source: DiskSource = {
      get name() {
        return label()
      },
      mount: () => this.#mountOf(name, epoch),
      close: async () => {
        if (epoch === this.#epoch) await this.#slots.get(label())?.close()
      },
    }
    const handle = new Disk(source)
    this.#handles.set(name, handle)
    return handle
  }

  #fake(name: string | undefined): FakeDisk | undefined {
    if (this.#fakes.size === 0) return undefined
    const key = name ?? this.#default
    return this.#fakes.get(key) ?? (key === this.#default ? this.#fakes.get(undefined) : undefined)
  }

  /** What a disk is judged against. */
  #surroundings(): Surroundings {
    const disks = Object.fromEntries(Array.from(this.#slots.values(), (slot) => [slot.name, slot.config]))
    return { disks, extensions: this.#extensions }
  }

  #has(name: string): boolean {
    return this.#slots.has(name) || this.#disks.has(name)
  }

  #unknown(name: string): ConfigurationError {
    const meant = nearest(name, this.names)
    const hint = meant === undefined ? '' : `, did you mean ${quote(meant)}?`
    return new ConfigurationError(`disk ${quote(name)} is not configured${hint} (known: ${this.names.join(', ') || 'none'})`)
  }

  #allowed(mount: Mount | Promise<Mount>): Mount | Promise<Mount> {
    if (this.#strayAllowed) return mount
    if (mount instanceof Promise) return mount.then((found) => this.#allowed(found))
    if (isStray(mount.driver))
      throw new StrayDiskError(`disk ${quote(mount.name)} is real: fake it with Storage.fake(${quote(mount.name)})`)
    return mount
  }

  #place(path: string, operation: 'copy' | 'move'): { readonly disk: Disk; readonly path: string } {
    const named = NAMED_PATH.exec(path)
    if (named === null) return { disk: this.disk(), path }
    const [, name = '', rest = ''] = named
    if (!this.#has(name) && this.#fake(name) === undefined) {
      throw new InvalidArgumentError(`${quote(`${name}://`)} names no configured disk (known: ${this.names.join(', ') || 'none'})`, {
        operation,
        path,
      })
    }
    return { disk: this.disk(name as Name), path: rest }
  }

  // ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #found(...paths: readonly string[]): Promise<void> {
    // With fakes for everything that is asked for, a test needs no configuration.
    const needed = paths.some((path) => this.#fake(NAMED_PATH.exec(path)?.[1]) === undefined)
    if (this.#state === 'unconfigured' && needed) await this.load()
  }

  async #discover(): Promise<void> {
    const before = this.#state
    const { loadConfig } = await import('./config/load-config.ts')
    const found = (await loadConfig()) ?? (await import('./config/from-env.ts')).configFromEnv()
    // Whoever configured or closed meanwhile has said more clearly what is wanted, and so has who added a disk of that name.
    if (this.#state !== before) return
    validateConfig(found, this.#extensions, [...this.#disks.keys(), ...this.#slots.keys()])
    rememberUnset(found)
    const added = [...this.#slots]
    this.#adopt(found)
    for (const [name, slot] of added) this.#slots.set(name, slot)
  }

  /** Lets go of what is behind a name and of the disks that wrap it; it is closed outermost first. */
  #retire(name: string): void {
    const wrapping = new Set([name])
    for (const inner of wrapping) for (const slot of this.#slots.values()) if (slot.below.includes(inner)) wrapping.add(slot.name)
    const slots = [...wrapping].toReversed().map((wrapped) => this.#slots.get(wrapped))
    const disk = this.#disks.get(name)
    this.#disks.delete(name)
    this.#generation++
    this.#closeInOrder([...slots, disk])
  }

  #retireAll(): void {
    const slots = outermostFirst([...this.#slots.values()])
    const disks = [...this.#disks.values()]
    this.#slots.clear()
    this.#disks.clear()
    this.#handles = new Map()
    this.#default = undefined
    this.#epoch++
    this.#generation++
    this.#closeInOrder([...slots, ...disks])
  }

  #closeInOrder(layers: readonly (Slot | Disk | undefined)[]): void {
    // Slots are detached now, so that nobody gets what is being closed, and closed one after the other.
    const closers = [...new Set(layers)].map((layer) => (layer instanceof Slot ? layer.detach() : () => layer?.close()))
    const closeAll = async (): Promise<void> => {
      const failures: unknown[] = []
      for (const close of closers) await close()?.catch((error: unknown) => failures.push(error))
      if (failures.length > 0) throw failures[0]
    }
    this.#track(closeAll())
  }

  /** Keeps a promise of something being closed, until `close` or `forget` waits for it. */
  #track(done: Promise<void>): void {
    this.#closing.add(done)
    done.then(
      () => this.#closing.delete(done),
      () => undefined, // told to whoever waits
    )
  }

  async #settle(): Promise<void> {
    const results = await Promise.allSettled(this.#closing)
    this.#closing.clear()
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

const CLOSED = 'the storage was closed: call configure to use it again'
const RECONFIGURED = 'this disk was handed out before configure or close was called: ask Storage.disk(name) for it again'

function chooseDefault({ default: chosen, disks }: StorageConfig): string | undefined {
  if (chosen !== undefined) return chosen
  const names = Object.keys(disks)
  return names.length === 1 ? names[0] : ['default', 'local'].find((name) => names.includes(name))
}

/** Disks before those that they stand on. */
function outermostFirst(slots: readonly Slot[]): readonly Slot[] {
  const byName = new Map(slots.map((slot) => [slot.name, slot]))
  const ordered = new Set<Slot>()
  const visit = (slot: Slot): void => {
    if (ordered.has(slot)) return
    for (const name of slot.below) {
      const below = byName.get(name)
      if (below !== undefined) visit(below)
    }
    ordered.add(slot)
  }
  for (const slot of slots) visit(slot)
  return [...ordered].toReversed()
}

/** True when some file of the stack would be anywhere but in memory or in a fake. */
function isStray(driver: Driver): boolean {
  if (driver.kind === 'fake' || driver.kind === 'memory') return false
  return driver.inner.length === 0 || driver.inner.some(isStray)
}
