/** Where a disk's files are, so that two disks can tell that they share a bucket. */
import type { Location } from '../../driver.ts'
import type { S3Settings } from './settings.ts'

const clients = new WeakMap<object, number>()
let clientCount = 0

/** Buckets of Amazon have one name in the world; others belong to their endpoint, or to the client that knows it. */
export function locationOf({ bucket, endpoint, client }: S3Settings, key: string): Location {
  return { store: `s3:${client === undefined ? (endpoint?.toLowerCase() ?? 'aws') : `client-${numberOf(client)}`}/${bucket}`, key }
}

function numberOf(client: object): number {
  const known = clients.get(client)
  if (known !== undefined) return known
  clients.set(client, ++clientCount)
  return clientCount
}
