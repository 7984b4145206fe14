import { scoped } from '../../src/decorators/scoped.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { refusingDeletes } from '../../src/testing/conformance/refusing-deletes.ts'

describeDriver('scoped(memory)', () => {
  // Neighbours that begin with the same letters, which nobody inside may see.
  const neighbours = ['a.txt', 'users/1.txt', 'users/10/a.txt', 'users/1 /a.txt'].map((path) => ({ path, content: 'a neighbour' }))
  const { driver, failDeletes } = refusingDeletes(new MemoryDriver({ files: neighbours }))
  return { driver: scoped('users/1')(driver), failDeletes: (path) => failDeletes(`users/1/${path}`) }
})
