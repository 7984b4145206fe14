/**
 * Plaintext in, an encrypted file out, in constant memory. A segment is sealed once a byte after it is there, because the last one is
 * marked. What does not fill a segment yet is copied: the source may use its chunk again.
 */
import type { NewFile } from './file-format.ts'
import { ciphertextSize, TAG_BYTES } from './segments.ts'

/** About so much is handed on at a time: small pieces cost a write each. */
const BATCH_BYTES = 1024 * 1024

export async function* sealed(source: AsyncIterable<Uint8Array>, file: NewFile): AsyncGenerator<Uint8Array, undefined> {
  const { layout } = file
  const staged = Buffer.allocUnsafe(Math.max(layout.firstBytes, layout.segmentBytes))
  let stagedBytes = 0
  let index = 0
  yield file.head
  for await (const chunk of source) {
    let offset = 0
    while (stagedBytes + chunk.byteLength - offset > capacity(file, index)) {
      const batch = newBatch()
      do {
        const taken = capacity(file, index) - stagedBytes
        sealInto(batch, file, { index, last: false, parts: [staged.subarray(0, stagedBytes), chunk.subarray(offset, offset + taken)] })
        offset += taken
        stagedBytes = 0
        index++
      } while (chunk.byteLength - offset > capacity(file, index) && batch.length + capacity(file, index) + TAG_BYTES <= BATCH_BYTES)
      yield finish(batch)
    }
    staged.set(chunk.subarray(offset), stagedBytes)
    stagedBytes += chunk.byteLength - offset
  }
  const batch = newBatch()
  sealInto(batch, file, { index, last: true, parts: [staged.subarray(0, stagedBytes)] })
  yield finish(batch)
}

/** The whole file at once. */
export function sealedBytes(plaintext: Uint8Array, file: NewFile): Buffer {
  const batch = newBatch()
  batch.pieces.push(file.head)
  batch.length += file.head.byteLength
  let offset = 0
  for (let index = 0, last = false; !last; index++) {
    const end = offset + capacity(file, index)
    last = end >= plaintext.byteLength
    sealInto(batch, file, { index, last, parts: [plaintext.subarray(offset, end)] })
    offset = end
  }
  return Buffer.concat(batch.pieces, ciphertextSize(file.layout, plaintext.byteLength))
}

interface Batch {
  readonly pieces: Uint8Array[]
  length: number
}

function newBatch(): Batch {
  return { pieces: [], length: 0 }
}

function finish({ pieces, length }: Batch): Buffer {
  return Buffer.concat(pieces, length)
}

interface Segment {
  readonly index: number
  readonly last: boolean
  readonly parts: readonly Uint8Array[]
}

function sealInto(batch: Batch, { cipher }: NewFile, { index, last, parts }: Segment): void {
  const sealing = cipher.seal(index, last)
  for (const part of parts) {
    if (part.byteLength === 0) continue
    batch.pieces.push(sealing.update(part))
    batch.length += part.byteLength
  }
  sealing.final() // empty: both ciphers are stream ciphers
  batch.pieces.push(sealing.getAuthTag())
  batch.length += TAG_BYTES
}

function capacity({ layout }: NewFile, index: number): number {
  return index === 0 ? layout.firstBytes : layout.segmentBytes
}
