import { readOnly } from '../../src/decorators/read-only.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

describeDriver('read-only(memory)', () => {
  const memory = new MemoryDriver()
  return { driver: readOnly()(memory), seed: memory }
})
