/**
 * `alt=media`, and GET of the object host: ranges, the headers that the metadata gives, and the transcoding of gzip.
 *
 * An object with `contentEncoding: gzip` goes out as it is stored to whoever accepts gzip, and to the others decompressed: then there is
 * no length, ranges are ignored, and `no-transform` in its cacheControl forbids it (Cloud Storage, "Transcoding of gzip-compressed files").
 */
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Call, Reply } from './call.ts'
import { crc32cText } from './checksums.ts'
import { rangeNotSatisfiable } from './errors.ts'
import { type StoredObject, textOf } from './model.ts'
import { etagOf } from './resources.ts'

/** From `start` up to, not including, `end`. */
interface Range {
  readonly start: number
  readonly end: number
}

export function download(call: Call, object: StoredObject, api: 'json' | 'xml'): Reply {
  const { body, settings } = object
  const isGzip = settings['contentEncoding'] === 'gzip'
  const isFinal = /no-transform/i.test(textOf(settings['cacheControl']))
  const acceptsGzip = /\bgzip\b/i.test(String(call.headers['accept-encoding'] ?? ''))
  const headers = headersOf(object, api)
  if (isGzip && !acceptsGzip && !isFinal) {
    const { 'content-encoding': _, ...plain } = headers
    const stream = Readable.from(body.read()).pipe(createGunzip()) as AsyncIterable<Uint8Array>
    return { status: 200, headers: { ...plain, warning: '214 UploadServer gunzipped', vary: 'Accept-Encoding' }, stream }
  }
  const range = requestedRange(call.headers.range, body.size)
  const { start, end } = range ?? { start: 0, end: body.size }
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${body.size}` }
  return {
    status: range === undefined ? 200 : 206,
    headers: { ...headers, ...partial, 'accept-ranges': 'bytes', 'content-length': end - start },
    stream: body.read(start, end),
  }
}

/** Undefined for everything. Headers that make no sense, or that name several ranges, are ignored, as HTTP wants it. @throws 416 */
export function requestedRange(header: string | undefined, size: number): Range | undefined {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (parts === null) return undefined
  const [, first = '', last = ''] = parts
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  if (first !== '' && last !== '' && Number(last) < start) return undefined
  if (start >= size || (first === '' && Number(last) === 0)) throw rangeNotSatisfiable(size)
  return { start, end }
}

function headersOf(object: StoredObject, api: 'json' | 'xml'): Readonly<Record<string, string>> {
  const { body, generation, metageneration, settings, storageClass } = object
  const text = (field: string): string => headerText(textOf(settings[field]))
  const sums = [`crc32c=${crc32cText(body.crc32c)}`, ...(body.md5 === undefined ? [] : [`md5=${body.md5}`])]
  const md5Hex = body.md5 === undefined ? undefined : Buffer.from(body.md5, 'base64').toString('hex')
  const all: Readonly<Record<string, string>> = {
    'content-type': text('contentType') || 'application/octet-stream',
    'cache-control': text('cacheControl') || 'private, max-age=0',
    'content-disposition': text('contentDisposition'),
    'content-encoding': text('contentEncoding'),
    'content-language': text('contentLanguage'),
    etag: api === 'xml' ? `"${md5Hex ?? etagOf(generation, metageneration)}"` : etagOf(generation, metageneration),
    'last-modified': new Date(object.updated).toUTCString(),
    'x-goog-generation': String(generation),
    'x-goog-metageneration': String(metageneration),
    'x-goog-hash': sums.join(','),
    'x-goog-storage-class': storageClass,
    'x-goog-stored-content-encoding': text('contentEncoding') || 'identity',
    'x-goog-stored-content-length': String(body.size),
    ...(api === 'xml' ? metadataHeaders(object) : {}),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
}

/** Bytes of UTF-8, each a character of the header. */
export function headerText(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function metadataHeaders({ settings, componentCount }: StoredObject): Readonly<Record<string, string>> {
  const metadata = (settings['metadata'] ?? {}) as Readonly<Record<string, string>>
  const entries = Object.entries(metadata).map(([key, value]) => [`x-goog-meta-${key}`, headerText(value)] as const)
  const count = componentCount === undefined ? {} : { 'x-goog-component-count': String(componentCount) }
  return { ...count, ...Object.fromEntries(entries) }
}
