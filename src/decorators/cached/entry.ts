/**
 * What a cache holds of a file: its facts, and its content if it is small enough.
 *
 *   u32 length ‖ JSON { v, epoch, storedAt, softMs, hardMs, crc32, stat } ‖ content
 *
 * What does not decode, or whose content has another length or checksum than it says, is no entry.
 */
import { nodeZlib } from '../../builtins.ts'
import type { FileStat } from '../../driver.ts'

export interface CacheEntry {
  /** Undefined: there is no such file. */
  readonly stat: FileStat | undefined
  /** Undefined: only the facts are held. */
  readonly content: Uint8Array | undefined
  /** Milliseconds since 1970. */
  readonly storedAt: number
  /** Milliseconds after which it is refreshed while it is still served. */
  readonly softMs: number
  /** Milliseconds after which it is served only when the disk cannot answer. */
  readonly hardMs: number
}

/** An entry with the epoch that it was stored in. */
export interface StoredEntry extends CacheEntry {
  readonly epoch: string
}

const VERSION = 1
const LENGTH_BYTES = 4

/** Bytes that an entry takes in memory, roughly. */
export function entryBytes({ content, stat }: CacheEntry): number {
  const facts = stat === undefined ? 0 : 2 * JSON.stringify(stat).length
  return 512 + facts + (content?.byteLength ?? 0)
}

export function encodeEntry(entry: CacheEntry, epoch: string): Buffer {
  const { stat, content = new Uint8Array(), storedAt, softMs, hardMs } = entry
  const facts = {
    v: VERSION,
    epoch,
    storedAt,
    softMs,
    hardMs,
    crc32: nodeZlib().crc32(content),
    length: content.byteLength,
    whole: entry.content !== undefined,
    stat,
  }
  const header = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(header.byteLength)
  return Buffer.concat([length, header, content])
}

interface StoredFacts {
  readonly v: number
  readonly epoch: string
  readonly storedAt: number
  readonly softMs: number
  readonly hardMs: number
  readonly crc32: number
  readonly length: number
  readonly whole: boolean
  readonly stat: (Omit<FileStat, 'lastModified'> & { readonly lastModified: string }) | undefined
}

/** The entry in these bytes, if it is whole, and of this epoch if one is given. */
export function decodeEntry(bytes: Uint8Array | null | undefined, epoch: string | undefined): StoredEntry | undefined {
  if (bytes === null || bytes === undefined || bytes.byteLength < LENGTH_BYTES) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const start = LENGTH_BYTES + buffer.readUInt32BE(0)
  const facts = parseFacts(buffer.subarray(LENGTH_BYTES, start))
  if (facts?.v !== VERSION || (epoch !== undefined && facts.epoch !== epoch)) return undefined
  const content = buffer.subarray(start)
  if (content.byteLength !== facts.length || nodeZlib().crc32(content) !== facts.crc32) return undefined
  const { storedAt, softMs, hardMs, stat, whole } = facts
  return {
    epoch: facts.epoch,
    storedAt,
    softMs,
    hardMs,
    stat: stat && { ...stat, lastModified: new Date(stat.lastModified) },
    content: whole ? content : undefined,
  }
}

function parseFacts(json: Buffer): StoredFacts | undefined {
  try {
    return JSON.parse(json.toString()) as StoredFacts
  } catch {
    return undefined
  }
}
