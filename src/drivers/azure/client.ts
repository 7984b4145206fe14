/**
 * The one door to the SDK: the package is loaded and the clients made at the first request, once, and closed if they are ours.
 *
 *   AzureConnection ──first use──▶ importPeer('@azure/storage-blob') ──▶ container client, and the same without retries
 *
 * Connections are kept alive in a pool of our own. One that is silent for two minutes is cut, so that no request waits for ever.
 */
import type { Agent as HttpAgent, AgentOptions } from 'node:http'
import type { Socket } from 'node:net'
import type * as Sdk from '@azure/storage-blob'
import { nodeHttp, nodeHttps } from '../../builtins.ts'
import { ConfigurationError } from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import { toAzureError } from './azure-errors.ts'
import type { AzureSettings } from './settings.ts'

/** What a credential of @azure/core-auth does. */
export interface TokenCredential {
  getToken(scopes: string | string[], options?: object): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}

export interface Opened {
  readonly sdk: typeof Sdk
  readonly service: Sdk.BlobServiceClient
  readonly container: Sdk.ContainerClient
  /** For requests that must not be made twice. An injected client has its own retries, here too. */
  readonly once: Sdk.ContainerClient
}

const SILENCE_MS = 120_000
const RETRY_DELAY_MS = 300
const MAX_RETRY_DELAY_MS = 5_000

export class AzureConnection {
  readonly settings: AzureSettings
  #opening: Promise<Opened> | undefined
  #agent: HttpAgent | undefined

  constructor(settings: AzureSettings) {
    this.settings = settings
  }

  /** @throws ConfigurationError when a package is missing */
  open(): Promise<Opened> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /** Makes requests, and translates what they fail with. An abort rejects with the signal's reason. */
  async ask<T>(signal: AbortSignal | undefined, request: (opened: Opened) => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted()
      return await request(await this.open())
    } catch (error) {
      signal?.throwIfAborted()
      throw toAzureError(error, this.settings.container)
    }
  }

  /** Closes the connections that were opened here; the next request opens anew. */
  close(): void {
    this.#opening = undefined
    this.#agent?.destroy()
    this.#agent = undefined
  }

  async #open(): Promise<Opened> {
    const sdk = await importPeer<typeof Sdk>('@azure/storage-blob')
    const { access, endpoint, container, retries } = this.settings
    if (access.kind === 'client') {
      const service = access.client as Sdk.BlobServiceClient
      const client = service.getContainerClient(container)
      return { sdk, service, container: client, once: client }
    }
    const credential = await this.#credential(sdk)
    const url = access.kind === 'sas' ? `${endpoint}?${access.sasToken}` : endpoint
    this.#agent ??= pool(endpoint)
    const service = serviceClient(sdk, { url, credential, tries: retries + 1, agent: this.#agent })
    const single = serviceClient(sdk, { url, credential, tries: 1, agent: this.#agent })
    return { sdk, service, container: service.getContainerClient(container), once: single.getContainerClient(container) }
  }

  async #credential(sdk: typeof Sdk): Promise<Sdk.StorageSharedKeyCredential | Sdk.AnonymousCredential | TokenCredential> {
    const { access } = this.settings
    if (access.kind === 'key') return new sdk.StorageSharedKeyCredential(access.accountName, access.accountKey)
    if (access.kind === 'sas') return new sdk.AnonymousCredential()
    const identity = await importPeer<{ readonly DefaultAzureCredential: new () => TokenCredential }>('@azure/identity').catch(noIdentity)
    return new identity.DefaultAzureCredential()
  }
}

function noIdentity(cause: unknown): never {
  if (!(cause instanceof ConfigurationError)) throw cause
  const reason = `${cause.reason}; or give "accountKey", "sasToken" or "connectionString"`
  throw new ConfigurationError(reason, { cause })
}

interface ServiceOptions {
  readonly url: string
  readonly credential: Sdk.StorageSharedKeyCredential | Sdk.AnonymousCredential | TokenCredential
  readonly tries: number
  readonly agent: HttpAgent
}

function serviceClient(sdk: typeof Sdk, { url, credential, tries, agent }: ServiceOptions): Sdk.BlobServiceClient {
  const options = {
    retryOptions: { maxTries: tries, retryDelayInMs: RETRY_DELAY_MS, maxRetryDelayInMs: MAX_RETRY_DELAY_MS },
    agent, // passed on to @azure/core-rest-pipeline, although the SDK's type does not name it
  }
  return new sdk.BlobServiceClient(url, sdk.newPipeline(credential, options))
}

function pool(endpoint: string): HttpAgent {
  const options: AgentOptions = { keepAlive: true, timeout: SILENCE_MS }
  const agent = endpoint.startsWith('http:') ? new (nodeHttp().Agent)(options) : new (nodeHttps().Agent)(options)
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (...given) => {
    const socket = connect(...given)
    socket?.once('timeout', () => socket.destroy(Object.assign(new Error('the connection was silent for too long'), { code: 'ETIMEDOUT' })))
    return socket
  }
  // While it was idle, a connection had the time that the server said in Keep-Alive, which Node leaves on it.
  const reuse = agent.reuseSocket.bind(agent)
  agent.reuseSocket = (socket, request) => {
    ;(socket as Socket).setTimeout(SILENCE_MS)
    reuse(socket, request)
  }
  return agent
}
