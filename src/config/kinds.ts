/**
 * The kinds of values that keys of a configuration take: each judges one value and gives it in the type that the driver wants,
 * so that `'2121'` from the environment is a port. Messages name the disk and the key, and never print a value: it may be a secret.
 */
import { ConfigurationError, quote } from '../errors.ts'
import { didYouMean } from './nearest.ts'

/** Where a value stands: `disk "s3"`, and the key in it, `store.ttl`. */
interface Place {
  readonly owner: string
  readonly key: string
}

/** @throws ConfigurationError when the value is of another kind */
export type Kind<Value = unknown> = (value: unknown, place: Place) => Value
export type Keys = Readonly<Record<string, Kind>>

export const text: Kind<string> = (value, place) => (typeof value === 'string' ? value : refuse(place, 'a string', value))

/** Zero or more, fractions too. */
export const amount: Kind<number> = (value, place) => {
  const number = toNumber(value)
  return number !== undefined && number >= 0 ? number : refuse(place, 'a number that is not negative', value)
}

/** A whole number from one. */
export const count: Kind<number> = (value, place) => {
  const number = toNumber(value)
  return number !== undefined && Number.isSafeInteger(number) && number >= 1 ? number : refuse(place, 'a whole number, 1 or more', value)
}

/** A whole number from zero. */
export const countOrZero: Kind<number> = (value, place) => (toNumber(value) === 0 ? 0 : count(value, place))

export const port: Kind<number> = (value, place) => {
  const number = toNumber(value)
  return number !== undefined && Number.isInteger(number) && number >= 1 && number <= 65_535
    ? number
    : refuse(place, 'a port, 1 to 65535', value)
}

/** A mode as a number only: whether the string `644` is octal is anybody's guess. */
export const mode: Kind<number> = (value, place) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0o7777
    ? value
    : refuse(place, 'a mode as a number, such as 0o640', value)

const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  ['true', true],
  ['1', true],
  [false, false],
  ['false', false],
  ['0', false],
])

export const flag: Kind<boolean> = (value, place) => FLAGS.get(value) ?? refuse(place, 'true or false', value)

export const object: Kind = (value, place) => (isObject(value) ? value : refuse(place, 'an object', value))

export const callable: Kind = (value, place) => (typeof value === 'function' ? value : refuse(place, 'a function', value))

export const textMap: Kind = (value, place) => {
  if (!isObject(value)) return refuse(place, 'an object of strings', value)
  for (const [key, inner] of Object.entries(value)) if (inner !== undefined) text(inner, { ...place, key: `${place.key}.${key}` })
  return value
}

export const texts: Kind = (value, place) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : refuse(place, 'a list of strings', value)

/** A disk's name or an inline configuration; `validate.ts` looks into it. */
export const disk: Kind = (value, place) =>
  (typeof value === 'string' && value !== '') || isObject(value) ? value : refuse(place, "a disk's name or configuration", value)

export const disks: Kind = (value, place) => {
  if (!Array.isArray(value)) return refuse(place, 'a list of disks', value)
  for (const [index, item] of value.entries()) disk(item, { ...place, key: `${place.key}.${index}` })
  return value
}

/** One of these words; false may be one. `'false'` from the environment counts as it. */
export function oneOf(...values: readonly (string | false)[]): Kind {
  const expected = list(values.map((value) => (value === false ? 'false' : quote(value))))
  return (value, place) => {
    if (values.includes(value as string)) return value
    if (value === 'false' && values.includes(false)) return false
    const words = values.filter((word) => word !== false)
    return refuse(place, expected, value, typeof value === 'string' ? didYouMean(value, words) : '')
  }
}

/** The first kind that takes the value; `expected` says all of them. */
export function either(expected: string, ...kinds: readonly Kind[]): Kind {
  return (value, place) => {
    for (const kind of kinds) {
      try {
        return kind(value, place)
      } catch {
        // The next kind may take it.
      }
    }
    return refuse(place, expected, value)
  }
}

/** An object with these keys and no others, of which no two conflict. */
export function options(keys: Keys, conflicts: readonly (readonly [string, string])[] = []): Kind {
  return (value, place) => {
    if (!isObject(value)) return refuse(place, 'an object', value)
    return readKeys(value, keys, place.owner, { path: `${place.key}.`, conflicts })
  }
}

/** An object whose key `tag` says which other keys it takes. */
export function tagged(tag: string, variants: Readonly<Record<string, Kind>>): Kind {
  return (value, place) => {
    if (!isObject(value)) return refuse(place, 'an object', value)
    oneOf(...Object.keys(variants))(value[tag], { ...place, key: `${place.key}.${tag}` })
    return variants[String(value[tag])]?.(value, place)
  }
}

/** Reads an object by its keys; undefined ones are left out. @throws ConfigurationError for an unknown key, a wrong kind, a conflict */
export function readKeys(
  value: Readonly<Record<string, unknown>>,
  keys: Keys,
  owner: string,
  { path = '', conflicts = [] }: { path?: string; conflicts?: readonly (readonly [string, string])[] } = {},
): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(value)) {
    const kind = Object.hasOwn(keys, key) ? keys[key] : undefined
    if (kind === undefined) {
      const hint = didYouMean(key, Object.keys(keys), (candidate) => path + candidate)
      throw new ConfigurationError(`${owner}: unknown key ${quote(path + key)}${hint || `; known: ${Object.keys(keys).join(', ')}`}`)
    }
    if (inner !== undefined) found[key] = kind(inner, { owner, key: path + key })
  }
  for (const [one, other] of conflicts) {
    if (found[one] === undefined || found[other] === undefined) continue
    throw new ConfigurationError(`${owner}: ${quote(path + one)} and ${quote(path + other)} exclude each other, give one of them`)
  }
  return found
}

/** Any object but a list, seen by its keys. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `a, b or c`. */
export function list(words: readonly string[], joint = 'or'): string {
  return words.length <= 1 ? words.join('') : `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`
}

function refuse({ owner, key }: Place, expected: string, value: unknown, hint = ''): never {
  throw new ConfigurationError(`${owner}: ${quote(key)} must be ${expected}, not ${typeName(value)}${hint}`)
}

function typeName(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return value === '' ? 'an empty string' : 'another string'
  return typeof value === 'object' ? 'an object' : `another ${typeof value}`
}

function toNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
