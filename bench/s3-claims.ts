/** What the S3 disk is meant to reach, held against a run. A claim about several rows is met when the worst of them meets it. */
import {
  coldFigure,
  cpuRatio,
  type Figure,
  figure,
  geometricMean,
  idealMs,
  own,
  PEERS,
  type Results,
  type Row,
  speedRatio,
} from './s3-results.ts'

interface Claim {
  readonly what: string
  readonly bound: string
  readonly measured: string
  readonly verdict: 'met' | 'not met' | 'met on the mean' | 'not measured'
}

interface Cell {
  readonly where: string
  readonly value: number
}

const MAX_COLD_MS = 45

export function judged(results: Results): string {
  const claims = [...smallClaims(results), ...streamClaims(results), ...waitClaims(results), ...coldClaims(results)]
  return [
    '| | bound | measured | |',
    '|---|---|---|---|',
    ...claims.map(({ what, bound, measured, verdict }) => `| ${what} | ${bound} | ${measured} | ${verdict} |`),
  ].join('\n')
}

function smallClaims({ rows }: Results): Claim[] {
  const claims: Claim[] = []
  for (const kind of ['put', 'get', 'head'] as const) {
    const name = `${kind}${kind === 'head' ? '' : ' 1 KiB'}`
    const own = smallRows(rows, kind, 1_024)
    const present = PEERS.filter((peer) => own[0]?.samples[peer] !== undefined)
    const peers = present.flatMap((peer) => cells(own, speedRatio, peer).map(({ where, value }) => ({ where: `${peer}, ${where}`, value })))
    claims.push(
      atLeast(`${name}, speed`, '4 × `sdk`', 4, cells(own, speedRatio)),
      atMost(`${name}, CPU`, '0.3 × `sdk`', 0.3, cells(own, cpuRatio)),
      atLeast(`${name}, speed`, '2.5 × every peer on the SDK', 2.5, peers),
    )
  }
  for (const kind of ['put', 'get'] as const)
    claims.push(atLeast(`${kind} 64 KiB, speed`, '3 × `sdk`', 3, cells(smallRows(rows, kind, 65_536), speedRatio)))
  return claims
}

function streamClaims({ rows }: Results): Claim[] {
  return (['upload', 'download'] as const).flatMap((kind) => {
    const row = rows.filter(({ part, task, latencyMs }) => part === 'streams' && task.kind === kind && latencyMs === 0)
    const beside = (name: string, reference: string): Cell[] => cells(row, speedRatio, reference, name)
    const sdk = kind === 'upload' ? 'lib-storage' : '`sdk`'
    const what = row[0]?.title.replace(/ (?:of|as) .*/, '') ?? `${kind} 256 MiB`
    return [
      atLeast(`${what}, speed`, `1.5 × ${sdk} as it comes`, 1.5, beside('stowage', 'sdk')),
      atLeast(`${what}, speed`, '0.9 × opendal', 0.9, beside('stowage', 'opendal')),
      atLeast(`${what} with \`stowage plain\`, speed`, '0.9 × opendal', 0.9, beside('stowage plain', 'opendal')),
    ]
  })
}

function waitClaims({ rows }: Results): Claim[] {
  const wanted = rows.filter(
    ({ task, latencyMs }) => latencyMs > 0 && (task.kind === 'list' || ('concurrency' in task && task.concurrency === 50)),
  )
  if (wanted.length === 0)
    return [judge({ what: '1,000 × 10 KiB and 100,000 keys, 20 ms latency', bound: '≤ 1.2 × the ideal' }, [], () => true)]
  return wanted.map((row) => {
    const ideal = idealMs(row) ?? Number.NaN
    const times = (name: string): number => own(row, name, ({ ms = Number.NaN }) => ms) / ideal
    const what = row.task.kind === 'list' ? row.title : `${row.title}, 20 ms latency`
    const claim = atMost(what, `1.2 × ${ideal} ms`, 1.2, [{ where: '', value: times('stowage') }])
    return { ...claim, measured: `${claim.measured} (${times('wire').toFixed(2)} when a client does nothing)` }
  })
}

function coldClaims(results: Results): Claim[] {
  const within = (what: string, value: number): Claim => atMost(what, `${MAX_COLD_MS} ms`, MAX_COLD_MS, [{ where: '', value }])
  return ['stowage', 'stowage configured'].flatMap((name) => [
    within(
      `cold start of \`${name}\`: import and construct`,
      coldFigure(results, name, (sample) => sample.importMs),
    ),
    within(
      `cold start of \`${name}\`: the first get as well`,
      coldFigure(results, name, (sample) => sample.importMs + sample.firstMs),
    ),
    atMost(`modules of the SDK that \`${name}\` loads`, 'none', 0, [{ where: '', value: results.loads[name]?.sdk ?? Number.NaN }]),
  ])
}

function smallRows(rows: readonly Row[], kind: string, bytes: number): Row[] {
  return rows.filter(({ part, task }) => part === 'small' && task.kind === kind && 'bytes' in task && task.bytes === bytes)
}

function cells(rows: readonly Row[], of: Figure, reference?: string, name = 'stowage'): Cell[] {
  return rows.map((row) => ({ where: row.title.split(', ').at(-1) ?? '', value: figure(row, name, of, reference) }))
}

function atLeast(what: string, bound: string, least: number, of: readonly Cell[]): Claim {
  return judge({ what, bound: `≥ ${bound}` }, of, (value) => value >= least, Math.min)
}

function atMost(what: string, bound: string, most: number, of: readonly Cell[]): Claim {
  return judge({ what, bound: most === 0 ? bound : `≤ ${bound}` }, of, (value) => value <= most, Math.max)
}

function judge(
  { what, bound }: { readonly what: string; readonly bound: string },
  of: readonly Cell[],
  holds: (value: number) => boolean,
  worstOf: (...values: number[]) => number = Math.min,
): Claim {
  if (of.length === 0 || of.some(({ value }) => Number.isNaN(value))) return { what, bound, measured: '–', verdict: 'not measured' }
  const worst = worstOf(...of.map(({ value }) => value))
  const where = of.find(({ value }) => value === worst)?.where ?? ''
  if (of.length === 1) return { what, bound, measured: written(worst), verdict: holds(worst) ? 'met' : 'not met' }
  const mean = geometricMean(of.map(({ value }) => value))
  const measured = `${written(worst)} at worst (${where}), ${written(mean)} on the mean`
  if (holds(worst)) return { what, bound, measured, verdict: 'met' }
  return { what, bound, measured, verdict: holds(mean) ? 'met on the mean' : 'not met' }
}

function written(value: number): string {
  return Number.isInteger(value) || value >= 20 ? value.toFixed(0) : value.toFixed(2)
}

/** How far Rust is ahead: means over the concurrencies of small requests, else the row itself. */
export function opendalDistance({ rows }: Results): string | undefined {
  const groups = Map.groupBy(
    rows.filter(({ part }) => part !== 'capped'),
    ({ part, title }) => (part === 'small' ? title.slice(0, title.lastIndexOf(',')) : title),
  )
  const ratio = (group: readonly Row[], of: Figure, name: string, reference: string): number =>
    geometricMean(cells(group, of, reference, name).map(({ value }) => value))
  const lines = Array.from(groups, ([title, group]) => [
    title,
    ratio(group, speedRatio, 'opendal', 'stowage'),
    ratio(group, speedRatio, 'opendal', 'stowage plain'),
    ratio(group, cpuRatio, 'stowage', 'opendal'),
    ratio(group, cpuRatio, 'stowage plain', 'opendal'),
  ]).filter(([, speed]) => Number.isFinite(speed))
  if (lines.length === 0) return undefined
  const shown = (cell: string | number): string => (typeof cell === 'string' ? cell : Number.isFinite(cell) ? cell.toFixed(2) : '–')
  return [
    "| | opendal's speed, `stowage` as 1 | `stowage plain` as 1 | CPU of `stowage`, opendal as 1 | CPU of `stowage plain` |",
    '|---|---:|---:|---:|---:|',
    ...lines.map((line) => `| ${line.map(shown).join(' | ')} |`),
  ].join('\n')
}
