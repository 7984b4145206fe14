/**
 * age v1 (C2SP age specification) with a header of fixed length, so that sizes follow from sizes.
 *
 *   512 bytes header │ nonce16 │ chunk₀ ‖ … ‖ chunkₙ     chunkᵢ = ChaCha20-Poly1305(64 KiB);   nonceᵢ = i (11 bytes BE) ‖ last? (1 byte)
 *
 * Detects truncation, reordering, repetition and extension. Does not hide sizes, and does not tell an old file from a new one.
 * Files that the stock tool wrote have headers of other lengths; they are opened where `recover` gives an identity.
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { IntegrityError } from '../../errors.ts'
import { type AgeHeader, checkMac, formatHeader, formatStanza, looksLikeAge, parseHeader, VERSION_LINE } from './age-header.ts'
import type { FileCipher, FileFormat, OpenedFile } from './file-format.ts'
import { candidates, type KeyRing, noKeyOpens, pathBinding } from './key-ring.ts'
import { type Layout, TAG_BYTES } from './segments.ts'
import {
  bindingOf,
  FILE_KEY_BYTES,
  keyIdOf,
  keyStanzaOf,
  padding,
  recoveryStanzas,
  unwrapForIdentity,
  unwrapWithKey,
  wrapForRecipient,
  wrapWithKey,
} from './stanzas.ts'
import type { KeyPair } from './x25519.ts'

export interface AgeFormatOptions {
  readonly ring: KeyRing
  /** X25519 public keys that can open new files, too. */
  readonly recipients: readonly Uint8Array[]
  /** Files that name no key of the ring are opened with these. */
  readonly identities: readonly KeyPair[]
  readonly bindPath: boolean
}

const HEADER_BYTES = 512
const NONCE_BYTES = 16
const CHUNK_BYTES = 64 * 1024
/** The line of the MAC: `--- `, 43 characters and a line feed. */
const MAC_LINE_BYTES = 48

const LAYOUT: Layout = { headerBytes: HEADER_BYTES + NONCE_BYTES, firstBytes: CHUNK_BYTES, segmentBytes: CHUNK_BYTES }

export function ageFormat(options: AgeFormatOptions): FileFormat {
  return {
    layout: LAYOUT,
    looksRight: looksLikeAge,
    leastBytes: VERSION_LINE.length,
    create: (path) => {
      const { randomBytes } = nodeCrypto()
      const fileKey = randomBytes(FILE_KEY_BYTES)
      const nonce = randomBytes(NONCE_BYTES)
      return { head: Buffer.concat([headerFor(path, fileKey, options), nonce]), layout: LAYOUT, cipher: payloadCipher(fileKey, nonce) }
    },
    open: (head, path) => openAge(head, path, options),
    rewrap: (head, { from, to, onlyOld, unbound }) => {
      const header = parseHeader(head)
      if (header === 'more') return 'more'
      const unwrapped = unwrap(header, from, options, unbound === true)
      if (onlyOld && isCurrent(header, unwrapped, to, options)) return 'unchanged'
      return { head: headerFor(to, unwrapped.fileKey, options), oldBytes: header.length }
    },
  }
}

/** Whether the header is as a new one would be. Who its recovery stanzas are for cannot be seen, only how many there are. */
function isCurrent(
  header: AgeHeader,
  { keyId, binding }: Unwrapped,
  path: string,
  { ring, recipients, bindPath }: AgeFormatOptions,
): boolean {
  const target = bindPath ? pathBinding(ring.primary.key, path) : ''
  const isOurs = keyId === ring.primary.id && keyIdOf(header.stanzas) === ring.primary.id && header.length === HEADER_BYTES
  return isOurs && binding === target && recoveryStanzas(header.stanzas) === recipients.length
}

function headerFor(path: string, fileKey: Uint8Array, { ring: { primary }, recipients, bindPath }: AgeFormatOptions): Buffer {
  const binding = bindPath ? pathBinding(primary.key, path) : ''
  const ways = [wrapWithKey(primary, fileKey, binding), ...recipients.map((recipient) => wrapForRecipient(recipient, fileKey))]
  const length = VERSION_LINE.length + ways.reduce((sum, stanza) => sum + formatStanza(stanza).length, 0) + MAC_LINE_BYTES
  return formatHeader([...ways, padding(length, HEADER_BYTES, binding)], fileKey)
}

function openAge(head: Uint8Array, path: string, options: AgeFormatOptions): OpenedFile | 'more' {
  const header = parseHeader(head)
  if (header === 'more' || head.byteLength < header.length + NONCE_BYTES) return 'more'
  const { fileKey } = unwrap(header, path, options)
  const nonce = head.subarray(header.length, header.length + NONCE_BYTES)
  const layout = { ...LAYOUT, headerBytes: header.length + NONCE_BYTES }
  return { layout, ciphers: [payloadCipher(fileKey, nonce)] }
}

interface Unwrapped {
  readonly fileKey: Uint8Array
  readonly keyId: string | undefined
  readonly binding: string
}

/** @param takesUnbound also a file that is bound to nothing yet */
function unwrap(header: AgeHeader, path: string, options: AgeFormatOptions, takesUnbound = false): Unwrapped {
  const binding = bindingOf(header.stanzas) ?? ''
  const own = keyStanzaOf(header.stanzas)
  if (own === undefined) return { fileKey: recovered(header, options.identities), keyId: undefined, binding: '' }
  for (const { id, key } of candidates(options.ring, own.id)) {
    const fileKey = unwrapWithKey(own, key, binding)
    if (fileKey === undefined) continue
    const isBound = binding === pathBinding(key, path) || (takesUnbound && binding === '')
    if (options.bindPath && !isBound) throw notBound()
    checkMac(header, fileKey)
    return { fileKey, keyId: id, binding }
  }
  const fileKey = identityOpens(header, options.identities) // a key that nobody knows is no reason to stop
  if (fileKey === undefined) throw noKeyOpens(options.ring, own.id)
  return { fileKey, keyId: undefined, binding: '' }
}

function notBound(): IntegrityError {
  return new IntegrityError('the file was written for another path, or before the disk was told to bind files to theirs')
}

function recovered(header: AgeHeader, identities: readonly KeyPair[]): Uint8Array {
  if (identities.length === 0) {
    throw new IntegrityError('the file was not written by a disk of Stowage: to read files of the age tool, set "recover" to an identity')
  }
  const fileKey = identityOpens(header, identities)
  if (fileKey === undefined) throw new IntegrityError('none of the identities in "recover" opens the file')
  return fileKey
}

function identityOpens(header: AgeHeader, identities: readonly KeyPair[]): Uint8Array | undefined {
  for (const identity of identities) {
    for (const stanza of header.stanzas) {
      const fileKey = unwrapForIdentity(stanza, identity)
      if (fileKey === undefined) continue
      checkMac(header, fileKey)
      return fileKey
    }
  }
  return undefined
}

function payloadCipher(fileKey: Uint8Array, nonce: Uint8Array): FileCipher {
  const { createSecretKey, hkdfSync } = nodeCrypto()
  return chunkCipher(createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))))
}

function chunkCipher(key: KeyObject): FileCipher {
  const { createCipheriv, createDecipheriv } = nodeCrypto()
  const options = { authTagLength: TAG_BYTES }
  return {
    seal: (index, last) => createCipheriv('chacha20-poly1305', key, chunkNonce(index, last), options),
    open: (index, last) => createDecipheriv('chacha20-poly1305', key, chunkNonce(index, last), options),
  }
}

function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}
