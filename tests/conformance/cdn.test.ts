import { cdn } from '../../src/decorators/cdn/cdn.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { acceptingPurger } from '../unit/cdn/purge-servers.ts'

const url = 'https://cdn.example.com'

describeDriver('cdn(memory)', () => cdn({ url })(new MemoryDriver()))

describeDriver('cdn(memory), every change purged before it is done', async () => {
  const { provider, close } = await acceptingPurger()
  return { driver: cdn({ url, provider, purge: 'await', batchMs: 0, repurgeAfter: false })(new MemoryDriver()), remove: close }
})
