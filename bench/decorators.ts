/**
 * The decorators beside what they wrap and beside other tools.
 *
 *   node bench/decorators.ts [cached] [encrypted]     prints Markdown; all parts when none is named
 */
import { benchCached } from './decorators-cached.ts'

const PARTS: Readonly<Record<string, () => Promise<string>>> = { cached: benchCached }
const wanted = process.argv.slice(2)
for (const [name, run] of Object.entries(PARTS)) {
  if (wanted.length === 0 || wanted.includes(name)) console.log(`## ${name}\n\n${await run()}\n`)
}
