/** The disk's own keys: 32 random bytes, written in base64. */
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError } from '../../errors.ts'

export const KEY_BYTES = 32

/** A new key for an encrypted disk: 32 random bytes, base64. Whoever has it reads everything; whoever loses it, nothing. */
export function generateKey(): string {
  return nodeCrypto().randomBytes(KEY_BYTES).toString('base64')
}

/** The bytes of a key. A prefix `base64:`, which Laravel writes, is taken too. @throws ConfigurationError that does not have the key */
export function keyBytes(text: string): Buffer {
  const base64 = text.trim().replace(/^base64:/, '')
  const bytes = Buffer.from(base64, 'base64')
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  if (bytes.byteLength === KEY_BYTES && isBase64) return bytes
  throw new ConfigurationError(`an encryption key is ${KEY_BYTES} bytes in base64, as generateKey() makes them: this is something else`)
}
