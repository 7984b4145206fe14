/**
 * Fresh Google Cloud Storage disks for the conformance kit, which looks beneath them. Each has a bucket of its own on the test server; or,
 * on the real store that `STOWAGE_TEST_GCS_BUCKET` names (with `STOWAGE_TEST_GCS_KEY_FILE`, else default credentials), a prefix of its own.
 */
import { randomUUID } from 'node:crypto'
import { scoped } from '../../../src/decorators/scoped.ts'
import { GcsDriver, type GcsDriverOptions } from '../../../src/drivers/gcs/gcs-driver.ts'
import { deleteTree } from '../../../src/derive.ts'
import type { TestStore } from '../../../src/testing/conformance/subject.ts'
import { gcsServer } from '../servers/gcs-server.ts'

export const REAL_BUCKET: string | undefined = process.env['STOWAGE_TEST_GCS_BUCKET']

export interface GcsBucket {
  readonly name: string
  readonly options: GcsDriverOptions
  /** One call of the JSON API, past the driver. */
  readonly api: (method: string, path: string, body?: object) => Promise<Response>
  /** What is in the bucket and no file: reserved objects, open sessions. */
  readonly leftovers: () => Promise<readonly string[]>
}

/** A bucket of its own on the test server; versions are kept in it unless told otherwise. */
export async function makeBucket(options: Partial<GcsDriverOptions> & { readonly versioned?: boolean } = {}): Promise<GcsBucket> {
  const { emulatorOrigin, credentials, project, controls } = await gcsServer()
  const { versioned = true, ...more } = options
  const name = `kit-${randomUUID()}`
  const api = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${emulatorOrigin}/storage/v1${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  const uniformBucketLevelAccess = { enabled: more.uniformAccess ?? true }
  const bucket = { name, versioning: { enabled: versioned }, iamConfiguration: { uniformBucketLevelAccess } }
  const created = await api('POST', `/b?project=${project}`, bucket)
  if (!created.ok) throw new Error(`the bucket was not made: ${created.status} ${await created.text()}`)
  const leftovers = async (): Promise<readonly string[]> => {
    const listed = (await (await api('GET', `/b/${name}/o?prefix=.stowage/`)).json()) as { items?: readonly { name: string }[] }
    const { count } = await controls.openUploads({ bucket: name })
    return [...(listed.items ?? []).map((item) => item.name), ...Array.from({ length: count }, () => 'an open session')]
  }
  const endpoint = more.client === undefined ? { endpoint: emulatorOrigin, credentials } : {}
  return { name, options: { bucket: name, ...endpoint, ...more }, api, leftovers }
}

/** The store of one test. */
export async function makeGcs(options: Partial<GcsDriverOptions> & { readonly versioned?: boolean } = {}): Promise<TestStore> {
  if (REAL_BUCKET !== undefined) return realStore(REAL_BUCKET, options)
  const bucket = await makeBucket(options)
  const driver = new GcsDriver(bucket.options)
  return {
    driver,
    failDeletes: async (path) => {
      await bucket.api('PATCH', `/b/${bucket.name}/o/${encodeURIComponent(path)}`, { temporaryHold: true })
    },
    leftovers: () => settled(bucket.leftovers),
    openResources: () => driver.connections.open - driver.connections.idle,
  }
}

/** A session that was cancelled when its signal was aborted is gone soon after the write is. */
async function settled(leftovers: () => Promise<readonly string[]>): Promise<readonly string[]> {
  for (let turn = 0; turn < 100; turn++) {
    if ((await leftovers()).length === 0) return []
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return leftovers()
}

function realStore(bucket: string, { uniformAccess, chunkSize }: Partial<GcsDriverOptions>): TestStore {
  const options = { bucket, keyFile: process.env['STOWAGE_TEST_GCS_KEY_FILE'], uniformAccess, chunkSize }
  const prefix = `stowage-test/${randomUUID()}`
  return {
    driver: scoped(prefix)(new GcsDriver(options)),
    remove: async () => {
      const cleaner = new GcsDriver(options)
      await deleteTree(cleaner, prefix, {})
      await cleaner.close()
    },
  }
}
