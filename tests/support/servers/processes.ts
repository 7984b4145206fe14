/**
 * Daemons of one test run: each is started in a process group of its own and written down before anything waits for it, so that
 * whoever ends the run finds it, even if the process that started it is gone.
 *
 *   <run>/processes/<pid>      { command, started }      `started` is the kernel's start time: a pid that was reused is never killed
 *   <run>/undo/<name>          a command, as JSON, that takes back what a server changed outside of the run's directory
 */
import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const START_LIMIT_MS = 60_000
const COMMAND_LIMIT_MS = 30_000

export interface Daemon {
  readonly pid: number
  /** What it printed so far. */
  log(): string
  running(): boolean
}

/** A folder for one server, below the directory of the run. */
export function folderOf(run: string, name: string): string {
  const folder = join(run, name)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Starts a program that stays in the foreground. It is written down, and killed with the run. */
export function startDaemon(run: string, command: readonly string[], log: string): Daemon {
  const [program = '', ...args] = command
  const output = openSync(log, 'a')
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output, output] })
  closeSync(output)
  child.on('error', () => {}) // Seen as a process that ended before it was ready.
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} could not be started`)
  try {
    writeFileSync(join(folderOf(run, 'processes'), String(pid)), JSON.stringify({ command, started: startTime(pid) }))
    if (!existsSync(join(run, 'processes', String(pid)))) throw new Error('the test run is over')
  } catch (error) {
    process.kill(-pid, 'SIGKILL')
    throw error
  }
  return { pid, log: () => readFileSync(log, 'utf8'), running: () => child.exitCode === null && child.signalCode === null }
}

/** Waits until a check passes. A daemon that ends meanwhile, or takes a minute, is an error with the end of its log. */
export async function ready(daemon: Daemon, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS
  while (!(await check().catch(() => false))) {
    const tail = (): string => daemon.log().split('\n').slice(-12).join('\n')
    if (!daemon.running()) throw new Error(`a test server ended before it was ready:\n${tail()}`)
    if (Date.now() > deadline) throw new Error(`a test server was not ready after ${START_LIMIT_MS / 1000} seconds:\n${tail()}`)
    await sleep(25)
  }
}

/** Runs a program to its end. @returns what it printed */
export async function runCommand(command: readonly string[]): Promise<string> {
  const [program = '', ...args] = command
  const { stdout } = await execute(program, args, { timeout: COMMAND_LIMIT_MS, maxBuffer: 16 * 1024 ** 2 })
  return stdout
}

/** Where a program is; without it, an error that says how to get it. */
export function need(program: string, folders: readonly string[] = []): string {
  const path = find(program, folders)
  if (path === undefined) throw new Error(`${program}, which this test runs against, is not installed. Run: npm run servers:install`)
  return path
}

/** Where a program is, on the path or where Debian keeps daemons. */
export function find(program: string, folders: readonly string[] = []): string | undefined {
  const places = [...folders, ...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin']
  return places.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

/** Servers that change their user or their root directory cannot be started by anybody else. */
export function needRoot(program: string): void {
  if (process.getuid?.() === 0) return
  throw new Error(
    `${program} has to be started by root, because it changes its root directory and its user for each login. ` +
      'Run the tests as root, or name a server of your own: STOWAGE_TEST_FTP_HOST and the others of tests/README.md',
  )
}

/** A port of this machine that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Ports can be taken between the look and the use: a start that failed is tried again with other ones. */
export async function withRetries<T>(start: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(attempt)
    } catch (error) {
      if (attempt === 3 || !(error instanceof Error) || !error.message.startsWith('a test server')) throw error
    }
  }
}

/** Written down before the change that it takes back. */
export function undoLater(run: string, name: string, command: readonly string[]): void {
  writeFileSync(join(folderOf(run, 'undo'), name), JSON.stringify(command))
}

/** Kills every process of a run, waits until they are gone, takes back what was changed and removes the directory. */
export async function sweep(run: string): Promise<void> {
  const groups = namesIn(join(run, 'processes'))
    .filter((pid) => isSame(join(run, 'processes', pid), Number(pid)))
    .map((pid) => -Number(pid))
  for (const group of groups) signal(group, 'SIGKILL')
  const deadline = Date.now() + 10_000
  while (groups.some((group) => !isGone(-group)) && Date.now() < deadline) await sleep(20)
  for (const name of namesIn(join(run, 'undo'))) {
    const command = JSON.parse(readFileSync(join(run, 'undo', name), 'utf8')) as string[]
    await runCommand(command).catch((error: unknown) => console.error(`could not take back ${name}: ${String(error)}`))
  }
  await rm(run, { recursive: true, force: true, maxRetries: 5 })
}

/** Ends one daemon before the run ends. */
export async function endDaemon(run: string, daemon: Daemon): Promise<void> {
  signal(-daemon.pid, 'SIGKILL')
  while (daemon.running()) await sleep(10)
  rmSync(join(run, 'processes', String(daemon.pid)), { force: true })
}

export function isAlive(pid: number, started: string): boolean {
  return signal(pid, 0) && startTime(pid) === started
}

/** Field 22 of /proc/pid/stat, which no two processes with the same pid share; empty where there is no such file. */
export function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isSame(record: string, pid: number): boolean {
  try {
    const { started } = JSON.parse(readFileSync(record, 'utf8')) as { started: string }
    return isAlive(pid, started)
  } catch {
    return false
  }
}

/** A zombie, which nobody waits for, counts as gone. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return !signal(pid, 0)
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}
