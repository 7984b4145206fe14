/**
 * Small requests as a chart: two columns of bars, speed and CPU time of each client beside the bare SDK's, as one SVG without anything from
 * elsewhere. It has a background of its own, light or dark as the reader's, so that it can be read on any page.
 *
 *   put 1 KiB                    × as fast as the SDK                        CPU time, SDK = 1
 *         sdk  ███ 1.0                                 ██████████████████ 1.00
 *     stowage  ██████████████ 4.4                      ████ 0.22
 */
import { cpuRatio, type Figure, figure, geometricMean, type Results, type Row, speedRatio } from './s3-results.ts'

const CLIENTS = ['sdk', 'sdk tuned', 'flydrive', 'flystorage', 'files-sdk', 'stowage', 'opendal']
/** The bars of the others are all alike. */
const KIND: Readonly<Record<string, string>> = { stowage: 'own', opendal: 'rust', sdk: 'reference' }

const WIDTH = 880
const LINE = 17
const BAR = 11
const GROUP_GAP = 34
const TOP = 116
const PANELS = [
  { title: 'Times as fast as the AWS SDK', hint: 'longer is better', x: 104, width: 350, digits: 1, of: speedRatio },
  { title: 'CPU time per operation, AWS SDK = 1', hint: 'shorter is better', x: 534, width: 280, digits: 2, of: cpuRatio },
] as const

interface Group {
  readonly title: string
  readonly rows: readonly Row[]
}

/** @throws Error for a run in which small requests were not measured */
export function chart({ machine, rows }: Results): string {
  const groups = Array.from(
    Map.groupBy(
      rows.filter(({ part }) => part === 'small'),
      ({ title }) => title.slice(0, title.lastIndexOf(',')),
    ),
    ([title, of]): Group => ({ title, rows: of }),
  )
  if (groups.length === 0) throw new Error('a chart needs the part "small"')
  const height = TOP + groups.length * (CLIENTS.length * LINE + GROUP_GAP) + 16
  const lines = groups.flatMap(({ title }, index) => groupLabels(title, topOf(index)))
  const bars = PANELS.flatMap((panel) => panelBars(panel, groups))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">`,
    '<title id="title">Small requests to S3: speed and CPU time of each client beside the AWS SDK</title>',
    STYLE,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(20, 30, 'Small requests to S3, beside the AWS SDK for JavaScript', 'heading'),
    text(20, 49, 'Mean of 1, 16 and 64 at once, plain HTTP to a local server that does nothing', 'muted'),
    text(20, 65, machine, 'muted'),
    ...PANELS.map(({ title, hint, x }) => `${text(x, 94, title, 'strong')}${text(x, 109, hint, 'muted')}`),
    ...lines,
    ...bars,
    '</svg>\n',
  ].join('\n')
}

const STYLE = `<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.heading { font-size: 16px; font-weight: 600 } .strong { font-weight: 600 } .muted { font-size: 11px; fill: #59636e } .end { text-anchor: end }
.card { fill: #ffffff; stroke: #d1d9e0 } .axis { stroke: #d1d9e0 }
.other { fill: #afb8c1 } .reference { fill: #6e7781 } .own { fill: #0969da } .rust { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .muted { fill: #9198a1 }
.card { fill: #0d1117; stroke: #3d444d } .axis { stroke: #3d444d }
.other { fill: #57606a } .reference { fill: #9198a1 } .own { fill: #4493f8 } .rust { fill: #db6d28 }
}
</style>`

function topOf(group: number): number {
  return TOP + group * (CLIENTS.length * LINE + GROUP_GAP) + GROUP_GAP - 8
}

function groupLabels(title: string, top: number): string[] {
  const names = CLIENTS.map((name, line) => text(96, top + line * LINE + BAR - 1, name, name === 'stowage' ? 'end strong' : 'end'))
  return [text(20, top - 8, title, 'strong'), ...names]
}

function panelBars({ x, width, digits, of }: (typeof PANELS)[number], groups: readonly Group[]): string[] {
  const values = groups.map(({ rows }) => CLIENTS.map((name) => mean(rows, name, of)))
  const scale = width / Math.max(...values.flat().filter((value) => !Number.isNaN(value)))
  return values.flatMap((clients, group) => {
    const top = topOf(group)
    const axis = `<line class="axis" x1="${x}" x2="${x}" y1="${top - 3}" y2="${top + CLIENTS.length * LINE - 2}"/>`
    const bars = clients.map((value, line) => {
      const y = top + line * LINE
      if (Number.isNaN(value)) return text(x + 5, y + BAR - 1, '–', 'muted')
      const length = Math.max(1, value * scale)
      const kind = KIND[CLIENTS[line] ?? ''] ?? 'other'
      return `<rect class="${kind}" x="${x}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="1.5"/>${text(x + length + 5, y + BAR - 1, value.toFixed(digits))}`
    })
    return [axis, ...bars]
  })
}

function mean(rows: readonly Row[], name: string, of: Figure): number {
  return geometricMean(rows.map((row) => figure(row, name, of)))
}

function text(x: number, y: number, content: string, kind = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y}"${kind === '' ? '' : ` class="${kind}"`}>${escaped}</text>`
}
