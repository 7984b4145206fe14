/**
 * A small Google Cloud Storage for tests: the JSON API, and the object host of signed addresses, on free ports of this machine. What it
 * answers is held to Google's API description by tests/unit/gcs-server; what it leaves out is listed in tests/README.md.
 *
 *   origin            wants bearer tokens, as Google does
 *   emulatorOrigin    the same buckets, without tokens: whoever calls owns them (STORAGE_EMULATOR_HOST)
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Accounts, type Credentials } from './accounts.ts'
import { answer } from './answer.ts'
import { BodyStore } from './body-store.ts'
import type { State } from './call.ts'
import { type Controls, controlsOf } from './control.ts'

export interface GcsServerFacts {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  readonly emulatorOrigin: string
  readonly project: string
  /** The key file of the service account that may do everything. */
  readonly credentials: Credentials
}

export interface GcsServer extends GcsServerFacts {
  readonly controls: Controls
  /** Ends every connection, and removes what was stored. */
  close(): Promise<void>
}

export interface GcsServerOptions {
  readonly project?: string
  /** Where bodies above 1 MiB go; a directory in the system's temporary one unless told. */
  readonly directory?: string
}

/** Starts a server in this process. */
export async function startGcsServer({ project = 'test-project', directory }: GcsServerOptions = {}): Promise<GcsServer> {
  let ahead = 0
  const now = (): number => Date.now() + ahead
  const accounts = new Accounts(project, now)
  const bodies = new BodyStore(directory)
  const state = stateOf({ project, accounts, bodies, now })
  const context: { controls?: Controls } = {}
  const listener = (isTrusted: boolean) => (req: IncomingMessage, res: ServerResponse) =>
    void answer(state, { req, res, isTrusted, context })
  const servers = [await listening(listener(false)), await listening(listener(true))] as const
  const [origin, emulatorOrigin] = [originOf(servers[0]), originOf(servers[1])]
  const tokenUri = `${origin}/token`
  const credentials = accounts.create('owner', tokenUri)
  const advance = (ms: number): void => void (ahead += ms)
  const controls = controlsOf({ state, owner: credentials.client_email, tokenUri, advance })
  context.controls = controls
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closing))
    await bodies.dispose()
  }
  return { origin, emulatorOrigin, project, credentials, controls, close }
}

function stateOf(parts: Pick<State, 'project' | 'accounts' | 'bodies' | 'now'>): State {
  let last = 0
  const nextGeneration = (): number => {
    last = Math.max(last + 1, parts.now() * 1000)
    return last
  }
  return { ...parts, buckets: new Map(), sessions: new Map(), rewrites: new Map(), faults: [], nextGeneration }
}

async function listening(listener: (req: IncomingMessage, res: ServerResponse) => void): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return server
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function closing(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
