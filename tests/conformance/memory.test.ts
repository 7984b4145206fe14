import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

describeDriver('memory', () => new MemoryDriver())
