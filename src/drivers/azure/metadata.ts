/**
 * User metadata ↔ Azure's. Azure takes names that are C# identifiers, and values of ASCII without space around them:
 *
 *   order-id   ⟷  order_x002d_id              as XmlConvert.EncodeName of .NET writes names; lower case, because HTTP keeps no other
 *   naïve      ⟷  =?utf-8?B?bmHDr3Zl?=        an encoded word of RFC 2047; also for '' and for what begins like one
 *
 * Names and values that need none of this are as they are, so that other programs read them.
 */

type Metadata = Readonly<Record<string, string>>

const ENCODED_WORD = /^=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=$/i

/** What is sent to Azure; undefined for none. */
export function encodeMetadata(metadata: Metadata | undefined): Record<string, string> | undefined {
  if (metadata === undefined) return undefined
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [encodeName(name), encodeValue(value)]))
}

/** What users see; undefined for none. */
export function decodeMetadata(metadata: Metadata | undefined): Record<string, string> | undefined {
  const entries = Object.entries(metadata ?? {})
  if (entries.length === 0) return undefined
  return Object.fromEntries(entries.map(([name, value]) => [decodeName(name), decodeValue(value)]))
}

function encodeName(name: string): string {
  return name.toLowerCase().replace(/^\d|[^a-z0-9_]|_(?=x[0-9a-f]{4})/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return `_x${character.charCodeAt(0).toString(16).padStart(4, '0')}_`
}

function decodeName(name: string): string {
  return name.toLowerCase().replace(/_x([0-9a-f]{4})_/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function encodeValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?utf-8\?b\?/i.test(value)
  return plain ? value : `=?utf-8?B?${Buffer.from(value, 'utf8').toString('base64')}?=`
}

function decodeValue(value: string): string {
  const encoded = ENCODED_WORD.exec(value)?.[1]
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString('utf8')
}
