import { retrying } from '../../../src/decorators/retrying.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import { throttled } from '../../../src/decorators/throttled.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { makeLocal } from '../../support/local-store.ts'

describeDriver('scoped(throttled(retrying(local)))', async () => {
  const { driver, failDeletes, ...store } = await makeLocal()
  const stack = scoped('a/b')(throttled({ maxConcurrency: 8 })(retrying({ attempts: 2, baseDelayMs: 1 })(driver)))
  return { ...store, driver: stack, failDeletes: failDeletes && ((path) => failDeletes(`a/b/${path}`)) }
})
