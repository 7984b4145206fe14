/**
 * The keys of a disk by id: one encrypts, all open. A single `key` has no name of its own, so files that it wrote are tried with
 * every key, and it tries files whatever key they name: who goes from `key` to `keys` loses nothing.
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError, IntegrityError, KeyNotFoundError, quote } from '../../errors.ts'
import type { KeyProvider, KeySet } from './key-providers.ts'
import { KEY_BYTES, keyBytes } from './keys.ts'
import type { NamedKey } from './stanzas.ts'

export interface KeyOptions {
  /** 32 bytes, base64. */
  readonly key?: string | undefined
  /** Several, by the id that files know them by: letters, digits and `._-`. */
  readonly keys?: Readonly<Record<string, string | undefined>> | undefined
  /** The id that encrypts. Default: the first of `keys`. */
  readonly primary?: string | undefined
  /** Gives the keys at the first operation, in place of `key` and `keys`. */
  readonly keyProvider?: KeyProvider | undefined
}

export interface KeyRing {
  /** The key that encrypts. */
  readonly primary: NamedKey
  readonly keys: readonly NamedKey[]
}

/** What a single `key` is called in files. */
const UNNAMED = 'default'

/** @throws ConfigurationError for what is wrong already; keys of a provider are judged when they come */
export function judgeKeys({ key, keys, primary, keyProvider }: KeyOptions): () => Promise<KeyRing> {
  const given = [key, keys, keyProvider].filter((value) => value !== undefined)
  if (given.length !== 1) throw new ConfigurationError('give one of "key", "keys" and "keyProvider": generateKey() makes a key')
  if (keyProvider !== undefined) return once(async () => ringOf(await keyProvider.load(), primary))
  if (key !== undefined && primary !== undefined) throw new ConfigurationError('"primary" is for "keys": a single "key" has no id')
  const ring = key === undefined ? ringOf({ keys: keys ?? {} }, primary) : ringOf({ keys: { [UNNAMED]: key } }, undefined)
  return () => Promise.resolve(ring)
}

function ringOf(set: KeySet, chosen: string | undefined): KeyRing {
  const keys = Object.entries(set.keys).flatMap(([id, key]) => (key === undefined ? [] : [namedKey(id, key)]))
  const id = chosen ?? set.primary
  const primary = id === undefined ? keys[0] : keys.find((key) => key.id === id)
  if (id === undefined && keys.length > 1 && keys.some((key) => /^\d+$/.test(key.id))) {
    // JavaScript puts such names in the order of their numbers, whatever the order in the configuration.
    throw new ConfigurationError('key ids that are numbers have no first one: say which key encrypts with "primary"')
  }
  if (primary !== undefined) return { primary, keys }
  if (id !== undefined) throw new ConfigurationError(`"primary" is ${named(id)}, which is none of "keys"`)
  throw new ConfigurationError('"keys" has no key: generateKey() makes one')
}

function namedKey(id: string, key: string | Uint8Array): NamedKey {
  if (!/^[\w.-]{1,64}$/.test(id)) throw new ConfigurationError('a key id needs 1 to 64 letters, digits, dots, dashes or underscores')
  const bytes = typeof key === 'string' ? keyBytes(key) : key
  if (!ArrayBuffer.isView(bytes)) throw new ConfigurationError(`the key ${named(id)} is neither bytes nor text in base64`)
  if (bytes.byteLength !== KEY_BYTES)
    throw new ConfigurationError(`the key ${named(id)} has ${bytes.byteLength} bytes instead of ${KEY_BYTES}`)
  return { id, key: nodeCrypto().createSecretKey(bytes) }
}

/** A name to put into a message: never what may be a key in the place of an id. */
function named(id: string): string {
  return /^[\w.-]{1,32}$/.test(id) ? quote(id) : 'no id'
}

/** The keys that may open a file that names this one. */
export function candidates({ keys }: KeyRing, id: string): readonly NamedKey[] {
  const named = keys.filter((key) => key.id === id)
  if (named.length > 0) return named
  return id === UNNAMED || keys.some((key) => key.id === UNNAMED) ? keys : []
}

/** What to say when no candidate opened the file. */
export function noKeyOpens({ keys }: KeyRing, id: string): IntegrityError | KeyNotFoundError {
  if (id === UNNAMED || keys.some((key) => key.id === id)) {
    return new IntegrityError('the file does not open: it was encrypted with another key, moved from another path, or damaged')
  }
  return new KeyNotFoundError(`the file was encrypted with the key ${quote(id)}, which is none of the disk's: add it to "keys"`)
}

/** A number that only the holder of the key can make from the path: what `bind: 'path'` puts into a header. */
export function pathBinding(key: KeyObject, path: string): string {
  return nodeCrypto()
    .createHmac('sha256', key)
    .update(`stowage/bind ${path}`)
    .digest()
    .subarray(0, 16)
    .toString('base64')
    .replace(/=+$/, '')
}

/** The same promise for every caller, until it fails. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
}
