/**
 * Adding to a file whose store cannot append: read it, and write it anew with the addition, only over the version that was read.
 * Nobody's bytes are lost: who loses the race reads again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesContent, discard, streamContent, wholeBody } from './content.ts'
import type { Place } from './copy-between.ts'
import { keptOptions } from './derive.ts'
import type { Content, Driver, ReadResult, Visibility, WriteOptions, WriteResult } from './driver.ts'
import { isNotFound, isStorageError, ReadOnlyError, type StorageError, UnsupportedError } from './errors.ts'
import { isReadOnly } from './options.ts'

/** A file, and the side that bytes go to. */
export interface Addition extends Place {
  readonly side: 'append' | 'prepend'
  readonly separator: string
}

const ATTEMPTS = 20 // each is lost to a writer that won, so somebody makes progress
const MAX_WAIT_MS = 100
/** So often in a row nothing can be read where something is: not a race with who makes and deletes the file, but a directory in the way. */
const BLOCKED_ATTEMPTS = 3

/** @throws PreconditionFailedError when others keep winning, or at once when the content cannot be read twice; FileExistsError over a directory */
export async function rewrite(
  addition: Addition,
  content: Content,
  options: WriteOptions,
): Promise<WriteResult & { readonly path: string }> {
  const { driver, path } = addition
  if (isReadOnly(driver)) throw new ReadOnlyError()
  if (!driver.supports.ifMatch) {
    throw new UnsupportedError('this store can neither append nor write over one version only (ifMatch): read the file and put it anew')
  }
  for (let attempt = 1, blocked = 0; ; attempt++) {
    try {
      return { path, ...(await rewriteOnce(addition, content, options)) }
    } catch (error) {
      if (!isLostRace(error) || !content.replayable || attempt === ATTEMPTS) throw error
      blocked = error.code === 'already_exists' ? blocked + 1 : 0
      if (blocked === BLOCKED_ATTEMPTS) throw error
      await sleep(Math.random() * Math.min(MAX_WAIT_MS, 2 ** attempt), undefined, { signal: options.signal })
    }
  }
}

function isLostRace(error: unknown): error is StorageError {
  return isStorageError(error) && (error.code === 'precondition_failed' || error.code === 'already_exists')
}

async function rewriteOnce({ driver, path, side, separator }: Addition, content: Content, options: WriteOptions): Promise<WriteResult> {
  const found = await driver.read(path, { signal: options.signal }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined
    throw error
  })
  if (found === undefined) return driver.write(path, content, { ...options, ifAbsent: driver.supports.ifAbsent })
  const { stat, body }: ReadResult = found
  try {
    if (stat.etag === undefined) throw new UnsupportedError('this store gives the file no etag, so it cannot be rewritten safely')
    const existing = streamContent(wholeBody(body, stat.size), stat.size)
    const between = stat.size === 0 || separator === '' ? [] : [Buffer.from(separator)]
    const whole = side === 'append' ? joined([], existing, between, content) : joined([], content, between, existing)
    const visibility = driver.visibility === undefined ? undefined : (stat.visibility ?? (await visibilityOf(driver, path, options)))
    return await driver.write(path, whole, { ...keptOptions(stat, { signal: options.signal }), visibility, ifMatch: stat.etag })
  } finally {
    await discard(body)
  }
}

/** Of a file whose facts leave it out. One that is gone by now has none, and the condition of the write says the rest. */
async function visibilityOf(driver: Driver, path: string, { signal }: WriteOptions): Promise<Visibility | undefined> {
  try {
    return await driver.visibility?.get(path, { signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/**
 * Adds by the store's own means. Of several that add to a file which is not there yet, one makes it and the others separate.
 * @param append the driver's own
 */
export async function appendNatively(
  { driver, path, separator }: Omit<Addition, 'side'>,
  append: NonNullable<Driver['append']>,
  content: Content,
  options: WriteOptions,
): Promise<void> {
  if (separator === '') return append(path, content, options)
  const existing = await sizeOf(driver, path, options)
  if (existing === undefined && content.replayable && driver.supports.ifAbsent && (await created(driver, path, content, options))) return
  const size = existing ?? (await sizeOf(driver, path, options)) ?? 0
  await append(path, size === 0 ? content : joined([Buffer.from(separator)], content), options)
}

async function created(driver: Driver, path: string, content: Content, options: WriteOptions): Promise<boolean> {
  try {
    await driver.write(path, content, { ...options, ifAbsent: true })
    return true
  } catch (error) {
    if (isLostRace(error)) return false
    throw error
  }
}

async function sizeOf(driver: Driver, path: string, { signal }: WriteOptions): Promise<number | undefined> {
  try {
    return (await driver.stat(path, { signal })).size
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Contents and bytes one after the other. Bytes stay bytes where everything is in memory, so that a store can write them at once. */
export function joined(...parts: readonly (Content | readonly Uint8Array[])[]): Content {
  const pieces = parts.flatMap((part): readonly (Content | Uint8Array)[] => ('stream' in part ? [part] : part))
  const sizes = pieces.map((piece) => ('stream' in piece ? piece.size : piece.byteLength))
  const size = sizes.includes(undefined) ? undefined : sizes.reduce<number>((sum, next) => sum + (next as number), 0)
  const inMemory = pieces.map((piece) => ('stream' in piece ? piece.bytes : piece))
  if (!inMemory.includes(undefined)) return bytesContent(Buffer.concat(inMemory as readonly Uint8Array[]))
  return {
    size,
    bytes: undefined,
    replayable: pieces.every((piece) => !('stream' in piece) || piece.replayable),
    stream: async function* () {
      for (const piece of pieces) {
        if ('stream' in piece) yield* piece.stream()
        else yield piece
      }
    },
  }
}
