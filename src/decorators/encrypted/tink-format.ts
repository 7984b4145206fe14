/**
 * Tink's AES256_GCM_HKDF_1MB streaming AEAD, bit for bit (Tink wire format, "AES-GCM-HKDF"): for those who need AES, or twice the speed.
 *
 *   40 ‖ salt32 ‖ prefix7 │ segment₀ (1 MiB with header and tag) │ segment₁ (1 MiB with tag) │ …
 *   key = HKDF-SHA256(disk key, salt, associated data)      nonceᵢ = prefix ‖ i (4 bytes BE) ‖ last? (1 byte)
 *
 * The header names no key, so that all are tried, the primary first. The associated data is empty; with
 * `bind: 'path'` it is the path's SHA-256, because OpenSSL takes no more than 1,024 bytes.
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { IntegrityError, InvalidArgumentError } from '../../errors.ts'
import type { FileCipher, FileFormat } from './file-format.ts'
import type { KeyRing } from './key-ring.ts'
import { type Layout, TAG_BYTES } from './segments.ts'

export interface TinkFormatOptions {
  readonly ring: KeyRing
  readonly bindPath: boolean
}

/** The numbers of a Tink key template. */
export interface TinkParameters {
  /** Bytes of a segment with its tag; the first one's with the header, too. */
  readonly segmentBytes: number
  /** Bytes of the derived key, and of the salt. */
  readonly keyBytes: 16 | 32
  readonly hash: 'sha1' | 'sha256' | 'sha512'
}

const AES256_GCM_HKDF_1MB: TinkParameters = { segmentBytes: 1024 * 1024, keyBytes: 32, hash: 'sha256' }
const PREFIX_BYTES = 7
const MAX_SEGMENTS = 2 ** 32

export function tinkFormat({ ring, bindPath }: TinkFormatOptions): FileFormat {
  const parameters = AES256_GCM_HKDF_1MB
  const layout = tinkLayout(parameters)
  const associated = (path: string): Uint8Array => (bindPath ? nodeCrypto().createHash('sha256').update(path).digest() : new Uint8Array())
  return {
    layout,
    looksRight: (head) => head.byteLength === 0 || head[0] === layout.headerBytes,
    leastBytes: layout.headerBytes + TAG_BYTES,
    create: (path) => {
      const head = newTinkHeader(parameters)
      return { head, layout, cipher: tinkCipher(ring.primary.key, head, { parameters, associated: associated(path) }) }
    },
    open: (head, path) => {
      if (head.byteLength > 0 && head[0] !== layout.headerBytes) throw new IntegrityError('the file is not encrypted, or not as Tink does')
      if (head.byteLength < layout.headerBytes) return 'more'
      const keys = [ring.primary, ...ring.keys.filter((key) => key.id !== ring.primary.id)]
      return { layout, ciphers: keys.map(({ key }) => tinkCipher(key, head, { parameters, associated: associated(path) })) }
    },
    rewrap: undefined, // The file's key follows from the disk's key: another key makes another payload.
  }
}

export function tinkLayout({ segmentBytes, keyBytes }: TinkParameters): Layout {
  const headerBytes = 1 + keyBytes + PREFIX_BYTES
  return { headerBytes, firstBytes: segmentBytes - headerBytes - TAG_BYTES, segmentBytes: segmentBytes - TAG_BYTES }
}

function newTinkHeader({ keyBytes }: TinkParameters): Buffer {
  const random = nodeCrypto().randomBytes(keyBytes + PREFIX_BYTES)
  return Buffer.concat([Buffer.from([1 + random.byteLength]), random])
}

export interface TinkFile {
  readonly parameters: TinkParameters
  readonly associated: Uint8Array
}

/** @param head at least the header of the file */
export function tinkCipher(key: KeyObject, head: Uint8Array, { parameters, associated }: TinkFile): FileCipher {
  const { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } = nodeCrypto()
  const { keyBytes, hash } = parameters
  const prefix = head.subarray(1 + keyBytes, 1 + keyBytes + PREFIX_BYTES)
  const fileKey = createSecretKey(Buffer.from(hkdfSync(hash, key, head.subarray(1, 1 + keyBytes), associated, keyBytes)))
  const name = keyBytes === 16 ? 'aes-128-gcm' : 'aes-256-gcm'
  const options = { authTagLength: TAG_BYTES }
  return {
    seal: (index, last) => createCipheriv(name, fileKey, segmentNonce(prefix, index, last), options),
    open: (index, last) => createDecipheriv(name, fileKey, segmentNonce(prefix, index, last), options),
  }
}

function segmentNonce(prefix: Uint8Array, index: number, last: boolean): Buffer {
  if (index >= MAX_SEGMENTS) throw new InvalidArgumentError('the file is too long for its format, which counts segments in 32 bits')
  const nonce = Buffer.alloc(12)
  nonce.set(prefix)
  nonce.writeUInt32BE(index, PREFIX_BYTES)
  nonce[11] = last ? 1 : 0
  return nonce
}
