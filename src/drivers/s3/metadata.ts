/**
 * User metadata in headers, which are ASCII: what is not goes as an encoded word of RFC 2047, which is also how S3 itself gives
 * back what was stored through its other interfaces.
 *
 *   'Grüße'  ⇄  =?UTF-8?B?R3LDvMOfZQ==?=
 *
 * Names come back in lower case.
 */

/** 45 bytes are 60 characters of base64: with the frame of 12, below the 75 that RFC 2047 allows. */
const WORD_BYTES = 45
const PLAIN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/
const WORD = /=\?([\w-]+)\?([BbQq])\?([^?\s]*)\?=/g
const BETWEEN_WORDS = /(\?=)\s+(?==\?[\w-]+\?[BbQq]\?)/g

export function encodeMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), encodeValue(value)]))
}

export function decodeMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), decodeValue(value)]))
}

/** What is plain, has no space at an end and looks like no encoded word stays as it is. */
function encodeValue(value: string): string {
  if (value === '' || (PLAIN.test(value) && !value.includes('=?'))) return value
  return wordsOf(value)
    .map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`)
    .join(' ')
}

/** Pieces that fit a word; no character is torn. */
function wordsOf(value: string): string[] {
  const words: string[] = []
  let word = ''
  for (const character of value) {
    if (Buffer.byteLength(word) + Buffer.byteLength(character) > WORD_BYTES) {
      words.push(word)
      word = ''
    }
    word += character
  }
  return [...words, word]
}

function decodeValue(value: string): string {
  if (!value.includes('=?')) return value
  return value.replace(BETWEEN_WORDS, '$1').replace(WORD, (whole, charset: string, kind: string, text: string) => {
    const bytes = kind.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : quotedBytes(text)
    if (/^utf-?8$/i.test(charset)) return bytes.toString('utf8')
    return /^(us-ascii|iso-8859-1)$/i.test(charset) ? bytes.toString('latin1') : whole
  })
}

/** The Q encoding: `_` is a space, `=XX` a byte. */
function quotedBytes(text: string): Buffer {
  return Buffer.from(
    text.replace(/_/g, ' ').replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}
