/** Multipart uploads as the seam has them: begun, sent, completed or forgotten by calls of their own. */
import { contentBytes } from '../../content.ts'
import type { CallOptions, Content, MultipartAbility, UploadedPart, WriteOptions, WriteResult } from '../../driver.ts'
import { InvalidArgumentError, isStorageError } from '../../errors.ts'
import { codeOf } from './conditions.ts'
import { newObject } from './facts.ts'
import { checkKey } from './keys.ts'
import type { S3Store } from './store.ts'
import { completeUpload } from './upload.ts'

export function multipartOf(store: S3Store): MultipartAbility {
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
      const inOrder = [...parts].sort((a, b) => a.number - b.number)
      const written = await completeUpload(store, { key: checkKey(path), uploadId }, inOrder, { ifAbsent, ifMatch, signal })
      return { size: parts.reduce((sum, { size }) => sum + size, 0), ...written }
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
