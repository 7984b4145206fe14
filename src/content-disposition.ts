/** The `Content-Disposition` header of RFC 6266: an ASCII name for old readers, and the exact one in `filename*` (RFC 8187). */

/** A header that makes browsers save the file under the name, or show it. */
export function contentDisposition(type: 'attachment' | 'inline', name: string): string {
  // Quotes, backslashes and percent signs are read differently by different browsers, so the plain name has none.
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\x20-\x7e]/g, '_')
    .replace(/["\\%/]/g, '_')
  const exact = encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return plain === name ? `${type}; filename="${plain}"` : `${type}; filename="${plain}"; filename*=UTF-8''${exact}`
}
