import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../src/testing/conformance/refusing-deletes.ts'

describeDriver('memory', () => new MemoryDriver())
describeDriver('memory whose deletes can fail', () => refusingDeletes(new MemoryDriver()))
