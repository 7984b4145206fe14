/** How S3 writes what is neither a number nor plain text, in headers and in XML alike: for both transports. */
import { encodePath, encodeSegment } from '../../path.ts'

/** Quoted etags are what HTTP has; radosgw matches only bare ones on writes, and Amazon takes both. */
export function unquoted(etag: string | undefined): string | undefined {
  return etag?.replace(/^"(.*)"$/, '$1')
}

/** As HTTP has them: some stores leave the quotes out of what is XML. Undefined for the empty one that radosgw gives a new upload. */
export function quoted(etag: string | undefined): string | undefined {
  if (etag === undefined || etag === '') return undefined
  return /^(W\/)?".*"$/.test(etag) ? etag : `"${etag}"`
}

/** `null` is the version of a file that was written without versioning. */
export function versionOf(id: string | undefined): string | undefined {
  return id === undefined || id === '' || id === 'null' ? undefined : id
}

/** In the header that names a source. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${encodePath(key)}`
}

/** Keys in listings, as `encoding-type=url` has them: a space may be a plus sign. */
export function unescaped(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** Tags in a header: as a query, but with %20 for a space: radosgw keeps a plus sign as it is. */
export function taggingOf(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${encodeSegment(name)}=${encodeSegment(value)}`)
    .join('&')
}
