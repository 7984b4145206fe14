import { describe, expect, it } from '@jest/globals'
import { CLOUD_STORES, S3_OVER_SDK } from './cloud-stores.ts'
import { measured } from './local-measured.ts'

const GIB = 1024 ** 3
/** Up to 51 were seen. */
const LIMIT_MIB = 72
/** The SDK keeps more of each part than its bytes. */
const SDK_LIMIT_MIB = 96

/**
 * What has passed before it is measured: the SDK, with its first requests; and buffers alone, for which Node takes at its peak what it
 * takes for any 1 GiB that passes, because it collects 64 KiB buffers only when there are some 64 MiB of them. Whether it has just
 * collected them when the measurement begins is chance, and makes no difference to the peak.
 */
const WARM_UP = `
await driver.write('small', toContent('small'), {})
await collect((await driver.read('small', {})).body)
async function* buffers() { for (let n = 0; n < 8_192; n++) yield Buffer.alloc(65_536, n) }
for await (const _ of toReadable(buffers()));
`

describe('memory', () => {
  it.each([
    ...CLOUD_STORES.map(([name, make]) => [name, LIMIT_MIB, make] as const),
    [S3_OVER_SDK[0], SDK_LIMIT_MIB, S3_OVER_SDK[1]] as const,
  ])('grows while 1 GiB of unknown length goes up to %s, and while it comes down, by less than %d MiB', async (name, limitMiB, make) => {
    const store = await make()
    const up = await measured(`${store.code}${WARM_UP}
      async function* chunks() { for (let n = 0; n < 16_384; n++) yield Buffer.alloc(65_536, n) }
      await measure(async () => (await driver.write('big', toContent(chunks()), {})).size)
      await driver.close()`)
    const down = await measured(`${store.code}${WARM_UP}
      await measure(async () => {
        let bytes = 0
        for await (const chunk of toReadable((await driver.read('big', {})).body)) {
          const ends = [[0, bytes], [chunk.byteLength - 1, bytes + chunk.byteLength - 1]]
          if (ends.some(([at, offset]) => chunk[at] !== Math.floor(offset / 65_536) % 256)) throw new Error('other bytes around ' + bytes)
          bytes += chunk.byteLength
        }
        return bytes
      })
      await driver.close()`)
    expect(await store.leftovers()).toEqual([])
    await store.driver.delete(['big', 'small'], {})
    await store.remove()
    await store.driver.close()
    console.log(`1 GiB, ${name}: up +${up.growthMiB.toFixed(1)} MiB, down +${down.growthMiB.toFixed(1)} MiB`)
    expect([up.result, down.result]).toEqual([GIB, GIB])
    expect(up.growthMiB).toBeLessThan(limitMiB)
    expect(down.growthMiB).toBeLessThan(limitMiB)
  })
})
