/** Google Cloud Storage, as the server of tests/support/gcs-server plays it. */
import { join } from 'node:path'
import { type Controls, remoteControls } from '../gcs-server/control.ts'
import type { GcsServerFacts } from '../gcs-server/gcs-server.ts'
import { askKeeper } from './keeper-client.ts'
import { folderOf, ready, startDaemon, withRetries } from './processes.ts'

export type { GcsServerFacts } from '../gcs-server/gcs-server.ts'

export interface SharedGcsServer extends GcsServerFacts {
  /** Faults, clock, accounts. All tests share the server: name your bucket in a fault's `url`, and do not touch the clock. */
  readonly controls: Controls
}

/**
 * The server of this run, a process of its own. All tests share it: make your own bucket, with a random name. A test that needs the
 * server to itself calls `startGcsServer()` of tests/support/gcs-server, which runs one in the process of the test.
 */
export async function gcsServer(): Promise<SharedGcsServer> {
  const facts = await askKeeper<GcsServerFacts>('gcs')
  return { ...facts, controls: remoteControls(facts.origin) }
}

export function startGcs(run: string): Promise<GcsServerFacts> {
  return withRetries(async () => {
    const folder = folderOf(run, 'gcs')
    const log = join(folder, `log-${Date.now()}`)
    const program = join(import.meta.dirname, '../gcs-server/main.ts')
    const daemon = startDaemon(run, [process.execPath, '--disable-warning=ExperimentalWarning', program, folder], log)
    const facts = (): string | undefined => /^\{.*\}$/m.exec(daemon.log())?.[0]
    await ready(daemon, async () => facts() !== undefined)
    return JSON.parse(facts() ?? '') as GcsServerFacts
  })
}
