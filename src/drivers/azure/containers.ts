/** Containers of the account, over the SDK. */
import type { BucketEntry, BucketInfo, CallOptions } from '../../driver.ts'
import { ConfigurationError, InvalidArgumentError, PreconditionFailedError, quote } from '../../errors.ts'
import { codeOf, toAzureError } from './azure-errors.ts'
import type { AzureContainers, PublicAccess } from './azure-containers.ts'
import type { AzureConnection, Opened } from './client.ts'

type Container = Opened['container']

export function containersOf(connection: AzureConnection): AzureContainers {
  const ask = async <T>(name: string | undefined, options: CallOptions, request: (container: Container) => Promise<T>): Promise<T> => {
    const chosen = judgeName(name ?? connection.settings.container)
    try {
      options.signal?.throwIfAborted()
      const { service } = await connection.open()
      return await request(service.getContainerClient(chosen))
    } catch (error) {
      options.signal?.throwIfAborted()
      throw toAzureError(error, chosen)
    }
  }
  return {
    encryption: undefined,
    versioning: undefined,
    lifecycle: undefined,
    create: (name, options = {}) => ask(name, options, async (container) => void (await container.create(abortable(options)))),
    list: (options = {}) => connection.ask(options.signal, (opened) => listContainers(opened, options)),
    exists: (name, options = {}) => ask(name, options, (container) => container.exists(abortable(options))),
    info: (name, options = {}) => ask(name, options, (container) => infoOf(container, options)),
    delete: (name, { force = false, ...options } = {}) =>
      ask(name, options, (container) => deleteContainer(container, { force, ...options })),
    publicAccess: {
      get: (name, options = {}) =>
        ask(name, options, async (container) => (await container.getProperties(abortable(options))).blobPublicAccess ?? 'none'),
      set: (access, name, options = {}) => ask(name, options, (container) => setAccess(container, judgeAccess(access), options)),
    },
  }
}

async function listContainers({ service }: Opened, options: CallOptions): Promise<readonly BucketEntry[]> {
  const entries: BucketEntry[] = []
  for await (const { name, properties } of service.listContainers(abortable(options)))
    entries.push({ name, created: properties.lastModified })
  return entries
}

async function infoOf(container: Container, options: CallOptions): Promise<BucketInfo> {
  const { blobPublicAccess, lastModified } = await container.getProperties(abortable(options))
  return {
    name: container.containerName,
    ...(lastModified !== undefined && { created: lastModified }),
    publicAccess: blobPublicAccess === undefined ? 'blocked' : 'allowed',
  }
}

/** Azure deletes a container with all that is in it; a caller who does not force it is asked to empty it first. */
async function deleteContainer(container: Container, { force, ...options }: CallOptions & { readonly force: boolean }): Promise<void> {
  try {
    if (!force && !(await isEmpty(container, options))) {
      throw new PreconditionFailedError(
        `the container ${quote(container.containerName)} is not empty: pass { force: true } to delete what is in it`,
      )
    }
    await container.delete(abortable(options))
  } catch (error) {
    if (codeOf(error) !== 'ContainerNotFound') throw error
  }
}

async function isEmpty(container: Container, options: CallOptions): Promise<boolean> {
  for await (const _ of container.listBlobsFlat({ includeSnapshots: true, ...abortable(options) })) return false
  return true
}

async function setAccess(container: Container, access: PublicAccess, options: CallOptions): Promise<void> {
  const { signedIdentifiers } = await container.getAccessPolicy(abortable(options))
  const kept = signedIdentifiers.map(({ id, accessPolicy }) => ({ id, accessPolicy }))
  await container.setAccessPolicy(access === 'none' ? undefined : access, kept, abortable(options))
}

function judgeAccess(access: unknown): PublicAccess {
  if (access === 'none' || access === 'blob' || access === 'container') return access
  throw new InvalidArgumentError('access is "none", "blob" or "container"')
}

function judgeName(name: unknown): string {
  if (typeof name === 'string' && /^(?:[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web|\$logs)$/.test(name)) return name
  throw new ConfigurationError(`${quote(String(name))} is no name of a container: 3 to 63 lower-case letters, digits and single hyphens`)
}

function abortable({ signal }: CallOptions): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}
