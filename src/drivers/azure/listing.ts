/**
 * A page of a directory, in the order of UTF-8 bytes, with the directories that files imply.
 *
 *   server page ──▶ entries ──sort──▶ those that nothing can come before any more ──▶ page, and a cursor behind it
 *
 * Stores that order by UTF-16 units have emoji before U+E000, where UTF-8 has them after; and an escaped dot (keys.ts) moves a
 * slash. Where a name has such a place, it is held back until the listing has left all names that share what is before it.
 *
 * A cursor is the server's own marker and the last place that was told: entries up to it are left out when the page comes again.
 */
import type * as Sdk from '@azure/storage-blob'
import { sortKey } from '../../derive.ts'
import type { Entry, ListOptions, Page } from '../../driver.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { compareUtf8, directoryPrefix, parentsOf } from '../../path.ts'
import type { AzureConnection } from './client.ts'
import { quoted } from './facts.ts'
import { certainLength, pathOf, prefixOf } from './keys.ts'

/** List Blobs, REST API: the most that a page has. */
const MAX_PAGE = 5_000

interface Found {
  readonly entry: Entry
  /** What it is ordered by. */
  readonly place: string
  /** Which of the server's pages it came with. */
  readonly page: number
}

interface ServerPage {
  readonly files: readonly Sdk.BlobItem[]
  readonly prefixes: readonly string[]
  readonly next: string | undefined
}

export async function listBlobs(connection: AzureConnection, directory: string, options: ListOptions): Promise<Page> {
  const cursor = options.cursor === undefined ? undefined : decodeCursor(options.cursor)
  const listing = new Listing(connection, directory, { ...options, start: later(cursor?.place, options.after) })
  return listing.page(cursor?.marker)
}

class Listing {
  readonly #connection: AzureConnection
  readonly #prefix: string
  /** The same as a path of the disk. */
  readonly #inside: string
  readonly #options: ListOptions & { readonly start: string }
  readonly #found: Found[] = []
  /** With which marker each of the server's pages was asked for. */
  readonly #markers: (string | undefined)[] = []
  #previous = ''

  constructor(connection: AzureConnection, directory: string, options: ListOptions & { readonly start: string }) {
    this.#connection = connection
    this.#prefix = prefixOf(directory)
    this.#inside = directoryPrefix(directory)
    this.#options = options
  }

  async page(marker: string | undefined): Promise<Page> {
    const { limit = Number.POSITIVE_INFINITY, signal } = this.#options
    for (let next = marker; ; ) {
      signal?.throwIfAborted()
      this.#markers.push(next)
      const page = await this.#ask(next)
      next = page.next
      const position = this.#take(page)
      const settled = this.#settled(next === undefined ? undefined : position)
      if (settled > 0 || next === undefined) return this.#told(Math.min(settled, limit), next)
    }
  }

  /** The first `count` entries, and the place after them. */
  #told(count: number, next: string | undefined): Page {
    const entries = this.#found.slice(0, count)
    const rest = this.#found.slice(count)
    const last = entries.at(-1)?.place ?? this.#options.start
    const told = entries.map(({ entry }) => entry)
    if (rest.length === 0 && next === undefined) return { entries: told }
    const marker = rest.length === 0 ? next : this.#markers[Math.min(...rest.map(({ page }) => page))]
    return { entries: told, cursor: encodeCursor({ marker, place: last }) }
  }

  async #ask(marker: string | undefined): Promise<ServerPage> {
    const { recursive, limit = MAX_PAGE, signal, start } = this.#options
    const settings = { maxPageSize: Math.min(limit, MAX_PAGE), ...(marker !== undefined && { continuationToken: marker }) }
    const options = { prefix: this.#prefix, ...(signal !== undefined && { abortSignal: signal }) }
    return this.#connection.ask(signal, async ({ container }) => {
      if (recursive === true) {
        // An account whose version of the service does not know it begins at the beginning: what is too early is left out below.
        const from = marker === undefined ? startFrom(start, this.#prefix) : undefined
        const pages = container.listBlobsFlat({ ...options, ...(from !== undefined && { startFrom: from }) }).byPage(settings)
        const { segment, continuationToken } = (await pages.next()).value as Sdk.ContainerListBlobFlatSegmentResponse
        return { files: segment.blobItems, prefixes: [], next: continuationToken || undefined }
      }
      const pages = container.listBlobsByHierarchy('/', options).byPage(settings)
      const { segment, continuationToken } = (await pages.next()).value as Sdk.ContainerListBlobHierarchySegmentResponse
      return {
        files: segment.blobItems,
        prefixes: (segment.blobPrefixes ?? []).map(({ name }) => name),
        next: continuationToken || undefined,
      }
    })
  }

  /** Adds the entries of a page. @returns the last name on it */
  #take({ files, prefixes }: ServerPage): string {
    for (const blob of files) {
      const isDirectory = blob.name.endsWith('/')
      const path = pathOf(isDirectory ? blob.name.slice(0, -1) : blob.name)
      if (path === undefined) continue
      if (this.#options.recursive === true) this.#imply(isDirectory ? `${path}/` : path)
      if (!isDirectory) this.#add(fileEntry(path, blob))
    }
    for (const name of prefixes) {
      const path = pathOf(name.slice(0, -1))
      if (path !== undefined) this.#add({ type: 'directory', path })
    }
    this.#found.sort((a, b) => compareUtf8(a.place, b.place))
    return [files.at(-1)?.name ?? '', prefixes.at(-1) ?? ''].toSorted().at(-1) ?? ''
  }

  /** The directories of a file that the one before it was not in: names in one directory follow each other. */
  #imply(path: string): void {
    for (const parent of parentsOf(path).toReversed()) {
      const place = `${parent}/`
      if (!this.#previous.startsWith(place) && place.length > this.#inside.length) this.#add({ type: 'directory', path: parent })
    }
    this.#previous = path
  }

  #add(entry: Entry): void {
    const place = sortKey(entry)
    if (compareUtf8(place, this.#options.start) > 0) this.#found.push({ entry, place, page: this.#markers.length - 1 })
  }

  /** How many of what was found are certain to have nothing new before them; all, at the end of the listing. */
  #settled(position: string | undefined): number {
    if (position === undefined) return this.#found.length
    const open = this.#found.findIndex(({ place }) => {
      const length = certainLength(place)
      return length !== undefined && position.startsWith(place.slice(0, length))
    })
    return open === -1 ? this.#found.length : open
  }
}

function fileEntry(path: string, { properties }: Sdk.BlobItem): Entry {
  const { contentLength, lastModified, etag } = properties
  return { type: 'file', path, size: contentLength ?? 0, lastModified, ...(etag && { etag: quoted(etag) }) }
}

/** Where the store may begin: before all names that have to be told. */
function startFrom(start: string, prefix: string): string | undefined {
  const certain = start.slice(0, certainLength(start)).replace(/\. *$/, '')
  return certain.length > prefix.length && certain.startsWith(prefix) ? certain : undefined
}

function later(a: string | undefined, b: string | undefined): string {
  if (a === undefined || b === undefined) return a ?? b ?? ''
  return compareUtf8(a, b) > 0 ? a : b
}

interface Cursor {
  readonly marker: string | undefined
  readonly place: string
}

function encodeCursor({ marker, place }: Cursor): string {
  return Buffer.from(JSON.stringify([marker ?? null, place])).toString('base64url')
}

function decodeCursor(text: string): Cursor {
  try {
    const [marker, place] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as readonly unknown[]
    if ((marker === null || typeof marker === 'string') && typeof place === 'string') return { marker: marker ?? undefined, place }
  } catch {
    // Not one of ours.
  }
  throw new InvalidArgumentError('the cursor is not one that a page of this disk gave')
}
