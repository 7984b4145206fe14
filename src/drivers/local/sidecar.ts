/**
 * What a file system has no place for: content headers that the extension does not say, and user metadata.
 *
 *   a/photo.jpg  ◀── a/.stowage-meta-<hash of "photo.jpg">   { name, files: [{ ino, size, mtimeNs, contentType?, …, metadata? }, …] }
 *
 * A record names the very file it describes, and is ignored for any other. Before a file with metadata takes its name, its record
 * is added to the one of the file that it replaces; so whenever a crash comes, old and new file each keep their own, and none shows
 * another's. The record of the replaced file is dropped by the next change.
 *
 * Readers must not pay for sidecars that are not there: a file that has one is *marked*, by a modification time that is a whole number
 * of 1/32768 s. By chance one in some thirty others looks marked too, and costs its reader one look in vain.
 */
import type { BigIntStats } from 'node:fs'
import { headersOf } from '../../derive.ts'
import type { ContentHeaders } from '../../driver.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { isMissing } from './local-errors.ts'
import {
  closeQuietly,
  createFile,
  type FileOptions,
  fstat,
  lstat,
  lutimes,
  OPEN,
  open,
  readFully,
  rename,
  unlinkQuietly,
} from './local-files.ts'
import { ownName, tempName } from './temp-files.ts'

/** What a sidecar says about one file. */
export interface Extras extends ContentHeaders {
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export interface Sidecar {
  readonly name: string
  readonly files: readonly SidecarRecord[]
}

interface SidecarRecord extends Extras {
  readonly ino: string
  readonly size: string
  readonly mtimeNs: string
}

const MAX_SIDECAR_BYTES = 1024 * 1024
const TICKS = 32_768 // per second. A power of two: such times are exact as the floating-point seconds that utimes takes
const SECOND_NS = 1_000_000_000n

/** The extras worth keeping: nothing that the extension says anyway. Undefined for a plain file. */
export function extrasOf(options: Extras, derivedType: string | undefined): Extras | undefined {
  const { contentType, ...headers } = headersOf(options)
  const metadata = options.metadata !== undefined && Object.keys(options.metadata).length > 0 ? { ...options.metadata } : undefined
  const extras: Extras = {
    ...headers,
    ...(contentType !== undefined && contentType !== derivedType && { contentType }),
    ...(metadata && { metadata }),
  }
  return Object.keys(extras).length === 0 ? undefined : extras
}

/** False when the file has no sidecar for certain. */
export function isMarked({ mtimeNs }: BigIntStats): boolean {
  const nanoseconds = Number(mtimeNs % SECOND_NS)
  if (nanoseconds % 1_000_000 === 0) return true // the file system may keep no finer time
  const ticks = Math.round((nanoseconds * TICKS) / 1e9)
  return Math.floor((ticks * 1e6) / TICKS) === Math.floor(nanoseconds / 1_000)
}

/** Gives a file a marked time, later than `after` if that is given. @returns its facts with it */
export async function mark(path: string, after = 0n): Promise<BigIntStats> {
  for (let ticks = Math.max(Math.floor((Date.now() * TICKS) / 1_000), toTicks(after) + 1); ; ticks += TICKS) {
    await lutimes(path, ticks / TICKS)
    const stats = await lstat(path)
    if (stats.mtimeNs > after) return stats // else the file system keeps whole seconds only
  }
}

function toTicks(ns: bigint): number {
  return Math.floor(Number(ns / SECOND_NS) * TICKS + (Number(ns % SECOND_NS) * TICKS) / 1e9)
}

/** The sidecar of a name; undefined when there is none or it cannot be understood. */
export async function readSidecar(at: string, name: string): Promise<Sidecar | undefined> {
  let fd: number
  try {
    fd = await open(`${at}/${ownName('meta', name)}`, OPEN.read)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  return readSidecarFrom(fd, name)
}

/** Reads a sidecar that is open, and closes it. */
export async function readSidecarFrom(fd: number, name?: string): Promise<Sidecar | undefined> {
  try {
    const stats = await fstat(fd)
    if (!stats.isFile() || stats.size > MAX_SIDECAR_BYTES) return undefined
    const buffer = Buffer.alloc(Number(stats.size))
    await readFully(fd, buffer, 0)
    const sidecar: unknown = JSON.parse(buffer.toString())
    return isSidecar(sidecar) && (name === undefined || sidecar.name === name) ? sidecar : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  } finally {
    await closeQuietly(fd)
  }
}

function isSidecar(value: unknown): value is Sidecar {
  return typeof value === 'object' && value !== null && 'name' in value && 'files' in value && Array.isArray(value.files)
}

/** What the sidecar says about this very file. */
export function extrasFor(sidecar: Sidecar | undefined, stats: BigIntStats): Extras | undefined {
  const record = sidecar?.files.find((file) => isRecordOf(file, stats))
  return record && { ...headersOf(record), ...(record.metadata && { metadata: record.metadata }) }
}

function isRecordOf(file: SidecarRecord, { ino, size, mtimeNs }: BigIntStats): boolean {
  return file.ino === String(ino) && file.size === String(size) && file.mtimeNs === String(mtimeNs)
}

/** Describes a file that is about to take the name, and keeps what is said about the one that has it. Hold the lock of the name. */
export async function addRecord(at: string, name: string, record: RecordChange): Promise<void> {
  const { stats, extras, replaced, durable } = record
  const kept = replaced && (await readSidecar(at, name))?.files.filter((file) => isRecordOf(file, replaced))
  const { ino, size, mtimeNs, mode } = stats
  const described: SidecarRecord = { ino: String(ino), size: String(size), mtimeNs: String(mtimeNs), ...extras }
  await writeSidecar(at, { name, files: [described, ...(kept ?? [])] }, { mode: Number(mode) & 0o666, durable })
}

export interface RecordChange {
  /** Of the new file, which has to be marked. */
  readonly stats: BigIntStats
  readonly extras: Extras
  /** The file that has the name now. */
  readonly replaced?: BigIntStats | undefined
  readonly durable: boolean
}

async function writeSidecar(at: string, sidecar: Sidecar, { mode, durable }: FileOptions): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(sidecar))
  if (bytes.byteLength > MAX_SIDECAR_BYTES) throw new InvalidArgumentError('the metadata of a file may take one megabyte at most')
  const temp = `${at}/${tempName()}`
  await createFile(temp, bytes, { mode, durable })
  try {
    await rename(temp, `${at}/${ownName('meta', sidecar.name)}`)
  } catch (error) {
    await unlinkQuietly(temp)
    throw error
  }
}

/** Removes the sidecar of a name, if there is one. Hold the lock of the name. */
export function removeSidecar(at: string, name: string): Promise<void> {
  return unlinkQuietly(`${at}/${ownName('meta', name)}`)
}
