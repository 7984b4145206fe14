/** Temporary URLs: what they may ask for is judged here, before a driver signs them. */
import { contentDisposition } from './content-disposition.ts'
import type { Mount } from './disk-source.ts'
import { InvalidArgumentError, UnsupportedError } from './errors.ts'
import * as judge from './options.ts'
import { basename } from './path.ts'

const DEFAULT_SECONDS = 3_600

/** When it expires: what the call says, else the disk, else in an hour. */
type Expires = number | Date | undefined

/** @throws InvalidArgumentError, before anything is signed; UnsupportedError where the disk has no such URLs */
export async function temporaryUrl(
  path: string,
  { driver, urlExpiration }: Mount,
  expires: Expires,
  { method = 'GET', contentType, download }: judge.TemporaryUrlOptions,
): Promise<string> {
  if (method !== 'GET' && method !== 'HEAD')
    throw new InvalidArgumentError('method is "GET" or "HEAD": for uploads there is temporaryUploadUrl')
  judge.judgeWriteOptions({ contentType }, driver)
  if (!['undefined', 'boolean', 'string'].includes(typeof download))
    throw new InvalidArgumentError('download is true, or the name to save under')
  const expiresAt = judge.expiryOf(expires ?? urlExpiration ?? DEFAULT_SECONDS, new Date())
  if (driver.signUrl === undefined || !driver.supports.temporaryUrl)
    throw new UnsupportedError('this disk has no temporary URLs: "serve" it')
  const name = typeof download === 'string' && download !== '' ? download : basename(path)
  const disposition = download ? contentDisposition('attachment', name) : undefined
  return (await driver.signUrl(path, { method, expiresAt, contentType, contentDisposition: disposition })).url
}

/** @throws InvalidArgumentError, before anything is signed; UnsupportedError for a limit that the store cannot enforce */
export async function temporaryUploadUrl(
  path: string,
  { driver, urlExpiration }: Mount,
  expires: Expires,
  { contentType, maxSize, minSize, metadata }: judge.UploadUrlOptions,
): Promise<judge.UploadUrl> {
  judge.judgeWriteOptions({ contentType, metadata }, driver)
  judge.judgeBytes('maxSize', maxSize)
  judge.judgeBytes('minSize', minSize)
  if (minSize !== undefined && maxSize !== undefined && minSize > maxSize)
    throw new InvalidArgumentError('minSize is larger than maxSize: no upload could be both')
  const expiresAt = judge.expiryOf(expires ?? urlExpiration ?? DEFAULT_SECONDS, new Date())
  // A read-only stack signs nothing to upload either, and says why itself.
  if (driver.signUrl === undefined || !(driver.supports.temporaryUploadUrl || judge.isReadOnly(driver)))
    throw new UnsupportedError('this disk has no temporary upload URLs: "serve" it')
  const request = await driver.signUrl(path, { method: 'PUT', expiresAt, contentType, maxSize, minSize, metadata })
  return { ...request, expiresAt }
}
