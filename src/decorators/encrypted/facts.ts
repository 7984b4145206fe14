/**
 * What a store is told of an encrypted file, and what users are told. The store sees bytes without a type; the type is kept as user
 * metadata of ours, where the store keeps metadata. User metadata passes in clear.
 */
import { contentTypeOf } from '../../content-type.ts'
import type { Driver, FileStat, WriteOptions } from '../../driver.ts'

const TYPE = 'stowage-content-type'
const ENCODING = 'stowage-content-encoding'
const STORED_TYPE = 'application/octet-stream'

/** The options of a write, for the store. A checksum is of the plaintext, and was checked already. */
export async function storedOptions(path: string, options: WriteOptions, inner: Driver): Promise<WriteOptions> {
  const { checksum: _checksum, ...rest } = options
  if (!inner.supports.metadata) return rest
  const contentType = options.contentType ?? (await contentTypeOf(path))
  const own = { ...(contentType !== undefined && { [TYPE]: contentType }), ...encodingOf(options) }
  const metadata = { ...options.metadata, ...own }
  return {
    ...rest,
    contentType: STORED_TYPE,
    contentEncoding: undefined,
    metadata: options.metadata === undefined && Object.keys(own).length === 0 ? undefined : metadata,
  }
}

/** The options of a copy. What the call does not say is kept; the type is metadata below, so saying one of them says both. */
export async function copyOptions(from: string, options: WriteOptions, inner: Driver): Promise<WriteOptions> {
  const { checksum: _checksum, contentType, contentEncoding, metadata, ...rest } = options
  if (!inner.supports.metadata || (contentType ?? contentEncoding ?? metadata) === undefined) return rest
  const stored = (await inner.stat(from, { signal: options.signal })).metadata ?? {}
  const { [TYPE]: keptType, [ENCODING]: keptEncoding, ...users } = stored
  const type = contentType ?? keptType
  return {
    ...rest,
    contentType: STORED_TYPE,
    metadata: {
      ...(metadata ?? users),
      ...(type !== undefined && { [TYPE]: type }),
      ...encodingOf({ contentEncoding: contentEncoding ?? keptEncoding }),
    },
  }
}

function encodingOf({ contentEncoding }: WriteOptions): Readonly<Record<string, string>> {
  return contentEncoding === undefined ? {} : { [ENCODING]: contentEncoding }
}

/** A store's facts as users see them. @param size of the plaintext */
export async function plainStat(stored: FileStat, size: number): Promise<FileStat> {
  const { contentType: _type, contentEncoding: _encoding, metadata, ...rest } = stored
  const { [TYPE]: type, [ENCODING]: contentEncoding, ...users } = metadata ?? {}
  const contentType = type ?? (await contentTypeOf(stored.path))
  const hasUsers = metadata !== undefined && (Object.keys(users).length > 0 || (type ?? contentEncoding) === undefined)
  return {
    ...rest,
    size,
    ...(contentType !== undefined && { contentType }),
    ...(contentEncoding !== undefined && { contentEncoding }),
    ...(hasUsers && { metadata: users }),
  }
}
