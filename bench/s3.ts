/**
 * The S3 disk beside the bare AWS SDK and the peers, in one run, against a server that does nothing (`null-server.ts`): every client in a
 * process of its own, taking turns round by round, so that what else the machine does falls upon all. Small requests are compared in
 * processes that have warmed up; streams, listings and scripts of 1,000 files in a fresh one each time, whose peak memory is its own.
 *
 *   npm run bench:s3           prints tables and a judgement as Markdown; BENCH_PARTS, BENCH_ROUNDS and BENCH_ONLY change what, how often and
 *                              whom; every single measurement goes into the file that BENCH_JSON names, or one in the temporary directory
 *   npm run bench:s3 -- --docs the same, and writes tables and chart into docs/performance.md; only of a whole run
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conditions } from './null-server.ts'
import type { Report } from './null-server-process.ts'
import { writeDocs } from './s3-documents.ts'
import { S3_IMPLEMENTATIONS, WIRE } from './s3-implementations.ts'
import type { Loads } from './s3-loads.ts'
import { coldLoads, coldStart, ServerProcess, stripTypes, Worker } from './s3-processes.ts'
import { fragments } from './s3-report.ts'
import type { Checks, Cold, Part, Results, Row, Sample } from './s3-results.ts'
import type { S3Measurement, S3Task } from './s3-worker.ts'

const ALL_PARTS = 'small,streams,capped,latency,lists,cold'
/** What to measure. */
const PARTS = (process.env['BENCH_PARTS'] ?? ALL_PARTS).split(',')
const ONLY = process.env['BENCH_ONLY']?.split(',')
const NAMES = Object.keys(S3_IMPLEMENTATIONS).filter((name) => ONLY?.includes(name) ?? true)
/** The bare driver shows what `Disk` adds to a small request; the disk without checksums does the work that opendal does. */
const OF_STREAMS = NAMES.filter((name) => name !== 'stowage driver')
const OF_THE_REST = OF_STREAMS.filter((name) => name !== 'stowage plain')
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const FEWER = Math.min(ROUNDS, 3)
const SAMPLE_MS = Number(process.env['BENCH_SAMPLE_MS'] ?? 250)
const MIB = 1024 ** 2
const LARGE = Number(process.env['BENCH_STREAM_BYTES'] ?? 256 * MIB)
const CHECKED = 20 * MIB
const LATENCY: Partial<Conditions> = { latencyMs: 20 }
const CAPPED: Partial<Conditions> = { latencyMs: 20, bytesPerSecond: 20_000_000 }
const BEGIN = performance.now()

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
  { requests, receivedBytes, sentBytes, deletedKeys, verifiedBytes }: Report,
): string | undefined {
  const differ = (what: string, counted: number, expected: number): string | undefined =>
    counted === expected ? undefined : `${what}: ${counted} instead of ${expected}`
  switch (task.kind) {
    case 'put':
      return differ('bytes received', receivedBytes, result * task.bytes) ?? differ('puts', requests['PutObject'] ?? 0, result)
    case 'get':
      return differ('bytes sent', sentBytes, result * task.bytes) ?? differ('gets', requests['GetObject'] ?? 0, result)
    case 'head':
      return differ('heads', requests['HeadObject'] ?? 0, result)
    case 'upload':
      if (task.verify === true) return differ('bytes that are as they were sent', verifiedBytes, task.bytes)
      return receivedBytes < task.bytes ? `bytes received: ${receivedBytes}` : undefined // and a little XML
    case 'download':
    case 'memory':
    case 'fastest':
      return differ('bytes', result, task.bytes)
    case 'deleteMany':
      return differ('keys deleted', deletedKeys, task.count)
    case 'list':
      return differ('keys', result, task.count)
    case 'bad get':
    case 'bad download':
    case 'check':
      break
  }
  return undefined
}

interface Comparison {
  readonly part: Part
  readonly title: string
  readonly task: S3Task
  readonly names: readonly string[]
  readonly conditions?: Partial<Conditions>
  readonly rounds?: number
  /** A round before the others that is not counted; who fails in it takes no part in them. */
  readonly first?: { readonly task: S3Task; readonly conditions?: Partial<Conditions> }
  /** Where there are none, each sample has a process of its own. */
  readonly workers?: ReadonlyMap<string, Worker>
}

const LOADING: S3Task = { kind: 'head', bytes: 1, concurrency: 1, count: 1 }

/** Each client does the task once per round, forwards and backwards. */
async function compare(server: ServerProcess, comparison: Comparison): Promise<Row> {
  const { part, title, task, names, conditions = {}, rounds = ROUNDS, first, workers } = comparison
  const samples = new Map<string, Sample[]>(names.map((name) => [name, []]))
  const failed = new Set<string>()
  for (let round = first === undefined ? 1 : 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      if (failed.has(name)) continue
      const worker = workers?.get(name) ?? (await Worker.start(name, server))
      if (workers === undefined) await worker.run(LOADING) // some load the SDK when they are made, others now
      const now = round === 0 && first !== undefined ? first : { task, conditions }
      const result = await sample(server, worker, now.task, now.conditions ?? conditions)
      if (workers === undefined) await worker.stop()
      if (result.error !== undefined) failed.add(name)
      if (round > 0 || result.error !== undefined) samples.get(name)?.push(result)
      if (result.error !== undefined) process.stderr.write(`  ${name}: ${result.error}\n`)
    }
  }
  process.stderr.write(`${((performance.now() - BEGIN) / 1_000).toFixed(0)} s: ${title}\n`)
  return { part, title, task, latencyMs: conditions.latencyMs ?? 0, samples: Object.fromEntries(samples) }
}

async function selfCheck(server: ServerProcess): Promise<Record<string, Checks>> {
  const checks: Record<string, Checks> = {}
  for (const name of NAMES) {
    const worker = await Worker.start(name, server)
    const { error, result } = await sample(server, worker, { kind: 'check' }, { store: true })
    if (error !== undefined) throw new Error(`${name} does not do what is measured: ${error}`)
    checks[name] = await whatIsChecked(server, worker)
    await worker.stop()
    process.stderr.write(`${name}: ${result} checks\n`)
  }
  return checks
}

async function whatIsChecked(server: ServerProcess, worker: Worker): Promise<Checks> {
  const run = (task: S3Task): Promise<Sample> => sample(server, worker, task, { store: true })
  const put = await run({ kind: 'put', bytes: 1_024, concurrency: 1, count: 1 })
  const get = await run({ kind: 'get', bytes: 1_024, concurrency: 1, count: 1 })
  const upload = await run({ kind: 'upload', bytes: CHECKED })
  const parts = upload.requests['UploadPart'] ?? 0
  return {
    putSigned: put.signedBodies > 0,
    putChecksum: put.checksums > 0,
    partSigned: upload.error === undefined ? upload.signedBodies >= parts : undefined,
    partChecksum: upload.error === undefined ? upload.checksums >= parts : undefined,
    getAsks: get.checksumsAsked > 0,
    getRefuses: (await run({ kind: 'bad get', bytes: 1_024 })).result === 1,
    downloadRefuses: (await run({ kind: 'bad download', bytes: CHECKED })).result === 1,
  }
}

async function small(server: ServerProcess): Promise<Row[]> {
  const names = NAMES
  const workers = new Map<string, Worker>()
  for (const name of names) workers.set(name, await Worker.start(name, server))
  const rows: Row[] = []
  try {
    for (const worker of workers.values())
      for (const kind of ['put', 'get', 'head'] as const) await worker.run({ kind, bytes: 1_024, concurrency: 16, forMs: 2 * SAMPLE_MS })
    for (const [kind, bytes] of [
      ['put', 1_024],
      ['put', 65_536],
      ['get', 1_024],
      ['get', 65_536],
      ['head', 1_024],
    ] as const) {
      for (const concurrency of [1, 16, 64]) {
        const title = `${kind}${kind === 'head' ? '' : ` ${bytes / 1_024} KiB`}, ${concurrency} at once`
        const task = { kind, bytes, concurrency, forMs: SAMPLE_MS }
        const first = { task: { ...task, forMs: SAMPLE_MS / 2 } }
        rows.push(await compare(server, { part: 'small', title, task, names, first, workers }))
      }
    }
  } finally {
    for (const worker of workers.values()) await worker.stop()
  }
  return rows
}

/** What goes up and comes down is compared, byte for byte in effect, in a first round of each. */
async function streams(server: ServerProcess): Promise<Row[]> {
  const size = `${LARGE / MIB} MiB`
  const of = { part: 'streams', names: OF_STREAMS } as const
  const upload = { kind: 'upload', bytes: LARGE } as const
  const download = { kind: 'download', bytes: LARGE } as const
  const memory = { kind: 'memory', bytes: LARGE } as const
  const verified = (task: S3Task): NonNullable<Comparison['first']> => ({
    task: { ...task, verify: true } as S3Task,
    conditions: { verify: true },
  })
  return [
    await compare(server, { ...of, title: `upload ${size} of unknown length`, task: upload, first: verified(upload) }),
    await compare(server, { ...of, title: `upload ${size}, 20 ms latency`, task: upload, rounds: FEWER, conditions: LATENCY }),
    await compare(server, { ...of, title: `download ${size} as a stream`, task: download, first: verified(download) }),
    await compare(server, { ...of, title: `download ${size} to memory`, task: memory, rounds: FEWER }),
  ]
}

/** Once: what is measured is mostly waiting. */
async function capped(server: ServerProcess): Promise<Row[]> {
  const bytes = LARGE / 2
  const of = { part: 'capped', rounds: 1, conditions: CAPPED } as const
  const title = `${bytes / MIB} MiB at 20 MB/s per connection`
  const ranges = OF_THE_REST.filter((name) => name === 'sdk tuned' || name === 'opendal')
  return [
    await compare(server, { ...of, title: `${title}, stream`, task: { kind: 'download', bytes }, names: OF_THE_REST }),
    await compare(server, { ...of, title: `the same, 16 ranges by hand`, task: { kind: 'fastest', bytes }, names: ranges }),
  ]
}

async function scripts(server: ServerProcess): Promise<Row[]> {
  const rows: Row[] = []
  const of = { part: 'latency', names: [...OF_THE_REST, WIRE], conditions: LATENCY } as const
  for (const concurrency of [50, 200]) {
    for (const kind of ['put', 'get'] as const) {
      const task = { kind, bytes: 10_240, count: 1_000, concurrency }
      const rounds = concurrency === 50 ? ROUNDS : FEWER
      rows.push(await compare(server, { ...of, title: `${kind} 1,000 × 10 KiB, ${concurrency} at once`, task, rounds }))
    }
  }
  rows.push(
    await compare(server, { ...of, names: OF_THE_REST, title: 'delete 1,000', task: { kind: 'deleteMany', count: 1_000 }, rounds: FEWER }),
  )
  return rows
}

async function lists(server: ServerProcess): Promise<Row[]> {
  const task = { kind: 'list', count: 100_000 } as const
  const of = { part: 'lists', names: OF_THE_REST, task, rounds: FEWER } as const
  return [
    await compare(server, { ...of, title: 'list 100,000', rounds: Math.min(ROUNDS, 2), first: { task } }), // and the server's pages are made
    await compare(server, { ...of, names: [...OF_THE_REST, WIRE], title: 'list 100,000, 20 ms latency', conditions: LATENCY }),
  ]
}

/** As apps have it: by `Storage.configure`, and its name. */
function andConfigured(name: string): readonly string[] {
  return name === 'stowage' ? [name, 'stowage configured'] : [name]
}

function coldStarts(server: ServerProcess): Pick<Results, 'cold' | 'loads'> {
  const cold = new Map<string, Cold[]>(['nothing', ...OF_THE_REST.flatMap(andConfigured)].map((name) => [name, []]))
  const loads: Record<string, Loads> = {}
  for (const name of cold.keys()) loads[name] = coldLoads(name, server)
  for (let round = 0; round <= 2 * ROUNDS; round++) {
    for (const [name, samples] of cold) {
      const result = coldStart(name, server)
      if (round > 0) samples.push(result)
    }
  }
  return { cold: Object.fromEntries(cold), loads }
}

function versionOf(name: string, place = '.'): string {
  const file = join(import.meta.dirname, place, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** The peers and the compiled disk have to use the same SDK, or the comparison would be of SDKs. */
function sdkVersion(): string {
  const own = versionOf('@aws-sdk/client-s3', '..')
  const theirs = versionOf('@aws-sdk/client-s3')
  if (own !== theirs) throw new Error(`the peers use client-s3 ${theirs}, the disk ${own}`)
  return `client-s3 ${own}`
}

const MEASURED: readonly (readonly [Part, (server: ServerProcess) => Promise<Row[]>])[] = [
  ['small', small],
  ['streams', streams],
  ['capped', capped],
  ['latency', scripts],
  ['lists', lists],
]

const LIBRARIES = ['@aws-sdk/lib-storage', 'flydrive', '@flystorage/file-storage', '@flystorage/aws-s3', 'files-sdk', 'opendal']

async function run(server: ServerProcess, machine: string): Promise<Results> {
  const libraries = LIBRARIES.map((name) => `${name} ${versionOf(name)}`).join(', ')
  const before = loadavg()[0] ?? Number.NaN
  const load = { before, most: before }
  let results: Results = { machine, libraries, load, minutes: 0, checks: await selfCheck(server), rows: [], cold: {}, loads: {} }
  for (const [part, measure] of MEASURED) {
    if (!PARTS.includes(part)) continue
    results = { ...results, rows: [...results.rows, ...(await measure(server))] }
    load.most = Math.max(load.most, loadavg()[0] ?? 0)
    save(results)
  }
  if (PARTS.includes('cold')) results = { ...results, ...coldStarts(server) }
  results = { ...results, minutes: (performance.now() - BEGIN) / 60_000 }
  save(results)
  return results
}

const FILE = process.env['BENCH_JSON'] ?? join(tmpdir(), 'stowage-bench-s3.json')

function save(results: Results): void {
  writeFileSync(FILE, JSON.stringify(results))
}

if (!existsSync(join(import.meta.dirname, 'node_modules'))) throw new Error('the peers are not installed: npm ci --prefix bench')
const docs = process.argv.includes('--docs')
if (docs && (ONLY !== undefined || PARTS.join() !== ALL_PARTS))
  throw new Error('--docs takes a whole run: without BENCH_ONLY and BENCH_PARTS')
const cpu = `${cpus().length} × ${cpus()[0]?.model.trim()}`
const machine = `Node ${process.version.slice(1)}, ${cpu}, ${sdkVersion()}, ${ROUNDS} rounds, ${new Date().toISOString().slice(0, 10)}`
process.stderr.write(`${machine}\nresults: ${FILE}\n`)
stripTypes()
const server = await ServerProcess.start()
try {
  const results = await run(server, machine)
  for (const [name, text] of Object.entries(fragments(results))) process.stdout.write(`\n<!-- ${name} -->\n\n${text}\n`)
  if (docs) writeDocs(results)
} finally {
  await server.stop()
}
