import { throttled } from '../../src/decorators/throttled.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../src/testing/conformance/refusing-deletes.ts'

describeDriver('throttled(memory)', () => {
  const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
  return { driver: throttled({ maxConcurrency: 3 })(driver), failDeletes }
})
