/**
 * An append blob becomes a block blob of the same content, so that staged blocks can replace it: Azure takes blocks for no other
 * type. Readers see the same bytes before and after.
 */
import { Readable } from 'node:stream'
import type * as Sdk from '@azure/storage-blob'
import { keptOptions } from '../../derive.ts'
import type { WriteOptions } from '../../driver.ts'
import { isStorageError, UnsupportedError } from '../../errors.ts'
import type { AzureConnection } from './client.ts'
import { propertiesOf, readBlob, type Source } from './download.ts'
import { blobOptions, quoted, statOf } from './facts.ts'

/** Put Blob, REST API: the largest body. */
const MAX_BYTES = 5_000 * 1024 * 1024
const ATTEMPTS = 5

/**
 * @returns the etag that the blob has then; undefined when it was a block blob already
 * @throws PreconditionFailedError when it is not the version of `ifMatch`
 */
export async function makeBlockBlob(
  connection: AzureConnection,
  source: Source,
  { ifMatch, signal }: WriteOptions,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await makeOnce(connection, source, { ifMatch, signal })
    } catch (error) {
      const isLost = isStorageError(error) && error.code === 'precondition_failed'
      if (!isLost || ifMatch !== undefined || attempt === ATTEMPTS) throw error
    }
  }
}

async function makeOnce(
  connection: AzureConnection,
  { path, key }: Source,
  { ifMatch, signal }: WriteOptions,
): Promise<string | undefined> {
  const properties = await propertiesOf(connection, key, { ifMatch, signal })
  if (properties.blobType === 'BlockBlob') return undefined
  const stat = statOf(path, properties.contentLength ?? 0, properties)
  if (stat.size > MAX_BYTES) throw new UnsupportedError('an append blob of more than 5,000 MiB cannot be replaced: delete it first')
  const tags = await tagsOf(connection, key, properties)
  const blob = await blobOptions(path, { ...keptOptions(stat, { tags }), storageClass: undefined, ifMatch: stat.etag }, undefined)
  const { body } = await readBlob(connection, { path, key }, { ifMatch: stat.etag, signal })
  const stream = Readable.from(body, { objectMode: false })
  try {
    const { etag } = await connection.ask(signal, ({ once }) =>
      once.getBlockBlobClient(key).upload(() => stream, stat.size, { ...blob, ...(signal !== undefined && { abortSignal: signal }) }),
    )
    return etag === undefined ? undefined : quoted(etag)
  } finally {
    stream.destroy()
  }
}

/** Tags cost a request, so they are asked for only where there are some. */
export async function tagsOf(
  connection: AzureConnection,
  key: string,
  { tagCount = 0 }: Pick<Sdk.BlobGetPropertiesResponse, 'tagCount'>,
): Promise<Record<string, string> | undefined> {
  if (tagCount === 0) return undefined
  const { tags } = await connection.ask(undefined, ({ container }) => container.getBlobClient(key).getTags())
  return tags
}
