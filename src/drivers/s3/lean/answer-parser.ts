/**
 * The answers of one connection, out of bytes: status, headers, body. RFC 9112, as strict as a client may be: what two readers could
 * take for different answers is refused, and the connection with it. How the bytes are cut makes no difference.
 *
 *   head ─▶ body of a known length ─────────────────▶ whole
 *    │ ├──▶ chunk size ─▶ chunk ─▶ … ─▶ trailers ───▶ whole
 *    │ └──▶ body until the connection ends ─────────▶ whole
 *    └────▶ none: HEAD, 204, 304 ───────────────────▶ whole
 */
import type { IncomingHttpHeaders } from 'node:http'
import { connectionFailure } from './failure.ts'

export interface AnswerHead {
  readonly status: number
  /** By names in lower case; values as Latin-1. Of names that come twice, values are joined or the first one counts, as in `node:http`. */
  readonly headers: IncomingHttpHeaders
  /** The connection can be used again when the answer is whole. */
  readonly isKept: boolean
}

export interface AnswerEvents {
  /** `100 Continue` */
  continued(): void
  answered(head: AnswerHead): void
  /** Of the chunk that was written: valid until `write` returns. */
  data(piece: Uint8Array): void
  /** The answer is whole. */
  ended(): void
}

type Place = 'head' | 'length' | 'chunk size' | 'chunk' | 'chunk end' | 'trailers' | 'close' | 'whole'

/** Four times what Node takes: metadata of other stores may be larger than Amazon's 2 KB. */
const MAX_HEAD_BYTES = 64 * 1024
/** Of all that comes with an answer besides: interim answers, extensions of chunks, trailers. */
const MAX_ASIDE_BYTES = 64 * 1024
/** Of a chunk's size, with extensions; of a trailer. */
const MAX_LINE_BYTES = 4 * 1024
const CR = 0x0d
const LF = 0x0a

export class AnswerParser {
  readonly #events: AnswerEvents
  #at: Place = 'whole'
  /** Bytes of the body, or of the chunk, that are to come. */
  #left = 0
  #isHead = false
  #hasEnded = false
  #asideBytes = 0
  /** The beginning of a head or of a line, in memory that grows by doubling. */
  #held: Buffer | undefined
  #heldBytes = 0

  constructor(events: AnswerEvents) {
    this.#events = events
  }

  /** Expects an answer. @param isHead to a request of HEAD, which has no body */
  begin(isHead: boolean): void {
    this.#at = 'head'
    this.#isHead = isHead
    this.#asideBytes = 0
    this.#letGo()
  }

  /** @returns false for bytes that belong to no answer @throws Failure for what is no answer: the connection is of no more use */
  write(chunk: Buffer): boolean {
    this.#hasEnded = this.#at === 'whole'
    // What came along with the end of an answer is nobody's, even if the next one is expected by now.
    for (let offset = 0; offset < chunk.length; offset = this.#step(chunk, offset)) if (this.#hasEnded) return false
    return true
  }

  /** No more comes. @returns whether the answer is whole so */
  close(): boolean {
    if (this.#at !== 'close') return this.#at === 'whole'
    this.#finish()
    return true
  }

  /** @returns where to go on */
  #step(chunk: Buffer, offset: number): number {
    switch (this.#at) {
      case 'head':
        return this.#head(chunk, offset)
      case 'length': {
        const end = this.#body(chunk, offset)
        if (this.#left === 0) this.#finish()
        return end
      }
      case 'chunk size':
        return this.#line(chunk, offset, this.#chunkSize)
      case 'chunk': {
        const end = this.#body(chunk, offset)
        if (this.#left === 0) this.#at = 'chunk end'
        return end
      }
      case 'chunk end':
        return this.#line(chunk, offset, this.#chunkEnd)
      case 'trailers':
        return this.#line(chunk, offset, this.#trailer)
      case 'close':
        this.#events.data(offset === 0 ? chunk : chunk.subarray(offset))
        break
      case 'whole':
        break
    }
    return chunk.length
  }

  #body(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#left)
    this.#left -= end - offset
    this.#events.data(offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end))
    return end
  }

  #head(chunk: Buffer, offset: number): number {
    const heldBytes = this.#heldBytes
    const bytes = heldBytes === 0 ? chunk : this.#hold(chunk.subarray(offset))
    const from = heldBytes === 0 ? offset : 0
    const end = bytes.indexOf('\r\n\r\n', heldBytes === 0 ? from : Math.max(0, heldBytes - 3), 'latin1')
    // Of an end that has begun to come, up to three bytes are there.
    if ((end < 0 ? bytes.length - 3 : end) - from > MAX_HEAD_BYTES) refuse('its headers are too long')
    if (end < 0) {
      // What cannot become an answer is not waited for.
      if (!'HTTP/1.'.startsWith(bytes.toString('latin1', from, from + 7))) refuse('it is not HTTP/1')
      if (heldBytes === 0) this.#hold(chunk.subarray(offset))
      return chunk.length
    }
    this.#letGo()
    this.#meet(bytes.toString('latin1', from, end))
    return offset + (end + 4 - from) - heldBytes
  }

  #meet(text: string): void {
    const line = STATUS_LINE.exec(text)
    if (line === null) refuse('it is not HTTP/1')
    if (!LINES.test(text)) refuse('a control character is in its headers')
    const isOld = line[1] === '0'
    const status = Number(line[2])
    const headers = headersOf(text, line[0].length)
    const options = headers.connection?.toLowerCase()
    const isClosing = hasToken(options, 'close')
    if (status < 200) {
      if (status === 101) refuse('it is another protocol')
      if (isOld || isClosing || hasBody(headers)) refuse('it is not clear what follows its interim answer')
      this.#aside(text.length)
      if (status === 100) this.#events.continued()
      return
    }
    const isFramed = this.#frame(status, headers)
    const isLasting = isOld ? hasToken(options, 'keep-alive') && headers['transfer-encoding'] === undefined : true
    this.#events.answered({ status, headers, isKept: isFramed && isLasting && !isClosing })
    if (this.#at === 'length' && this.#left === 0) this.#finish()
  }

  /** Says where the answer ends: RFC 9112, 6.3. @returns whether another can follow */
  #frame(status: number, headers: IncomingHttpHeaders): boolean {
    const { 'content-length': length, 'transfer-encoding': encoding } = headers
    if (length !== undefined && (!/^\d+$/.test(length) || !Number.isSafeInteger(Number(length)))) refuse('its length is no number')
    if (encoding !== undefined && (length !== undefined || encoding.toLowerCase() !== 'chunked')) refuse('its length is not clear')
    this.#at = 'length'
    this.#left = 0
    if (this.#isHead || status === 304) return true
    // A store that announces a body where there is none may well send it.
    if (status === 204) return !hasBody(headers)
    if (encoding !== undefined) this.#at = 'chunk size'
    else if (length === undefined) this.#at = 'close'
    else this.#left = Number(length)
    return this.#at !== 'close'
  }

  /** Takes a line, or the rest of one that has begun. */
  #line(chunk: Buffer, offset: number, take: (line: string) => void): number {
    const end = chunk.indexOf(LF, offset)
    const rest = chunk.subarray(offset, end < 0 ? chunk.length : end)
    const line = end < 0 || this.#heldBytes > 0 ? this.#hold(rest) : rest
    if (line.length > MAX_LINE_BYTES) refuse('a line of it is too long')
    if (end < 0) return chunk.length
    this.#heldBytes = 0
    if (line.at(-1) !== CR) refuse('a line of it has no end')
    take(line.toString('latin1', 0, line.length - 1))
    return end + 1
  }

  readonly #chunkSize = (line: string): void => {
    const [, size, extensions = ''] = CHUNK_LINE.exec(line) ?? []
    if (size === undefined) refuse('the size of a chunk is no number')
    this.#aside(extensions.length)
    this.#left = Number.parseInt(size, 16)
    this.#at = this.#left === 0 ? 'trailers' : 'chunk'
  }

  readonly #chunkEnd = (line: string): void => {
    if (line !== '') refuse('a chunk is longer than it says')
    this.#at = 'chunk size'
  }

  /** Nobody asks what they say. */
  readonly #trailer = (line: string): void => {
    if (line === '') {
      this.#finish()
      return
    }
    if (!TRAILER.test(line)) refuse('a trailer of it is not valid')
    this.#aside(line.length)
  }

  #aside(bytes: number): void {
    if ((this.#asideBytes += bytes) > MAX_ASIDE_BYTES) refuse('too much comes with it')
  }

  /** @returns what was held, and this, until more is held */
  #hold(bytes: Buffer): Buffer {
    const length = this.#heldBytes + bytes.length
    if (this.#held === undefined || this.#held.length < length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * length, LEAST_HELD_BYTES))
      this.#held?.copy(larger, 0, 0, this.#heldBytes)
      this.#held = larger
    }
    bytes.copy(this.#held, this.#heldBytes)
    this.#heldBytes = length
    return this.#held.subarray(0, length)
  }

  #letGo(): void {
    this.#held = undefined
    this.#heldBytes = 0
  }

  #finish(): void {
    this.#at = 'whole'
    this.#hasEnded = true
    this.#letGo()
    this.#events.ended()
  }
}

const LEAST_HELD_BYTES = 1024
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?(?=\r\n|$)/
/** No control character but tabs; no line feed without its carriage return, nor the other way round. */
const LINES = /^[\t -~\x80-\xff]*(?:\r\n[\t -~\x80-\xff]*)*$/
/** 13 digits are more than a safe number needs. Extensions: RFC 9112, 7.1.1, without the spaces that it calls bad. */
const CHUNK_LINE =
  /^(0*[\da-f]{1,13})((?:;[!#$%&'*+.^`|~\w-]+(?:=(?:[!#$%&'*+.^`|~\w-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*)$/i
const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/
/** None may say where the answer ends: RFC 9110, 6.5.1. */
const TRAILER = /^(?!(?:content-length|transfer-encoding):)[!#$%&'*+.^`|~\w-]+:[\t -~\x80-\xff]*$/i

/** Of the lines after the first. @param from where the first ends */
function headersOf(text: string, from: number): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = from; at < text.length; ) {
    const begin = at + 2
    const found = text.indexOf('\r\n', begin)
    at = found < 0 ? text.length : found
    const colon = text.indexOf(':', begin)
    if (colon < 0 || colon >= at) refuse('a header has no name')
    const name = text.slice(begin, colon).toLowerCase()
    if (!TOKEN.test(name)) refuse('the name of a header is not valid')
    const value = trimmed(text, colon + 1, at)
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (NEVER_TWICE.has(name)) refuse('its length is said twice')
    else if (!FIRST_COUNTS.has(name)) headers[name] = `${before}, ${value}`
  }
  return headers
}

const NEVER_TWICE: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])
/** Of Node's list, those that an answer may have. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  'age',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
])

/** Without spaces and tabs around it, which are the only ones that HTTP knows. */
function trimmed(text: string, begin: number, end: number): string {
  let from = begin
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** @param list in lower case */
function hasToken(list: string | undefined, token: string): boolean {
  return list !== undefined && (list === token || list.split(',').some((each) => trimmed(each, 0, each.length) === token))
}

/** It announces one, whatever its status. */
function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || !/^0+$/.test(headers['content-length'] ?? '0')
}

function refuse(why: string): never {
  // oxlint-disable-next-line only-throw-error -- in the shape that the SDK's errors have; translated before it leaves
  throw connectionFailure({ code: 'EBADMSG', message: `the answer cannot be read: ${why}` }, { isSent: true })
}
