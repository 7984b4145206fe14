/**
 * A file's content type by its extension (mime-types, the IANA, Apache and nginx tables). Content is never sniffed: the first
 * bytes of a file are what its uploader made them.
 */

import { extname } from './path.ts'

type Lookup = (path: string) => string | false

let lookup: Lookup | undefined

/** The type without a charset: `text/plain`; undefined when the extension says nothing. The table is loaded for the first unusual one. */
export async function contentTypeOf(path: string): Promise<string | undefined> {
  const extension = extname(path) // the table would take a bare name, such as `c`, for an extension
  if (extension === '') return undefined
  const usual = USUAL.get(extension)
  if (usual !== undefined) return usual
  lookup ??= (await import('mime-types')).default.lookup
  return lookup(extension) || undefined
}

/** What most files are, as the table has it too: loading that takes Node longer than anything else of a first operation. */
export const USUAL: ReadonlyMap<string, string> = new Map([
  ['.txt', 'text/plain'],
  ['.html', 'text/html'],
  ['.css', 'text/css'],
  ['.csv', 'text/csv'],
  ['.md', 'text/markdown'],
  ['.js', 'text/javascript'],
  ['.json', 'application/json'],
  ['.xml', 'application/xml'],
  ['.pdf', 'application/pdf'],
  ['.zip', 'application/zip'],
  ['.gz', 'application/gzip'],
  ['.bin', 'application/octet-stream'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.png', 'image/png'],
  ['.gif', 'image/gif'],
  ['.webp', 'image/webp'],
  ['.avif', 'image/avif'],
  ['.svg', 'image/svg+xml'],
  ['.mp3', 'audio/mpeg'],
  ['.mp4', 'video/mp4'],
  ['.webm', 'video/webm'],
])
