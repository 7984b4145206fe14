/**
 * A file's content type by its extension (mime-types, the IANA, Apache and nginx tables). Content is never sniffed: the first
 * bytes of a file are what its uploader made them.
 */

import { extname } from './path.ts'

type Lookup = (path: string) => string | false

let lookup: Lookup | undefined

/** The type without a charset: `text/plain`; undefined when the extension says nothing. The table is loaded at the first call. */
export async function contentTypeOf(path: string): Promise<string | undefined> {
  lookup ??= (await import('mime-types')).default.lookup
  const extension = extname(path) // the table would take a bare name, such as `c`, for an extension
  return (extension !== '' && lookup(extension)) || undefined
}
