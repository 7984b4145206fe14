/**
 * The ways to a file's key.
 *
 *   -> stowage/kek <key id> <nonce>       AES-256-GCM(disk key, nonce, file key, aad = type ‖ key id ‖ binding)
 *   -> X25519 <share>                     the stock `age` tool's (C2SP age specification, X25519 recipient stanza)
 *   -> stowage/pad v1 [bind=…] AAA…       nothing: fills the header up to a fixed size, and says what the file is bound to
 *
 * The first proves that whoever wrote the file held the disk's key. The second does not: recipients are public, so that it opens
 * files only where it was asked for.
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { IntegrityError } from '../../errors.ts'
import { decodeBase64, encodeBase64, formatStanza, type Stanza } from './age-header.ts'
import { TAG_BYTES } from './segments.ts'
import { generateKeyPair, type KeyPair, sharedSecret } from './x25519.ts'

export const FILE_KEY_BYTES = 16
const KEK = 'stowage/kek'
const PAD = 'stowage/pad'
const X25519 = 'X25519'
const NONCE_BYTES = 12
const GCM = 'aes-256-gcm'

/** A disk's key and the name that files know it by. */
export interface NamedKey {
  readonly id: string
  readonly key: KeyObject
}

export function wrapWithKey({ id, key }: NamedKey, fileKey: Uint8Array, binding: string): Stanza {
  const { randomBytes, createCipheriv } = nodeCrypto()
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(GCM, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(`${KEK}${id}${binding}`))
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
  return { type: KEK, args: [id, encodeBase64(nonce)], body }
}

/** The stanza of a disk key, taken apart. */
export interface KeyStanza {
  readonly id: string
  readonly nonce: Uint8Array
  readonly body: Uint8Array
}

/** That of the first disk key; undefined when there is none. @throws IntegrityError for a damaged one */
export function keyStanzaOf(stanzas: readonly Stanza[]): KeyStanza | undefined {
  const stanza = stanzas.find(({ type }) => type === KEK)
  return stanza && keyStanza(stanza)
}

/** The id that the file knows its key by. */
export function keyIdOf(stanzas: readonly Stanza[]): string | undefined {
  return stanzas.find(({ type }) => type === KEK)?.args[0]
}

/** How many identities of age can open the file. */
export function recoveryStanzas(stanzas: readonly Stanza[]): number {
  return stanzas.filter(({ type }) => type === X25519).length
}

function keyStanza({ args, body }: Stanza): KeyStanza {
  const [id, text = '', ...others] = args
  const nonce = decodeBase64(text)
  if (id === undefined || others.length > 0 || nonce?.byteLength !== NONCE_BYTES || body.byteLength !== FILE_KEY_BYTES + TAG_BYTES) {
    throw new IntegrityError("the file's header is damaged")
  }
  return { id, nonce, body }
}

/** The file key; undefined when this is not the key that wrapped it, or the file is bound to something else. */
export function unwrapWithKey(stanza: KeyStanza, key: KeyObject, binding: string): Uint8Array | undefined {
  const cipher = nodeCrypto().createDecipheriv(GCM, key, stanza.nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(`${KEK}${stanza.id}${binding}`))
  return finish(cipher, stanza.body)
}

/** @param recipient an X25519 public key */
export function wrapForRecipient(recipient: Uint8Array, fileKey: Uint8Array): Stanza {
  const { privateKey, publicKey: share } = generateKeyPair()
  const secret = sharedSecret(privateKey, recipient)
  if (secret === undefined) throw new IntegrityError('the recovery recipient is no usable public key')
  const cipher = nodeCrypto().createCipheriv('chacha20-poly1305', wrappingKey(secret, share, recipient), Buffer.alloc(NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
  return { type: X25519, args: [encodeBase64(share)], body }
}

/** The file key; undefined when the stanza is another's. @throws IntegrityError for a damaged one */
export function unwrapForIdentity({ type, args, body }: Stanza, { privateKey, publicKey }: KeyPair): Uint8Array | undefined {
  if (type !== X25519) return undefined
  const share = args.length === 1 ? decodeBase64(args[0] as string) : undefined
  if (share?.byteLength !== 32 || body.byteLength !== FILE_KEY_BYTES + TAG_BYTES)
    throw new IntegrityError("the file's recovery stanza is damaged")
  const secret = sharedSecret(privateKey, share)
  if (secret === undefined) throw new IntegrityError("the file's recovery stanza has no usable key")
  const cipher = nodeCrypto().createDecipheriv('chacha20-poly1305', wrappingKey(secret, share, publicKey), Buffer.alloc(NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  return finish(cipher, body)
}

/** A stanza that makes a header with it exactly so long. `length` is that of the header without it. */
export function padding(length: number, headerBytes: number, binding: string): Stanza {
  const args = binding === '' ? ['v1'] : ['v1', `bind=${binding}`]
  const least = formatStanza({ type: PAD, args: [...args, ''], body: new Uint8Array() }).length
  return { type: PAD, args: [...args, 'A'.repeat(headerBytes - length - least)], body: new Uint8Array() }
}

/** What the file says that it is bound to; undefined when nothing. */
export function bindingOf(stanzas: readonly Stanza[]): string | undefined {
  const argument = stanzas.find(({ type }) => type === PAD)?.args.find((text) => text.startsWith('bind='))
  return argument?.slice('bind='.length)
}

interface Opening {
  setAuthTag(tag: Uint8Array): unknown
  update(bytes: Uint8Array): Buffer
  final(): Buffer
}

function finish(cipher: Opening, sealed: Uint8Array): Uint8Array | undefined {
  cipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const opened = cipher.update(sealed.subarray(0, -TAG_BYTES))
  try {
    return Buffer.concat([opened, cipher.final()])
  } catch {
    return undefined
  }
}

function wrappingKey(secret: Uint8Array, share: Uint8Array, recipient: Uint8Array): Buffer {
  const salt = Buffer.concat([share, recipient])
  return Buffer.from(nodeCrypto().hkdfSync('sha256', secret, salt, 'age-encryption.org/v1/X25519', 32))
}
