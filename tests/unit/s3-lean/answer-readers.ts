/**
 * Two readers of an answer: ours, and Node's own client. Each is given bytes in pieces, and then the end of the connection, and tells
 * what it has understood.
 */
import { Agent, type IncomingHttpHeaders, request, type ClientRequest } from 'node:http'
import { Duplex } from 'node:stream'
import { AnswerParser } from '../../../src/drivers/s3/lean/answer-parser.ts'

/** In Latin-1, one character a byte. Pieces of data that follow each other are one. */
export type Event =
  | readonly ['continued']
  | readonly ['answered', status: number, headers: IncomingHttpHeaders, isKept: boolean]
  | readonly ['data', body: string]
  | readonly ['ended']
  | readonly [Verdict]

/** `more`: bytes behind the answer. `cut`: the connection ended before the answer did. */
export type Verdict = 'whole' | 'more' | 'cut' | 'refused'

export interface Reading {
  readonly events: readonly Event[]
  /** Of a refusal. */
  readonly reason: string | undefined
}

/** Our parser's. Every piece is overwritten as soon as it is read, as the memory of a connection is. */
export function readByUs(pieces: readonly string[], isHead = false): Reading {
  const events: Event[] = []
  const parser = new AnswerParser({
    continued: () => events.push(['continued']),
    answered: ({ status, headers, isKept }) => events.push(['answered', status, { ...headers }, isKept]),
    data: (piece) => {
      const text = Buffer.from(piece).toString('latin1')
      const last = events.at(-1)
      if (last?.[0] === 'data') events.splice(-1, 1, ['data', last[1] + text])
      else events.push(['data', text])
    },
    ended: () => events.push(['ended']),
  })
  parser.begin(isHead)
  const ended = (verdict: Verdict, reason?: string): Reading => ({ events: [...events, [verdict]], reason })
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece, 'latin1')
      const isOurs = parser.write(bytes)
      bytes.fill('!')
      if (!isOurs) return ended('more')
    }
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string }
    if (code !== 'EBADMSG') throw error
    return ended('refused', message.replace('the answer cannot be read: ', ''))
  }
  const isWhole = parser.close()
  return ended(isWhole ? 'whole' : 'cut')
}

/** The bytes of the first answer alone. */
export function firstAnswer(text: string, isHead: boolean): string {
  const parser = new AnswerParser({ continued: ignore, answered: ignore, data: ignore, ended: ignore })
  parser.begin(isHead)
  for (let at = 0; at < text.length; at++) if (!parser.write(Buffer.from(text.charAt(at), 'latin1'))) return text.slice(0, at)
  return text
}

export interface Understood {
  readonly interim: readonly number[]
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly isKept: boolean
}

/** A connection whose other side is this test, and what becomes of it. */
class OneConnection extends Agent {
  readonly socket = new Duplex({ read: ignore, write: (_bytes, _encoding, done) => done() })
  isKept = false

  constructor() {
    super({ keepAlive: true })
  }

  override createConnection(): Duplex {
    return this.socket
  }

  override keepSocketAlive(): boolean {
    this.isKept = true
    return true
  }
}

/** Node's, as strict as it is by default, but with as much room for headers as we have. @returns undefined where it fails */
export function readByNode(pieces: readonly string[], isHead = false): Promise<Understood | undefined> {
  const agent = new OneConnection()
  return new Promise((resolve) => {
    const sent = request({ agent, method: isHead ? 'HEAD' : 'GET', maxHeaderSize: 80 * 1024 })
    const interim: number[] = []
    sent.on('information', ({ statusCode }) => interim.push(statusCode))
    // Fails after the answer is whole, too, where its connection is not kept: the first word counts.
    sent.on('error', () => resolve(undefined))
    sent.on('response', (answer) => {
      const body: Buffer[] = []
      answer.on('data', (piece: Buffer) => body.push(piece))
      answer.on('error', () => resolve(undefined))
      answer.on('end', () => {
        const { statusCode: status = 0, headers } = answer
        // Whether it keeps the connection, it decides after this.
        setImmediate(() => resolve({ interim, status, headers, body: Buffer.concat(body).toString('latin1'), isKept: agent.isKept }))
      })
    })
    sent.end(() => feed(agent.socket, pieces, sent))
  })
}

function feed(socket: Duplex, pieces: readonly string[], sent: ClientRequest): void {
  for (const piece of pieces) socket.push(Buffer.from(piece, 'latin1'))
  // After what was pushed has been read.
  setImmediate(() => {
    socket.push(null)
    sent.once('close', () => socket.destroy())
  })
}

const ignore = (): void => undefined
