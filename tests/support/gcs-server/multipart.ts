/** Reads `multipart/*` as it arrives (RFC 2046): one part after the other, each a stream, never a whole body in memory. */
import { badUpload } from './errors.ts'

export interface Part {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Buffer>
}

const CRLF = '\r\n'
const MAX_HEADERS = 64 * 1024

/** @throws 400 when the content type names no boundary */
export function boundaryOf(contentType: string | undefined, type: string): string {
  const match = /^([^;]+);(?:.*;)? *boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '')
  const boundary = match?.[2] ?? match?.[3]
  if (boundary === undefined || match?.[1]?.trim().toLowerCase() !== type) throw badUpload('Missing multipart boundary in Content-Type.')
  return boundary
}

/** What is left of a part when the next one is asked for is skipped. @throws 400 when the end is missing */
export async function* multipart(chunks: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const reader = new Reader(chunks)
  const delimiter = Buffer.from(`${CRLF}--${boundary}`)
  try {
    for await (const _ of reader.until(delimiter)) void _ // What stands before the first part means nothing.
    while ((await reader.line()).trim() !== '--') {
      const body = reader.until(delimiter)
      yield { headers: await headersOf(reader), body }
      for await (const _ of body) void _
    }
  } finally {
    await reader.close()
  }
}

async function headersOf(reader: Reader): Promise<Readonly<Record<string, string>>> {
  const headers: Record<string, string> = {}
  for (let line = await reader.line(); line !== ''; line = await reader.line()) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  return headers
}

class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held: Buffer = Buffer.from(CRLF)

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Everything before the delimiter, which is skipped. */
  async *until(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(delimiter)
      const sure = at === -1 ? Math.max(this.#held.length - delimiter.length + 1, 0) : at
      const found = this.#held.subarray(0, sure)
      this.#held = this.#held.subarray(at === -1 ? sure : at + delimiter.length)
      if (found.length > 0) yield found
      if (at !== -1) return
      await this.#more()
    }
  }

  /** Up to the next line's end, without it. After the last delimiter that end may be missing. */
  async line(): Promise<string> {
    for (;;) {
      const at = this.#held.indexOf(CRLF)
      if (at !== -1) {
        const line = this.#held.toString('utf8', 0, at)
        this.#held = this.#held.subarray(at + CRLF.length)
        return line
      }
      if (this.#held.length > MAX_HEADERS) throw badUpload('Headers of a part are too long.')
      if (!(await this.#more(this.#held.toString().startsWith('--')))) return '--'
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #more(mayEnd = false): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done !== true) {
      const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
      return true
    }
    if (mayEnd) return false
    throw badUpload('Missing end boundary in multipart body.')
  }
}
