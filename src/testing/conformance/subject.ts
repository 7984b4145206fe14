/**
 * What a test works on: a fresh store, seen as a disk. `make` may tell more about the store than the driver can, so that the kit
 * can look beneath it; whatever is left out is tested as far as it shows from above.
 */
import { Disk } from '../../disk.ts'
import type { Driver } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { isReadOnly } from '../../options.ts'
import { closeStack } from '../../stack.ts'

/** A fresh, empty store, and how the kit reaches beneath its driver. */
export interface TestStore {
  readonly driver: Driver
  /** For a driver that cannot write: one over the same store that can, under the same paths. Tests begin with what it wrote. */
  readonly seed?: Driver | undefined
  /** Makes the store refuse to delete the file at this path from now on, as a permission or a retention rule would. */
  readonly failDeletes?: ((path: string) => void | Promise<void>) | undefined
  /** Makes the store keep old versions from now on, where it does so only when told, such as a bucket with versioning off. */
  readonly keepVersions?: (() => void | Promise<void>) | undefined
  /** Names what lies in the store but is no file of the disk: temporary files, open multipart uploads. */
  readonly leftovers?: (() => readonly string[] | Promise<readonly string[]>) | undefined
  /** How many descriptors, sockets or the like are open for the store. */
  readonly openResources?: (() => number | Promise<number>) | undefined
  /** Removes the store: a directory, a bucket. Called when everything is closed. */
  readonly remove?: (() => void | Promise<void>) | undefined
}

/** Gives a fresh, empty driver; or a store, for tests that look beneath it. */
export type MakeDriver = () => Driver | TestStore | Promise<Driver | TestStore>

/** One test's store. */
export interface Subject {
  readonly driver: Driver
  /** What is tested. */
  readonly disk: Disk
  /** What tests begin with is written through it: the same disk, unless that cannot write. */
  readonly seed: Disk
  readonly store: TestStore
  readonly readOnly: boolean
  /** Another store of the same kind, for tests with two; closed with this one. */
  readonly another: () => Promise<Subject>
  readonly close: () => Promise<void>
}

/** The name of the disk in every test. */
export const DISK_NAME = 'kit'

export async function prepare(make: MakeDriver): Promise<Subject> {
  const made = await make()
  const store: TestStore = 'kind' in made ? { driver: made } : made
  const { driver } = store
  const seed = store.seed ?? (driver.kind === 'read-only' ? driver.inner[0] : undefined)
  if (seed === undefined && isReadOnly(driver)) {
    throw new ConfigurationError(`${driver.name} cannot be written: let make return { driver, seed }, with the driver beneath as its seed`)
  }
  const disk = new Disk(driver, { name: DISK_NAME })
  const others: Subject[] = []
  let closing: Promise<void> | undefined
  const closeAll = async (): Promise<void> => {
    for (const other of others) await other.close()
    await closeStack(driver)
    if (seed !== undefined) await closeStack(seed, driver)
    await store.remove?.()
  }
  return {
    driver,
    disk,
    seed: seed === undefined ? disk : new Disk(seed, { name: DISK_NAME }),
    store,
    readOnly: seed !== undefined,
    another: async () => {
      const other = await prepare(make)
      others.push(other)
      return other
    },
    close: () => (closing ??= closeAll()),
  }
}
