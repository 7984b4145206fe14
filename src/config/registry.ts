/**
 * From a disk's configuration to its driver: one line per driver, and the keys that every disk takes, as decorators.
 *
 *   readOnly( served( scoped( retrying( throttled( driver )))))      outermost first; only those that the configuration asks for
 *
 * Built-in drivers are constructed synchronously and touch nothing. A driver that declares one of the common keys itself gets it,
 * and no decorator is added for it.
 */
import { type CachedOptions, cached } from '../decorators/cached/cached.ts'
import { cdn } from '../decorators/cdn/cdn.ts'
import { type EncryptedOptions, encrypted } from '../decorators/encrypted/encrypted.ts'
import { fallback } from '../decorators/fallback/fallback.ts'
import { mirrored } from '../decorators/mirrored/mirrored.ts'
import { readOnly } from '../decorators/read-only.ts'
import { retrying } from '../decorators/retrying.ts'
import { scoped } from '../decorators/scoped.ts'
import { served } from '../decorators/served.ts'
import { throttled } from '../decorators/throttled.ts'
import type { Driver, Visibility } from '../driver.ts'
import { GcsDriver } from '../drivers/gcs/gcs-driver.ts'
import { AzureDriver } from '../drivers/azure/azure-driver.ts'
import { FtpDriver } from '../drivers/ftp/ftp-driver.ts'
import { LocalDriver } from '../drivers/local/local-driver.ts'
import { MemoryDriver } from '../drivers/memory-driver.ts'
import { S3Driver, type S3DriverOptions } from '../drivers/s3/s3-driver.ts'
import { ConfigurationError, quote } from '../errors.ts'
import { encodePath, normalizePath } from '../path.ts'
import type { BuiltInConfigs, DiskConfig, DiskReference, Flag, Numeric, RetryConfig, ServeConfig } from './disk-config.ts'
import { unsetNames } from './env.ts'
import { COMMON_KEYS, DRIVER_KEYS } from './keys.ts'
import { type Keys, list, readKeys, text } from './kinds.ts'
import { didYouMean } from './nearest.ts'

/** What a driver is told about the disk it is built for. */
export interface DiskContext {
  /** The disk's name. */
  readonly name: string
  /** The driver of another disk, by name or inline configuration. */
  readonly resolve: (disk: DiskReference) => Driver
}

/** Makes a driver from a disk's configuration; given to `extend`. */
export type DriverFactory<Config = DiskConfig> = (config: Config, context: DiskContext) => Driver | Promise<Driver>

/** A driver that was added with `extend`. */
export interface Extension {
  readonly factory: DriverFactory<never>
  /** Which of the common keys the driver handles itself. Others of its keys need not be named: they are not judged. */
  readonly keys?: readonly string[] | undefined
}

export type Extensions = ReadonlyMap<string, Extension>

/** A built-in driver. */
export interface DriverDefinition {
  readonly keys: Keys
  /** Keys without which the disk cannot work; of a list, one. */
  readonly required: readonly (string | readonly string[])[]
  /** Keys that must not be given together. */
  readonly conflicts?: readonly (readonly [string, string])[]
  readonly build: (config: never, context: DiskContext) => Driver
}

/** A key's value after `keys.ts` read it: numbers and booleans are no strings any more. */
type Value<T> = [Flag] extends [T] ? boolean : [Numeric] extends [T] ? number : T
type Values<Config> = { readonly [Key in keyof Config]: Value<Config[Key]> }
type BuildConfig<Name extends keyof BuiltInConfigs> = Values<BuiltInConfigs[Name]> & { readonly visibility?: Visibility }
type Retried = Pick<CommonValues, 'retry'>

/** How often a driver repeats by itself: never where the disk's `retry` does, else as it likes. */
function ownRetries({ retry }: Retried): 0 | undefined {
  return retry === undefined || retry === false ? undefined : 0
}

const CLIENT_OR_KEYS = [
  ['client', 'key'],
  ['client', 'secret'],
  ['client', 'token'],
  ['client', 'credentials'],
  ['credentials', 'key'],
  ['credentials', 'secret'],
  ['credentials', 'token'],
] as const

/** Who repeats calls above the driver wants each to be made once. */
function s3Driver(preset?: S3DriverOptions['preset']): (config: Omit<S3DriverOptions, 'preset'> & Retried) => S3Driver {
  return (config) => new S3Driver({ ...config, preset, retries: ownRetries(config) ?? config.retries })
}

const DEFINITIONS: { readonly [Name in keyof BuiltInConfigs]: Omit<DriverDefinition, 'keys'> } = {
  local: { required: ['root'], build: (config: BuildConfig<'local'>) => new LocalDriver(config) },
  memory: { required: [], build: () => new MemoryDriver() },
  s3: { required: ['bucket'], conflicts: CLIENT_OR_KEYS, build: s3Driver() },
  minio: { required: ['bucket', ['endpoint', 'client']], conflicts: CLIENT_OR_KEYS, build: s3Driver('minio') },
  r2: { required: ['bucket', ['accountId', 'endpoint', 'client']], conflicts: CLIENT_OR_KEYS, build: s3Driver('r2') },
  spaces: { required: ['bucket', ['region', 'endpoint', 'client']], conflicts: CLIENT_OR_KEYS, build: s3Driver('spaces') },
  wasabi: { required: ['bucket'], conflicts: CLIENT_OR_KEYS, build: s3Driver('wasabi') },
  b2: { required: ['bucket', ['region', 'endpoint', 'client']], conflicts: CLIENT_OR_KEYS, build: s3Driver('b2') },
  supabase: { required: ['bucket', ['endpoint', 'client']], conflicts: CLIENT_OR_KEYS, build: s3Driver('supabase') },
  gcs: {
    required: ['bucket'],
    conflicts: [
      ['keyFile', 'credentials'],
      ['client', 'keyFile'],
      ['client', 'credentials'],
      ['client', 'endpoint'],
    ],
    // Who repeats calls above the driver wants each to be made once.
    build: (config: BuildConfig<'gcs'> & Retried) => new GcsDriver({ ...config, retries: ownRetries(config) }),
  },
  azure: {
    build: (config: BuildConfig<'azure'> & Retried) => new AzureDriver({ ...config, retries: ownRetries(config) ?? config.retries }),
    required: ['container', ['accountName', 'connectionString', 'endpoint', 'client']],
    conflicts: [
      ['connectionString', 'accountKey'],
      ['connectionString', 'sasToken'],
      ['accountKey', 'sasToken'],
      ['client', 'connectionString'],
      ['client', 'accountKey'],
      ['client', 'sasToken'],
    ],
  },
  ftp: { required: ['host'], build: (config: BuildConfig<'ftp'>) => new FtpDriver(config) },
  encrypted: {
    required: ['disk', ['key', 'keys', 'keyProvider']],
    conflicts: [
      ['key', 'keys'],
      ['key', 'keyProvider'],
      ['keys', 'keyProvider'],
      ['key', 'primary'],
    ],
    build: (config: BuildConfig<'encrypted'>, { resolve }) => encrypted(config as EncryptedOptions)(resolve(config.disk)),
  },
  cached: {
    required: ['disk'],
    build: (config: BuildConfig<'cached'>, { resolve }) => cached(cachedOptions(config, resolve))(resolve(config.disk)),
  },
  cdn: { required: ['disk', 'url'], build: (config: BuildConfig<'cdn'>, { resolve }) => cdn(config)(resolve(config.disk)) },
  scoped: {
    required: ['disk', 'prefix'],
    build: (config: BuildConfig<'scoped'>, { resolve }) => scoped(config.prefix)(resolve(config.disk)),
  },
  'read-only': { required: ['disk'], build: (config: BuildConfig<'read-only'>, { resolve }) => readOnly()(resolve(config.disk)) },
  fallback: {
    required: ['disk', 'fallbacks'],
    build: ({ disk, fallbacks, promote }: BuildConfig<'fallback'>, { resolve }) =>
      fallback({ fallbacks: fallbacks.map((other) => resolve(other)), promote })(resolve(disk)),
  },
  mirrored: {
    required: ['disk', 'mirrors'],
    build: ({ disk, mirrors, mode }: BuildConfig<'mirrored'>, { resolve }) =>
      mirrored({ mirrors: mirrors.map((other) => resolve(other)), mode })(resolve(disk)),
  },
}

/** A store on a disk is given as that disk's driver. */
function cachedOptions(config: BuildConfig<'cached'>, resolve: DiskContext['resolve']): CachedOptions {
  const { disk: _disk, store, ...options } = config
  if (store?.driver !== 'disk') return { ...options, store } as CachedOptions
  return { ...options, store: { ...store, disk: resolve(store.disk as DiskReference) } } as CachedOptions
}

/** The built-in driver of this name. */
export function definitionOf(name: string): DriverDefinition | undefined {
  if (!Object.hasOwn(DEFINITIONS, name)) return undefined
  const known = name as keyof BuiltInConfigs
  return { ...DEFINITIONS[known], keys: DRIVER_KEYS[known] }
}

/** The names of the built-in drivers. */
export function builtInNames(): readonly string[] {
  return Object.keys(DEFINITIONS)
}

/**
 * The driver of a disk with the decorators of its own keys around it. A promise only where an `extend` factory gave one.
 * @throws ConfigurationError for an unknown driver, missing keys, and wrong values
 */
export function buildDriver(config: DiskConfig, context: DiskContext, extensions: Extensions): Driver | Promise<Driver> {
  const common = commonKeys(config, context.name, extensions)
  const driver = bareDriver(config, context, extensions)
  return isPromise(driver)
    ? driver.then((settled) => decorate(checkDriver(settled, config, context), common, context.name))
    : decorate(checkDriver(driver, config, context), common, context.name)
}

/** What `Disk` puts into the options of calls that do not say; a driver's own keys are left to it. */
export function diskDefaults(
  config: DiskConfig,
  name: string,
  extensions: Extensions,
): { readonly visibility: Visibility | undefined; readonly timeoutMs: number | undefined; readonly urlExpiration: number | undefined } {
  const { visibility, timeoutMs, urlExpiration } = commonKeys(config, name, extensions)
  return { visibility, timeoutMs: timeoutMs === 0 ? undefined : timeoutMs, urlExpiration } // zero is the usual word for no limit
}

interface CommonValues {
  readonly prefix?: string
  readonly readOnly?: boolean
  readonly visibility?: Visibility
  readonly url?: string
  readonly serve?: boolean | ServeConfig
  readonly retry?: boolean | number | { readonly [Key in keyof RetryConfig]: number | undefined }
  readonly timeoutMs?: number
  readonly maxConcurrency?: number
  readonly urlExpiration?: number
}

/** The common keys that the driver does not declare itself, judged. */
function commonKeys(config: DiskConfig, name: string, extensions: Extensions): CommonValues {
  const extension = extensions.get(config.driver)
  const own = extension === undefined ? Object.keys(definitionOf(config.driver)?.keys ?? {}) : (extension.keys ?? [])
  const entries = Object.entries(config).filter(([key]) => Object.hasOwn(COMMON_KEYS, key) && !own.includes(key))
  return readKeys(Object.fromEntries(entries), COMMON_KEYS, owner(name))
}

function bareDriver(config: DiskConfig, context: DiskContext, extensions: Extensions): Driver | Promise<Driver> {
  const extension = extensions.get(config.driver)
  if (extension !== undefined) return (extension.factory as DriverFactory)(config, context)
  const definition = definitionOf(config.driver)
  if (definition === undefined) throw unknownDriver(config.driver, context.name, extensions)
  const { keys, required, conflicts = [], build } = definition
  const values = readKeys(config, { driver: text, ...COMMON_KEYS, ...keys }, owner(context.name), { conflicts })
  checkRequired(config, required, context.name)
  return build(values as never, context)
}

function unknownDriver(driver: string, name: string, extensions: Extensions): ConfigurationError {
  const known = [...new Set([...builtInNames(), ...extensions.keys()])]
  const hint = didYouMean(driver, known)
  return new ConfigurationError(
    `${owner(name)}: unknown driver ${quote(driver)}${hint || `; known are ${known.join(', ')}; others are added with Storage.extend`}`,
  )
}

function checkRequired(config: DiskConfig, required: DriverDefinition['required'], name: string): void {
  const values: Readonly<Record<string, unknown>> = { ...config }
  const missing = required
    .map((keys) => (typeof keys === 'string' ? [keys] : keys))
    .filter((keys) => keys.every((key) => values[key] === undefined || values[key] === ''))
    // Of several that would do, the one that was written down is the one that was meant.
    .map((keys) => keys.find((key) => Object.hasOwn(values, key)) ?? keys)
    .map((keys) => (typeof keys === 'string' ? [keys] : keys))
  if (missing.length === 0) return
  const asked = missing.flat().filter((key) => Object.hasOwn(values, key))
  const names = [...new Set(asked.flatMap((key) => unsetNames(config, key)))]
  const needs = list(
    missing.map((keys) => list(keys.map(quote))),
    'and',
  )
  throw new ConfigurationError(`${owner(name)} needs ${needs}${names.length > 0 ? ` (unset: ${names.join(', ')})` : ''}`)
}

function decorate(driver: Driver, common: CommonValues, name: string): Driver {
  const { prefix = '', url, serve, retry, maxConcurrency, visibility } = common
  let stack = driver
  if (maxConcurrency !== undefined) stack = throttled({ maxConcurrency })(stack)
  if (retry !== undefined && retry !== false) stack = retrying(retry)(stack)
  if (prefix !== '') stack = scoped(prefix)(stack)
  if (url !== undefined || (serve !== undefined && serve !== false)) {
    const publicUrl = url === undefined ? undefined : withPrefix(url, prefix)
    stack = served({ disk: name, ...serveOptions(serve), publicUrl, visibility })(stack)
  }
  return common.readOnly === true ? readOnly()(stack) : stack
}

function serveOptions(serve: CommonValues['serve']): ServeConfig {
  if (serve === undefined || serve === false) return {}
  const given = serve === true ? {} : serve
  return {
    url: given.url ?? (process.env['STORAGE_BASE_URL'] || '/storage'),
    secret: given.secret ?? (process.env['STORAGE_URL_SECRET'] || undefined),
  }
}

/** A public base URL shows the store, so the files of a disk with a prefix are below it. */
function withPrefix(url: string, prefix: string): string {
  const path = encodePath(normalizePath(prefix))
  return path === '' ? url : `${url.replace(/\/+$/, '')}/${path}`
}

function checkDriver(driver: Driver, config: DiskConfig, { name }: DiskContext): Driver {
  if (typeof driver === 'object' && driver !== null && typeof driver.read === 'function') return driver
  throw new ConfigurationError(`${owner(name)}: what was added with extend(${quote(config.driver)}, …) did not return a driver`)
}

function isPromise(value: Driver | Promise<Driver>): value is Promise<Driver> {
  return typeof value === 'object' && value !== null && 'then' in value
}

function owner(name: string): string {
  return `disk ${quote(name)}`
}
