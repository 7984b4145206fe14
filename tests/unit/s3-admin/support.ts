/** What the tests of S3 administration share: a driver's parts over a test server, and buckets that go with the tests. */
import { randomUUID } from 'node:crypto'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3Access } from '../../../src/drivers/s3/access.ts'
import { BucketRequests } from '../../../src/drivers/s3/buckets.ts'
import { S3Connection } from '../../../src/drivers/s3/client.ts'
import { type S3DriverOptions, settingsOf } from '../../../src/drivers/s3/settings.ts'
import { radosgw, type S3Server } from '../../support/servers/radosgw.ts'

export interface Parts extends S3Access {
  readonly server: S3Server
  readonly bucket: string
  readonly buckets: BucketRequests
  /** The stock client, to look at the bucket and to prepare it. */
  readonly client: S3Client
}

export interface Bench {
  /** The parts of a disk over a bucket of its own, which exists unless `create` is false. */
  readonly parts: (options?: Partial<S3DriverOptions> & { readonly create?: boolean }) => Promise<Parts>
  /** A name that no other test has. */
  readonly name: () => Promise<string>
  /** Empties and removes what was made, and closes what was opened. */
  readonly clear: () => Promise<void>
}

export function bench(): Bench {
  const open: (() => unknown)[] = []
  const made: Parts[] = []
  const name = async (): Promise<string> => `${(await radosgw()).bucketPrefix}${randomUUID().slice(0, 13)}`
  return {
    name,
    parts: async ({ create = true, ...options } = {}) => {
      const server = await radosgw()
      const { key, secret, endpoint, region, pathStyle } = server
      const bucket = options.bucket ?? (await name())
      const settings = settingsOf({ bucket, key, secret, endpoint, region, pathStyle, ...options })
      const connection = new S3Connection(settings)
      const buckets = new BucketRequests(connection, settings)
      const credentials = { accessKeyId: key, secretAccessKey: secret }
      const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const
      const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, ...checksums })
      open.push(
        () => connection.close(),
        () => client.destroy(),
      )
      const parts = { server, bucket, settings, connection, buckets, client }
      if (create) await buckets.create()
      made.push(parts)
      return parts
    },
    clear: async () => {
      for (const { buckets, bucket } of made.splice(0)) await buckets.delete(bucket, { force: true }).catch(() => undefined)
      for (const close of open.splice(0)) await close()
    },
  }
}
