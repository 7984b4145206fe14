import { cached } from '../../src/decorators/cached/cached.ts'
import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import type { Driver } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { redisServer } from '../support/servers/redis-server.ts'

const memory = (): Driver => new MemoryDriver()
const key = generateKey()
let prefixes = 0

describeDriver('cached(memory), in memory', () => cached()(memory()))
describeDriver('cached(memory), in Redis', async () => {
  const { url } = await redisServer()
  return cached({ store: { driver: 'redis', url, prefix: `kit-${process.pid}-${++prefixes}` } })(memory())
})
describeDriver('encrypted(cached(memory))', () => encrypted({ key })(cached()(memory())))
