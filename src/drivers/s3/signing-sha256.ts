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
  const keys = new Keys()
  return class extends OnePieceHash {
    constructor(secret?: Secret) {
      super(keys, secret)
    }
  }
}

class OnePieceHash implements SigningHash {
  readonly #keys: Keys
  readonly #secret: Secret | undefined
  /** What came so far, while it is one piece. */
  #only: Uint8Array | undefined
  #running: Hash | Hmac | undefined

  constructor(keys: Keys, secret: Secret | undefined) {
    this.#keys = keys
    this.#secret = secret
  }

  update(bytes: Uint8Array): void {
    if (this.#running === undefined && this.#only === undefined) {
      this.#only = bytes
      return
    }
    this.#running ??= this.#keys.start(this.#secret).update(this.#only ?? new Uint8Array())
    this.#running.update(bytes)
  }

  async digest(): Promise<Uint8Array> {
    if (this.#running !== undefined) return this.#running.digest()
    const bytes = this.#only ?? new Uint8Array()
    if (this.#secret === undefined) return nodeCrypto().hash('sha256', bytes, 'buffer')
    if (typeof this.#secret === 'string') return this.#keys.remembered(this.#secret, bytes)
    return this.#keys.start(this.#secret).update(bytes).digest()
  }

  reset(): void {
    this.#only = undefined
    this.#running = undefined
  }
}

/** The keys of one client. */
class Keys {
  readonly #made = new WeakMap<object, KeyObject>()
  #last: { readonly secret: string; readonly bytes: Uint8Array; readonly digest: Buffer } | undefined

  start(secret: Secret | undefined): Hash | Hmac {
    const { createHash, createHmac } = nodeCrypto()
    if (secret === undefined) return createHash('sha256')
    return createHmac('sha256', typeof secret === 'string' ? secret : this.#keyOf(secret))
  }

  /** The HMAC of one piece with a secret; the last one is not computed again. */
  remembered(secret: string, bytes: Uint8Array): Buffer {
    if (this.#last?.secret !== secret || Buffer.compare(this.#last.bytes, bytes) !== 0) {
      this.#last = { secret, bytes: Uint8Array.from(bytes), digest: this.start(secret).update(bytes).digest() }
    }
    return this.#last.digest
  }

  #keyOf(secret: Exclude<Secret, string>): KeyObject {
    let key = this.#made.get(secret)
    if (key === undefined) {
      key = nodeCrypto().createSecretKey(ArrayBuffer.isView(secret) ? asBytes(secret) : Buffer.from(secret))
      this.#made.set(secret, key)
    }
    return key
  }
}

function asBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return asBuffer(new Uint8Array(buffer, byteOffset, byteLength))
}
