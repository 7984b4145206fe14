/**
 * The XML of S3's answers, read as it comes: bytes in pieces of any size → the texts that are asked for, by their place in a shape.
 *
 *   bytes ──▶ UTF-8 ──▶ markup ──▶ elements that nest ──▶ shape: wanted? ──▶ text(…), end()
 *
 * It knows what stores send: elements, text, the five entities and numeric references, CDATA, comments, the declaration and other
 * instructions (passed over), space around the root. Prefixes of namespaces are dropped, attributes are passed over. Everything
 * else is refused: a document type and so every entity that a document could declare, bytes that are not UTF-8, tags that do not
 * match, text around the root. What it holds is bounded, whatever is sent: one piece of markup, one text, the names of open elements.
 */
import { UnavailableError } from '../../../errors.ts'
import { noStore } from '../s3-errors.ts'

/** An element that is wanted. What no shape names is passed over with all that is in it. */
export interface Shape {
  /** Local names → what is wanted in them. */
  readonly children?: { get(name: string): Shape | undefined }
  /** Called with the whole text, decoded, when the element ends. Such an element has no children. */
  readonly text?: (text: string) => void
  /** Called when the element ends, after those in it. */
  readonly end?: () => void
}

/** What the largest answers stay well below: 1,000 keys of 1,024 bytes, each byte percent-encoded, are 4 MB. */
export const MAX_ANSWER_BYTES: number = 8 * 1024 * 1024
/** Of one text, as it is written; also of a comment, or of a tag with its attributes. */
export const MAX_TEXT = 65_536
export const MAX_NAME = 256
export const MAX_DEPTH = 16

/** A name, and attributes, whose values have no `>`: those that stores send are addresses of namespaces. */
const TAG =
  /^((?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*))(?:[ \t\r\n]+[^ \t\r\n=/"'<]+[ \t\r\n]*=[ \t\r\n]*(?:"[^"<]*"|'[^'<]*'))*[ \t\r\n]*$/
const IN_NAMES: Uint8Array = new Uint8Array(128).map((_, code) => (/[\w.-]/.test(String.fromCharCode(code)) ? 1 : 0))
const SPACE = /^[ \t\r\n]*$/
const [SLASH, BANG, QUESTION, END, NINE] = [0x2f, 0x21, 0x3f, 0x3e, 0x39]

export class XmlReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  /** Names of open elements, as they are written, and what is wanted of those around them. */
  readonly #names: string[] = []
  readonly #shapes: (Shape | undefined)[] = []
  /** What is wanted of the innermost. */
  #shape: Shape | undefined
  /** Whether text matters here: it is wanted, or has to be space. */
  #isRead = true
  #bytes = 0
  #text = ''
  /** Markup that began, and goes on in the next piece. */
  #held = ''
  #ended = false

  /** @param document what is around the root */
  constructor(document: Shape) {
    this.#shape = document
  }

  /** @throws UnavailableError for what is not the XML of a store */
  write(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength
    if (this.#bytes > MAX_ANSWER_BYTES) throw noStore()
    this.#read(this.#held + this.#decoded(bytes))
  }

  /** @throws UnavailableError for a document that was cut: it may come whole next time */
  end(): void {
    if (this.#bytes === 0) throw noStore()
    if (!this.#ended || this.#held !== '' || !this.#isWhole()) throw new UnavailableError('the answer of the store was cut')
  }

  #decoded(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: true })
    } catch {
      throw noStore()
    }
  }

  /** Whether the last character has all its bytes. */
  #isWhole(): boolean {
    try {
      return this.#decoder.decode() === ''
    } catch {
      return false
    }
  }

  #read(source: string): void {
    let at = 0
    for (;;) {
      const open = source.indexOf('<', at)
      if (open !== at && this.#isRead) this.#readText(source.slice(at, open === -1 ? source.length : open))
      if (open === -1) {
        this.#held = ''
        return
      }
      at = this.#readMarkup(source, open)
      if ((at === -1 ? source.length : at) - open > MAX_TEXT) throw noStore()
      if (at === -1) {
        this.#held = source.slice(open)
        return
      }
    }
  }

  #readText(text: string): void {
    if (this.#names.length === 0) {
      if (!SPACE.test(text)) throw noStore()
      return
    }
    this.#text += text
    if (this.#text.length > MAX_TEXT) throw noStore()
  }

  /** @returns the place after it, or -1 when it goes on in the next piece */
  #readMarkup(source: string, open: number): number {
    const kind = source.charCodeAt(open + 1)
    if (kind === BANG) return this.#readDeclaration(source, open)
    if (kind === QUESTION) return past(source, '?>', open + 2)
    return kind === SLASH ? this.#close(source, open + 2) : this.#open(source, open + 1)
  }

  #readDeclaration(source: string, open: number): number {
    if (source.startsWith('<!--', open)) return past(source, '-->', open + 4)
    if (!source.startsWith('<![CDATA[', open)) {
      // What is neither may be the beginning of either.
      const start = source.slice(open)
      if ('<![CDATA['.startsWith(start) || '<!--'.startsWith(start)) return -1
      throw noStore()
    }
    const after = past(source, ']]>', open + 9)
    if (after !== -1 && this.#names.length === 0) throw noStore()
    if (after !== -1 && this.#isRead) this.#readText(source.slice(open + 9, after - 3).replaceAll('&', '&amp;'))
    return after
  }

  #open(source: string, start: number): number {
    let end = start
    while (IN_NAMES[source.charCodeAt(end)] === 1) end++
    if (end - start > MAX_NAME) throw noStore() // here, or one that comes byte by byte would be looked through each time
    if (source.charCodeAt(end) === END && end > start && source.charCodeAt(start) > NINE) {
      const name = source.slice(start, end)
      this.#enter(name, name)
      return end + 1
    }
    end = source.indexOf('>', end)
    if (end !== -1) this.#openOddly(source.slice(start, end))
    return end === -1 ? -1 : end + 1
  }

  /** With a prefix, with attributes, or empty. */
  #openOddly(written: string): void {
    const isEmpty = written.endsWith('/')
    const [, name, local] = TAG.exec(isEmpty ? written.slice(0, -1) : written) ?? []
    if (name === undefined || local === undefined) throw noStore()
    this.#enter(name, local)
    if (isEmpty) this.#leave()
  }

  #enter(name: string, local: string): void {
    if (this.#ended || this.#shape?.text !== undefined || name.length > MAX_NAME || this.#names.length === MAX_DEPTH) throw noStore()
    this.#names.push(name)
    this.#shapes.push(this.#shape)
    this.#shape = this.#shape?.children?.get(local)
    this.#isRead = this.#shape?.text !== undefined
    this.#text = ''
  }

  #close(source: string, start: number): number {
    const name = this.#names.at(-1)
    if (name === undefined) throw noStore()
    let end = start + name.length
    if (source.charCodeAt(end) !== END || !isAt(source, start, name)) {
      end = source.indexOf('>', start)
      if (end === -1) return -1
      if (!isAt(source, start, name) || !SPACE.test(source.slice(start + name.length, end))) throw noStore()
    }
    this.#leave()
    return end + 1
  }

  #leave(): void {
    const shape = this.#shape
    this.#shape = this.#shapes.pop()
    this.#names.pop()
    if (this.#names.length === 0) this.#ended = true
    this.#isRead = this.#ended
    if (shape?.text !== undefined) shape.text(resolved(this.#text))
    shape?.end?.()
  }
}

function isAt(source: string, start: number, name: string): boolean {
  for (let i = name.length - 1; i >= 0; i--) if (source.charCodeAt(start + i) !== name.charCodeAt(i)) return false
  return true
}

function past(source: string, end: string, from: number): number {
  const at = source.indexOf(end, from)
  return at === -1 ? -1 : at + end.length
}

const ENTITIES = [
  ['quot;', '"'],
  ['amp;', '&'],
  ['lt;', '<'],
  ['gt;', '>'],
  ['apos;', "'"],
] as const

/** Text without its references. Control characters may be in it, as in XML 1.1: keys have them. */
function resolved(text: string): string {
  let reference = text.indexOf('&')
  if (reference === -1) return text
  let result = ''
  let at = 0
  for (; reference !== -1; reference = text.indexOf('&', at)) {
    result += text.slice(at, reference)
    const entity = ENTITIES.find(([name]) => isAt(text, reference + 1, name))
    if (entity === undefined) {
      const end = text.indexOf(';', reference)
      if (end === -1) throw noStore()
      result += character(text.slice(reference + 1, end))
      at = end + 1
    } else {
      result += entity[1]
      at = reference + 1 + entity[0].length
    }
  }
  return result + text.slice(at)
}

function character(reference: string): string {
  const [, decimal, hex] = /^#(?:(\d+)|x([\dA-Fa-f]+))$/.exec(reference) ?? []
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) // not when it is none
  if (!isCharacter) throw noStore()
  return String.fromCodePoint(code)
}
