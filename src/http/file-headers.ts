/**
 * The headers of an answer that carries a user's file. Files are not trusted: no type is sniffed, nothing runs (a sandboxing CSP),
 * and types that can run are downloads unless the signed URL says `inline`. What no header can carry is left out.
 *
 * The URL is the authority and no cookie is: other origins may embed a file (`Cross-Origin-Resource-Policy`), and links in it
 * do not give the URL away (`Referrer-Policy`).
 */
import { contentDisposition } from '../content-disposition.ts'
import type { FileStat } from '../driver.ts'
import { basename } from '../path.ts'
import type { Grant } from '../url-signature.ts'
import { validatorsOf } from './conditions.ts'

/** On every answer, errors included. */
export const SAFETY: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
}

// What browsers run, or give an origin of its own meaning: HTML, XML with its style sheets, SVG, scripts, plug-ins, mail archives.
const ACTIVE =
  /^(?:text\/(?:html|xml|xsl|xml-.*|x-component|cache-manifest|(?:x-)?(?:java|ecma)script)|application\/(?:xml|xml-.*|(?:x-)?(?:java|ecma)script|x-shockwave-flash|wasm)|[^;]*\+xml|message\/.*|multipart\/.*)$/

/** Everything about the file but its length. `grant` is undefined for a public file that was asked for without a signature. */
export function fileHeaders(stat: FileStat, path: string, grant: Grant | undefined): Headers {
  const contentType = withCharset(sendable(grant?.contentType) ?? sendable(stat.contentType) ?? 'application/octet-stream')
  const headers = new Headers({ ...SAFETY, ...cacheHeaders(stat, grant), 'content-type': contentType })
  setPresent(headers, 'content-disposition', sendable(grant?.contentDisposition) ?? dispositionOf(stat, path, contentType))
  setPresent(headers, 'content-encoding', sendable(stat.contentEncoding))
  setPresent(headers, 'content-language', sendable(stat.contentLanguage))
  return headers
}

/** What a client needs to keep a copy and to ask for it again: the headers of a 304. */
export function cacheHeaders(stat: FileStat, grant: Grant | undefined): Record<string, string> {
  const { etag, lastModified } = validatorsOf(stat)
  return {
    'accept-ranges': 'bytes',
    'last-modified': lastModified.toUTCString(),
    'cache-control': sendable(stat.cacheControl) ?? (grant === undefined ? 'no-cache' : 'private, no-store'),
    ...(etag !== undefined && { etag }),
  }
}

function dispositionOf(stat: FileStat, path: string, contentType: string): string | undefined {
  const stored = sendable(stat.contentDisposition)
  if (!ACTIVE.test(mediaType(contentType))) return stored
  return stored !== undefined && /^attachment\b/i.test(stored) ? stored : contentDisposition('attachment', basename(path))
}

function withCharset(contentType: string): string {
  return /^text\//i.test(contentType) && !/;\s*charset=/i.test(contentType) ? `${contentType}; charset=utf-8` : contentType
}

/** `text/html` of `Text/HTML; charset=x`. */
export function mediaType(contentType: string): string {
  return (contentType.split(';')[0] as string).trim().toLowerCase()
}

function setPresent(headers: Headers, name: string, value: string | undefined): void {
  if (value !== undefined) headers.set(name, value)
}

/** Undefined for what would break the answer, or out of its header. */
function sendable(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x20-\x7e\x80-\xff]+$/.test(value) && value.trim() !== '' ? value : undefined
}
