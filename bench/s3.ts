/**
 * The S3 disk beside the bare AWS SDK and the peers, in one run, against a server that does nothing (`null-server.ts`): every client in a
 * process of its own, taking turns round by round, so that what else the machine does falls upon all. Small requests are compared in
 * processes that have warmed up; streams, listings and scripts of 1,000 files in a fresh one each time, whose peak memory is its own.
 *
 *   npm run bench:s3           prints the tables as Markdown; BENCH_PARTS, BENCH_ROUNDS and BENCH_ONLY change what, how often and whom,
 *                              BENCH_JSON names a file for every single measurement
 */
import { type ChildProcess, execFileSync, fork, type ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Conditions } from './null-server.ts'
import type { Report } from './null-server-process.ts'
import { S3_IMPLEMENTATIONS } from './s3-implementations.ts'
import type { S3Measurement, S3Task } from './s3-worker.ts'

const ONLY = process.env['BENCH_ONLY']?.split(',')
const NAMES = Object.keys(S3_IMPLEMENTATIONS).filter((name) => ONLY?.includes(name) ?? true)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
/** What to measure, of `small,streams,capped,latency,lists,cold`. */
const PARTS = (process.env['BENCH_PARTS'] ?? 'small,streams,capped,latency,lists,cold').split(',')
/** The bare SDK at its best: what the others are compared with. */
const REFERENCE = 'sdk tuned'
const MIB = 1024 ** 2
const LARGE = Number(process.env['BENCH_STREAM_BYTES'] ?? 256 * MIB)
const LATENCY: Partial<Conditions> = { latencyMs: 20 }
const CAPPED: Partial<Conditions> = { latencyMs: 20, bytesPerSecond: 20_000_000 }

/** The processes run JavaScript, as users do: to strip types costs Node 40 MiB and 100 ms. */
const SCRIPTS = join(import.meta.dirname, 'node_modules', '.s3')
const FORKED: ForkOptions & { env: NodeJS.ProcessEnv } = {
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  env: { ...process.env, BENCH_DIST: process.env['BENCH_DIST'] ?? join(import.meta.dirname, '../dist') },
}

function stripTypes(): void {
  rmSync(SCRIPTS, { recursive: true, force: true })
  mkdirSync(SCRIPTS)
  for (const file of readdirSync(import.meta.dirname)) {
    if (!/^(?:s3-|null-server).*\.ts$/.test(file)) continue
    const script = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, file), 'utf8'))
    writeFileSync(join(SCRIPTS, file.replace('.ts', '.mjs')), script.replaceAll(/ from '(\.\/[\w-]+)\.ts'/g, " from '$1.mjs'"))
  }
}

type Sample = S3Measurement & Report

interface Row {
  readonly title: string
  readonly task: S3Task
  readonly samples: Map<string, Sample[]>
}

class ServerProcess {
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

class Worker {
  readonly #child: ChildProcess
  readonly #died: Promise<S3Measurement>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#died = once(child, 'exit').then(([code]) => ({
      ms: undefined,
      cpuMs: 0,
      peakRssMb: 0,
      result: 0,
      error: `the process ended with ${String(code)}`,
    }))
  }

  static async start(name: string, server: ServerProcess): Promise<Worker> {
    const child = fork(join(SCRIPTS, 's3-worker.mjs'), [name, server.endpoint], FORKED)
    await once(child, 'message')
    return new Worker(child)
  }

  async run(task: S3Task): Promise<S3Measurement> {
    const answer = once(this.#child, 'message').then(([measurement]) => measurement as S3Measurement)
    this.#child.send(task)
    return Promise.race([answer, this.#died])
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}

/** Runs the task, and holds the server's count against what the client says that it did. */
async function sample(server: ServerProcess, worker: Worker, task: S3Task, conditions: Partial<Conditions>): Promise<Sample> {
  await server.next(conditions)
  const measurement = await worker.run(task)
  const report = await server.next({})
  const wrong = measurement.error ?? disagreement(task, measurement, report)
  return { ...report, ...measurement, ...(wrong !== undefined && { ms: undefined, error: wrong }) }
}

function disagreement(
  task: S3Task,
  { result }: S3Measurement,
  { requests, receivedBytes, sentBytes, deletedKeys }: Report,
): string | undefined {
  const differ = (what: string, counted: number, expected: number): string | undefined =>
    counted === expected ? undefined : `${what}: ${counted} instead of ${expected}`
  switch (task.kind) {
    case 'put':
      return differ('bytes received', receivedBytes, result * task.bytes) ?? differ('puts', requests['PutObject'] ?? 0, task.count)
    case 'get':
      return differ('bytes sent', sentBytes, result * task.bytes) ?? differ('gets', requests['GetObject'] ?? 0, task.count)
    case 'head':
      return differ('heads', requests['HeadObject'] ?? 0, task.count)
    case 'upload':
      return receivedBytes < task.bytes ? `bytes received: ${receivedBytes}` : undefined // and a little XML
    case 'download':
    case 'memory':
    case 'fastest':
      return differ('bytes', result, task.bytes)
    case 'deleteMany':
      return differ('keys deleted', deletedKeys, task.count)
    case 'list':
      return differ('keys', result, task.count)
    case 'check':
      break
  }
  return undefined
}

interface Comparison {
  readonly server: ServerProcess
  readonly conditions?: Partial<Conditions>
  readonly rounds?: number
  /** Where there are none, each sample has a process of its own. */
  readonly workers?: ReadonlyMap<string, Worker>
}

const FIRST: S3Task = { kind: 'head', bytes: 1, concurrency: 1, count: 1 }

/** Each client does the task once per round, forwards and backwards; the first round warms up and is not counted. */
async function compare(title: string, task: S3Task, { server, conditions = {}, rounds = ROUNDS, workers }: Comparison): Promise<Row> {
  const samples = new Map<string, Sample[]>(NAMES.map((name) => [name, []]))
  const first = workers === undefined && rounds === 1 ? 1 : 0
  for (let round = first; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      const worker = workers?.get(name) ?? (await Worker.start(name, server))
      if (workers === undefined) await worker.run(FIRST) // some load the SDK when they are made, others now
      const result = await sample(server, worker, task, conditions)
      if (round > 0) samples.get(name)?.push(result)
      if (workers === undefined) await worker.stop()
    }
  }
  process.stderr.write(`${title}\n`)
  for (const [name, [any]] of samples) if (any?.error !== undefined) process.stderr.write(`  ${name}: ${any.error}\n`)
  return { title, task, samples }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** A figure of each client: the median over the rounds of what `read` takes from a sample and that of the reference in the same round. */
function cells(row: Row, read: (sample: Sample, reference: Sample) => number, digits: number): string {
  const base = row.samples.get(REFERENCE) ?? []
  const texts = NAMES.map((name) => {
    const own = row.samples.get(name) ?? []
    if (own.some(({ ms }) => ms === undefined)) return '–'
    const values = own.map((sample, round) => read(sample, base[round] ?? sample)).filter((value) => !Number.isNaN(value))
    return median(values).toFixed(digits)
  })
  return `| ${texts.join(' | ')} |`
}

function table(rows: readonly Row[], read: (sample: Sample, reference: Sample, row: Row) => number, digits = 0): string {
  const lines = rows.map((row) => `| ${row.title} ${cells(row, (sample, reference) => read(sample, reference, row), digits)}`)
  return [`| | ${NAMES.join(' | ')} |`, `|---|${NAMES.map(() => '---:').join('|')}|`, ...lines].join('\n')
}

function speed({ ms }: Sample, reference: Sample): number {
  return (reference.ms ?? Number.NaN) / (ms ?? Number.NaN)
}

function milliseconds({ ms }: Sample): number {
  return ms ?? Number.NaN
}

function cpuPerOperation({ cpuMs }: Sample, _reference: Sample, { task }: Row): number {
  return (cpuMs * 1_000) / ('count' in task ? task.count : 1)
}

async function selfCheck(server: ServerProcess): Promise<void> {
  for (const name of NAMES) {
    const worker = await Worker.start(name, server)
    const { error, result } = await sample(server, worker, { kind: 'check' }, { store: true })
    await worker.stop()
    if (error !== undefined) throw new Error(`${name} does not do what is measured: ${error}`)
    process.stderr.write(`${name}: ${result} checks\n`)
  }
}

async function smallFiles(server: ServerProcess): Promise<Row[]> {
  const workers = new Map<string, Worker>()
  for (const name of NAMES) workers.set(name, await Worker.start(name, server))
  const rows: Row[] = []
  try {
    for (const [kind, bytes] of [
      ['put', 1_024],
      ['put', 65_536],
      ['get', 1_024],
      ['get', 65_536],
      ['head', 1_024],
    ] as const) {
      for (const concurrency of [1, 16, 64]) {
        const title = `${kind}${kind === 'head' ? '' : ` ${bytes / 1_024} KiB`}, ${concurrency} at once`
        const count = concurrency === 1 ? 400 : 800
        rows.push(await compare(title, { kind, bytes, concurrency, count }, { server, workers }))
      }
    }
  } finally {
    for (const worker of workers.values()) await worker.stop()
  }
  return rows
}

async function streams(server: ServerProcess): Promise<Row[]> {
  const size = `${LARGE / MIB} MiB`
  const rounds = Math.min(ROUNDS, 5)
  return [
    await compare(`upload ${size} of unknown length`, { kind: 'upload', bytes: LARGE }, { server, rounds }),
    await compare(`the same, 20 ms latency`, { kind: 'upload', bytes: LARGE }, { server, rounds, conditions: LATENCY }),
    await compare(`download ${size} as a stream`, { kind: 'download', bytes: LARGE }, { server, rounds }),
    await compare(`download ${size} to memory`, { kind: 'memory', bytes: LARGE }, { server, rounds }),
  ]
}

/** Once or twice: what is measured is mostly waiting. */
async function capped(server: ServerProcess): Promise<Row[]> {
  const rounds = ROUNDS < 5 ? 1 : 2
  const title = `${LARGE / MIB} MiB at 20 MB/s per connection`
  return [
    await compare(`${title}, stream`, { kind: 'download', bytes: LARGE }, { server, rounds, conditions: CAPPED }),
    await compare(`${title}, fastest way`, { kind: 'fastest', bytes: LARGE }, { server, rounds, conditions: CAPPED }),
  ]
}

async function scripts(server: ServerProcess): Promise<Row[]> {
  const rows: Row[] = []
  const rounds = Math.min(ROUNDS, 5)
  for (const kind of ['put', 'get'] as const) {
    for (const concurrency of [50, 200]) {
      const task = { kind, bytes: 10_240, count: 1_000, concurrency } as const
      rows.push(await compare(`${kind} 1,000 × 10 KiB, ${concurrency} at once`, task, { server, rounds, conditions: LATENCY }))
    }
  }
  rows.push(await compare('delete 1,000', { kind: 'deleteMany', count: 1_000 }, { server, rounds, conditions: LATENCY }))
  return rows
}

async function lists(server: ServerProcess): Promise<Row[]> {
  const rounds = Math.min(ROUNDS, 5)
  const task = { kind: 'list', count: 100_000 } as const
  return [
    await compare('list 100,000', task, { server, rounds }),
    await compare('list 100,000, 20 ms latency', task, { server, rounds, conditions: LATENCY }),
  ]
}

interface Cold {
  readonly importMs: number
  readonly firstMs: number
  readonly cpuMs: number
  readonly rssMb: number
  readonly wallMs: number
}

function coldStart(server: ServerProcess): Map<string, Cold[]> {
  const results = new Map<string, Cold[]>(['nothing', ...NAMES].map((name) => [name, []]))
  for (let round = 0; round <= 2 * ROUNDS; round++) {
    for (const [name, samples] of results) {
      const before = performance.now()
      const output = execFileSync(process.execPath, [join(SCRIPTS, 's3-cold.mjs'), name, server.endpoint], {
        encoding: 'utf8',
        env: FORKED.env,
      })
      const cold = { ...(JSON.parse(output) as Omit<Cold, 'wallMs'>), wallMs: performance.now() - before }
      if (round > 0) samples.push(cold)
    }
  }
  return results
}

function coldTable(results: ReadonlyMap<string, readonly Cold[]>): string {
  const figure = (name: string, of: keyof Cold): number => median((results.get(name) ?? []).map((sample) => sample[of]))
  const lines = Array.from(results.keys(), (name) => {
    const wall = figure(name, 'wallMs') - figure('nothing', 'wallMs')
    const figures = [figure(name, 'importMs'), figure(name, 'firstMs'), wall, figure(name, 'cpuMs'), figure(name, 'rssMb')]
    return `| ${name} | ${figures.map((value) => value.toFixed(1)).join(' | ')} |`
  })
  return [
    '| | import and construct, ms | first get, ms | whole process over bare Node, ms | CPU, ms | RSS, MiB |',
    '|---|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

function print(title: string, text: string): void {
  process.stdout.write(`\n### ${title}\n\n${text}\n`)
}

/** The peers and the compiled disk have to use the same SDK, or the comparison would be of SDKs. */
function sdkVersion(): string {
  const [own, theirs] = ['..', '.'].map((place) => {
    const file = join(import.meta.dirname, place, 'node_modules/@aws-sdk/client-s3/package.json')
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  })
  if (own !== theirs) throw new Error(`the peers use client-s3 ${theirs}, the disk ${own}`)
  return `client-s3 ${own}`
}

async function run(server: ServerProcess): Promise<{ rows: Row[]; cold: Map<string, Cold[]> }> {
  const rows: Row[] = []
  const cold = new Map<string, Cold[]>()
  if (PARTS.includes('small')) {
    const small = await smallFiles(server)
    rows.push(...small)
    print(`Small requests: speed, ${REFERENCE} = 1`, table(small, speed, 2))
    print('Small requests: CPU of the client per operation, µs', table(small, cpuPerOperation))
  }
  const fresh: [string, (server: ServerProcess) => Promise<Row[]>][] = [
    ['streams', streams],
    ['capped', capped],
    ['latency', scripts],
    ['lists', lists],
  ]
  for (const [part, measure] of fresh) {
    if (!PARTS.includes(part)) continue
    const measured = await measure(server)
    rows.push(...measured)
    print(`${part}: ms`, table(measured, milliseconds))
    print(
      `${part}: CPU of the client, ms`,
      table(measured, ({ cpuMs }) => cpuMs),
    )
    print(
      `${part}: peak RSS of the process, MiB`,
      table(measured, ({ peakRssMb }) => peakRssMb),
    )
    print(
      `${part}: connections`,
      table(measured, ({ connections }) => connections),
    )
  }
  if (PARTS.includes('cold')) {
    for (const [name, samples] of coldStart(server)) cold.set(name, samples)
    print('Cold start', coldTable(cold))
  }
  return { rows, cold }
}

if (!existsSync(join(import.meta.dirname, 'node_modules'))) throw new Error('the peers are not installed: npm ci --prefix bench')
const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${sdkVersion()}, ${ROUNDS} rounds, ${new Date().toISOString().slice(0, 10)}`
process.stdout.write(`${machine}\n`)
stripTypes()
const server = await ServerProcess.start()
try {
  await selfCheck(server)
  const { rows, cold } = await run(server)
  const file = process.env['BENCH_JSON']
  if (file !== undefined) {
    const plain = rows.map(({ title, task, samples }) => ({ title, task, samples: Object.fromEntries(samples) }))
    writeFileSync(file, JSON.stringify({ machine, rows: plain, cold: Object.fromEntries(cold) }))
  }
} finally {
  await server.stop()
}
