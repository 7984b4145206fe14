/**
 * `env()`, which remembers what it did not find, so that a missing key can be reported with the variable that should have held it:
 *
 *   bucket: env('AWS_BUCKET')   ──▶   disk "s3" needs "bucket" (unset: AWS_BUCKET)
 *
 * A literal calls `env()` in the order of its properties. So the names that were not found and the undefined values of the
 * configuration belong together one to one if there are equally many; otherwise all the names are told.
 */

/** Names asked for and not found, since the last configuration took them. */
let unset: string[] = []
const MAX_REMEMBERED = 1_000 // calls of env() that belong to no configuration must not grow the list without end

/** By object of a configuration: the variables that each of its undefined keys was asked from. */
const namesByKey = new WeakMap<object, Map<string, readonly string[]>>()
/** By object of a configuration whose values could not be told apart: all names. */
const namesOfWhole = new WeakMap<object, readonly string[]>()

/** An environment variable; undefined when it is unset or empty, as an empty line in a `.env` file means. Never throws. */
export function env(name: string): string | undefined
export function env(name: string, fallback: string): string
export function env(name: string, fallback: string | undefined): string | undefined
export function env(name: string, fallback?: string): string | undefined {
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  if (fallback === undefined && unset.push(name) > MAX_REMEMBERED) unset.shift()
  return fallback
}

/** Takes the names that `env()` did not find, and pairs them with the undefined values of this configuration. Once per object. */
export function rememberUnset(config: unknown): void {
  if (!isObject(config) || namesByKey.has(config) || namesOfWhole.has(config)) return
  const names = unset
  unset = []
  const { holes, objects } = survey(config)
  if (holes.length === names.length) {
    namesByKey.set(config, new Map())
    holes.forEach(({ object, key }, index) => rememberNames(object, key, [names[index] as string]))
  } else {
    for (const object of objects) namesOfWhole.set(object, [...new Set(names)])
  }
}

/** Says which variables a key of this object was asked from. */
export function rememberNames(object: object, key: string, names: readonly string[]): void {
  const known = namesByKey.get(object) ?? new Map<string, readonly string[]>()
  namesByKey.set(object, known.set(key, names))
}

/** The variables that were unset when this key was asked for; empty when it never came from the environment. */
export function unsetNames(config: object, key: string): readonly string[] {
  return namesByKey.get(config)?.get(key) ?? namesOfWhole.get(config) ?? []
}

interface Survey {
  readonly holes: { object: object; key: string }[]
  readonly objects: Set<object>
}

/** Every undefined value in the order of the literal, and every plain object and array seen on the way. */
function survey(value: object, found: Survey = { holes: [], objects: new Set() }): Survey {
  if (found.objects.has(value)) return found
  found.objects.add(value)
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) found.holes.push({ object: value, key })
    else if (isPlain(inner)) survey(inner, found)
  }
  return found
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

// An SDK client in a configuration is not ours to look through. Literals of another realm have a prototype without prototype too.
function isPlain(value: unknown): value is object {
  if (!isObject(value)) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
