/** Fresh S3 disks for tests. Each has a bucket of its own, which goes with it. */
import { randomUUID } from 'node:crypto'
import { S3 } from '@aws-sdk/client-s3'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import type { TestStore } from '../../../src/testing/conformance/subject.ts'
import { radosgw, type S3Server } from '../servers/radosgw.ts'

/** A bucket, and the SDK's own client to look beneath the driver with. */
export interface TestBucket {
  readonly server: S3Server
  readonly name: string
  readonly client: S3
  /** What a driver of this bucket is made with. */
  readonly options: (more?: Partial<S3DriverOptions>) => S3DriverOptions
  /** Keys of uploads that are neither complete nor aborted. */
  readonly openUploads: () => Promise<readonly string[]>
  readonly remove: () => Promise<void>
}

let transport: S3DriverOptions['transport']

/**
 * What moves the bytes of all disks that this file's tests make from here on, unless they say otherwise. For files that run tests
 * of another file over the other transport: imported after this is called, they are the same tests.
 */
export function useTransport(name: 'lean' | 'sdk'): void {
  transport = name
}

const clients = new Map<string, S3>()

/** One client for a process: connections are what takes long. */
function clientOf({ endpoint, region, key, secret }: S3Server): S3 {
  let client = clients.get(endpoint)
  if (client === undefined) {
    client = new S3({
      endpoint,
      region,
      credentials: { accessKeyId: key, secretAccessKey: secret },
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
    clients.set(endpoint, client)
  }
  return client
}

export async function testBucket(): Promise<TestBucket> {
  const server = await radosgw()
  const { endpoint, region, key, secret, pathStyle, bucketPrefix } = server
  const client = clientOf(server)
  const Bucket = `${bucketPrefix}${randomUUID()}`
  await client.createBucket({ Bucket })
  const openUploads = async (): Promise<readonly string[]> => {
    const { Uploads = [] } = await client.listMultipartUploads({ Bucket })
    return Uploads.map(({ Key = '' }) => Key)
  }
  return {
    server,
    name: Bucket,
    client,
    options: (more) => ({ bucket: Bucket, endpoint, region, key, secret, pathStyle, transport, ...more }),
    openUploads,
    remove: () => removeBucket(client, Bucket),
  }
}

export interface S3TestStore extends TestStore {
  readonly failDeletes: (path: string) => Promise<void>
}

/** A store for the conformance kit. @param secure reached over TLS, trusting the authority that signed its certificate */
export async function makeS3({
  secure = false,
  ...more
}: Partial<S3DriverOptions> & { readonly secure?: boolean } = {}): Promise<S3TestStore> {
  const bucket = await testBucket()
  const { client, name: Bucket, server } = bucket
  const overTls = secure ? { endpoint: server.tlsEndpoint, tls: { ca: server.ca } } : {}
  const driver = new S3Driver(bucket.options({ ...overTls, ...more }))
  return {
    driver,
    leftovers: bucket.openUploads,
    keepVersions: async () => void (await client.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })),
    openResources: () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length,
    failDeletes: async (path) => {
      const Resource = [`arn:aws:s3:::${Bucket}/${path}`]
      const Statement = [{ Effect: 'Deny', Principal: '*', Action: ['s3:DeleteObject'], Resource }]
      await client.putBucketPolicy({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) })
    },
    remove: bucket.remove,
  }
}

function isOdd({ Key = '' }: { readonly Key: string | undefined }): boolean {
  // oxlint-disable-next-line no-control-regex -- they are what it looks for
  return /[\u0000-\u001f\ufffe\uffff]/.test(Key)
}

async function removeBucket(client: S3, Bucket: string): Promise<void> {
  await client.deleteBucketPolicy({ Bucket })
  const { Uploads = [] } = await client.listMultipartUploads({ Bucket })
  for (const { Key, UploadId } of Uploads) await client.abortMultipartUpload({ Bucket, Key, UploadId })
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await client.listObjectVersions({ Bucket })
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
    if (Objects.length === 0) break
    // What XML cannot carry goes by itself.
    const [odd, plain] = [Objects.filter(isOdd), Objects.filter((object) => !isOdd(object))]
    for (const object of odd) await client.deleteObject({ Bucket, ...object })
    if (plain.length > 0) await client.deleteObjects({ Bucket, Delete: { Objects: plain, Quiet: true } })
  }
  await client.deleteBucket({ Bucket })
}
