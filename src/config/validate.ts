/**
 * Judges a configuration as a whole, before anything is built from it: misspelt keys, wrong kinds of values, keys that exclude
 * each other, disks that reference each other.
 *
 * Not judged until a disk is first used: drivers that nobody knows (they may still be added) and required keys that are missing
 * (a disk that is not configured must not stop an app that does not use it).
 */
import { ConfigurationError, isStorageError, quote } from '../errors.ts'
import { normalizePath } from '../path.ts'
import type { DiskConfig, DiskReference, StorageConfig } from './disk-config.ts'
import { COMMON_KEYS, TOP_KEYS } from './keys.ts'
import { flag, isObject, type Keys, readKeys, text } from './kinds.ts'
import { didYouMean, nearest } from './nearest.ts'
import { definitionOf, type Extensions } from './registry.ts'

const NO_EXTENSIONS: Extensions = new Map()
const DISK_NAME = /^[\w-]+$/ // what `name://path` can say

/** What a disk is judged against. */
export interface Surroundings {
  /** The other disks of the configuration. */
  readonly disks?: Readonly<Record<string, DiskConfig>> | undefined
  readonly extensions?: Extensions | undefined
  /** The disk's name is a label only: nothing can reference it, so it may be the name of another disk. */
  readonly unnamed?: boolean | undefined
}

/**
 * @param names disks that exist without a configuration
 * @throws ConfigurationError that names the disk, the key and the nearest known key
 */
export function validateConfig(
  config: unknown,
  extensions: Extensions = NO_EXTENSIONS,
  names: Iterable<string> = [],
): asserts config is StorageConfig {
  checkShape(config)
  readKeys(config, TOP_KEYS, 'the configuration')
  const disks = config.disks as Readonly<Record<string, DiskConfig>>
  const known = [...Object.keys(disks), ...names]
  const scope: Scope = { extensions, open: new Set() }
  for (const [name, disk] of Object.entries(disks)) {
    checkDiskName(name)
    checkDisk(disk, name, scope)
  }
  checkCycles(disks, extensions)
  const { default: chosen } = config as { default?: string | undefined }
  if (chosen !== undefined) checkReference(chosen, 'the configuration: "default"', known)
}

/** Judges one disk that is added to others, or replaces one. @throws ConfigurationError */
export function validateDisk(
  name: string,
  config: unknown,
  { disks = {}, extensions = NO_EXTENSIONS, unnamed = false }: Surroundings = {},
): asserts config is DiskConfig {
  checkDiskName(name)
  checkDisk(config, name, { extensions, open: new Set() })
  checkCycles(unnamed ? disks : { ...disks, [name]: config }, extensions, [name, config])
}

/** An object with disks; no more is asked of what was loaded from a file. @throws ConfigurationError */
export function checkShape(config: unknown, what = 'the configuration'): asserts config is { readonly disks: Record<string, unknown> } {
  if (!isObject(config)) throw new ConfigurationError(`${what} must be an object with "disks", as defineConfig({ disks: { … } }) makes it`)
  if (isObject(config['disks'])) return
  const problem = config['disks'] === undefined ? 'has no "disks"' : 'must have an object of disks by name in "disks"'
  const meant = nearest('disks', Object.keys(config))
  throw new ConfigurationError(`${what} ${problem}${meant === undefined || meant === 'disks' ? '' : `, is ${quote(meant)} misspelt?`}`)
}

function checkDiskName(name: string): void {
  if (DISK_NAME.test(name)) return
  throw new ConfigurationError(`a disk's name has letters, digits, "_" and "-" only: ${quote(name)} is none`)
}

interface Scope {
  readonly extensions: Extensions
  /** The disks being judged right now: one that is met again holds itself, a cycle, which is told later. */
  readonly open: Set<unknown>
}

function checkDisk(config: unknown, name: string, scope: Scope): asserts config is DiskConfig {
  const owner = `disk ${quote(name)}`
  if (!isObject(config)) throw new ConfigurationError(`${owner} must be an object with a "driver"`)
  const driver = config['driver']
  if (typeof driver !== 'string' || driver === '') {
    const meant = driver === undefined ? nearest('driver', Object.keys(config)) : undefined
    throw new ConfigurationError(`${owner} needs "driver"${meant === undefined ? '' : `, is ${quote(meant)} misspelt?`}`)
  }
  const definition = scope.extensions.has(driver) ? undefined : definitionOf(driver)
  if (definition === undefined) return
  const keys: Keys = { driver: text, ...COMMON_KEYS, ...definition.keys }
  const values = readKeys(config, keys, owner, { conflicts: definition.conflicts ?? [] })
  checkPrefix(values['prefix'], owner)
  CHECKS[driver]?.(config, owner)
  scope.open.add(config)
  for (const { at, disk } of references(config as unknown as DiskConfig)) {
    // A name may come to exist later (configureDisk, set, fake): it is judged when it is used.
    if (typeof disk !== 'string' && !scope.open.has(disk)) checkDisk(disk, `${name}.${at}`, scope)
  }
  scope.open.delete(config)
}

function checkReference(name: string, where: string, known: readonly string[]): void {
  if (known.includes(name)) return
  const hint = didYouMean(name, known)
  throw new ConfigurationError(`${where} is ${quote(name)}, which is no disk${hint || `; known: ${known.join(', ') || 'none'}`}`)
}

function checkPrefix(prefix: unknown, owner: string): void {
  if (typeof prefix !== 'string') return
  try {
    normalizePath(prefix)
  } catch (error) {
    if (!isStorageError(error)) throw error
    throw new ConfigurationError(`${owner}: "prefix" must be a directory below the root of the disk`, { cause: error })
  }
}

/** What the kinds of single values cannot say. */
const CHECKS: Readonly<Record<string, (config: Readonly<Record<string, unknown>>, owner: string) => void>> = {
  r2(config, owner) {
    if (config['acl'] === undefined || !flag(config['acl'], { owner, key: 'acl' })) return
    throw new ConfigurationError(`${owner}: "acl" cannot be true, because R2 has no ACLs: make the whole bucket public, or sign URLs`)
  },
  encrypted({ keys, primary }, owner) {
    if (!isObject(keys) || typeof primary !== 'string' || Object.hasOwn(keys, primary)) return
    throw new ConfigurationError(`${owner}: "primary" is not the id of one of "keys"${didYouMean(primary, Object.keys(keys))}`)
  },
}

/** A disk that another one wraps. */
export interface Reference {
  /** The key that holds it: `disk`, `fallbacks.0`. */
  readonly at: string
  readonly disk: DiskReference
}

/** The disks that a disk of a built-in driver wraps; the keys of other drivers are their own. */
export function references(config: DiskConfig): readonly Reference[] {
  if (definitionOf(config.driver) === undefined) return []
  const found: { at: string; disk: DiskReference | undefined }[] = []
  if ('disk' in config) found.push({ at: 'disk', disk: config.disk })
  if ('fallbacks' in config) config.fallbacks?.forEach((disk, index) => found.push({ at: `fallbacks.${index}`, disk }))
  if ('mirrors' in config) config.mirrors?.forEach((disk, index) => found.push({ at: `mirrors.${index}`, disk }))
  if ('store' in config && config.store?.driver === 'disk') found.push({ at: 'store.disk', disk: config.store.disk })
  return found.filter((reference): reference is Reference => reference.disk !== undefined)
}

/** @throws ConfigurationError for disks that wrap themselves, however far around */
function checkCycles(
  disks: Readonly<Record<string, DiskConfig>>,
  extensions: Extensions,
  ...more: (readonly [string, DiskConfig])[]
): void {
  const done = new Set<DiskConfig>()
  const visit = (config: DiskConfig, trail: readonly DiskConfig[], names: readonly string[]): void => {
    if (trail.includes(config)) throw new ConfigurationError(`disks reference each other: ${cycleOf(names)}`)
    if (done.has(config) || extensions.has(config.driver)) return
    for (const { disk } of references(config)) {
      const next = typeof disk === 'string' ? disks[disk] : disk
      if (next !== undefined) visit(next, [...trail, config], typeof disk === 'string' ? [...names, disk] : names)
    }
    done.add(config)
  }
  for (const [name, config] of [...more, ...Object.entries(disks)]) visit(config, [], [name])
}

/** From where the last name was met first: `x → a → b → a` is `a → b → a`. An inline disk that holds itself has its disk's name. */
function cycleOf(names: readonly string[]): string {
  const last = names.at(-1) as string
  const first = names.indexOf(last)
  return first === names.length - 1 ? `${last} → ${last}` : names.slice(first).join(' → ')
}
