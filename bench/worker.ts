/** One implementation in a process of its own. It measures what the parent asks for, when it asks, and answers in milliseconds. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { IMPLEMENTATIONS, type Implementation } from './implementations.ts'

export type Task =
  | { readonly kind: 'put' | 'get'; readonly bytes: number; readonly concurrency: number; readonly count: number }
  | { readonly kind: 'names' | 'stats' }
  | { readonly kind: 'write' | 'read' | 'copy'; readonly bytes: number }

export interface Measurement {
  /** Milliseconds; undefined where the implementation cannot do it. */
  readonly ms: number | undefined
  readonly cpuMs: number
  readonly peakRssMb: number
  /** What was counted: files or bytes, so that the parent sees that the work was done. */
  readonly result: number
  readonly error?: string
}

const KEYS = 64
const CHUNK = Buffer.alloc(1024 * 1024, 7)

async function perform(disk: Implementation, task: Task): Promise<number | undefined> {
  if (task.kind === 'put' || task.kind === 'get') return smallFiles(disk, task)
  if (task.kind === 'names') return disk.names?.()
  if (task.kind === 'stats') return disk.stats?.()
  if (task.kind === 'copy') return disk.copy === undefined ? undefined : disk.copy('large', 'large-copy').then(() => task.bytes)
  if (task.kind === 'write')
    return disk.writeStream === undefined ? undefined : disk.writeStream('large', source(task.bytes)).then(() => task.bytes)
  if (disk.readStream === undefined) return undefined
  let read = 0
  for await (const chunk of await disk.readStream('large')) read += chunk.byteLength
  return read
}

async function smallFiles(disk: Implementation, { kind, bytes, concurrency, count }: Extract<Task, { count: number }>): Promise<number> {
  const content = randomBytes(bytes)
  let next = 0
  let done = 0
  const run = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const key = `small/${bytes}-${index % KEYS}`
      if (kind === 'put') await disk.put(key, content)
      else if ((await disk.get(key)).byteLength !== bytes) throw new Error('a read was short')
      done++
    }
  }
  await Promise.all(Array.from({ length: concurrency }, run))
  return done
}

function source(bytes: number): Readable {
  let left = bytes
  return new Readable({
    highWaterMark: CHUNK.byteLength,
    read() {
      const size = Math.min(left, CHUNK.byteLength)
      left -= size
      this.push(size === 0 ? null : CHUNK.subarray(0, size))
    },
  })
}

async function measure(disk: Implementation, task: Task): Promise<Measurement> {
  const cpu = process.cpuUsage()
  const before = performance.now()
  try {
    const result = await perform(disk, task)
    const ms = performance.now() - before
    return { ms: result === undefined ? undefined : ms, ...usage(cpu), result: result ?? 0 }
  } catch (error) {
    return { ms: undefined, ...usage(cpu), result: 0, error: String(error) }
  }
}

function usage(since: NodeJS.CpuUsage): { cpuMs: number; peakRssMb: number } {
  const { user, system } = process.cpuUsage(since)
  return { cpuMs: (user + system) / 1000, peakRssMb: process.resourceUsage().maxRSS / 1024 }
}

const [name = '', root = ''] = process.argv.slice(2)
const disk = await IMPLEMENTATIONS[name]?.(root)
if (disk === undefined) throw new Error(`unknown implementation ${name}`)
process.on('message', (task: Task) => {
  measure(disk, task).then(
    (measurement) => process.send?.(measurement),
    () => process.exit(1),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
