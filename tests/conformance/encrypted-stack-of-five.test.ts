import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { logged } from '../../src/decorators/logged.ts'
import { retrying } from '../../src/decorators/retrying.ts'
import { scoped } from '../../src/decorators/scoped.ts'
import { throttled } from '../../src/decorators/throttled.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

const key = generateKey()
const logger = { debug: () => undefined, error: () => undefined }

describeDriver('logged(retrying(scoped(encrypted(throttled(memory)))))', () => {
  const sealed = scoped('a/b')(encrypted({ key })(throttled({ maxConcurrency: 8 })(new MemoryDriver())))
  return logged({ logger })(retrying({ attempts: 2, baseDelayMs: 1 })(sealed))
})
