/** Cold start: what a fresh process pays to import a library and construct an S3 disk, and for its first get. */
import { S3_IMPLEMENTATIONS } from './s3-implementations.ts'

const [name = '', endpoint = ''] = process.argv.slice(2)
const begin = performance.now()
const client = name === 'nothing' ? undefined : await S3_IMPLEMENTATIONS[name]?.(endpoint)
const constructed = performance.now()
const bytes = await client?.get('s1024/first')
if (client !== undefined && bytes?.byteLength !== 1_024) throw new Error('the first get was short')
const done = performance.now()
const { user, system } = process.cpuUsage()
process.stdout.write(
  JSON.stringify({
    importMs: constructed - begin,
    firstMs: done - constructed,
    cpuMs: (user + system) / 1_000,
    rssMb: process.memoryUsage.rss() / 1024 ** 2,
  }),
)
process.exit()
