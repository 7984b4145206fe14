/** The processes of the S3 benchmark: the server that does nothing, and a client each. They run JavaScript, as users do: to strip types costs Node 40 MiB and 100 ms. */
import { type ChildProcess, execFileSync, fork, type ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Conditions } from './null-server.ts'
import type { Report } from './null-server-process.ts'
import type { Loads } from './s3-loads.ts'
import type { Cold } from './s3-results.ts'
import type { S3Measurement, S3Task } from './s3-worker.ts'

/** In `bench/node_modules`, so that the peers are found. */
const SCRIPTS = join(import.meta.dirname, 'node_modules', '.s3')
/** Many times what the slowest takes. */
const TASK_LIMIT_MS = 90_000
const COLD_LIMIT_MS = 10_000
const FORKED: ForkOptions & { env: NodeJS.ProcessEnv } = {
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  env: { ...process.env, BENCH_DIST: process.env['BENCH_DIST'] ?? join(import.meta.dirname, '../dist') },
}

/** Before anything is started. */
export function stripTypes(): void {
  rmSync(SCRIPTS, { recursive: true, force: true })
  mkdirSync(SCRIPTS)
  for (const file of readdirSync(import.meta.dirname)) {
    if (!/^(?:s3-|null-server).*\.ts$/.test(file)) continue
    const script = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, file), 'utf8'))
    writeFileSync(join(SCRIPTS, file.replace('.ts', '.mjs')), script.replaceAll(/( from |import\()'(\.\/[\w-]+)\.ts'/g, "$1'$2.mjs'"))
  }
}

export class ServerProcess {
  readonly #child: ChildProcess
  readonly endpoint: string

  private constructor(child: ChildProcess, endpoint: string) {
    this.#child = child
    this.endpoint = endpoint
  }

  static async start(): Promise<ServerProcess> {
    const child = fork(join(SCRIPTS, 'null-server-process.mjs'), FORKED)
    const [endpoint] = (await once(child, 'message')) as [string]
    return new ServerProcess(child, endpoint)
  }

  /** Sets the conditions. @returns what was counted since they were last set */
  async next(conditions: Partial<Conditions>): Promise<Report> {
    const answer = once(this.#child, 'message')
    this.#child.send(conditions)
    const [report] = (await answer) as [Report]
    return report
  }

  async stop(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}

export class Worker {
  readonly #child: ChildProcess
  readonly #died: Promise<S3Measurement>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#died = once(child, 'exit').then(([code, signal]) => ({
      ms: undefined,
      cpuMs: 0,
      peakRssMb: 0,
      result: 0,
      error: `the process ended with ${String(code ?? signal)}`,
    }))
  }

  static async start(name: string, server: ServerProcess): Promise<Worker> {
    const child = fork(join(SCRIPTS, 's3-worker.mjs'), [name, server.endpoint], FORKED)
    const message = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => undefined)])
    if (message === undefined) throw new Error(`${name} does not start`)
    return new Worker(child)
  }

  /** A client that hangs is ended, so that the run goes on without it. */
  async run(task: S3Task): Promise<S3Measurement> {
    const answer = once(this.#child, 'message').then(([measurement]) => measurement as S3Measurement)
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), TASK_LIMIT_MS)
    this.#child.send(task)
    return Promise.race([answer, this.#died]).finally(() => clearTimeout(limit))
  }

  /** At once: it holds nothing, and opendal's threads now and then keep a process from its end. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}

/** A process from its start to its end. The client `nothing` makes no disk and asks for nothing. */
export function coldStart(name: string, server: ServerProcess): Cold {
  const before = performance.now()
  const output = cold([], name, server)
  return { ...(JSON.parse(output) as Omit<Cold, 'wallMs'>), wallMs: performance.now() - before }
}

/** What such a process loads, counted in one of its own. */
export function coldLoads(name: string, server: ServerProcess): Loads {
  const output = cold(['--import', pathToFileURL(join(SCRIPTS, 's3-loads.mjs')).href], name, server)
  return JSON.parse(output.slice(output.lastIndexOf('\n') + 1)) as Loads
}

/** One that does not end is made once more. */
function cold(flags: readonly string[], name: string, server: ServerProcess, repeats = 2): string {
  try {
    return execFileSync(process.execPath, [...flags, join(SCRIPTS, 's3-cold.mjs'), name, server.endpoint], {
      encoding: 'utf8',
      env: FORKED.env,
      timeout: COLD_LIMIT_MS,
      killSignal: 'SIGKILL',
    })
  } catch (error) {
    if (repeats === 0 || (error as { code?: unknown }).code !== 'ETIMEDOUT') throw error
    return cold(flags, name, server, repeats - 1)
  }
}
