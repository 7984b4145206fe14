/** The tables of a run, as Markdown, each under the name of its place in docs/performance.md. */
import { judged, opendalDistance } from './s3-claims.ts'
import {
  coldFigure,
  type Cold,
  cpuRatio,
  type Checks,
  figure,
  idealMs,
  median,
  own,
  type Part,
  type Results,
  type Row,
  serverShare,
  speedRatio,
} from './s3-results.ts'

/** Beside docs/performance.md. */
export const CHART = 'images/s3-small-requests.svg'

/** Only of what was measured. */
export function fragments(results: Results): Record<string, string> {
  const of = (part: Part): readonly Row[] => results.rows.filter((row) => row.part === part)
  const all: Record<string, string | undefined> = {
    machine: circumstances(results),
    claims: judged(results),
    opendal: opendalDistance(results),
    checks: checksTable(results),
    chart: of('small').length === 0 ? undefined : chart(),
    small: smallTables(of('small')),
    streams: streamTables(of('streams')),
    capped: table('Milliseconds', of('capped'), milliseconds),
    latency: scriptTables(of('latency')),
    lists: scriptTables(of('lists')),
    cold: coldTable(results),
  }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''))
}

function circumstances({ machine, libraries, load, minutes }: Results): string {
  const rounds =
    'Some rows have fewer: one at 20 MB/s, two or three of listings, three of what is 200 at once, deletes, uploads with latency, downloads to memory.'
  const waiting = `The load was ${load.before.toFixed(1)} before the run and at most ${load.most.toFixed(1)} while it lasted, ${minutes.toFixed(0)} minutes.`
  return `${machine}; ${libraries}. ${rounds} ${waiting}`
}

function chart(): string {
  const what =
    'put, get and head of small files: how many times as fast as the AWS SDK each client is, and what share of its CPU time it takes'
  return `![Two bar charts of ${what}. The figures are in the tables below.](${CHART})`
}

function smallTables(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  return [
    table('Speed, `sdk` as 1', rows, (row, name) => fixed(figure(row, name, speedRatio), 2)),
    table('CPU time of the client per operation, `sdk` as 1', rows, (row, name) => fixed(figure(row, name, cpuRatio), 2)),
    table('CPU time of the client per operation, µs', rows, (row, name) =>
      fixed(
        own(row, name, ({ cpuMs, result }) => (cpuMs * 1_000) / result),
        0,
      ),
    ),
    serverTable(rows),
  ].join('\n\n')
}

/** Where the server is busy nearly all the time, it is what was measured. */
function serverTable(rows: readonly Row[]): string {
  const names = columns(rows)
  const shares = names.map((name) => fixed(100 * Math.max(...rows.map((row) => own(row, name, serverShare))), 0))
  return [
    'The part of its core that the server used at most, per cent. Close to 100 a client is faster than its row says:',
    head(names),
    `| busiest row | ${shares.join(' | ')} |`,
  ]
    .join('\n\n')
    .replace('|\n\n| busiest', '|\n| busiest')
}

function streamTables(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  return [
    table('Milliseconds', rows, milliseconds),
    table('CPU of the client, ms', rows, cpu),
    table('Peak resident memory of the process, MiB', rows, (row, name) =>
      fixed(
        own(row, name, ({ peakRssMb }) => peakRssMb),
        0,
      ),
    ),
    table('Connections', rows, (row, name) =>
      fixed(
        own(row, name, ({ connections }) => connections),
        0,
      ),
    ),
    serverTable(rows),
  ].join('\n\n')
}

function scriptTables(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  const ideal = rows.some((row) => idealMs(row) !== undefined)
  return [table('Milliseconds', rows, milliseconds, ideal), table('CPU of the client, ms', rows, cpu)].join('\n\n')
}

function milliseconds(row: Row, name: string): string {
  return fixed(
    own(row, name, ({ ms = Number.NaN }) => ms),
    0,
  )
}

function cpu(row: Row, name: string): string {
  return fixed(
    own(row, name, ({ cpuMs }) => cpuMs),
    0,
  )
}

function table(title: string, rows: readonly Row[], cell: (row: Row, name: string) => string, ideal = false): string {
  if (rows.length === 0) return ''
  const names = columns(rows)
  const lines = rows.map((row) => {
    const cells = names.map((name) => cell(row, name))
    return `| ${row.title} | ${[...(ideal ? [fixed(idealMs(row) ?? Number.NaN, 0)] : []), ...cells].join(' | ')} |`
  })
  return [`${title}:\n`, head([...(ideal ? ['ideal'] : []), ...names]), ...lines].join('\n')
}

function columns(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap(({ samples }) => Object.keys(samples)))]
}

function head(names: readonly string[]): string {
  return `| | ${names.join(' | ')} |\n|---|${names.map(() => '---:').join('|')}|`
}

function coldTable(results: Results): string | undefined {
  const names = Object.keys(results.cold)
  if (names.length === 0) return undefined
  const lines = names.map((name) => {
    const of = (read: (sample: Cold) => number): number => coldFigure(results, name, read)
    const wall = of(({ wallMs }) => wallMs) - median((results.cold['nothing'] ?? []).map(({ wallMs }) => wallMs))
    const figures = [of(({ importMs }) => importMs), of(({ firstMs }) => firstMs), wall, of(({ cpuMs }) => cpuMs), of(({ rssMb }) => rssMb)]
    const { modules, sdk } = results.loads[name] ?? { modules: Number.NaN, sdk: Number.NaN }
    return `| ${name} | ${figures.map((value) => fixed(value, 1)).join(' | ')} | ${modules} | ${sdk} |`
  })
  return [
    '| | import and construct, ms | first get, ms | whole process over bare Node, ms | CPU, ms | RSS, MiB | modules loaded | of the SDK |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

const CHECKS: readonly (readonly [title: string, of: keyof Checks])[] = [
  ['put: the signature covers the body', 'putSigned'],
  ['put: a checksum is sent', 'putChecksum'],
  ['part of an upload: the signature covers the body', 'partSigned'],
  ['part of an upload: a checksum is sent', 'partChecksum'],
  ['get: a checksum is asked for', 'getAsks'],
  ['get of bytes that are not those of the checksum: refused', 'getRefuses'],
  ['the same of a stream: refused', 'downloadRefuses'],
]

function checksTable({ checks }: Results): string {
  const names = Object.keys(checks)
  const lines = CHECKS.map(([title, of]) => `| ${title} | ${names.map((name) => said(checks[name]?.[of])).join(' | ')} |`)
  return [`| | ${names.join(' | ')} |`, `|---|${names.map(() => ':-:').join('|')}|`, ...lines].join('\n')
}

function said(claim: boolean | undefined): string {
  if (claim === undefined) return '–'
  return claim ? 'yes' : 'no'
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}
