/**
 * The local disk beside node:fs/promises and the peers, in one run: every implementation in a process of its own, taking turns
 * round by round, so that what else the machine does falls upon all. Medians of the ratios to the raw one of the same round.
 *
 *   npm run bench              prints the tables as Markdown; BENCH_PARTS, BENCH_ROUNDS, BENCH_DIR and BENCH_STREAM_DIR change what, how often and where
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { IMPLEMENTATIONS } from './implementations.ts'
import type { Measurement, Task } from './worker.ts'

const NAMES = Object.keys(IMPLEMENTATIONS)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
/** What to measure, of `small,lists,streams,cold`. */
const PARTS = (process.env['BENCH_PARTS'] ?? 'small,lists,streams,cold').split(',')
const STREAM_BYTES = Number(process.env['BENCH_STREAM_BYTES'] ?? 1024 ** 3)
const SMALL = [
  { bytes: 1024, count: 1_500 },
  { bytes: 64 * 1024, count: 800 },
  { bytes: 1024 * 1024, count: 100 },
] as const

class Worker {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(name: string, root: string): Promise<Worker> {
    const child = fork(join(import.meta.dirname, 'worker.ts'), [name, root], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    await once(child, 'message')
    return new Worker(child)
  }

  async run(task: Task): Promise<Measurement> {
    const answer = once(this.#child, 'message')
    this.#child.send(task)
    const [measurement] = (await answer) as [Measurement]
    return measurement
  }

  async stop(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}

interface Row {
  readonly title: string
  readonly measurements: Map<string, Measurement[]>
}

/** Each implementation does the task once per round; the first round warms up and is not counted. */
async function compare(title: string, workers: ReadonlyMap<string, Worker>, task: Task, rounds = ROUNDS): Promise<Row> {
  const measurements = new Map<string, Measurement[]>(NAMES.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? NAMES : NAMES.toReversed()
    for (const name of order) {
      const measurement = await workers.get(name)?.run(task)
      if (round > 0 && measurement !== undefined) measurements.get(name)?.push(measurement)
    }
  }
  process.stderr.write(`${title}\n`)
  return { title, measurements }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** How many times as fast as the reference, round by round. */
function speed(row: Row, name: string, reference: string): string {
  const [own = [], base = []] = [row.measurements.get(name), row.measurements.get(reference)]
  const ratios = own.map(({ ms }, round) => (base[round]?.ms ?? Number.NaN) / (ms ?? Number.NaN)).filter((ratio) => !Number.isNaN(ratio))
  if (ratios.length > 0) return median(ratios).toFixed(2)
  return own.some(({ error }) => error !== undefined) ? 'failed' : '–'
}

function table(rows: readonly Row[], names: readonly string[] = NAMES): string {
  const lines = rows.map((row) => `| ${row.title} | ${names.map((name) => speed(row, name, reference(row))).join(' | ')} |`)
  return [`| | ${names.join(' | ')} |`, `|---|${names.map(() => '---:').join('|')}|`, ...lines].join('\n')
}

async function startAll(root: string): Promise<Map<string, Worker>> {
  const workers = new Map<string, Worker>()
  for (const name of NAMES) {
    await mkdir(join(root, name, 'small'), { recursive: true })
    workers.set(name, await Worker.start(name, join(root, name)))
  }
  return workers
}

async function stopAll(workers: ReadonlyMap<string, Worker>): Promise<void> {
  for (const worker of workers.values()) await worker.stop()
}

async function smallFiles(root: string): Promise<Row[]> {
  const workers = await startAll(root)
  const rows: Row[] = []
  for (const { bytes, count } of SMALL) {
    for (const concurrency of [1, 32]) {
      for (const kind of ['put', 'get'] as const) {
        const title = `${kind} ${bytes / 1024} KiB, ${concurrency} at once`
        rows.push(await compare(title, workers, { kind, bytes, concurrency, count: concurrency === 1 ? count / 2 : count }))
      }
    }
  }
  await stopAll(workers)
  return rows
}

async function listings(root: string, files: number): Promise<Row[]> {
  const perDirectory = files === 2_000 ? 100 : 1_000
  for (const name of NAMES) {
    for (let directory = 0; directory < files / perDirectory; directory++) {
      const path = join(root, name, `directory-${String(directory).padStart(3, '0')}`)
      await mkdir(path, { recursive: true })
      await Promise.all(Array.from({ length: perDirectory }, (_, file) => writeFile(join(path, `file-${file}.txt`), '')))
    }
  }
  const workers = await startAll(root)
  const rounds = files > 10_000 ? Math.min(ROUNDS, 2) : ROUNDS
  const rows: Row[] = []
  for (const kind of ['names', 'stats'] as const) {
    rows.push(
      await compare(
        `list ${files.toLocaleString('en')} files, ${kind === 'names' ? 'names only' : 'with size and date'}`,
        workers,
        { kind },
        rounds,
      ),
    )
  }
  await stopAll(workers)
  return rows
}

async function streams(root: string): Promise<Row[]> {
  const workers = await startAll(root)
  const rows: Row[] = []
  for (const kind of ['write', 'read', 'copy'] as const) {
    rows.push(await compare(`${kind} ${STREAM_BYTES / 1024 ** 2} MiB`, workers, { kind, bytes: STREAM_BYTES }, Math.min(ROUNDS, 5)))
  }
  await stopAll(workers)
  return rows
}

function coldStart(root: string): string {
  const names = ['nothing', ...NAMES]
  const results = new Map<string, { importMs: number[]; firstMs: number[]; wallMs: number[] }>(
    names.map((name) => [name, { importMs: [], firstMs: [], wallMs: [] }]),
  )
  for (let round = 0; round <= 2 * ROUNDS; round++) {
    for (const name of names) {
      const before = performance.now()
      const output = execFileSync(process.execPath, [join(import.meta.dirname, 'cold.ts'), name, join(root, name)], { encoding: 'utf8' })
      const { importMs, firstMs } = JSON.parse(output) as { importMs: number; firstMs: number }
      if (round === 0) continue
      const result = results.get(name)
      result?.importMs.push(importMs)
      result?.firstMs.push(firstMs)
      result?.wallMs.push(performance.now() - before)
    }
  }
  const nothing = median(results.get('nothing')?.wallMs ?? [])
  const lines = names.map((name) => {
    const { importMs, firstMs, wallMs } = results.get(name) ?? { importMs: [], firstMs: [], wallMs: [] }
    return `| ${name} | ${median(importMs).toFixed(1)} | ${median(firstMs).toFixed(1)} | ${(median(wallMs) - nothing).toFixed(1)} |`
  })
  return [
    '| | import and construct, ms | first put and get, ms | whole process over bare Node, ms |',
    '|---|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

function print(title: string, text: string): void {
  process.stdout.write(`\n### ${title}\n\n${text}\n`)
}

/** What writes is compared with the least that is atomic, everything else with what reads and writes in place. */
function reference({ title }: Row): string {
  return /^(?:put|write|copy)/.test(title) ? 'raw atomic' : 'raw'
}

if (!existsSync(join(import.meta.dirname, 'node_modules'))) throw new Error('the peers are not installed: npm ci --prefix bench')
const base = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'stowage-bench-'))
const streamBase = await mkdtemp(join(process.env['BENCH_STREAM_DIR'] ?? '/dev/shm', 'stowage-bench-'))
try {
  process.stdout.write(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${ROUNDS} rounds, ${new Date().toISOString().slice(0, 10)}\n`,
  )
  if (PARTS.includes('small')) print('Small files', table(await smallFiles(join(base, 'small'))))
  if (PARTS.includes('lists')) {
    const rows = [...(await listings(join(base, 'few'), 2_000)), ...(await listings(join(base, 'many'), 100_000))]
    const once = NAMES.filter((name) => name !== 'raw atomic') // which reads as raw does
    print('Listings', table(rows, once))
  }
  if (PARTS.includes('streams')) print('Streams on tmpfs', table(await streams(streamBase)))
  if (PARTS.includes('cold')) print('Cold start', coldStart(join(base, 'cold')))
} finally {
  await rm(base, { recursive: true, force: true })
  await rm(streamBase, { recursive: true, force: true })
}
