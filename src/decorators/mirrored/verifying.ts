/** Compares a mirror with the primary, name by name in the order of their listings: memory is bounded by a page of each. */
import { createDigest } from '../../digest.ts'
import { pagesOf } from '../../derive.ts'
import type { CallOptions, Driver, FileEntry } from '../../driver.ts'
import { compareUtf8 } from '../../path.ts'
import { isJournal } from './journal-paths.ts'

export interface Difference {
  readonly path: string
  /** The mirror's name, as its stack reads. */
  readonly mirror: string
  /** Not on the mirror; on the mirror alone; or with other bytes. */
  readonly kind: 'missing' | 'extra' | 'different'
}

export interface VerifyOptions extends CallOptions {
  /** Reads every file on both sides and compares SHA-256, where sizes are the same. Default: false, sizes alone. */
  readonly checksum?: boolean | undefined
}

export async function* differences(primary: Driver, mirror: Driver, options: VerifyOptions): AsyncGenerator<Difference, undefined> {
  const [own, other] = [filesOf(primary, options), filesOf(mirror, options)]
  let [a, b] = [await own.next(), await other.next()]
  while (!a.done || !b.done) {
    const order = a.done ? 1 : b.done ? -1 : compareUtf8(a.value.path, b.value.path)
    if (order < 0 && !a.done) yield { path: a.value.path, mirror: mirror.name, kind: 'missing' }
    else if (order > 0 && !b.done) yield { path: b.value.path, mirror: mirror.name, kind: 'extra' }
    else if (!a.done && !b.done && !(await isSame(primary, mirror, { a: a.value, b: b.value, options }))) {
      yield { path: a.value.path, mirror: mirror.name, kind: 'different' }
    }
    const [takeOwn, takeOther] = [order <= 0, order >= 0]
    if (takeOwn) a = await own.next()
    if (takeOther) b = await other.next()
  }
}

async function* filesOf(driver: Driver, { signal }: CallOptions): AsyncGenerator<FileEntry, undefined> {
  for await (const entries of pagesOf(driver, '', { recursive: true, signal })) {
    for (const entry of entries) if (entry.type === 'file' && !isJournal(entry.path)) yield entry
  }
}

interface Pair {
  readonly a: FileEntry
  readonly b: FileEntry
  readonly options: VerifyOptions
}

async function isSame(primary: Driver, mirror: Driver, { a, b, options }: Pair): Promise<boolean> {
  const [size, other] = await Promise.all([sizeOf(primary, a, options), sizeOf(mirror, b, options)])
  if (size !== other) return false
  if (options.checksum !== true) return true
  const [own, theirs] = await Promise.all([hashOf(primary, a.path, options), hashOf(mirror, b.path, options)])
  return own === theirs
}

async function sizeOf(driver: Driver, { path, size }: FileEntry, { signal }: CallOptions): Promise<number> {
  return size ?? (await driver.stat(path, { signal })).size
}

async function hashOf(driver: Driver, path: string, { signal }: CallOptions): Promise<string> {
  const digest = createDigest('sha256')
  const { body } = await driver.read(path, { signal })
  for await (const chunk of body) digest.update(chunk)
  return digest.digest('hex')
}
