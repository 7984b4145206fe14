/**
 * Cold start: what a fresh process pays to import a library and construct an S3 disk, and for its first get; with a third argument `put`,
 * for its first put. `stowage configured` is the disk as apps have it: `Storage.configure`, and the disk by its name.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Core from '../src/index.ts'
import { S3_IMPLEMENTATIONS } from './s3-implementations.ts'

interface Client {
  put(key: string, bytes: Buffer): Promise<unknown>
  get(key: string): Promise<Uint8Array>
}

async function configured(endpoint: string): Promise<Client> {
  const { Storage } = (await import(pathToFileURL(join(process.env['BENCH_DIST'] ?? 'dist', 'index.js')).href)) as typeof Core
  const keys = { region: 'us-east-1', key: 'AKIDBENCHBENCHBENCH0', secret: 'bench/secret/bench/secret/bench/secret00' }
  Storage.configure({ default: 's3', disks: { s3: { driver: 's3', bucket: 'bench', endpoint, pathStyle: true, ...keys } } })
  Storage.disk('s3').supports('multipart') // makes the driver
  return Storage
}

const [name = '', endpoint = '', first = 'get'] = process.argv.slice(2)
const begin = performance.now()
const client = await (name === 'stowage configured' ? configured(endpoint) : S3_IMPLEMENTATIONS[name]?.(endpoint))
const constructed = performance.now()
if (first === 'put') await client?.put('first', Buffer.alloc(1_024))
else {
  const bytes = await client?.get('s1024/first')
  if (client !== undefined && bytes?.byteLength !== 1_024) throw new Error('the first get was short')
}
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
