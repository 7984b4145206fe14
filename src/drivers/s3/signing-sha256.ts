/**
 * SHA-256 and HMAC-SHA-256 as the SDK wants them for signing, for one client.
 *
 * A signature takes two digests and two HMACs of a few hundred bytes each. Making Node's hash and key objects for them costs more than
 * hashing: so what comes in one piece is hashed in one call, keys are made once, and the HMAC that the SDK finds its signing key by,
 * which is the same every time, is remembered.
 */
import type { Hash, Hmac, KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { asBuffer } from '../../content.ts'

/** What the SDK's `sha256` makes. Bytes that are given must not change before the digest. */
export interface SigningHash {
  update(bytes: Uint8Array): void
  digest(): Promise<Uint8Array>
  reset(): void
}

type Secret = string | ArrayBuffer | ArrayBufferView

export function signingSha256(): new (secret?: Secret) => SigningHash {
  const { createHash, createHmac, createSecretKey, hash } = nodeCrypto()
  const keys = new WeakMap<object, KeyObject>()
  let last: { readonly secret: string; readonly bytes: Uint8Array; readonly digest: Buffer } | undefined

  function keyOf(secret: Exclude<Secret, string>): KeyObject {
    let key = keys.get(secret)
    if (key === undefined) keys.set(secret, (key = createSecretKey(ArrayBuffer.isView(secret) ? asBytes(secret) : Buffer.from(secret))))
    return key
  }

  function start(secret: Secret | undefined): Hash | Hmac {
    if (secret === undefined) return createHash('sha256')
    return createHmac('sha256', typeof secret === 'string' ? secret : keyOf(secret))
  }

  function remembered(secret: string, bytes: Uint8Array): Buffer {
    if (last?.secret !== secret || Buffer.compare(last.bytes, bytes) !== 0) {
      last = { secret, bytes: Uint8Array.from(bytes), digest: createHmac('sha256', secret).update(bytes).digest() }
    }
    return last.digest
  }

  return class implements SigningHash {
    readonly #secret: Secret | undefined
    /** What came so far, while it is one piece. */
    #only: Uint8Array | undefined
    #running: Hash | Hmac | undefined

    constructor(secret?: Secret) {
      this.#secret = secret
    }

    update(bytes: Uint8Array): void {
      if (this.#running === undefined && this.#only === undefined) {
        this.#only = bytes
        return
      }
      this.#running ??= start(this.#secret).update(this.#only ?? new Uint8Array())
      this.#running.update(bytes)
    }

    async digest(): Promise<Uint8Array> {
      if (this.#running !== undefined) return this.#running.digest()
      const bytes = this.#only ?? new Uint8Array()
      if (this.#secret === undefined) return hash('sha256', bytes, 'buffer')
      return typeof this.#secret === 'string' ? remembered(this.#secret, bytes) : start(this.#secret).update(bytes).digest()
    }

    reset(): void {
      this.#only = undefined
      this.#running = undefined
    }
  }
}

function asBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return asBuffer(new Uint8Array(buffer, byteOffset, byteLength))
}
