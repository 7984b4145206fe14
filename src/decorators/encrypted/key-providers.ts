/**
 * Where keys come from when they do not stand in the configuration. A provider is asked once, at the first operation; a failure is
 * not remembered. Files name keys by their id alone, so a disk may change its provider as long as ids and keys stay.
 */
import { readFile } from 'node:fs/promises'
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError, quote } from '../../errors.ts'
import { KEY_BYTES } from './keys.ts'

export interface KeySet {
  /** 32 bytes each, as they are or in base64. */
  readonly keys: Readonly<Record<string, string | Uint8Array | undefined>>
  /** The id that encrypts. Default: the first. */
  readonly primary?: string | undefined
}

export interface KeyProvider {
  load(): Promise<KeySet>
}

/** Keys from environment variables, by id: `envKeys({ k2: 'STORAGE_KEY', k1: 'STORAGE_KEY_2025' })`. @throws ConfigurationError that names unset ones */
export function envKeys(variables: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = process.env): KeyProvider {
  return {
    load: async () => {
      const unset = Object.values(variables).filter((name) => !env[name])
      if (unset.some((name) => !/^\w+$/.test(name)))
        // not quoted: somebody gave the key itself
        throw new ConfigurationError('envKeys needs the names of environment variables, not their values')
      if (unset.length > 0) throw new ConfigurationError(`encryption keys are missing (unset: ${unset.join(', ')})`)
      return { keys: Object.fromEntries(Object.entries(variables).map(([id, name]) => [id, env[name]])) }
    },
  }
}

/** Keys from a file: one key in base64, or JSON `{ "primary": "k2", "keys": { "k2": "…", "k1": "…" } }`. @throws ConfigurationError */
export function fileKeys(path: string): KeyProvider {
  return {
    load: async () => {
      const text = await readFile(path, 'utf8').catch((cause: unknown) => {
        throw new ConfigurationError(`the key file ${quote(path)} cannot be read`, { cause })
      })
      return text.trimStart().startsWith('{') ? parseKeySet(text, path) : { keys: { default: text } }
    },
  }
}

function parseKeySet(text: string, path: string): KeySet {
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    throw new ConfigurationError(`the key file ${quote(path)} is not JSON`) // without the cause, which quotes the file
  }
  const keys = (set as Partial<KeySet> | null)?.keys
  if (typeof keys === 'object' && keys !== null) return set as KeySet
  throw new ConfigurationError(`the key file ${quote(path)} needs "keys": an object of keys by id`)
}

export interface PassphraseOptions {
  /** Different for every disk, and not secret: files cannot be opened without it. */
  readonly salt: string
  /** The id that files know the key by. Default: `passphrase`. */
  readonly id?: string | undefined
  /** log₂ of scrypt's N. Default: 17, which takes 128 MiB and some tenths of a second, once. */
  readonly cost?: number | undefined
}

/** A key derived from a passphrase (scrypt, RFC 7914: r = 8, p = 1). A random key is better wherever it can be kept. */
export function passphraseKey(passphrase: string, { salt, id = 'passphrase', cost = 17 }: PassphraseOptions): KeyProvider {
  if (passphrase === '' || salt === '') throw new ConfigurationError('a passphrase key needs a passphrase and a salt')
  if (!Number.isInteger(cost) || cost < 14 || cost > 24) throw new ConfigurationError('"cost" is a whole number from 14 to 24')
  return {
    load: () =>
      new Promise((resolve, reject) => {
        const parameters = { N: 2 ** cost, r: 8, p: 1, maxmem: 2 ** (cost + 11) }
        nodeCrypto().scrypt(passphrase.normalize('NFC'), salt, KEY_BYTES, parameters, (error, key) => {
          if (error === null) resolve({ keys: { [id]: key } })
          else reject(error)
        })
      }),
  }
}

/** A service that holds a master key and gives it to nobody. `context` has to be the same both ways. */
export interface KeyManagement {
  wrap(bytes: Uint8Array, context: Readonly<Record<string, string>>): Promise<Uint8Array>
  unwrap(wrapped: Uint8Array, context: Readonly<Record<string, string>>): Promise<Uint8Array>
}

export interface WrappedKeys {
  /** What `wrapKey` gave, by id. */
  readonly wrapped: Readonly<Record<string, string>>
  /** The id that encrypts. Default: the first. */
  readonly primary?: string | undefined
}

/** Keys that a key management service has to unwrap: one call a key, once per process. */
export function kmsKeys(kms: KeyManagement, { wrapped, primary }: WrappedKeys): KeyProvider {
  return {
    load: async () => {
      const keys: Record<string, Uint8Array> = {}
      for (const [id, text] of Object.entries(wrapped)) keys[id] = await kms.unwrap(Buffer.from(text, 'base64'), contextOf(id))
      return { keys, primary }
    },
  }
}

/** A new key under this id, wrapped: what goes into the `wrapped` of `kmsKeys`. Nobody sees the key itself. */
export async function wrapNewKey(kms: KeyManagement, id: string): Promise<string> {
  const wrapped = await kms.wrap(nodeCrypto().randomBytes(KEY_BYTES), contextOf(id))
  return Buffer.from(wrapped).toString('base64')
}

function contextOf(id: string): Record<string, string> {
  return { purpose: 'stowage', key: id }
}
