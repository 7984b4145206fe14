/** Azurite, Microsoft's emulator of Azure storage: its blob service, with two accounts. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askKeeper } from './keeper-client.ts'
import { folderOf, freePort, type Daemon, ready, withRetries, startDaemon } from './processes.ts'

export interface AzureAccount {
  readonly accountName: string
  readonly accountKey: string
  /** Where the account's containers are, without a slash at the end. */
  readonly endpoint: string
  readonly connectionString: string
}

export interface AzureServer extends AzureAccount {
  /** A second account, for what the first must not reach. */
  readonly other: AzureAccount
  /** Whether it is a real account, which the environment names. */
  readonly real: boolean
  /** What names of containers begin with. */
  readonly containerPrefix: string
}

const MAIN = fileURLToPath(new URL('../../../node_modules/azurite/dist/src/blob/main.js', import.meta.url))

/** The Azurite of this run, or the account that `STOWAGE_TEST_AZURE_CONNECTION_STRING` names. */
export async function azurite(): Promise<AzureServer> {
  const { STOWAGE_TEST_AZURE_CONNECTION_STRING: named, STOWAGE_TEST_AZURE_OTHER_CONNECTION_STRING: other } = process.env
  if (named === undefined) return askKeeper<AzureServer>('azurite')
  return {
    ...fromConnectionString(named),
    real: true,
    containerPrefix: process.env['STOWAGE_TEST_AZURE_CONTAINER_PREFIX'] ?? 'stowage-test-',
    get other(): AzureAccount {
      if (other === undefined) throw new Error('this test needs a second account: STOWAGE_TEST_AZURE_OTHER_CONNECTION_STRING')
      return fromConnectionString(other)
    },
  }
}

export function startAzurite(run: string): Promise<AzureServer> {
  return withRetries(async () => {
    const folder = folderOf(run, 'azurite')
    const port = await freePort()
    const [first, other] = ['stowageone', 'stowagetwo'].map((name) => account(name, port)) as [AzureAccount, AzureAccount]
    const accounts = [first, other].map(({ accountName, accountKey }) => `${accountName}:${accountKey}`).join(';')
    // The SDK speaks of a newer version of the service than Azurite knows.
    const options = ['--location', join(folder, 'data'), '--silent', '--disableTelemetry', '--skipApiVersionCheck']
    const command = [process.execPath, MAIN, '--blobHost', '127.0.0.1', '--blobPort', String(port), ...options]
    const daemon = startDaemon(run, ['env', `AZURITE_ACCOUNTS=${accounts}`, ...command], join(folder, 'log'))
    await listening(daemon, port)
    return { ...first, other, real: false, containerPrefix: 'stowage-test-' }
  })
}

/** Waits until a port takes connections. */
export function listening(daemon: Daemon, port: number): Promise<void> {
  return ready(
    daemon,
    () =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1')
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
        socket.once('connect', () => socket.destroy())
      }),
  )
}

function account(accountName: string, port: number): AzureAccount {
  const accountKey = randomBytes(32).toString('base64')
  const endpoint = `http://127.0.0.1:${port}/${accountName}`
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${endpoint};`
  return { accountName, accountKey, endpoint, connectionString }
}

function fromConnectionString(connectionString: string): AzureAccount {
  const field = (name: string): string | undefined => new RegExp(`(?:^|;)${name}=([^;]*)`, 'i').exec(connectionString)?.[1]
  const accountName = field('AccountName') ?? ''
  const suffix = field('EndpointSuffix') ?? 'core.windows.net'
  const endpoint = field('BlobEndpoint') ?? `${field('DefaultEndpointsProtocol') ?? 'https'}://${accountName}.blob.${suffix}`
  return { accountName, accountKey: field('AccountKey') ?? '', endpoint: endpoint.replace(/\/$/, ''), connectionString }
}
