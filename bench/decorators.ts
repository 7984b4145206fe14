/**
 * The decorators beside what they wrap and beside other tools, each part in a process of its own.
 *
 *   npm ci --prefix bench && npm run build && node bench/decorators.ts [cached] [encrypted]      prints Markdown; all parts when none is named
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const PARTS = ['cached', 'encrypted']
const named = process.argv.slice(2)
for (const part of PARTS.filter((name) => named.length === 0 || named.includes(name))) {
  console.log(`\n## ${part}\n`)
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `decorators-${part}.ts`)], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
