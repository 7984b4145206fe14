/**
 * Where the bytes of objects live: in memory up to 1 MiB each, else in files of one temporary directory. Bodies are immutable and
 * shared by copies and compositions; a file goes with the last object, or reader, that holds it. Sums are taken as the bytes arrive.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { combineCrc32c, crc32c } from './checksums.ts'

/** What a partial request of a resumable upload is cut to (Cloud Storage, "Resumable uploads"). */
export const BLOCK: number = 256 * 1024
const MAX_IN_MEMORY = 4 * BLOCK

/** Bytes that nobody changes any more. */
interface Piece {
  readonly size: number
  readonly bytes?: readonly Buffer[]
  readonly file?: string
  holders: number
}

export class Body {
  readonly size: number
  readonly crc32c: number
  /** Base64; compositions have none. */
  readonly md5: string | undefined
  readonly #pieces: readonly Piece[]

  constructor(pieces: readonly Piece[], sums: { readonly crc32c: number; readonly md5?: string }) {
    this.#pieces = pieces
    this.size = pieces.reduce((sum, piece) => sum + piece.size, 0)
    this.crc32c = sums.crc32c
    this.md5 = sums.md5
  }

  /** Each object that has this body holds it, and lets go of it when it is gone. */
  hold(): this {
    for (const piece of this.#pieces) piece.holders++
    return this
  }

  async letGo(): Promise<void> {
    for (const piece of this.#pieces) {
      piece.holders--
      if (piece.holders === 0 && piece.file !== undefined) await rm(piece.file, { force: true })
    }
  }

  /** The bytes from `start` up to, not including, `end`. Holds them until it is done with. */
  async *read(start = 0, end: number = this.size): AsyncGenerator<Buffer> {
    this.hold()
    try {
      let offset = 0
      for (const piece of this.#pieces) {
        const from = Math.max(start - offset, 0)
        const to = Math.min(end - offset, piece.size)
        if (from < to) yield* readPiece(piece, from, to)
        offset += piece.size
      }
    } finally {
      await this.letGo()
    }
  }

  /** One after the other, without a copy. */
  static concat(bodies: readonly Body[]): Body {
    const sum = bodies.reduce((crc, body) => combineCrc32c(crc, body.crc32c, body.size), 0)
    return new Body(
      bodies.flatMap((body) => body.#pieces),
      { crc32c: sum },
    )
  }
}

async function* readPiece(piece: Piece, from: number, to: number): AsyncGenerator<Buffer> {
  if (piece.file !== undefined) {
    const chunks = createReadStream(piece.file, { start: from, end: to - 1, highWaterMark: BLOCK })
    for await (const chunk of chunks) yield chunk as Buffer
    return
  }
  let offset = 0
  for (const block of piece.bytes ?? []) {
    const part = block.subarray(Math.max(from - offset, 0), Math.max(to - offset, 0))
    if (part.length > 0) yield part
    offset += block.length
  }
}

export class BodyStore {
  readonly #directory: Promise<string>

  constructor(parent: string = tmpdir()) {
    this.#directory = mkdtemp(join(parent, 'gcs-server-'))
  }

  writer(): BodyWriter {
    return new BodyWriter(async () => join(await this.#directory, randomUUID()))
  }

  async dispose(): Promise<void> {
    await rm(await this.#directory, { recursive: true, force: true })
  }
}

/** Takes bytes in order; whole blocks of 256 KiB are kept at once, the rest when it ends. */
export class BodyWriter {
  readonly #path: () => Promise<string>
  readonly #md5 = createHash('md5')
  #crc = 0
  #kept = 0
  #blocks: Buffer[] = []
  #tail: Buffer[] = []
  #tailSize = 0
  #file: FileHandle | undefined
  #fileName: string | undefined

  constructor(path: () => Promise<string>) {
    this.#path = path
  }

  /** How many bytes are kept for good: a multiple of the block. */
  get kept(): number {
    return this.#kept
  }

  /** How many bytes came, those that could still be dropped included. */
  get size(): number {
    return this.#kept + this.#tailSize
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#tail.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#tailSize += chunk.byteLength
    if (this.#tailSize < BLOCK) return
    const tail = Buffer.concat(this.#tail)
    const whole = tail.length - (tail.length % BLOCK)
    this.#tail = whole === tail.length ? [] : [tail.subarray(whole)]
    this.#tailSize = tail.length - whole
    await this.#keep(tail.subarray(0, whole))
  }

  /** Forgets what is not a whole block yet. */
  dropTail(): void {
    this.#tail = []
    this.#tailSize = 0
  }

  async finish(): Promise<Body> {
    const tail = Buffer.concat(this.#tail)
    this.dropTail()
    if (tail.length > 0) await this.#keep(tail)
    await this.#file?.close()
    this.#file = undefined
    const where = this.#fileName === undefined ? { bytes: this.#blocks } : { file: this.#fileName }
    this.#blocks = [] // Whoever still has the writer does not have the bytes.
    return new Body([{ size: this.#kept, holders: 0, ...where }], { crc32c: this.#crc, md5: this.#md5.digest('base64') })
  }

  async discard(): Promise<void> {
    this.dropTail()
    this.#blocks = []
    await this.#file?.close()
    this.#file = undefined
    if (this.#fileName !== undefined) await rm(this.#fileName, { force: true })
  }

  async #keep(bytes: Buffer): Promise<void> {
    this.#md5.update(bytes)
    this.#crc = crc32c(bytes, this.#crc)
    this.#kept += bytes.length
    if (this.#fileName === undefined && this.#kept > MAX_IN_MEMORY) {
      this.#fileName = await this.#path()
      this.#file = await open(this.#fileName, 'wx')
      for (const block of this.#blocks) await writeAll(this.#file, block)
      this.#blocks = []
    }
    if (this.#file === undefined) this.#blocks.push(bytes)
    else await writeAll(this.#file, bytes)
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
}
