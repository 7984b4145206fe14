/** A bucket, container or directory on each kind of store, and the code that makes its driver in another process. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FtpDriver } from '../../src/drivers/ftp/ftp-driver.ts'
import { AzureDriver } from '../../src/drivers/azure/azure-driver.ts'
import { GcsDriver } from '../../src/drivers/gcs/gcs-driver.ts'
import { S3Driver } from '../../src/drivers/s3/s3-driver.ts'
import type { Driver } from '../../src/driver.ts'
import { proftpd } from '../support/servers/proftpd.ts'
import { makeAzure, uncommitted } from '../support/stores/azure-store.ts'
import { ftpOptions } from '../support/stores/ftp-store.ts'
import { makeBucket } from '../support/stores/gcs-store.ts'
import { testBucket } from '../support/stores/s3-store.ts'

export interface CloudStore {
  /** `const driver = …`, for a script. */
  readonly code: string
  readonly driver: Driver
  /** Removes what crashed writers left. Later than any time that a writer could have begun. */
  prune(): Promise<unknown>
  /** What shows that a writer was killed: the same, and what nobody can remove. */
  traces(): Promise<readonly string[]>
  /** What is in the store and no file. */
  leftovers(): Promise<readonly string[]>
  remove(): Promise<void>
}

export const CLOUD_STORES: readonly (readonly [name: string, make: () => Promise<CloudStore>])[] = [
  ['s3', () => makeS3('lean')],
  ['gcs', makeGcs],
  ['azure', makeAzureStore],
  ['ftp', makeFtp],
]

/** The other transport of S3. */
export const S3_OVER_SDK: readonly [name: string, make: () => Promise<CloudStore>] = ['s3 over the SDK', () => makeS3('sdk')]

/** Everything that was begun until now is old enough. */
const soon = (): Date => new Date(Date.now() + 60_000)

function codeOf(Class: { readonly name: string }, options: object): string {
  const name = Class.name.replace('Driver', '').toLowerCase()
  const module = new URL(`../../src/drivers/${name}/${name}-driver.ts`, import.meta.url).href
  return `
const { ${Class.name} } = await import(${JSON.stringify(module)})
const driver = new ${Class.name}(${JSON.stringify(options)})
`
}

async function makeS3(transport: 'lean' | 'sdk'): Promise<CloudStore> {
  const bucket = await testBucket()
  const options = bucket.options({ transport })
  const driver = new S3Driver(options)
  return {
    driver,
    code: codeOf(S3Driver, options),
    prune: () => driver.pruneIncompleteUploads({ olderThan: soon() }),
    traces: () => bucket.openUploads(),
    leftovers: () => bucket.openUploads(),
    remove: () => bucket.remove(),
  }
}

async function makeGcs(): Promise<CloudStore> {
  const { options, leftovers } = await makeBucket({ versioned: false })
  // Nobody can list or cancel the sessions of others; Google forgets them after a week, and they cost nothing.
  const isSession = (name: string): boolean => name === 'an open session'
  const driver = new GcsDriver(options)
  return {
    driver,
    code: codeOf(GcsDriver, options),
    prune: () => driver.pruneIncompleteUploads({ olderThan: soon() }),
    traces: leftovers,
    leftovers: async () => (await leftovers()).filter((name) => !isSession(name)),
    remove: () => driver.buckets.delete(options.bucket, { force: true }),
  }
}

async function makeAzureStore(): Promise<CloudStore> {
  const { options, container, driver, remove } = await makeAzure()
  return {
    driver: new AzureDriver(options),
    code: codeOf(AzureDriver, options),
    prune: () => driver.pruneIncompleteUploads({ olderThan: soon() }),
    traces: () => uncommitted(container),
    leftovers: () => uncommitted(container),
    remove,
  }
}

async function makeFtp(): Promise<CloudStore> {
  const server = await proftpd()
  const options = ftpOptions(server)
  const driver = new FtpDriver(options)
  const directory = join(server.directory ?? '', (options.root ?? '').slice(server.root.length))
  const leftovers = async (): Promise<string[]> =>
    (await readdir(directory, { recursive: true })).filter((name) => name.includes('.stowage'))
  return {
    driver,
    code: codeOf(FtpDriver, options),
    prune: () => driver.pruneIncompleteUploads({ olderThan: soon() }),
    traces: leftovers,
    leftovers,
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

export async function filesOf(driver: Driver): Promise<string[]> {
  const { entries } = await driver.list('', { recursive: true })
  return entries.filter(({ type }) => type === 'file').map(({ path }) => path)
}
