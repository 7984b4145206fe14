/**
 * An append blob becomes a block blob of the same content, so that staged blocks can replace it: Azure takes blocks for no other
 * type. Readers see the same bytes before and after.
 */
import { Readable } from 'node:stream'
import { keptOptions } from '../../derive.ts'
import { isStorageError, UnsupportedError } from '../../errors.ts'
import type { AzureConnection } from './client.ts'
import { propertiesOf, readBlob, type Source } from './download.ts'
import { blobOptions, statOf } from './facts.ts'

/** Put Blob, REST API: the largest body. */
const MAX_BYTES = 5_000 * 1024 * 1024
const ATTEMPTS = 5

export async function makeBlockBlob(connection: AzureConnection, source: Source, signal: AbortSignal | undefined): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await makeOnce(connection, source, signal)
    } catch (error) {
      const isLost = isStorageError(error) && error.code === 'precondition_failed'
      if (!isLost || attempt === ATTEMPTS) throw error
    }
  }
}

async function makeOnce(connection: AzureConnection, { path, key }: Source, signal: AbortSignal | undefined): Promise<void> {
  const properties = await propertiesOf(connection, key, { signal })
  if (properties.blobType === 'BlockBlob') return
  const stat = statOf(path, properties.contentLength ?? 0, properties)
  if (stat.size > MAX_BYTES) throw new UnsupportedError('an append blob of more than 5,000 MiB cannot be replaced: delete it first')
  const blob = await blobOptions(path, { ...keptOptions(stat, {}), storageClass: undefined, ifMatch: stat.etag }, undefined)
  const { body } = await readBlob(connection, { path, key }, { ifMatch: stat.etag, signal })
  const stream = Readable.from(body, { objectMode: false })
  try {
    await connection.ask(signal, ({ once }) =>
      once.getBlockBlobClient(key).upload(() => stream, stat.size, { ...blob, ...(signal !== undefined && { abortSignal: signal }) }),
    )
  } finally {
    stream.destroy()
  }
}
