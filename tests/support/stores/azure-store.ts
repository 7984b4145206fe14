/** Fresh Azure disks for tests. Each has a container of its own, which goes with it. */
import diagnostics from 'node:diagnostics_channel'
import { randomUUID } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob'
import { AzureDriver, type AzureDriverOptions } from '../../../src/drivers/azure/azure-driver.ts'
import { keyOf } from '../../../src/drivers/azure/keys.ts'
import type { TestStore } from '../../../src/testing/conformance/subject.ts'
import { azurite } from '../servers/azurite.ts'

export interface AzureStore extends TestStore {
  readonly driver: AzureDriver
  readonly options: AzureDriverOptions
  /** Of the SDK as it comes, to look at what the driver did. */
  readonly container: ContainerClient
  readonly remove: () => Promise<void>
}

/** An empty container, and a driver for it. */
export async function makeAzure(more: Partial<AzureDriverOptions> = {}): Promise<AzureStore> {
  const { accountName, accountKey, endpoint, connectionString, containerPrefix, real } = await azurite()
  const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(`${containerPrefix}${randomUUID()}`)
  await container.create()
  const options = { container: container.containerName, accountName, accountKey, endpoint, ...more }
  const requests = openRequests(new URL(endpoint).host)
  return {
    driver: new AzureDriver(options),
    options,
    container,
    // An infinite lease keeps a blob from being deleted.
    failDeletes: async (path) => void (await container.getBlobClient(keyOf(path)).getBlobLeaseClient().acquireLease(-1)),
    leftovers: () => uncommitted(container),
    ...(!real && { openResources: requests.count }),
    remove: async () => {
      requests.stop()
      await container.delete()
    },
  }
}

/** Blobs that have blocks and were never committed. */
export async function uncommitted(container: ContainerClient): Promise<string[]> {
  const all: string[] = []
  const committed = new Set<string>()
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true })) all.push(name)
  for await (const { name } of container.listBlobsFlat()) committed.add(name)
  return all.filter((name) => !committed.has(name))
}

/** How many requests of this process to a host are not finished, their answers included: each has a socket for itself. */
function openRequests(host: string): { readonly count: () => number; readonly stop: () => void } {
  const open = new Set<ClientRequest>()
  const begun = (message: unknown): void => {
    const { request } = message as { readonly request: ClientRequest }
    if (request.getHeader('host') !== host) return
    open.add(request)
    request.once('close', () => open.delete(request))
  }
  diagnostics.subscribe('http.client.request.start', begun)
  return { count: () => open.size, stop: () => void diagnostics.unsubscribe('http.client.request.start', begun) }
}
