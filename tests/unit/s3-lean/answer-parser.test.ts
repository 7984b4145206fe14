import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type AnswerEvents, AnswerParser } from '../../../src/drivers/s3/lean/answer-parser.ts'
import { type Event, readByUs } from './answer-readers.ts'
import { compare, cut, right, wrong } from './random-answers.ts'

const OK = 'HTTP/1.1 200 OK'
const EMPTY = 'Content-Length: 0'
const CHUNKED = 'Transfer-Encoding: chunked'
const SILENT: AnswerEvents = { continued: ignore, answered: ignore, data: ignore, ended: ignore }
const lines = (...all: readonly string[]): string => `${all.join('\r\n')}\r\n\r\n`
const chunked = (...all: readonly string[]): string => lines(OK, CHUNKED) + all.join('\r\n')

/** What is made of it, however it is cut: whole, into bytes, and in two at every place. */
function read(text: string, isHead = false): readonly Event[] {
  const { events } = readByUs([text], isHead)
  expect(readByUs(text.split(''), isHead).events).toEqual(events)
  for (let at = 1; at < text.length; at++) {
    const found = readByUs([text.slice(0, at), text.slice(at)], isHead).events
    if (JSON.stringify(found) !== JSON.stringify(events)) expect([at, found]).toEqual([at, events])
  }
  return events
}

/** In short: the status, the body, and how it ended. */
function brief(text: string, isHead = false): readonly [status: number | undefined, body: string, verdict: string] {
  const events = read(text, isHead)
  const answered = events.find((event) => event[0] === 'answered')
  const body = events.flatMap((event) => (event[0] === 'data' ? [event[1]] : [])).join('')
  const verdict = events.at(-1)?.[0] ?? ''
  // It is ended once, and only where it is whole.
  expect(events.filter(([kind]) => kind === 'ended')).toHaveLength(verdict === 'whole' || verdict === 'more' ? 1 : 0)
  return [answered?.[1], body, verdict]
}

function headersOf(...headers: readonly string[]): Record<string, unknown> {
  const answered = read(lines(OK, ...headers, EMPTY)).find((event) => event[0] === 'answered')
  const { 'content-length': _, ...rest } = answered?.[2] ?? {}
  return rest
}

function ignore(): void {}

describe('the end of an answer', () => {
  it.each<[what: string, text: string, status: number, body: string]>([
    ['after its length', lines(OK, 'Content-Length: 5') + 'hello', 200, 'hello'],
    ['after a length with zeroes before it', lines(OK, 'Content-Length: 0005') + 'hello', 200, 'hello'],
    ['after its head, with a length of 0', lines(OK, EMPTY), 200, ''],
    ['after its last chunk', chunked('5', 'hello', '1', ' ', '0', '', ''), 200, 'hello '],
    [
      'after its last chunk, with sizes in all sorts of digits',
      chunked('0000A', '0123456789', '0b', '\r\n\r\n0\r\n\r\n..', '00000000000000000', '', ''),
      200,
      '0123456789\r\n\r\n0\r\n\r\n..',
    ],
    ['after chunks that say more than their size', chunked('1;a', 'x', '1;a=b;c="d;\\" "', 'y', '0;e=f', '', ''), 200, 'xy'],
    ['after its trailers', chunked('1', 'x', '0', 'x-a: b', 'X-B:', '', ''), 200, 'x'],
    ['with the connection', lines(OK) + 'hello\r\n\r\n', 200, 'hello\r\n\r\n'],
    ['with the connection, at once', lines(OK), 200, ''],
    ['after the head of 204', lines('HTTP/1.1 204 No Content'), 204, ''],
    ['after the head of 204 with a length', lines('HTTP/1.1 204 No Content', 'Content-Length: 5'), 204, ''],
    ['after the head of 204 in chunks', lines('HTTP/1.1 204 No Content', CHUNKED), 204, ''],
    ['after the head of 304 with a length', lines('HTTP/1.1 304 Not Modified', 'Content-Length: 5'), 304, ''],
    ['after the head of 304 in chunks', lines('HTTP/1.1 304 Not Modified', CHUNKED), 304, ''],
    ['of HTTP/1.0 after its length', lines('HTTP/1.0 200 OK', 'Content-Length: 5') + 'hello', 200, 'hello'],
    ['of HTTP/1.0 with the connection', lines('HTTP/1.0 200 OK') + 'hello', 200, 'hello'],
    ['of HTTP/1.0 after its last chunk', lines('HTTP/1.0 200 OK', CHUNKED) + '1\r\nx\r\n0\r\n\r\n', 200, 'x'],
    ['behind an interim answer', lines('HTTP/1.1 100 Continue') + lines(OK, EMPTY), 200, ''],
    [
      'behind several',
      lines('HTTP/1.1 102') + lines('HTTP/1.1 103 x', 'Link: a') + lines('HTTP/1.1 199 ', EMPTY) + lines(OK, EMPTY),
      200,
      '',
    ],
  ])('%s', (_what, text, status, body) => {
    expect(brief(text)).toEqual([status, body, 'whole'])
  })

  it.each([
    ['nothing', lines(OK)],
    ['a length', lines(OK, 'Content-Length: 5')],
    ['chunks', lines(OK, CHUNKED)],
  ])('is that of its head if only that was asked for, and announces %s', (_what, text) => {
    expect(brief(text, true)).toEqual([200, '', 'whole'])
    expect(brief(`${text}hello`, true)).toEqual([200, '', 'more'])
  })

  it.each<[what: string, text: string, body: string]>([
    ['its length', lines(OK, 'Content-Length: 5') + 'hello!', 'hello'],
    ['its last chunk', chunked('1', 'x', '0', '', '') + '\r\n', 'x'],
    ['a head without a body', lines('HTTP/1.1 204 No Content', 'Content-Length: 5') + 'hello', ''],
    ['an answer of no length: another answer', lines(OK, EMPTY) + lines('HTTP/1.1 100 Continue'), ''],
    ['an answer: another', lines(OK, 'Content-Length: 1') + 'x' + lines(OK, EMPTY), 'x'],
  ])('is told from what comes behind %s', (_what, text, body) => {
    expect(brief(text)).toEqual([text.startsWith(OK) ? 200 : 204, body, 'more'])
  })

  it.each<[what: string, text: string]>([
    ['nothing', ''],
    ['the beginning of a head', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
    ['an interim answer', lines('HTTP/1.1 100 Continue')],
    ['less than its length', lines(OK, 'Content-Length: 6') + 'hello'],
    ['no chunk', lines(OK, CHUNKED)],
    ['a part of a size', chunked('5')],
    ['a part of a chunk', chunked('5', 'hell')],
    ['a chunk without its end', chunked('5', 'hello')],
    ['a chunk, and none that is the last', chunked('5', 'hello', '')],
    ['a last chunk without the empty line', chunked('5', 'hello', '0', '')],
    ['a last chunk and a part of the empty line', chunked('5', 'hello', '0', '\r')],
    ['trailers without the empty line', chunked('5', 'hello', '0', 'x-a: b', '')],
  ])('has not come with %s', (_what, text) => {
    expect(brief(text)[2]).toBe('cut')
  })
})

describe('a refused answer', () => {
  it.each<[what: string, text: string]>([
    ['a length and chunks', lines(OK, 'Content-Length: 5', CHUNKED) + '0\r\n\r\n'],
    ['chunks and a length', lines(OK, CHUNKED, 'Content-Length: 5') + '0\r\n\r\n'],
    ['two lengths', lines(OK, 'Content-Length: 5', 'Content-Length: 6') + 'hello'],
    ['the same length twice', lines(OK, 'Content-Length: 5', 'content-length: 5') + 'hello'],
    ['chunks said twice', lines(OK, CHUNKED, CHUNKED) + '0\r\n\r\n'],
    ...['', '+5', '-5', '5 5', '5, 5', '5,', '0x5', '5.0', '5e0', '\xb5', '5\xa0', '9007199254740992', '99999999999999999999'].map(
      (length): [string, string] => [`a length of "${length}"`, `${lines(OK, `Content-Length: ${length}`)}hello`],
    ),
    ...[
      '',
      'gzip',
      'identity',
      'gzip, chunked',
      'chunked, gzip',
      'chunked, chunked',
      'chunked;a=b',
      'xchunked',
      'chunked\xa0',
      '"chunked"',
    ].map((encoding): [string, string] => [`an encoding of "${encoding}"`, `${lines(OK, `Transfer-Encoding: ${encoding}`)}0\r\n\r\n`]),
    ...[
      '',
      ' 1',
      '1 ',
      '1 ;a',
      '+1',
      '-1',
      '0x1',
      '1h',
      'g',
      '1.',
      '1;',
      '1;;a',
      '1;=',
      '1;a=',
      '1;a="',
      '1; a',
      '1;a\0',
      '1;a\r',
      '1;a="\0"',
      '20000000000000',
      'f'.repeat(17),
    ].map((size): [string, string] => [`a chunk of "${size}"`, chunked(size, 'x', '0', '', '')]),
    ['a chunk that is longer than it says', chunked('1', 'xy', '0', '', '')],
    ['a chunk that is shorter than it says', chunked('3', 'x', '0', '', '')],
    ['a chunk that ends with a line feed', `${lines(OK, CHUNKED)}1\r\nx\n0\r\n\r\n`],
    ['a size that ends with a line feed', `${lines(OK, CHUNKED)}1\nx\r\n0\r\n\r\n`],
    ['a last chunk that ends with a line feed', `${lines(OK, CHUNKED)}0\n\r\n`],
    ['trailers that end with a line feed', `${lines(OK, CHUNKED)}0\r\n\n`],
    ...[
      'x',
      ': x',
      'x : y',
      ' x: y',
      'x\0: y',
      'x: \0',
      'x: \x7f',
      'x: \ry',
      'x: a\r\n folded',
      'Content-Length: 0',
      'transfer-encoding: chunked',
    ].map((trailer): [string, string] => [`a trailer of ${JSON.stringify(trailer)}`, chunked('0', trailer, '', '')]),
    ...[
      'x',
      ': x',
      ':',
      'x : y',
      'x\t: y',
      ' x: y',
      '\tx: y',
      'x\0: y',
      'x(: y',
      'x\xe9: y',
      '"x": y',
      'x y: z',
      'x: a\r\n folded',
      'x: a\r\n\tfolded',
      'x: \0',
      'x: \x0b',
      'x: \x1f',
      'x: \x7f',
      'x: \ry',
      'x: y\r',
      'x: \ny',
      'x: y\n',
    ].map((header): [string, string] => [`a header of ${JSON.stringify(header)}`, lines(OK, header, EMPTY)]),
    ...[
      'HTTP/1.1',
      'HTTP/1.1 ',
      'HTTP/1.1 20',
      'HTTP/1.1 2000',
      'HTTP/1.1 099 OK',
      'HTTP/1.1 000',
      'HTTP/1.1  200 OK',
      'HTTP/1.1 200\tOK',
      'HTTP/1.1\t200 OK',
      'HTTP/1.1 200 O\0K',
      'HTTP/1.1 200 O\rK',
      'HTTP/1.1 200 OK\n',
      'HTTP/1.1 +20',
      'HTTP/1.1 2e2',
    ].map((line): [string, string] => [`a first line of ${JSON.stringify(line)}`, lines(line, EMPTY)]),
    ...[
      'HTTP/0.9 200 OK',
      'HTTP/1.2 200 OK',
      'HTTP/1.10 200 OK',
      'HTTP/2.0 200 OK',
      'HTTP/2 200',
      'http/1.1 200 OK',
      'HTTPS/1.1 200 OK',
      'ICY 200 OK',
      '\r\nHTTP/1.1 200 OK',
      ' HTTP/1.1 200 OK',
      '<html>',
      '',
      '\x16\x03\x01\0',
      '\0',
    ].map((line): [string, string] => [`a first line of ${JSON.stringify(line)}`, lines(line, EMPTY)]),
    ['another protocol', lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c', 'Connection: Upgrade')],
    ['an interim answer with a length', `${lines('HTTP/1.1 100 Continue', 'Content-Length: 5')}hello${lines(OK, EMPTY)}`],
    ['an interim answer in chunks', lines('HTTP/1.1 103 Early Hints', CHUNKED) + lines(OK, EMPTY)],
    ['an interim answer that ends the connection', lines('HTTP/1.1 103 Early Hints', 'Connection: close') + lines(OK, EMPTY)],
    ['an interim answer of HTTP/1.0', lines('HTTP/1.0 100 Continue') + lines(OK, EMPTY)],
    ['an interim answer, and none', `${lines('HTTP/1.1 100 Continue')}hello`],
  ])('has %s', (_what, text) => {
    const [, , verdict] = brief(text)
    expect(verdict).toBe('refused')
  })
})

describe('a connection', () => {
  const v10 = 'HTTP/1.0 200 OK'
  it.each<[isKept: boolean, what: string, text: string, isHead?: boolean]>([
    [true, 'after a length', lines(OK, EMPTY)],
    [true, 'after chunks', chunked('0', '', '')],
    [true, 'after trailers that say otherwise', chunked('0', 'Connection: close', '', '')],
    [true, 'of other options', lines(OK, EMPTY, 'Connection: closed, not-close, Upgrade')],
    [true, 'of keep-alive', lines(OK, EMPTY, 'Connection: Keep-Alive')],
    [true, 'after HEAD without a length', lines(OK), true],
    [true, 'after 304 without a length', lines('HTTP/1.1 304 Not Modified')],
    [true, 'after 304 with a length', lines('HTTP/1.1 304 Not Modified', 'Content-Length: 5')],
    [true, 'after 204', lines('HTTP/1.1 204 No Content')],
    [true, 'after 204 of length 0', lines('HTTP/1.1 204 No Content', EMPTY)],
    [false, 'after 204 of another length', lines('HTTP/1.1 204 No Content', 'Content-Length: 5')],
    [false, 'after 204 in chunks', lines('HTTP/1.1 204 No Content', CHUNKED)],
    [false, 'without a length', lines(OK)],
    [false, 'without a length, in spite of keep-alive', lines(OK, 'Connection: keep-alive')],
    [false, 'of close', lines(OK, EMPTY, 'Connection: close')],
    [false, 'of CLOSE among others', lines(OK, EMPTY, 'Connection: a ,\tCLOSE\t, b')],
    [false, 'of close in a header of its own', lines(OK, 'Connection: keep-alive', EMPTY, 'Connection: close')],
    [false, 'of close after HEAD', lines(OK, 'Connection: close'), true],
    [false, 'of HTTP/1.0', lines(v10, EMPTY)],
    [true, 'of HTTP/1.0 with keep-alive', lines(v10, EMPTY, 'Connection: x, Keep-Alive')],
    [false, 'of HTTP/1.0 with keep-alive and close', lines(v10, EMPTY, 'Connection: keep-alive, close')],
    [false, 'of HTTP/1.0 with keep-alive and without a length', lines(v10, 'Connection: keep-alive')],
    [false, 'of HTTP/1.0 with keep-alive and chunks', `${lines(v10, CHUNKED, 'Connection: keep-alive')}0\r\n\r\n`],
  ])('is kept: %s, %s', (isKept, _what, text, isHead = false) => {
    const events = read(text, isHead)
    expect(events.at(-1)).toEqual(['whole'])
    expect(events.find((event) => event[0] === 'answered')?.[3]).toBe(isKept)
  })
})

describe('headers', () => {
  it('have names in lower case, and values without blanks around them', () => {
    expect(headersOf('ETag:"a"', 'X-Amz-Meta-A: \t a \t b\t ', 'x-empty:', 'x-blank: \t ', "!#$%&'*+-.^_`|~09: ,")).toEqual({
      etag: '"a"',
      'x-amz-meta-a': 'a \t b',
      'x-empty': '',
      'x-blank': '',
      "!#$%&'*+-.^_`|~09": ',',
    })
  })

  it('have every byte of their values', () => {
    const bytes = Array.from({ length: 256 }, (_, code) => code).flatMap((code) =>
      code < 32 || code === 127 ? [] : [String.fromCharCode(code)],
    )
    expect(headersOf(`x: [\t${bytes.join('')}]`)).toEqual({ x: `[\t${bytes.join('')}]` })
    // What Unicode calls a blank is none to HTTP.
    expect(headersOf('x: \xa0\x85 ')).toEqual({ x: '\xa0\x85' })
  })

  it('that come twice are joined, or the first one counts', () => {
    expect(headersOf('x: a', 'ETag: "a"', 'X: ', 'etag: "b"', 'x: a', 'Set-Cookie: a', 'Set-Cookie: b', 'Server: a', 'server:')).toEqual({
      x: 'a, , a',
      etag: '"a"',
      'set-cookie': 'a, b',
      server: 'a',
    })
  })

  it('may be called like what every object has', () => {
    const answered: (string | undefined)[] = []
    const parser = new AnswerParser({
      ...SILENT,
      answered: ({ headers }) => {
        for (const name of ['__proto__', 'constructor', 'tostring', 'hasOwnProperty', 'valueOf', 'x'])
          answered.push(headers[name] as string)
      },
    })
    parser.begin(false)
    parser.write(Buffer.from(lines(OK, '__proto__: a', 'Constructor: b', 'constructor: c', 'toString: d', EMPTY)))
    expect(answered).toEqual(['a', 'b, c', 'd', undefined, undefined, undefined])
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })
})

describe('the room', () => {
  const K = 1024
  const filled = (bytes: number, before: string): string => before + 'x'.repeat(bytes - before.length)
  const small = lines(OK, EMPTY)
  const extended = (count: number, each: number): string =>
    chunked(...Array.from({ length: count }, () => [`1${filled(each, ';')}`, 'x']).flat(), '0', '', '')
  const trailed = (count: number, each: number): string => chunked('0', ...Array.from({ length: count }, () => filled(each, 'x:')), '', '')

  it.each<[what: string, bytes: string, verdict: string]>([
    ['for a head of 64 KiB', `${filled(64 * K, `${OK}\r\n${EMPTY}\r\nx: `)}\r\n\r\n`, 'whole'],
    ['for a byte more', `${filled(64 * K + 1, `${OK}\r\n${EMPTY}\r\nx: `)}\r\n\r\n`, 'refused'],
    ['for a head without an end', filled(200 * K, `${OK}\r\nx: `), 'refused'],
    ['for 64 KiB of interim answers', lines('HTTP/1.1 102').repeat((64 * K) / 12 - 1) + small, 'whole'],
    ['for more of them', lines('HTTP/1.1 102').repeat((64 * K) / 12 + 1) + small, 'refused'],
    ['for an interim answer that is too long', `${filled(64 * K + 1, 'HTTP/1.1 102\r\nx: ')}\r\n\r\n${small}`, 'refused'],
    ['for what 4 KiB say of a chunk', extended(1, 4 * K - 2), 'whole'],
    ['for a byte more of it', extended(1, 4 * K - 1), 'refused'],
    ['for a size without an end', `${lines(OK, CHUNKED)}1;${'x'.repeat(9 * K)}`, 'refused'],
    ['for what 64 KiB say of all chunks', extended(32, 2 * K), 'whole'],
    ['for a little more of it', extended(33, 2 * K), 'refused'],
    [
      'for any number of zeroes before sizes',
      chunked(...Array.from({ length: 40 }, () => [`${'0'.repeat(4_000)}1`, 'x']).flat(), '0', '', ''),
      'whole',
    ],
    ['for 64 KiB of trailers', trailed(32, 2 * K), 'whole'],
    ['for a trailer more', trailed(33, 2 * K), 'refused'],
    [
      'for what is said of chunks, and trailers, together',
      `${extended(31, 2 * K).slice(0, -2)}${filled(4 * K - 2, 'x:')}\r\n\r\n`,
      'refused',
    ],
    ['for as many chunks as there are', chunked(...Array.from({ length: 20_000 }, () => ['1', 'x']).flat(), '0', '', ''), 'whole'],
  ])('is there %s', (_what, text, verdict) => {
    const { events } = readByUs([text])
    expect(events.at(-1)).toEqual([verdict])
    expect(readByUs(text.split('')).events).toEqual(events)
    expect(readByUs(cut(text, [0.1, 0.5, 0.6, 0.61])).events).toEqual(events)
  })

  it('is there again for the next answer', () => {
    const parser = new AnswerParser(SILENT)
    for (let i = 0; i < 3; i++) {
      parser.begin(false)
      expect(parser.write(Buffer.from(trailed(32, 2 * K)))).toBe(true)
      expect(parser.close()).toBe(true)
    }
  })
})

describe('one answer after the other', () => {
  it('is read by the same parser, also after one that was cut', () => {
    const bodies: string[] = []
    const parser = new AnswerParser({ ...SILENT, data: (piece) => bodies.push(Buffer.from(piece).toString()) })
    for (const text of [
      `${lines(OK, 'Content-Length: 1')}a`,
      lines(OK, EMPTY),
      'HTTP/1.1 2',
      chunked('1', 'b', '1'),
      chunked('1', 'c', '0', '', ''),
      `${lines(OK)}d`,
    ]) {
      parser.begin(false)
      expect(parser.write(Buffer.from(text))).toBe(true)
    }
    expect(bodies).toEqual(['a', 'b', 'c', 'd'])
    expect(parser.close()).toBe(true)
  })

  it('is not read from bytes that came with the one before', () => {
    const statuses: number[] = []
    const parser: AnswerParser = new AnswerParser({
      ...SILENT,
      answered: ({ status }) => statuses.push(status),
      // The next request begins at once.
      ended: () => parser.begin(false),
    })
    parser.begin(false)
    expect(parser.write(Buffer.from(lines(OK, EMPTY) + lines('HTTP/1.1 404 Not Found', EMPTY)))).toBe(false)
    expect(statuses).toEqual([200])
    expect(parser.close()).toBe(false)
    expect(parser.write(Buffer.from(lines('HTTP/1.1 204')))).toBe(true)
    expect(statuses).toEqual([200, 204])
  })

  it('is not read where none is expected', () => {
    const parser = new AnswerParser(SILENT)
    expect([parser.close(), parser.write(Buffer.alloc(0)), parser.write(Buffer.from(OK))]).toEqual([true, true, false])
    parser.begin(false)
    expect([parser.write(Buffer.from(lines(OK, EMPTY))), parser.write(Buffer.alloc(0)), parser.write(Buffer.from('x'))]).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('the pieces of a body', () => {
  it('are those that were written, not copies', () => {
    const pieces: Uint8Array[] = []
    const parser = new AnswerParser({ ...SILENT, data: (piece) => pieces.push(piece) })
    const first = Buffer.from(chunked('3', 'abc', '4', 'de'))
    const second = Buffer.from('fg\r\n0\r\n\r\n')
    parser.begin(false)
    parser.write(first)
    parser.write(second)
    expect(pieces.map((piece) => Buffer.from(piece).toString())).toEqual(['abc', 'de', 'fg'])
    expect(pieces.map(({ buffer }) => [first, second].findIndex((each) => each.buffer === buffer))).toEqual([
      0,
      0,
      first.buffer === second.buffer ? 0 : 1,
    ])
    first.fill('!')
    expect(Buffer.from(pieces[0] as Uint8Array).toString()).toBe('!!!')
  })

  it('come as soon as they are there', () => {
    const events: string[] = []
    const parser = new AnswerParser({ ...SILENT, data: (piece) => events.push(`${piece.length}`), ended: () => events.push('ended') })
    parser.begin(false)
    for (const text of [lines(OK, CHUNKED), '64\r\n', 'x'.repeat(60), 'x'.repeat(39), 'x', '\r\n', '0', '\r\n', '\r', '\n']) {
      parser.write(Buffer.from(text))
      events.push('.')
    }
    expect(events.join(' ')).toBe('. . 60 . 39 . 1 . . . . . ended .')
  })
})

describe('an answer of any sort', () => {
  it('that is right means the same to us and to Node, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(right, async (sample) => expect(await compare(sample)).toBe('both')),
      { numRuns: 300 },
    )
  })

  it('that is damaged is refused where Node refuses it, and otherwise means the same, or has a reason to be refused', async () => {
    const counts = { both: 0, neither: 0, stricter: 0, misread: 0 }
    const property = fc.asyncProperty(wrong, async (sample) => {
      counts[await compare(sample)]++
    })
    await fc.assert(property, { numRuns: 1_200 })
    // Both are met.
    expect(Math.min(counts.both, counts.neither)).toBeGreaterThan(100)
  })
})
