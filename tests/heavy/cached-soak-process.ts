/**
 * One process of the soak: writes or reads a folder through a cache in Redis until it is told to stop, and answers questions.
 *
 *   run      goes on                       stop     ends what it does
 *   ready    whether the cache works for it: it answers, and has been told of every write
 *   check    what it reads, by path, and how many answers came from the cache
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { collect, toContent } from '../../src/content.ts'
import { type CachedDriver, cached } from '../../src/decorators/cached/cached.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'

export type Question = 'run' | 'stop' | 'ready' | 'check'

export interface Setup {
  readonly role: 'write' | 'read'
  readonly name: string
  readonly root: string
  readonly url: string
  readonly memory: number
  readonly paths: readonly string[]
}

const { role, name, root, url, memory, paths } = JSON.parse(process.argv[2] ?? '') as Setup
const store = { driver: 'redis', url, prefix: 'soak', memory, budgetMs: 1_000 } as const
const disk = cached({ store, ttl: 100_000 })(new LocalDriver({ root })) as CachedDriver
let running = false
let working: Promise<void> = Promise.resolve()
let version = 0

async function work(): Promise<void> {
  while (running) {
    const path = paths[Math.floor(Math.random() * paths.length)] as string
    if (role === 'write') await disk.write(path, toContent(`${name} ${++version}`), {})
    else await read(path)
    await sleep(Math.random() * (role === 'write' ? 20 : 3))
  }
}

async function read(path: string): Promise<string> {
  return (await collect((await disk.read(path, {})).body)).toString()
}

async function isReady(): Promise<boolean> {
  await read('probe')
  const { hits } = disk.stats()
  await read('probe')
  return disk.stats().hits > hits
}

async function check(): Promise<{ contents: Readonly<Record<string, string>>; hits: number }> {
  const { hits } = disk.stats()
  const contents: Record<string, string> = {}
  for (const path of paths) contents[path] = await read(path)
  return { contents, hits: disk.stats().hits - hits }
}

async function answer(question: Question): Promise<unknown> {
  if (question === 'ready') return isReady()
  if (question === 'check') return check()
  running = question === 'run'
  if (running) working = work()
  else await working
  return true
}

process.on('message', (question: Question) => {
  answer(question).then(
    (reply) => process.send?.({ reply }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
