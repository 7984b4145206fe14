/** A File as an upload form gives it, for tests. */
import { InvalidArgumentError } from '../errors.ts'
import { typeOf } from './fake-files.ts'

export interface FakeFileOptions {
  readonly content?: string | Uint8Array | undefined
  /** In bytes: zeros up to there, when there is no content. */
  readonly size?: number | undefined
  /** The content type that the uploader claims. Default: what the name's extension says. */
  readonly type?: string | undefined
}

/** @throws InvalidArgumentError for a size that the content does not have */
export function fakeFile(name: string, { content, size, type = typeOf(name) ?? '' }: FakeFileOptions = {}): File {
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) throw new InvalidArgumentError('size is a whole number of bytes')
  const bytes = typeof content === 'string' ? Buffer.from(content) : (content ?? new Uint8Array(size ?? 0))
  if (size !== undefined && size !== bytes.byteLength)
    throw new InvalidArgumentError(`the content has ${bytes.byteLength} bytes, not ${size}: leave one of both out`)
  return new File([bytes], name, { type })
}
