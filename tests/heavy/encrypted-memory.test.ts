/** Files of any size in constant memory: what an encrypted disk needs does not grow with them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { measured } from './local-measured.ts'

let root: string
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'stowage-heavy-'))))
afterAll(() => rm(root, { recursive: true, force: true }))

const GIB4 = 4 * 1024 ** 3
const ENCRYPTED = JSON.stringify(new URL('../../src/decorators/encrypted/encrypted.ts', import.meta.url).href)
const SETUP = (format: string): string => `
  const { encrypted } = await import(${ENCRYPTED})
  const local = new LocalDriver({ root: ${JSON.stringify(root)} })
  const driver = encrypted({ key: Buffer.alloc(32, 7).toString('base64'), format: '${format}' })(local)
  // Chunks of a known pattern: cheap to make and to check.
  const chunk = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 251))
  // What the first file of any size takes, code and threads, is no growth with size.
  async function* few() { for (let n = 0; n < 128; n++) yield chunk }
  await driver.write('small', toContent(few()), {})
  for await (const _ of toReadable((await driver.read('small', {})).body));`

describe('memory', () => {
  it.each(['age', 'tink'])('stays under 64 MiB while 4 GiB are encrypted and decrypted on a local disk: %s', async (format) => {
    const put = await measured(`${SETUP(format)}
      async function* chunks() { for (let n = 0; n < 65_536; n++) yield chunk }
      await measure(async () => (await driver.write('big', toContent(chunks()), {})).size)
      await driver.close()`)
    const read = await measured(`${SETUP(format)}
      await measure(async () => {
        let bytes = 0
        for await (const plain of toReadable((await driver.read('big', {})).body)) {
          if (plain[0] !== (bytes % 65_536) % 251) throw new Error('another byte at ' + bytes)
          bytes += plain.byteLength
        }
        return bytes
      })
      await driver.close()`)
    await rm(join(root, 'big'))
    console.log(`4 GiB as ${format}: put +${put.growthMiB.toFixed(1)} MiB, read +${read.growthMiB.toFixed(1)} MiB`)
    expect([put.result, read.result]).toEqual([GIB4, GIB4])
    expect(put.growthMiB).toBeLessThan(64)
    expect(read.growthMiB).toBeLessThan(64)
  })
})
