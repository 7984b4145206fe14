import { fallback } from '../../src/decorators/fallback/fallback.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeLocal } from '../support/local-store.ts'

describeDriver('fallback(memory, memory)', () => fallback({ fallbacks: [new MemoryDriver()], promote: true })(new MemoryDriver()))
describeDriver('fallback(local, memory)', async () => {
  const { driver, ...store } = await makeLocal()
  return { ...store, driver: fallback({ fallbacks: [new MemoryDriver()] })(driver) }
})
