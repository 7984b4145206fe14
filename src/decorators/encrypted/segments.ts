/**
 * Where the segments of an encrypted file lie. Plaintext is cut into segments of one size, the first of which may be shorter;
 * each is stored with a 16-byte tag behind a header.
 *
 *   header │ segment₀ ‖ tag │ segment₁ ‖ tag │ … │ last segment ‖ tag
 *
 * Sizes follow from sizes alone, both ways, so neither `stat` nor `list` reads a file. Only an empty file has an empty segment.
 */
import { IntegrityError } from '../../errors.ts'

export const TAG_BYTES = 16

export interface Layout {
  /** Bytes before the first segment. */
  readonly headerBytes: number
  /** Plaintext bytes of the first segment when it is full, and of every other. */
  readonly firstBytes: number
  readonly segmentBytes: number
}

/** How many segments a file of so many plaintext bytes has; at least one. */
export function segmentCount({ firstBytes, segmentBytes }: Layout, plaintext: number): number {
  return plaintext <= firstBytes ? 1 : 1 + Math.ceil((plaintext - firstBytes) / segmentBytes)
}

/** The stored size of a file. */
export function ciphertextSize(layout: Layout, plaintext: number): number {
  return layout.headerBytes + plaintext + TAG_BYTES * segmentCount(layout, plaintext)
}

/** The size of the file within; undefined when no file is stored in so many bytes. */
export function plaintextSize(layout: Layout, ciphertext: number): number | undefined {
  const stored = ciphertext - layout.headerBytes
  if (stored < TAG_BYTES) return undefined
  if (stored <= layout.firstBytes + TAG_BYTES) return stored - TAG_BYTES
  const rest = stored - layout.firstBytes - TAG_BYTES
  const full = Math.floor(rest / (layout.segmentBytes + TAG_BYTES))
  const last = rest % (layout.segmentBytes + TAG_BYTES)
  if (last > 0 && last <= TAG_BYTES) return undefined // a last segment of nothing
  return layout.firstBytes + full * layout.segmentBytes + Math.max(0, last - TAG_BYTES)
}

/** @throws IntegrityError when no file is stored in so many bytes */
export function checkedPlaintextSize(layout: Layout, ciphertext: number): number {
  const size = plaintextSize(layout, ciphertext)
  if (size === undefined) throw new IntegrityError(`no encrypted file has ${ciphertext} bytes: it was cut, or it is not encrypted`)
  return size
}

/** The segment that has the plaintext byte at this offset. */
export function segmentAt({ firstBytes, segmentBytes }: Layout, offset: number): number {
  return offset < firstBytes ? 0 : 1 + Math.floor((offset - firstBytes) / segmentBytes)
}

/** The offset of a segment's first plaintext byte. */
export function plaintextStart({ firstBytes, segmentBytes }: Layout, index: number): number {
  return index === 0 ? 0 : firstBytes + (index - 1) * segmentBytes
}

/** The offset of a segment's first stored byte. */
export function ciphertextStart(layout: Layout, index: number): number {
  return layout.headerBytes + plaintextStart(layout, index) + TAG_BYTES * index
}
