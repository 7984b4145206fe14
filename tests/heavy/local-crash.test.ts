import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../src/content.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'
import { start } from './local-measured.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stowage-heavy-'))
})

afterEach(() => rm(root, { recursive: true, force: true }))

const MOMENTS = 200
const SIZE = 256 * 1024

/** Writes two versions in turn, for ever, each with metadata that says which it is, or every third time with none. */
const WRITER = (directory: string): string => `
  const driver = new LocalDriver({ root: ${JSON.stringify(directory)} })
  for (let round = 0; ; round++) {
    const version = 'ab'[round % 2]
    await driver.write('dir/file.txt', toContent(Buffer.alloc(${SIZE}, version)), round % 3 === 0 ? {} : { metadata: { version } })
    if (round === 0) console.log('ready')
  }`

describe('kill -9 in the middle of a put', () => {
  it(`leaves the old or the new file, never another's metadata, and no litter after the next sweep, ${MOMENTS} times`, async () => {
    let withLitter = 0
    for (let moment = 0; moment < MOMENTS; moment++) {
      const child = start(WRITER(root))
      await once(child.stdout as NodeJS.ReadableStream, 'data')
      await sleep(Math.random() * 20)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited

      const driver = new LocalDriver({ root })
      const { stat, body } = await driver.read('dir/file.txt', {})
      const bytes = await collect(body)
      const version = String.fromCharCode(bytes[0] as number)
      expect(['a', 'b']).toContain(version)
      expect(bytes.equals(Buffer.alloc(SIZE, version))).toBe(true)
      if (stat.metadata !== undefined) expect(stat.metadata).toEqual({ version })
      if ((await hidden(join(root, 'dir'))).some((name) => !name.startsWith('.stowage-meta-'))) withLitter++
      await driver.sweep()
      expect((await hidden(join(root, 'dir'))).filter((name) => !name.startsWith('.stowage-meta-'))).toEqual([])
      await driver.delete(['dir/file.txt'], {})
      await driver.sweep()
      expect(await readdir(join(root, 'dir'))).toEqual([])
      await driver.close()
    }
    console.log(`killed at ${MOMENTS} moments; ${withLitter} left something to sweep`)
    expect(withLitter).toBeGreaterThan(0) // else nothing was killed in the middle
  })
})

async function hidden(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith('.stowage'))
}

describe('processes that count in one file under a condition', () => {
  it('lose no increment', async () => {
    const [processes, increments] = [4, 150]
    const driver = new LocalDriver({ root })
    await driver.write('counter', toContent('0'), { metadata: { of: 'all' } })
    const counter = `
      const driver = new LocalDriver({ root: ${JSON.stringify(root)} })
      for (let done = 0; done < ${increments}; ) {
        const { stat, body } = await driver.read('counter', {})
        const next = String(Number(await collect(body)) + 1)
        try {
          await driver.write('counter', toContent(next), { ifMatch: stat.etag, metadata: stat.metadata })
          done++
        } catch (error) {
          if (error.code !== 'precondition_failed') throw error
        }
      }
      await driver.close()`
    const children = Array.from({ length: processes }, () => start(counter))
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number))
    expect(codes).toEqual(Array.from({ length: processes }, () => 0))
    const { stat, body } = await driver.read('counter', {})
    expect(String(await collect(body))).toBe(String(processes * increments))
    expect(stat.metadata).toEqual({ of: 'all' })
    expect((await hidden(root)).filter((name) => !name.startsWith('.stowage-meta-'))).toEqual([])
    await driver.close()
  })
})
