/**
 * The XML that is sent. Every key that XML can carry arrives as it is: what a parser would change, or take for markup, goes as a
 * reference. U+FFFE, U+FFFF and control characters but for tab and the ends of lines are not in XML 1.0, in no form: a key with one of
 * them is deleted by a request of its own (deleting.ts).
 */
import type { Part } from '../requests.ts'

const HEADER = '<?xml version="1.0" encoding="UTF-8"?>'
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

/** Of DeleteObjects; the answer tells only what failed. @param versionId of each key */
export function deletionBody(keys: readonly string[], versionId: string | undefined): Buffer {
  const version = versionId === undefined ? '' : element('VersionId', versionId)
  const objects = keys.map((key) => `<Object>${element('Key', key)}${version}</Object>`)
  return Buffer.from(`${HEADER}<Delete ${NAMESPACE}>${objects.join('')}<Quiet>true</Quiet></Delete>`)
}

/** Of CompleteMultipartUpload. @param parts by number */
export function completionBody(parts: readonly Part[]): Buffer {
  const elements = parts.map(({ number, etag, crc32 }) => {
    const checksum = crc32 === undefined ? '' : element('ChecksumCRC32', crc32)
    return `<Part>${checksum}${element('ETag', etag)}<PartNumber>${number}</PartNumber></Part>`
  })
  return Buffer.from(`${HEADER}<CompleteMultipartUpload ${NAMESPACE}>${elements.join('')}</CompleteMultipartUpload>`)
}

function element(name: string, text: string): string {
  return `<${name}>${escaped(text)}</${name}>`
}

/** Markup, and what parsers make a plain line feed of: XML 1.0 carriage returns, XML 1.1 U+0085 and U+2028 too. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const ESCAPED = /[&<>"'\u0000-\u001f\u007f-\u009f\u2028]/g

function escaped(text: string): string {
  return text.replace(ESCAPED, (character) => `&#${character.charCodeAt(0)};`)
}
