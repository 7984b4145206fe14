/**
 * The one door to the SDK: the package is loaded and the client made at the first request, once, and closed if it is ours.
 *
 *   S3Connection ──first use──▶ importPeer('@aws-sdk/client-s3') ──▶ { sdk, client }      (typed by sdk.ts)
 *
 * The client gets agents of our own. Without an agent instance the SDK opens a connection of its own for every body of 2 MiB and
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

interface Opened {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
  /** Releases what was made here; nothing of a client that came from elsewhere. */
  readonly release: () => void
}

/** The SDK and the client of one disk. Its types stay inside: `api()` of sdk.ts has them. */
export class S3Connection {
  readonly #settings: S3Settings
  #opened: Opened | undefined
  #opening: Promise<Opened> | undefined
  #region: Promise<string> | undefined

  constructor(settings: S3Settings) {
    this.#settings = settings
  }

  /** What was opened, if it was: the way that waits for nothing. */
  get opened(): object | undefined {
    return this.#opened
  }

  /** Loads the SDK and makes the client, the first time. @throws ConfigurationError when the package is not installed */
  open(): Promise<object> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /** Destroys the client and its connections, unless they came from elsewhere. A later use opens new ones. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    if (opened === undefined || opened !== this.#opened) return
    this.#opening = undefined
    this.#opened = undefined
    opened.release()
  }

  async #open(): Promise<Opened> {
    const sdk = await importPeer<typeof Sdk>('@aws-sdk/client-s3')
    const given = this.#settings.client as Sdk.S3Client | undefined
    this.#opened = given === undefined ? this.#make(sdk) : { sdk, client: given, release: () => undefined }
    return this.#opened
  }

  #make(sdk: typeof Sdk): Opened {
    const { maxSockets, tls = {} } = this.#settings
    const httpAgent = new (nodeHttp().Agent)({ keepAlive: true, maxSockets })
    const httpsAgent = new (nodeHttps().Agent)({ ...tls, keepAlive: true, maxSockets })
    const region = this.#settings.endpoint === undefined ? undefined : (): Promise<string> => (this.#region ??= regionOr(sdk, 'us-east-1'))
    const client = new sdk.S3Client({ ...(region && { region }), ...clientConfig(this.#settings, { httpAgent, httpsAgent }) })
    trimClient(client, this.#settings.bucket)
    if (!(httpAgent instanceof Object)) keepErrors(client)
    const release = (): void => {
      client.destroy()
      httpAgent.destroy()
      httpsAgent.destroy()
    }
    return { sdk, client, release }
  }
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
