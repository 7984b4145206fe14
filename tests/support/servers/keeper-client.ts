/**
 * The keeper of a test run: one process that starts each server once, whoever asks first, and kills them all when the run is over.
 *
 *   jest ──pipe──▶ keeper ──▶ radosgw, azurite, …      the pipe closes when jest ends, however it ends; then the keeper cleans up
 *   workers ──http──▶ keeper                           POST /radosgw {options} → facts, after the server is ready
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isAlive, startTime, sweep } from './processes.ts'

/** Where workers find the keeper. */
const ADDRESS = 'STOWAGE_TEST_KEEPER'
const PREFIX = 'stowage-servers-'

export interface Keeper {
  readonly address: string
  readonly directory: string
  readonly process: ChildProcess
}

let own: Promise<Keeper> | undefined

/** Starts the keeper of this process, if there is none yet, and sweeps what runs left whose jest and keeper were both killed. */
export function startKeeper(): Promise<Keeper> {
  own ??= start()
  return own
}

async function start(): Promise<Keeper> {
  await sweepAbandoned()
  const directory = mkdtempSync(join(tmpdir(), PREFIX))
  await chmod(directory, 0o711) // FTP servers enter it as other users.
  writeFileSync(join(directory, 'owner'), JSON.stringify({ pid: process.pid, started: startTime(process.pid) }))
  const program = fileURLToPath(new URL('keeper.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, directory], {
    detached: true, // Ctrl+C reaches jest alone; the keeper follows by the pipe.
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [address] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the keeper of the test servers ended with ${String(code)}`))),
  ])) as [string]
  child.stdout.destroy()
  child.unref()
  ;(child.stdin as unknown as Socket).unref()
  process.env[ADDRESS] = address
  return { address, directory, process: child }
}

/** Ends the keeper of this process and everything it started; resolves when all of it is gone. */
export async function stopKeeper(): Promise<void> {
  const keeper = await own
  own = undefined
  if (keeper === undefined) return
  delete process.env[ADDRESS]
  const { process: child, directory } = keeper
  if (child.exitCode === null && child.signalCode === null) {
    child.ref()
    const exited = once(child, 'exit')
    child.stdin?.end()
    await Promise.race([exited, sleep(15_000, undefined, { ref: false })])
  }
  await sweep(directory) // Nothing is left to do, unless the keeper was killed.
}

/** Facts of a server, which the keeper starts if nobody asked before. Outside of jest, the asking process gets a keeper of its own. */
export async function askKeeper<T>(name: string, options: object = {}): Promise<T> {
  const address = process.env[ADDRESS] ?? (await startKeeper()).address
  const answer = await fetch(`${address}/${name}`, { method: 'POST', body: JSON.stringify(options) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return JSON.parse(text) as T
}

async function sweepAbandoned(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const directory = join(tmpdir(), name)
    const owners = ['owner', 'keeper'].map((file) => readOwner(join(directory, file)))
    if (owners[0] === undefined || owners.some((owner) => owner !== undefined && isAlive(owner.pid, owner.started))) continue
    await sweep(directory)
  }
}

function readOwner(file: string): { pid: number; started: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { pid: number; started: string }
  } catch {
    return undefined
  }
}
