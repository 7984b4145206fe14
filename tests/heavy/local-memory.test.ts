import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { measured } from './local-measured.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stowage-heavy-'))
})

afterAll(() => rm(root, { recursive: true, force: true }))

const GIB4 = 4 * 1024 ** 3

/** What the first files of any size and number take, code and threads, is no growth with them. */
const FIRST_FILES = `
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
const first = await mkdtemp(join(tmpdir(), 'stowage-first-'))
const small = new LocalDriver({ root: first })
async function* few() { for (let n = 0; n < 128; n++) yield Buffer.alloc(65_536, n) }
for (let n = 0; n < 32; n++) await small.write('directory/' + n, toContent(n > 0 ? Buffer.from('x') : few()), {})
for await (const _ of toReadable((await small.read('directory/0', {})).body));
for (let n = 0; n < 200; n++) await small.list('', { recursive: true, stat: n % 2 === 0 })
await small.close()
await rm(first, { recursive: true })
`

async function plant(directory: string, count: number): Promise<void> {
  await mkdir(directory, { recursive: true })
  let next = 0
  const make = async (): Promise<void> => {
    while (next < count) await (await open(join(directory, `file-${String(next++).padStart(7, '0')}.txt`), 'w')).close()
  }
  await Promise.all(Array.from({ length: 16 }, make))
}

function listing(directory: string, stat: boolean): Promise<{ growthMiB: number; result: unknown }> {
  return measured(`
    const driver = new LocalDriver({ root: ${JSON.stringify(directory)} })
    ${FIRST_FILES}
    await measure(async () => {
      let [files, previous, cursor] = [0, '', undefined]
      do {
        const page = await driver.list('', { recursive: true, stat: ${stat}, cursor })
        for (const entry of page.entries) {
          if (entry.type !== 'file') continue
          if (!(entry.path > previous)) throw new Error('out of order: ' + entry.path)
          previous = entry.path
          files++
        }
        cursor = page.cursor
      } while (cursor !== undefined)
      return files
    })
    await driver.close()`)
}

describe('memory', () => {
  it('stays under 64 MiB while 4 GiB are put and read', async () => {
    const put = await measured(`
      const driver = new LocalDriver({ root: ${JSON.stringify(root)} })
      ${FIRST_FILES}
      async function* chunks() { for (let n = 0; n < 65_536; n++) yield Buffer.alloc(65_536, n) }
      await measure(async () => (await driver.write('big', toContent(chunks()), {})).size)
      await driver.close()`)
    const read = await measured(`
      const driver = new LocalDriver({ root: ${JSON.stringify(root)} })
      ${FIRST_FILES}
      await measure(async () => {
        let bytes = 0
        for await (const chunk of toReadable((await driver.read('big', {})).body)) bytes += chunk.byteLength
        return bytes
      })
      await driver.close()`)
    await rm(join(root, 'big'))
    console.log(`4 GiB: put +${put.growthMiB.toFixed(1)} MiB, read +${read.growthMiB.toFixed(1)} MiB`)
    expect([put.result, read.result]).toEqual([GIB4, GIB4])
    expect(put.growthMiB).toBeLessThan(64)
    expect(read.growthMiB).toBeLessThan(64)
  })

  it('stays under 64 MiB while 1,000,000 files in 1,000 directories are listed', async () => {
    const tree = join(root, 'tree')
    for (let n = 0; n < 1_000; n++) await plant(join(tree, `directory-${String(n).padStart(4, '0')}`), 1_000)
    const [names, facts] = [await listing(tree, false), await listing(tree, true)]
    await rm(tree, { recursive: true })
    console.log(`1,000,000 in 1,000: names +${names.growthMiB.toFixed(1)} MiB, with facts +${facts.growthMiB.toFixed(1)} MiB`)
    expect([names.result, facts.result]).toEqual([1_000_000, 1_000_000])
    expect(names.growthMiB).toBeLessThan(64)
    expect(facts.growthMiB).toBeLessThan(64)
  })

  it('stays under 300 MiB while one flat directory of 1,000,000 is listed', async () => {
    const flat = join(root, 'flat')
    await plant(flat, 1_000_000)
    const [names, facts] = [await listing(flat, false), await listing(flat, true)]
    await rm(flat, { recursive: true })
    console.log(`1,000,000 flat: names +${names.growthMiB.toFixed(1)} MiB, with facts +${facts.growthMiB.toFixed(1)} MiB`)
    expect([names.result, facts.result]).toEqual([1_000_000, 1_000_000])
    expect(names.growthMiB).toBeLessThan(300)
    expect(facts.growthMiB).toBeLessThan(300)
  })
})
