/**
 * Listings with the sizes of what is inside. Where every header has our length they follow from the stored sizes; where files may be
 * plain or another tool's, the header of each is asked, unless the listing does without facts. A size that no file has is left out.
 */
import type { CallOptions, Entry, FileEntry, ListOptions, Page } from '../../driver.ts'
import { isNotFound, isStorageError } from '../../errors.ts'
import { type Layout, plaintextSize } from './segments.ts'

/** The size of a file, from its header. */
export type SizeOf = (path: string, options: CallOptions) => Promise<number>

const CONCURRENCY = 16

/** Sizes that follow from sizes. */
export function computedSizes(page: Page, layout: Layout): Page {
  return { ...page, entries: page.entries.map((entry) => (isSized(entry) ? sized(entry, plaintextSize(layout, entry.size)) : entry)) }
}

/** Sizes that headers tell: a read for each file. */
export async function askedSizes(page: Page, sizeOf: SizeOf, { stat, signal }: ListOptions): Promise<Page> {
  const entries: Entry[] = page.entries.map((entry) => (isSized(entry) ? sized(entry, undefined) : entry))
  if (stat === false) return { ...page, entries }
  const next = page.entries.entries()
  const ask = async (): Promise<void> => {
    for (const [index, entry] of next) if (isSized(entry)) entries[index] = sized(entry, await sizeOrNone(entry.path, sizeOf, { signal }))
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, ask))
  return { ...page, entries }
}

async function sizeOrNone(path: string, sizeOf: SizeOf, options: CallOptions): Promise<number | undefined> {
  try {
    return await sizeOf(path, options)
  } catch (error) {
    const isGone = isNotFound(error)
    const isDamaged = isStorageError(error) && (error.code === 'corrupted' || error.code === 'key_not_found')
    if (isGone || isDamaged) return undefined // one file does not make the others invisible
    throw error
  }
}

function isSized(entry: Entry): entry is FileEntry & { readonly size: number } {
  return entry.type === 'file' && entry.size !== undefined
}

function sized(entry: FileEntry, size: number | undefined): FileEntry {
  const { size: _stored, ...rest } = entry
  return size === undefined ? rest : { ...rest, size }
}
