import { readOnly } from '../../src/decorators/read-only.ts'
import { scoped } from '../../src/decorators/scoped.ts'
import { served } from '../../src/decorators/served.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

describeDriver('read-only(served(scoped(memory)))', () => {
  const part = scoped('a/b')(new MemoryDriver())
  return { driver: readOnly()(served({ disk: 'kit', secret: 'a secret of the kit' })(part)), seed: part }
})
