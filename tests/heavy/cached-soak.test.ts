/**
 * Two processes write and two read one folder through a cache in Redis, while a writer or Redis is killed now and then. Whenever they
 * pause, every reader has to see what the folder holds.
 *
 * A writer is killed only while Redis is there: what it owed to a Redis that was gone dies with it, and others see it when an entry's
 * time is over (docs/cached.md).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { OwnRedis } from '../unit/cached/own-redis.ts'
import type { Question, Setup } from './cached-soak-process.ts'

const PATHS = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const DURATION_MS = 20_000
/** Until messages that were published have arrived, and leases have run out. */
const QUIET_MS = 2_000

class Worker {
  readonly #setup: Setup
  #child: ChildProcess

  constructor(setup: Setup) {
    this.#setup = setup
    this.#child = this.#start()
  }

  async ask<T>(question: Question): Promise<T> {
    const heard = once(this.#child, 'message')
    this.#child.send(question)
    const [{ reply, error }] = (await heard) as [{ reply: T; error?: string }]
    if (error !== undefined) throw new Error(`${this.#setup.name}: ${error}`)
    return reply
  }

  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  async restart(): Promise<void> {
    await this.kill()
    this.#child = this.#start()
    await this.ask('run')
  }

  #start(): ChildProcess {
    return fork(join(import.meta.dirname, 'cached-soak-process.ts'), [JSON.stringify(this.#setup)], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
  }
}

/** Lets everybody pause. @returns what each reader sees, and the folder holds */
async function settled(workers: readonly Worker[], readers: readonly Worker[], root: string): Promise<number> {
  await Promise.all(workers.map((worker) => worker.ask('stop')))
  for (const worker of workers) while (!(await worker.ask<boolean>('ready'))) await sleep(100)
  await sleep(QUIET_MS)
  const held = Object.fromEntries(await Promise.all(PATHS.map(async (path) => [path, await readFile(join(root, path), 'utf8')])))
  let hits = 0
  for (const _round of ['from where it lies', 'from what that left']) {
    for (const reader of readers) {
      const seen = await reader.ask<{ contents: unknown; hits: number }>('check')
      expect(seen.contents).toEqual(held)
      hits += seen.hits
    }
  }
  await Promise.all(workers.map((worker) => worker.ask('run')))
  return hits
}

async function soak(memory: number): Promise<{ pauses: number; hits: number }> {
  const root = await mkdtemp(join(tmpdir(), 'stowage-soak-'))
  await Promise.all([...PATHS, 'probe'].map((path) => writeFile(join(root, path), 'nobody 0')))
  const redis = await OwnRedis.start()
  const setup = { root, url: redis.url, memory, paths: PATHS }
  const writers = ['one', 'two'].map((name) => new Worker({ ...setup, role: 'write', name: `writer ${name}` }))
  const readers = ['one', 'two'].map((name) => new Worker({ ...setup, role: 'read', name: `reader ${name}` }))
  const workers = [...writers, ...readers]
  const found = { pauses: 0, hits: 0 }
  try {
    await Promise.all(workers.map((worker) => worker.ask('run')))
    for (const end = performance.now() + DURATION_MS; performance.now() < end; found.pauses++) {
      for (let kill = 0; kill < 3; kill++) {
        await sleep(200 + Math.random() * 800)
        await (writers[Math.floor(Math.random() * 2)] as Worker).restart()
      }
      found.hits += await settled(workers, readers, root)
      await sleep(200 + Math.random() * 800)
      await redis.kill()
      await sleep(Math.random() * 1_000)
      await redis.start()
      await sleep(Math.random() * 2_000)
      found.hits += await settled(workers, readers, root)
    }
    return found
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()))
    await redis.kill()
    await rm(root, { recursive: true, force: true })
  }
}

describe('a cache that two processes write and two read', () => {
  it.each([
    ['in Redis', 0],
    ['in Redis with memory in front', 1_000_000],
  ])('%s is never behind the disk once all is quiet', async (where, memory) => {
    const { pauses, hits } = await soak(memory)
    console.log(`${where}: ${pauses} times quiet after writers were killed, and after Redis was; ${hits} hits`)
    expect(hits).toBeGreaterThan(0)
  })
})
