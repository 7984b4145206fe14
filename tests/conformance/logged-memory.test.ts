import { logged } from '../../src/decorators/logged.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../src/testing/conformance/refusing-deletes.ts'

const silent = { debug: () => undefined, error: () => undefined }

describeDriver('logged(memory)', () => {
  const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
  return { driver: logged({ logger: silent })(driver), failDeletes }
})
