/** Multipart uploads as the seam has them: begun, sent, completed or forgotten by calls of their own. */
import { contentBytes } from '../../content.ts'
import type { CallOptions, Content, MultipartAbility, UploadedPart, WriteOptions, WriteResult } from '../../driver.ts'
import { InvalidArgumentError, isStorageError } from '../../errors.ts'
import { codeOf } from './conditions.ts'
import { newObject } from './facts.ts'
import { checkKey } from './keys.ts'
import type { Part, UploadAddress } from './requests.ts'
import type { S3Store } from './store.ts'
import { completeUpload } from './upload.ts'

/** @param changed called with the path of each upload that became a file */
export function multipartOf(store: S3Store, changed: (path: string) => void): MultipartAbility {
  const { requests, settings } = store
  return {
    create: async (path: string, options: WriteOptions): Promise<string> => {
      const key = checkKey(path)
      options.signal?.throwIfAborted()
      return requests.createUpload(key, await newObject(path, options, settings))
    },
    part: async (path: string, uploadId: string, number: number, content: Content, options: CallOptions): Promise<UploadedPart> => {
      const bytes = await contentBytes(content, options.signal)
      const { size, etag } = await requests.uploadPart({ key: checkKey(path), uploadId, number }, bytes, options)
      return { number, size, etag }
    },
    list: async (path: string, uploadId: string, options: CallOptions): Promise<readonly UploadedPart[]> => {
      const parts = await requests.listParts({ key: checkKey(path), uploadId }, options)
      return parts.map(({ number, size, etag }) => ({ number, size, etag }))
    },
    complete: async (path: string, uploadId: string, parts: readonly UploadedPart[], options: WriteOptions): Promise<WriteResult> => {
      if (parts.length === 0) throw new InvalidArgumentError('an upload is made of at least one part')
      const { ifAbsent, ifMatch, signal } = options
      const address = { key: checkKey(path), uploadId }
      const sent = await withChecksums(store, address, parts, { signal })
      try {
        const written = await completeUpload(store, address, sent, { ifAbsent, ifMatch, signal })
        return { size: parts.reduce((sum, { size }) => sum + size, 0), ...written }
      } finally {
        changed(path)
      }
    },
    abort: async (path: string, uploadId: string, options: CallOptions): Promise<void> => {
      try {
        await requests.abortUpload({ key: checkKey(path), uploadId }, options)
      } catch (error) {
        if (!isStorageError(error) || codeOf(error) !== 'NoSuchUpload') throw error
      }
    },
  }
}

/** In order. What each part hashes to goes along where parts are hashed, and is asked for: callers only have numbers and etags. */
async function withChecksums(
  { requests, settings }: S3Store,
  address: UploadAddress,
  parts: readonly UploadedPart[],
  options: CallOptions,
): Promise<readonly Part[]> {
  const stored = settings.checksums === 'WHEN_SUPPORTED' ? await requests.listParts(address, options) : []
  const checksums = new Map(stored.map(({ number, etag, crc32 }) => [`${number} ${etag}`, crc32]))
  return [...parts]
    .sort((a, b) => a.number - b.number)
    .map(({ number, size, etag }) => ({ number, size, etag, crc32: checksums.get(`${number} ${etag}`) }))
}
