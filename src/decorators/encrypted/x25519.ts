/** X25519 (RFC 7748) over raw 32-byte keys, by way of the encodings that `node:crypto` takes (RFC 8410). */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'

const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

export interface KeyPair {
  readonly privateKey: KeyObject
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

export function generateKeyPair(): KeyPair {
  const { privateKey, publicKey } = nodeCrypto().generateKeyPairSync('x25519')
  return { privateKey, publicKey: rawPublicKey(publicKey) }
}

/** @param scalar 32 bytes */
export function keyPairOf(scalar: Uint8Array): KeyPair {
  const { createPrivateKey, createPublicKey } = nodeCrypto()
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, scalar]), format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: rawPublicKey(createPublicKey(privateKey)) }
}

/** The shared secret; undefined where it would be all zeros, which a point of low order makes. */
export function sharedSecret(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array | undefined {
  const { createPublicKey, diffieHellman } = nodeCrypto()
  const other = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, publicKey]), format: 'der', type: 'spki' })
  try {
    const secret = diffieHellman({ privateKey, publicKey: other })
    return secret.every((byte) => byte === 0) ? undefined : secret
  } catch {
    return undefined // OpenSSL refuses points of low order.
  }
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length)
}
