/**
 * A body cut into blocks, as staged uploads need them.
 *
 *   chunks ──gather──▶ block₀ block₁ …        5 MiB each; twice that after 5,000 blocks, and so on: 50,000 hold all that Azure takes
 *
 * Streams are gathered into a few buffers that go round, so that memory does not grow with the file. What is in memory already is
 * cut without copying.
 */
import type { Content } from '../../driver.ts'
import { inviteCollection, OF_SOCKETS } from '../../minor-collections.ts'

export interface Block {
  readonly bytes: Buffer
  /** Gives the buffer back to be filled again. */
  readonly release: () => void
}

const MiB = 1024 * 1024
/** More than 4 MiB, from where on Azure writes blocks faster; also the most that goes up in one request where the size is not known: one more, and blocks are staged. */
export const BLOCK_BYTES: number = 5 * MiB
const FIRST_BYTES = 64 * 1024
const BLOCKS_OF_ONE_SIZE = 5_000
/** Scalability targets for Blob storage: 4,000 MiB a block. */
const MAX_BLOCK_BYTES = 4_000 * MiB

/** How large the block of that number is, from 0. */
export function blockBytes(index: number): number {
  return Math.min(MAX_BLOCK_BYTES, BLOCK_BYTES * 2 ** Math.floor(index / BLOCKS_OF_ONE_SIZE))
}

/** The blocks of a content; none when it is empty. */
export function blocksOf(content: Content): AsyncGenerator<Block, undefined> {
  return content.bytes === undefined ? gathered(content.stream()) : cut(content.bytes)
}

async function* cut(bytes: Uint8Array): AsyncGenerator<Block, undefined> {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let start = 0, index = 0; start < whole.byteLength; index++) {
    const end = start + blockBytes(index)
    yield { bytes: whole.subarray(start, end), release: () => undefined }
    start = end
  }
}

async function* gathered(source: AsyncIterable<Uint8Array>): AsyncGenerator<Block, undefined> {
  const free: Buffer[] = []
  let index = 0
  let buffer: Buffer = Buffer.alloc(0)
  let filled = 0
  const finish = (): Block => {
    const [whole, length] = [buffer, filled]
    buffer = Buffer.alloc(0)
    filled = 0
    index++
    return { bytes: whole.subarray(0, length), release: () => void free.push(whole) }
  }
  for await (const chunk of source) {
    inviteCollection(chunk.byteLength, OF_SOCKETS)
    for (let taken = 0; taken < chunk.byteLength; ) {
      const limit = blockBytes(index)
      if (filled === buffer.byteLength) buffer = enlarged(buffer, { index, wanted: chunk.byteLength - taken, limit, free })
      const part = chunk.subarray(taken, taken + buffer.byteLength - filled)
      buffer.set(part, filled)
      taken += part.byteLength
      filled += part.byteLength
      if (filled === limit) yield finish()
    }
  }
  if (filled > 0) yield finish()
}

interface Enlargement {
  readonly index: number
  readonly wanted: number
  readonly limit: number
  readonly free: Buffer[]
}

/** The first buffer grows as it is filled, because most bodies are small; later ones are whole at once, and go round. */
function enlarged(buffer: Buffer, { index, wanted, limit, free }: Enlargement): Buffer {
  if (index > 0) {
    const used = free.pop()
    return used?.byteLength === limit ? used : Buffer.allocUnsafeSlow(limit)
  }
  const larger = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(FIRST_BYTES, 2 * buffer.byteLength, buffer.byteLength + wanted)))
  larger.set(buffer)
  return larger
}

/**
 * The name of a block: 48 characters, as Microsoft's own SDKs make them, because all blocks of a blob need names of one length.
 * No two uploads share an id, so that blocks of several writers never mix.
 */
export function blockId(uploadId: string, index: number): string {
  return Buffer.from(`${uploadId}${String(index).padStart(48 - uploadId.length, '0')}`).toString('base64')
}
