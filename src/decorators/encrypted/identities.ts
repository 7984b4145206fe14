/**
 * Recipients and identities as age writes them: `age1…` may encrypt, `AGE-SECRET-KEY-1…` opens. The recovery identity of a disk key
 * is derived from it, so that whoever has the key can open the files with the stock tool, and nobody stores a second secret.
 */
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError } from '../../errors.ts'
import { decodeBech32, encodeBech32 } from './bech32.ts'
import { keyBytes } from './keys.ts'
import { type KeyPair, keyPairOf } from './x25519.ts'

const RECIPIENT = 'age'
const IDENTITY = 'age-secret-key-'
const X25519_BYTES = 32

/**
 * What the stock `age` tool needs to open the files of a disk with this key and `recovery: true`. A secret like the key itself.
 * @param key 32 bytes, base64, as `generateKey()` makes them
 */
export function recoveryIdentity(key: string): string {
  return encodeBech32(IDENTITY, recoveryScalar(keyBytes(key))).toUpperCase()
}

/** The public half of a key's recovery identity. @param key 32 bytes */
export function recoveryKeyPair(key: Uint8Array): KeyPair {
  return keyPairOf(recoveryScalar(key))
}

/** @throws ConfigurationError for anything but `age1…` */
export function parseRecipient(text: string): Uint8Array {
  const bytes = decodeBech32(RECIPIENT, text)
  if (bytes?.byteLength === X25519_BYTES) return bytes
  throw new ConfigurationError('"recovery" is no age recipient: give one that begins with age1, or true for the key\'s own')
}

/** @throws ConfigurationError for anything but `AGE-SECRET-KEY-1…`; the message does not have it */
export function parseIdentity(text: string): KeyPair {
  const bytes = decodeBech32(IDENTITY, text)
  if (bytes?.byteLength === X25519_BYTES) return keyPairOf(bytes)
  throw new ConfigurationError('"recover" has what is no age identity: give the text that begins with AGE-SECRET-KEY-1')
}

function recoveryScalar(key: Uint8Array): Uint8Array {
  return new Uint8Array(nodeCrypto().hkdfSync('sha256', key, '', 'stowage/age-recovery', X25519_BYTES))
}
