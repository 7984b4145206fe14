import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { collect, toContent } from '../../src/content.ts'
import { CLOUD_STORES, filesOf } from './cloud-stores.ts'
import { start } from './local-measured.ts'

const MOMENTS = 12
const SIZE = 24 * 1024 * 1024

/** Writes without end, of unknown length and in several parts: over a file, and where none is, in turn. */
const WRITER = (moment: number): string => `
for (let round = ${moment}; ; round++) {
  async function* chunks() { for (let n = 0; n < ${SIZE / 65_536}; n++) yield Buffer.alloc(65_536, 'ab'[round % 2]) }
  const writing = driver.write(round % 2 === 0 ? 'dir/file.bin' : 'dir/new-' + round + '.bin', toContent(chunks()), {})
  if (round === ${moment}) console.log('ready')
  await writing
}`

describe('kill -9 in the middle of an upload', () => {
  it.each(CLOUD_STORES)(`leaves whole files on %s, and nothing else after it is pruned, ${MOMENTS} times`, async (name, make) => {
    const store = await make()
    const { driver } = store
    let interrupted = 0
    for (let moment = 0; moment < MOMENTS; moment++) {
      await driver.write('dir/file.bin', toContent(Buffer.alloc(SIZE, 'o')), {})
      const child = start(store.code + WRITER(moment))
      await once(child.stdout as NodeJS.ReadableStream, 'data')
      await sleep(Math.random() * 1_000)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await sleep(100) // The server may have to notice.

      const files = await filesOf(driver)
      expect(files).toContain('dir/file.bin')
      for (const path of files) {
        const bytes = await collect((await driver.read(path, {})).body)
        expect([path, bytes.equals(Buffer.alloc(SIZE, bytes[0]))]).toEqual([path, true])
      }
      if ((await store.traces()).length > 0) interrupted++
      await store.prune()
      expect(await store.leftovers()).toEqual([])
      expect(await filesOf(driver)).toEqual(files)
      await driver.delete(files, {})
    }
    console.log(`${name}: killed at ${MOMENTS} moments; ${interrupted} left traces`)
    expect(interrupted).toBeGreaterThan(0) // else nothing was killed in the middle
    await driver.close()
    await store.remove()
  })
})
