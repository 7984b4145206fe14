/** Answers of all sorts, right ones and damaged ones; and what our reading of them has to do with Node's. */
import { expect } from '@jest/globals'
import fc from 'fast-check'
import { type Event, firstAnswer, readByNode, readByUs, type Understood } from './answer-readers.ts'

export interface Sample {
  readonly text: string
  readonly isHead: boolean
  /** Where it is cut, from 0 to 1. */
  readonly cuts: readonly number[]
}

/** From 0 to 1, all alike. */
const share = fc.nat(9_999).map((n) => n / 10_000)
const blank = fc.constantFrom('', ' ', ' ', ' ', '  ', '\t', ' \t ')
const name = fc.constantFrom(
  'ETag',
  'Date',
  'Content-Type',
  'Last-Modified',
  'Server',
  'x-amz-meta-a',
  'X-Amz-Meta-A',
  'X-Amz-Request-Id',
  'Vary',
  "!#$%&'*+.^`|~_",
)
const value = fc.oneof(
  fc.constantFrom('', '"a"', 'a, b', 'close', 'chunked', '5', 'a:b', '\xa0', 'caf\xe9', 'a \t b'),
  fc
    .array(
      fc.constantFrom(...Array.from({ length: 224 }, (_, code) => String.fromCharCode(code + 32)).filter((it) => it !== '\x7f'), '\t'),
      { maxLength: 12 },
    )
    .map((all) => all.join('')),
)
const header = fc.tuple(name, blank, value, blank).map((all) => `${all[0]}:${all[1]}${all[2]}${all[3]}`)
const connection = fc.constantFrom(
  [],
  [],
  ['Connection: close'],
  ['Connection: keep-alive'],
  ['connection: Keep-Alive, Upgrade'],
  ['Connection: x,CLOSE'],
  ['Connection: x', 'Connection: close\t'],
  ['Connection: closed'],
)
const bodyText = fc.oneof(
  fc.constantFrom('', 'x', '\r\n', '\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '0\r\n\r\n'),
  fc.string({ unit: 'binary-ascii', maxLength: 40 }),
)
const extension = fc.constantFrom('', '', '', ';a', ';a=b', ';a="b;\\"c"', ';a=b;c="\xe9 "')
const chunk = fc
  .tuple(bodyText, extension, fc.nat(2))
  .map(([text, said, zeroes]) => `${'0'.repeat(zeroes)}${text.length.toString(16)}${said}\r\n${text}\r\n`)
const chunked = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), extension, fc.array(header, { maxLength: 2 }))
  .map(([chunks, said, trailers]) =>
    [...chunks.filter((it) => !/^0+[\r;]/.test(it)), `0${said}\r\n`, ...trailers.map((it) => `${it}\r\n`), '\r\n'].join(''),
  )

/** Its header, and what follows the head. */
const body = fc.oneof(
  bodyText.map((text) => ({ framing: [`Content-Length: ${text.length}`], text })),
  chunked.map((text) => ({ framing: ['Transfer-Encoding: chunked'], text })),
  bodyText.map((text) => ({ framing: [], text })),
)

const final = fc
  .record({
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    status: fc.constantFrom(200, 200, 201, 204, 206, 304, 307, 404, 412, 500, 503, 599, 999),
    reason: fc.constantFrom('', ' ', ' OK', ' Not Found', ' caf\xe9  '),
    before: fc.array(header, { maxLength: 3 }),
    connection,
    body,
    after: fc.array(header, { maxLength: 2 }),
    isHead: fc.nat(7).map((n) => n === 0),
  })
  .map((each) => {
    const lines = [
      `HTTP/${each.version} ${each.status}${each.reason}`,
      ...each.before,
      ...each.connection,
      ...each.body.framing,
      ...each.after,
    ]
    const hasBody = !each.isHead && each.status !== 204 && each.status !== 304
    return { isHead: each.isHead, text: `${lines.join('\r\n')}\r\n\r\n${hasBody ? each.body.text : ''}` }
  })

const interim = fc.constantFrom(
  '',
  '',
  '',
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100\r\n\r\n',
)
const rightAnswer = fc.tuple(interim, final).map(([first, { isHead, text }]) => ({ isHead, text: first + text }))

/** What readers have fallen over. */
// biome-ignore format: each kind in a line of its own
const NASTY_LINES = [
  'Content-Length: 5\r\n', 'Content-Length : 5\r\n', 'content-length:\r\n', 'Content-Length: 5, 5\r\n', 'Content-Length: 0x5\r\n', 'Content-Length: +0\r\n',
  'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Transfer-Encoding: identity\r\n', 'transfer-encoding: xchunked\r\n',
  'Connection: close\r\n', 'Connection: keep-alive\r\n', 'Upgrade: h2\r\n', ' folded\r\n', ': unnamed\r\n', 'nothing\r\n', 'x-a: b\r\n',
  'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.0 100 Continue\r\n\r\n', 'HTTP/1.1 101 Switching\r\n\r\n',
  'HTTP/1.1 102 P\r\nContent-Length: 5\r\n\r\n', '0\r\n\r\n', '5\r\nhello\r\n',
]
// biome-ignore format: each kind in a line of its own
const NASTY = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\n\n', ' ', '\t', '\0', '\x0b', '\x7f', '\x80', '\xa0', ':', ';', ',', '"', '\\', '=',
  '+', '-', '0x', '0', '5', 'f', 'fffffffffffff', '00000000000000000000',
]
const place = fc.record({ isAtMark: fc.nat(3).map((n) => n > 0), at: share })
type Place = { readonly isAtMark: boolean; readonly at: number }
const damage = fc.oneof(
  fc.record({ kind: fc.constant('line' as const), place, text: fc.constantFrom(...NASTY_LINES) }),
  fc.record({ kind: fc.constant('insert' as const), place, text: fc.constantFrom(...NASTY) }),
  fc.record({
    kind: fc.constant('replace' as const),
    place,
    text: fc.oneof(
      fc.constantFrom(...NASTY),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    ),
  }),
  fc.record({ kind: fc.constant('delete' as const), place, length: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant('repeat' as const), place, length: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant('end' as const), place: place.map(({ at }) => ({ isAtMark: false, at: 1 - at ** 4 })) }),
)

function damaged(text: string, harm: typeof damage extends fc.Arbitrary<infer T> ? T : never): string {
  const at = indexOf(text, harm.place, harm.kind === 'line' ? /(?<=\r\n)/g : /(?<=[\r\n:;,= ])|(?=[\r\n:;,= ])|^|$/g)
  const [left, right] = [text.slice(0, at), text.slice(at)]
  if (harm.kind === 'insert' || harm.kind === 'line') return left + harm.text + right
  if (harm.kind === 'replace') return left + harm.text + right.slice(1)
  if (harm.kind === 'delete') return left + right.slice(harm.length)
  if (harm.kind === 'repeat') return left + right.slice(0, harm.length) + right
  return left
}

/** Three of four are at the begin or the end of a line, or beside what divides it. */
function indexOf(text: string, { isAtMark, at }: Place, mark: RegExp): number {
  if (!isAtMark) return Math.floor(at * text.length)
  const marks = Array.from(text.matchAll(mark), ({ index }) => index)
  return marks[Math.floor(at * (marks.length - 1))] ?? 0
}

const cuts = fc.array(share, { maxLength: 5 })
export const right: fc.Arbitrary<Sample> = fc.tuple(rightAnswer, cuts).map(([answer, cuts]) => ({ ...answer, cuts }))
export const wrong: fc.Arbitrary<Sample> = fc
  .tuple(right, fc.array(damage, { minLength: 1, maxLength: 2 }))
  .map(([answer, harms]) => ({ ...answer, text: harms.reduce(damaged, answer.text) }))

/** What we refuse and Node takes: by our reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'it is not HTTP/1': 'HTTP/2.0, HTTP/0.9, statuses below 100, empty lines before the answer: no store has a use for them',
  'its length is not clear': 'encodings beside `chunked`: nothing here would undo them',
  'its length is said twice': '`Transfer-Encoding` twice, which Node joins',
  'its length is no number': 'above 2^53: JavaScript could not count it',
  'it is not clear what follows its interim answer': 'an interim answer with a body, which Node skips or reads, by its status',
  'it is another protocol': 'nobody asked for it',
  'a control character is in its headers': 'in the reason, which Node does not look at',
  'the size of a chunk is no number': 'extensions without a name',
  'a trailer of it is not valid': '`Transfer-Encoding` behind the body',
}

/** Of a tab around `chunked`, which RFC 9110, 5.5, allows, Node thinks that it belongs to it, and takes the chunks for the body. */
const MISREAD_BY_NODE = /^transfer-encoding:.*\t/im

export type Agreement = 'both' | 'neither' | 'stricter' | 'misread'

/** How both readings agree, told to whoever counts; or a failed expectation. */
export async function compare(sample: Sample): Promise<Agreement> {
  const { text, isHead, cuts } = sample
  const ours = readByUs([text], isHead)
  const pieces = cut(text, cuts)
  for (const other of [pieces, text.split('')]) expect(readByUs(other, isHead).events).toEqual(ours.events)
  if (MISREAD_BY_NODE.test(text)) return 'misread'
  // What comes behind an answer costs us the connection, and Node the answer too where it was read with it.
  const isMore = ours.events.at(-1)?.[0] === 'more'
  const all = isMore ? firstAnswer(text, isHead) : text
  const understood = understoodOf(ours.events)
  for (const one of isMore ? [[all]] : [[all], pieces, text.split('')]) {
    const node = await readByNode(one, isHead)
    if (understood !== undefined) expectSame(sample, understood, node)
    else if (node !== undefined) {
      expect(STRICTER).toHaveProperty([ours.reason ?? 'cut'])
      return 'stricter'
    }
  }
  return understood === undefined ? 'neither' : 'both'
}

function expectSame(sample: Sample, ours: Understood, node: Understood | undefined): void {
  expect(node).toBeDefined()
  if (node === undefined) return
  const { headers, isKept, interim, ...rest } = node
  expect({ ...rest, headers: { ...headers }, interim: interim.filter((status) => status === 100) }).toEqual({
    status: ours.status,
    body: ours.body,
    headers: ours.headers,
    interim: ours.interim,
  })
  if (isKept !== ours.isKept) expect([sample, isKept, (isKept ? isDistrusted : isTrusted)(sample, ours)]).toEqual([sample, isKept, true])
}

/** Connections that Node keeps and we do not. */
function isDistrusted({ text }: Sample, { status, headers }: Understood): boolean {
  const { connection = '', 'transfer-encoding': encoding, 'content-length': length = '0' } = headers
  // A body where there is none may come all the same.
  if (status === 204 && (encoding !== undefined || Number(length) > 0)) return true
  // RFC 9112, 6.1: chunks are not of HTTP/1.0, and 9.3: `close` is stronger than `keep-alive`.
  return /HTTP\/1\.0 [2-9]/.test(text) && (encoding !== undefined || /\bclose\b/i.test(connection))
}

/** Connections that we keep and Node does not: RFC 9112, 6.3: an answer to HEAD has its end, whether it tells a length or not. */
function isTrusted({ isHead }: Sample, { headers }: Understood): boolean {
  return isHead && headers['content-length'] === undefined && headers['transfer-encoding'] === undefined
}

function understoodOf(events: readonly Event[]): Understood | undefined {
  const answered = events.find((event) => event[0] === 'answered')
  if (answered === undefined || !events.some(([kind]) => kind === 'ended')) return undefined
  const [, status, headers, isKept] = answered
  const interim = events.flatMap(([kind]) => (kind === 'continued' ? [100] : []))
  const body = events.flatMap((event) => (event[0] === 'data' ? [event[1]] : [])).join('')
  return { interim, status, headers, body, isKept }
}

export function cut(text: string, cuts: readonly number[]): readonly string[] {
  const at = [0, ...cuts.map((each) => Math.floor(each * text.length)).sort((a, b) => a - b), text.length]
  return at.slice(1).map((end, index) => text.slice(at[index], end))
}
