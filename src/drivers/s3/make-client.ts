/**
 * The SDK's client as this driver sets it up, or the one that was given. Loaded with the SDK itself.
 *
 * The client gets agents of our own, or the one that was given. Without an agent instance the SDK opens a connection of its own for every body of 2 MiB and
 * more, because it then waits for `100-continue`; so that header is off as well. No request waits for ever: connecting and silence
 * on a socket both have an end.
 */
import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { types } from 'node:util'
import type * as Sdk from '@aws-sdk/client-s3'
import { nodeHttp, nodeHttps } from '../../builtins.ts'
import { importPeer } from '../../peers.ts'
import type { S3Settings } from './settings.ts'
import { signingSha256 } from './signing-sha256.ts'
import { trimClient } from './trimmed-client.ts'

export interface OpenedClient {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
  /** Releases what was made here; nothing of a client that came from elsewhere. */
  readonly release: () => void
}

/** @throws ConfigurationError when the package is not installed */
export async function openClient(settings: S3Settings): Promise<OpenedClient> {
  const sdk = await importPeer<typeof Sdk>('@aws-sdk/client-s3')
  const given = settings.client as Sdk.S3Client | undefined
  return given === undefined ? makeClient(sdk, settings) : { sdk, client: given, release: () => undefined }
}

function makeClient(sdk: typeof Sdk, settings: S3Settings): OpenedClient {
  const { httpAgent, httpsAgent } = agentsOf(settings)
  let found: Promise<string> | undefined
  const region = settings.endpoint === undefined ? undefined : (): Promise<string> => (found ??= regionOr(sdk, 'us-east-1'))
  const client = new sdk.S3Client({ ...(region && { region }), ...clientConfig(settings, { httpAgent, httpsAgent }) })
  trimClient(client, settings.bucket)
  if (!(httpAgent instanceof Object)) keepErrors(client)
  const release = (): void => {
    if (settings.agent !== undefined) return // it is all that the client would close
    client.destroy()
    httpAgent.destroy()
    httpsAgent.destroy()
  }
  return { sdk, client, release }
}

/**
 * Jest runs code in a realm of its own, where Node's errors are no `instanceof Error`. The SDK then puts a bare one in their place,
 * and the code is lost: so they are made anew before its retries see them.
 */
function keepErrors(client: Sdk.S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args)
      } catch (error) {
        if (error instanceof Error || !types.isNativeError(error)) throw error
        const { message, name } = error
        throw Object.assign(new Error(message), error, { name })
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'keepErrors' },
  )
}

/** What the SDK finds in the environment and the shared files, or this one: stores of one's own have none, and SDKs want one. */
async function regionOr(sdk: typeof Sdk, fallback: string): Promise<string> {
  const client = new sdk.S3Client({})
  return client.config.region().catch(() => fallback)
}

interface Agents {
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
}

/** One that was given is of the endpoint's protocol, or Node refuses it. */
function agentsOf({ agent, maxSockets, tls = {} }: S3Settings): Agents {
  if (agent !== undefined) return { httpAgent: agent, httpsAgent: agent as HttpsAgent }
  return {
    httpAgent: new (nodeHttp().Agent)({ keepAlive: true, maxSockets }),
    httpsAgent: new (nodeHttps().Agent)({ ...tls, keepAlive: true, maxSockets }),
  }
}

function clientConfig(settings: S3Settings, agents: Agents): Sdk.S3ClientConfig {
  const { region, endpoint, credentials, checksums } = settings
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials: credentials as NonNullable<Sdk.S3ClientConfig['credentials']> }),
    forcePathStyle: settings.pathStyle,
    useAccelerateEndpoint: settings.accelerate,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: settings.retries + 1,
    retryMode: settings.retryMode,
    expectContinueHeader: false,
    cacheMiddleware: true,
    logger: SILENT,
    sha256: signingSha256(),
    requestHandler: {
      ...agents,
      connectionTimeout: settings.connectTimeoutMs,
      socketTimeout: settings.socketTimeoutMs,
      logger: SILENT,
    },
  }
}

const ignore = (): void => undefined
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore }
