/**
 * Plaintext in, an encrypted file out, in constant memory. A segment is sealed once a byte after it is there, because the last one is
 * marked. What does not fill a segment yet is copied: the source may use its chunk again.
 */
import { inviteCollection } from '../../minor-collections.ts'
import type { NewFile } from './file-format.ts'
import { ciphertextSize } from './segments.ts'

/** What `inviteCollection` is told: ciphertext dies young, and what writes it invites for itself. */
const OF_CIPHERTEXT = 64 * 1024

export async function* sealed(source: AsyncIterable<Uint8Array>, file: NewFile): AsyncGenerator<Uint8Array, undefined> {
  const { layout } = file
  const staged = Buffer.allocUnsafe(Math.max(layout.firstBytes, layout.segmentBytes))
  let stagedBytes = 0
  let index = 0
  yield file.head
  for await (const chunk of source) {
    let offset = 0
    for (; stagedBytes + chunk.byteLength - offset > capacity(file, index); index++) {
      const taken = capacity(file, index) - stagedBytes
      const parts = [staged.subarray(0, stagedBytes), chunk.subarray(offset, offset + taken)]
      for (const piece of sealSegment(file, { index, last: false, parts })) yield piece // yield* would wait twice for each
      inviteCollection(stagedBytes + taken, OF_CIPHERTEXT)
      offset += taken
      stagedBytes = 0
    }
    staged.set(chunk.subarray(offset), stagedBytes)
    stagedBytes += chunk.byteLength - offset
  }
  for (const piece of sealSegment(file, { index, last: true, parts: [staged.subarray(0, stagedBytes)] })) yield piece
}

/** The whole file at once. */
export function sealedBytes(plaintext: Uint8Array, file: NewFile): Buffer {
  const pieces: Uint8Array[] = [file.head]
  let offset = 0
  for (let index = 0, last = false; !last; index++) {
    const end = offset + capacity(file, index)
    last = end >= plaintext.byteLength
    pieces.push(...sealSegment(file, { index, last, parts: [plaintext.subarray(offset, end)] }))
    offset = end
  }
  return Buffer.concat(pieces, ciphertextSize(file.layout, plaintext.byteLength))
}

interface Segment {
  readonly index: number
  readonly last: boolean
  readonly parts: readonly Uint8Array[]
}

/** The ciphertext in pieces, and its tag. Joining them would be a copy of every byte. */
function sealSegment({ cipher }: NewFile, { index, last, parts }: Segment): readonly Uint8Array[] {
  const sealing = cipher.seal(index, last)
  const pieces: Uint8Array[] = parts.filter((part) => part.byteLength > 0).map((part) => sealing.update(part))
  sealing.final() // empty: both ciphers are stream ciphers
  pieces.push(sealing.getAuthTag())
  return pieces
}

function capacity({ layout }: NewFile, index: number): number {
  return index === 0 ? layout.firstBytes : layout.segmentBytes
}
