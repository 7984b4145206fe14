import { setImmediate as nextTurn } from 'node:timers/promises'
import { retrying } from '../../src/decorators/retrying.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../src/testing/conformance/refusing-deletes.ts'
import { flaky } from '../support/flaky.ts'

describeDriver('retrying(flaky(memory))', () => {
  const { driver, failDeletes } = refusingDeletes(new MemoryDriver())
  return { driver: retrying({ attempts: 20, sleep: () => nextTurn() })(flaky(driver)), failDeletes }
})
