/**
 * Puts the tables and the chart of a run into docs/performance.md, between the markers that name them, and nothing else there. Also by itself:
 *
 *   node bench/s3-documents.ts results.json
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { chart } from './s3-chart.ts'
import { CHART, fragments } from './s3-report.ts'
import type { Results } from './s3-results.ts'

const DOCS = join(import.meta.dirname, '../docs')
const PAGE = join(DOCS, 'performance.md')

/** @throws Error when the page has no place for a table, or the run no table for a place: one page is of one run */
export function writeDocs(results: Results): void {
  const texts = fragments(results)
  const places = new Set<string>()
  const page = readFileSync(PAGE, 'utf8').replaceAll(
    /(<!-- s3:(\w+) -->\n).*?(<!-- \/s3:\2 -->)/gs,
    (_, begin: string, name: string, end: string) => {
      const text = texts[name]
      if (text === undefined) throw new Error(`the run has no "${name}"`)
      places.add(name)
      return `${begin}\n${text}\n\n${end}`
    },
  )
  const homeless = Object.keys(texts).filter((name) => !places.has(name))
  if (homeless.length > 0) throw new Error(`docs/performance.md has no place for ${homeless.join(', ')}`)
  const image = join(DOCS, CHART)
  mkdirSync(dirname(image), { recursive: true })
  writeFileSync(image, chart(results))
  writeFileSync(PAGE, page)
}

if (import.meta.main) {
  const [file] = process.argv.slice(2)
  if (file === undefined) throw new Error('which results? node bench/s3-documents.ts results.json')
  writeDocs(JSON.parse(readFileSync(file, 'utf8')) as Results)
}
