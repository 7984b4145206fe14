/**
 * The `Range` header (RFC 9110 section 14), as far as one answer of one part goes.
 *
 *   absent, another unit, malformed  → undefined: the whole file, as if nothing was asked
 *   none of the ranges begins inside → unsatisfiable: 416
 *   what is left, joined, is one     → that part: 206
 *   several parts are left           → the whole file: a server may ignore Range, and multipart answers are rarely read
 */
import type { Range } from '../driver.ts'

/** Bytes from `start` to `end`, exclusive. */
export interface Part {
  readonly start: number
  readonly end: number
}

export const UNSATISFIABLE = 'unsatisfiable'

/** The ranges that a header asks for, not yet held against a size; undefined when it has to be ignored. A suffix may be 0. */
export function parseRanges(header: string | null): readonly [Range, ...Range[]] | undefined {
  const set = /^bytes=(.*)$/i.exec(header ?? '')?.[1]
  if (set === undefined) return undefined
  const specs = set
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '')
  const ranges = specs.map(parseRange)
  const [first, ...others] = ranges.filter((range) => range !== undefined)
  return first === undefined || ranges.includes(undefined) ? undefined : [first, ...others]
}

function parseRange(spec: string): Range | undefined {
  const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? []
  if (first === '') return last === '' ? undefined : { suffix: bytes(last) }
  if (last === '') return { start: bytes(first) }
  const range = { start: bytes(first), end: bytes(last) + 1 }
  return range.start < range.end ? range : undefined
}

/** Numbers that no file reaches are all alike. */
function bytes(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1)
}

/** The part to send of a file of `size` bytes; undefined for all of it. */
export function selectPart(ranges: readonly Range[] | undefined, size: number): Part | typeof UNSATISFIABLE | undefined {
  if (ranges === undefined) return undefined
  const parts = ranges.map((range) => resolve(range, size)).filter((part) => part !== undefined)
  const [first, ...others] = join(parts)
  if (first === undefined) return UNSATISFIABLE
  // A suffix of an empty file is satisfiable, but `Content-Range` cannot say "no bytes".
  return others.length > 0 || size === 0 ? undefined : first
}

function resolve(range: Range, size: number): Part | undefined {
  if (range.suffix !== undefined) return range.suffix === 0 ? undefined : { start: Math.max(0, size - range.suffix), end: size }
  return range.start < size ? { start: range.start, end: Math.min(range.end ?? size, size) } : undefined
}

/** In order, with those that overlap or touch made one. */
function join(parts: readonly Part[]): readonly Part[] {
  const joined: Part[] = []
  for (const part of [...parts].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    if (last === undefined || part.start > last.end) joined.push(part)
    else joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, part.end) }
  }
  return joined
}
