/**
 * The answers of one connection, out of bytes: status, headers, body. RFC 9112, as strict as a client may be: what two readers could
 * take for different answers is refused, and the connection with it.
 *
 *   head ─▶ body of a known length ─────────────────▶ whole
 *    │ ├──▶ chunk size ─▶ chunk ─▶ … ─▶ trailers ───▶ whole
 *    │ └──▶ body until the connection ends ─────────▶ whole
 *    └────▶ none: HEAD, 204, 304 ───────────────────▶ whole
 */
import type { IncomingHttpHeaders } from 'node:http'
import { connectionFailure, type Failure } from './failure.ts'

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
/** Of a chunk's size, with extensions. */
const MAX_LINE_BYTES = 4 * 1024
const CR = 0x0d
const LF = 0x0a

export class AnswerParser {
  readonly #events: AnswerEvents
  #at: Place = 'whole'
  /** Bytes of the body, or of the chunk, that are to come. */
  #left = 0
  #isHead = false
  /** The beginning of a head or of a line. */
  #held: Buffer | undefined
  #trailerBytes = 0

  constructor(events: AnswerEvents) {
    this.#events = events
  }

  /** Expects an answer. @param isHead to a request of HEAD, which has no body */
  begin(isHead: boolean): void {
    this.#at = 'head'
    this.#isHead = isHead
    this.#held = undefined
  }

  /** Bytes that are sure to come, at least. */
  get left(): number {
    return this.#at === 'length' ? this.#left : 0
  }

  /** @returns false for bytes that belong to no answer @throws Failure for what is no answer */
  write(chunk: Buffer): boolean {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#at === 'whole') return false
      offset = this.#step(chunk, offset)
    }
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
      default:
        this.#events.data(offset === 0 ? chunk : chunk.subarray(offset))
        return chunk.length
    }
  }

  #body(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#left)
    this.#left -= end - offset
    this.#events.data(offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end))
    return end
  }

  #head(chunk: Buffer, offset: number): number {
    const begun = this.#held
    const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk.subarray(offset)])
    const from = begun === undefined ? offset : 0
    const end = bytes.indexOf('\r\n\r\n', begun === undefined ? from : Math.max(0, begun.length - 3), 'latin1')
    if ((end < 0 ? bytes.length : end) - from > MAX_HEAD_BYTES) throw badAnswer('its headers are too long')
    if (end < 0) {
      // What cannot become an answer is not waited for.
      if (!'HTTP/1.'.startsWith(bytes.toString('latin1', from, from + 7))) throw badAnswer('it is not HTTP/1')
      this.#held = begun === undefined ? Buffer.from(bytes.subarray(from)) : bytes
      return chunk.length
    }
    this.#held = undefined
    this.#meet(bytes.toString('latin1', from, end))
    return end + 4 - (bytes.length - chunk.length)
  }

  #meet(text: string): void {
    const line = STATUS_LINE.exec(text)
    if (line === null) throw badAnswer('it is not HTTP/1')
    if (NOT_IN_A_HEAD.test(text)) throw badAnswer('a control character is in its headers')
    const status = Number(line[2])
    const headers = headersOf(text, line[0].length)
    if (status < 200) {
      if (status === 101) throw badAnswer('it is another protocol')
      if (status === 100) this.#events.continued()
      return
    }
    const length = this.#framing(status, headers)
    const options = headers.connection?.toLowerCase()
    const isKept = length !== undefined && (line[1] === '0' ? hasToken(options, 'keep-alive') : !hasToken(options, 'close'))
    this.#events.answered({ status, headers, isKept })
    if (length === 0 && this.#at === 'length') this.#finish()
  }

  /** @returns 0 where it has no end of its own: it comes in chunks; undefined: it ends with the connection */
  #framing(status: number, headers: IncomingHttpHeaders): number | undefined {
    const { 'content-length': length, 'transfer-encoding': encoding } = headers
    if (length !== undefined && (!/^\d+$/.test(length) || !Number.isSafeInteger(Number(length)))) throw badAnswer('its length is no number')
    if (encoding !== undefined && (length !== undefined || encoding.toLowerCase() !== 'chunked')) throw badAnswer('its length is not clear')
    this.#at = 'length'
    this.#left = 0
    if (this.#isHead || status === 204 || status === 304) return 0
    if (encoding !== undefined) {
      this.#at = 'chunk size'
      return 0
    }
    if (length === undefined) {
      this.#at = 'close'
      return undefined
    }
    return (this.#left = Number(length))
  }

  /** Takes a line, or the rest of one that has begun. */
  #line(chunk: Buffer, offset: number, take: (line: string) => void): number {
    const end = chunk.indexOf(LF, offset)
    const rest = chunk.subarray(offset, end < 0 ? chunk.length : end)
    const line = this.#held === undefined ? rest : Buffer.concat([this.#held, rest])
    if (line.length > MAX_LINE_BYTES) throw badAnswer('a line of it is too long')
    if (end < 0) {
      this.#held = this.#held === undefined ? Buffer.from(rest) : line
      return chunk.length
    }
    this.#held = undefined
    if (line.at(-1) !== CR) throw badAnswer('a line of it has no end')
    take(line.toString('latin1', 0, line.length - 1))
    return end + 1
  }

  readonly #chunkSize = (line: string): void => {
    const size = CHUNK_SIZE.exec(line)?.[1]
    if (size === undefined) throw badAnswer('the size of a chunk is no number')
    this.#left = Number.parseInt(size, 16)
    this.#at = this.#left === 0 ? 'trailers' : 'chunk'
    this.#trailerBytes = 0
  }

  readonly #chunkEnd = (line: string): void => {
    if (line !== '') throw badAnswer('a chunk is longer than it says')
    this.#at = 'chunk size'
  }

  /** Nobody asks what they say. */
  readonly #trailer = (line: string): void => {
    if (line === '') this.#finish()
    else if ((this.#trailerBytes += line.length) > MAX_HEAD_BYTES) throw badAnswer('its trailers are too long')
  }

  #finish(): void {
    this.#at = 'whole'
    this.#events.ended()
  }
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?(?=\r\n|$)/
/** Also a line feed without its carriage return, and the other way round. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const NOT_IN_A_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/
/** 13 digits are more than a safe number needs. */
const CHUNK_SIZE = /^([\da-f]{1,13})[ \t]*(?:;.*)?$/i
const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/

/** Of the lines after the first. @param from where the first ends */
function headersOf(text: string, from: number): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = from; at < text.length; ) {
    const begin = at + 2
    const found = text.indexOf('\r\n', begin)
    at = found < 0 ? text.length : found
    const colon = text.indexOf(':', begin)
    if (colon < 0 || colon >= at) throw badAnswer('a header has no name')
    const name = text.slice(begin, colon).toLowerCase()
    if (!TOKEN.test(name)) throw badAnswer('the name of a header is not valid')
    const value = trimmed(text, colon + 1, at)
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (NEVER_TWICE.has(name)) throw badAnswer('its length is said twice')
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

function hasToken(list: string | undefined, token: string): boolean {
  return list !== undefined && (list === token || list.split(',').some((each) => each.trim() === token))
}

function badAnswer(why: string): Failure {
  return connectionFailure({ code: 'EBADMSG', message: `the answer cannot be read: ${why}` }, { isSent: true })
}
