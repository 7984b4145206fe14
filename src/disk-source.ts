/** Where a disk gets its driver from. A source is a live view: what stands behind a name can change under disks already in hand. */
import type { Decorator, Driver, Visibility } from './driver.ts'
import { closeStack } from './stack.ts'

/** A driver in its place: the name and the defaults of its disk. */
export interface Mount {
  readonly driver: Driver
  readonly name: string
  readonly visibility?: Visibility | undefined
  readonly timeoutMs?: number | undefined
  /** Seconds that temporary URLs are good for where the call does not say. */
  readonly urlExpiration?: number | undefined
}

/** Where a disk gets its driver from: a live view, so that what is behind a name can change. */
export interface DiskSource {
  readonly name: string
  mount(): Mount | Promise<Mount>
  close(): Promise<void>
}

export interface DiskOptions {
  readonly name?: string | undefined
  readonly visibility?: Visibility | undefined
  readonly timeoutMs?: number | undefined
}

/** The source of a disk that was wired by hand: one driver, for good. */
export function fixedSource(driver: Driver, { name = driver.kind, visibility, timeoutMs }: DiskOptions): DiskSource {
  const mount: Mount = { driver, name, visibility, timeoutMs }
  return { name, mount: () => mount, close: () => closeStack(driver) }
}

/** The disk of another one, wrapped. The layers are made once for each driver that is found below. */
export function derivedSource(base: DiskSource, decorate: Decorator): DiskSource {
  const made = new Map<Driver, Driver>()
  const derive = (mount: Mount): Mount => {
    const driver = made.get(mount.driver) ?? decorate(mount.driver)
    made.set(mount.driver, driver)
    return { ...mount, driver }
  }
  return {
    get name() {
      return base.name
    },
    mount: () => {
      const mount = base.mount()
      return 'driver' in mount ? derive(mount) : mount.then(derive)
    },
    close: async () => {
      const layers = [...made]
      made.clear()
      for (const [below, driver] of layers) await closeStack(driver, below)
    },
  }
}
