/**
 * The header of an age v1 file (C2SP age specification): who can open it, and a MAC that binds it to the file key.
 *
 *   age-encryption.org/v1\n
 *   -> type argument …\n          a stanza: one way to the file key
 *   base64 body, 64 columns\n     … its last line shorter, if need be empty
 *   --- base64(HMAC-SHA256(HKDF(file key, "header"), all before and with "---"))\n
 *
 * Reading is strict, as the specification wants it: whatever has a second spelling is refused.
 */
import { nodeCrypto } from '../../builtins.ts'
import { IntegrityError } from '../../errors.ts'

export interface Stanza {
  readonly type: string
  readonly args: readonly string[]
  readonly body: Uint8Array
}

export interface AgeHeader {
  readonly stanzas: readonly Stanza[]
  readonly mac: Uint8Array
  /** What the MAC is over. */
  readonly signed: Uint8Array
  /** Where the payload begins. */
  readonly length: number
}

export const VERSION_LINE = 'age-encryption.org/v1\n'
/** Longer headers are not read. */
export const MAX_HEADER_BYTES: number = 16 * 1024
const COLUMNS = 64
const MAC_BYTES = 32

/** A header over these stanzas. */
export function formatHeader(stanzas: readonly Stanza[], fileKey: Uint8Array): Buffer {
  const signed = `${VERSION_LINE}${stanzas.map(formatStanza).join('')}---`
  return Buffer.from(`${signed} ${encodeBase64(macOf(Buffer.from(signed), fileKey))}\n`)
}

export function formatStanza({ type, args, body }: Stanza): string {
  const text = encodeBase64(body)
  const lines = Array.from({ length: Math.floor(text.length / COLUMNS) + 1 }, (_, row) => text.slice(row * COLUMNS, (row + 1) * COLUMNS))
  return `-> ${[type, ...args].join(' ')}\n${lines.join('\n')}\n`
}

/** Whether the bytes begin as a file of age does, as far as they go. */
export function looksLikeAge(bytes: Uint8Array): boolean {
  const expected = Buffer.from(VERSION_LINE).subarray(0, bytes.byteLength)
  return Buffer.from(bytes.subarray(0, expected.length)).equals(expected)
}

/**
 * The header at the start of the bytes; `more` when they end before it does.
 * @throws IntegrityError for anything but a header
 */
export function parseHeader(bytes: Uint8Array): AgeHeader | 'more' {
  if (!looksLikeAge(bytes)) throw new IntegrityError('the file is not encrypted, or not as age does')
  const text = Buffer.from(bytes.subarray(0, MAX_HEADER_BYTES)).toString('latin1')
  const reader = lineReader(text, VERSION_LINE.length)
  const stanzas: Stanza[] = []
  for (;;) {
    const start = reader.position()
    const line = text.length < VERSION_LINE.length ? undefined : reader.next()
    if (line === undefined) return incomplete(bytes)
    if (line.startsWith('-> ')) {
      const stanza = parseStanza(line, reader)
      if (stanza === undefined) return incomplete(bytes)
      stanzas.push(stanza)
      continue
    }
    if (!line.startsWith('--- ') || stanzas.length === 0) throw malformed()
    const mac = decodeBase64(line.slice(4))
    if (mac?.byteLength !== MAC_BYTES) throw malformed()
    return { stanzas, mac, signed: Buffer.from(text.slice(0, start + 3), 'latin1'), length: reader.position() }
  }
}

/** @throws IntegrityError when somebody without the file key has written or changed the header */
export function checkMac({ mac, signed }: AgeHeader, fileKey: Uint8Array): void {
  if (!nodeCrypto().timingSafeEqual(mac, macOf(signed, fileKey))) throw new IntegrityError("the file's header was changed")
}

function macOf(signed: Uint8Array, fileKey: Uint8Array): Buffer {
  const key = nodeCrypto().hkdfSync('sha256', fileKey, '', 'header', 32)
  return nodeCrypto().createHmac('sha256', Buffer.from(key)).update(signed).digest()
}

function incomplete(bytes: Uint8Array): 'more' {
  if (bytes.byteLength >= MAX_HEADER_BYTES) throw new IntegrityError(`the file's header is longer than ${MAX_HEADER_BYTES} bytes`)
  return 'more'
}

interface LineReader {
  readonly next: () => string | undefined
  readonly position: () => number
}

function lineReader(text: string, start: number): LineReader {
  let position = start
  return {
    position: () => position,
    next: () => {
      const end = text.indexOf('\n', position)
      if (end === -1) return undefined
      const line = text.slice(position, end)
      position = end + 1
      return line
    },
  }
}

function parseStanza(line: string, reader: LineReader): Stanza | undefined {
  const [type, ...args] = line.slice(3).split(' ')
  if (type === undefined || [type, ...args].some((argument) => !/^[\x21-\x7e]+$/.test(argument))) throw malformed()
  let text = ''
  for (;;) {
    const row = reader.next()
    if (row === undefined) return undefined
    if (row.length > COLUMNS) throw malformed()
    text += row
    if (row.length < COLUMNS) break
  }
  const body = decodeBase64(text)
  if (body === undefined) throw malformed()
  return { type, args, body }
}

function malformed(): IntegrityError {
  return new IntegrityError("the file's header is damaged")
}

/** Standard base64 without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}

/** Only the one spelling that `encodeBase64` gives; undefined for every other text. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return encodeBase64(bytes) === text ? bytes : undefined
}
