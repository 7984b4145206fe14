import { mirrored } from '../../src/decorators/mirrored/mirrored.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

describeDriver('mirrored(memory, memory, memory)', () =>
  mirrored({ mirrors: [new MemoryDriver(), new MemoryDriver()] })(new MemoryDriver()),
)
describeDriver('mirrored(memory, memory), in the background', () =>
  mirrored({ mirrors: [new MemoryDriver()], mode: 'background' })(new MemoryDriver()),
)
