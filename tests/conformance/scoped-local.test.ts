import { scoped } from '../../src/decorators/scoped.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeLocal } from '../support/local-store.ts'

describeDriver('local with a prefix', async () => {
  const { driver, failDeletes, ...store } = await makeLocal()
  return { ...store, driver: scoped('tenants/é 1')(driver), failDeletes: failDeletes && ((path) => failDeletes(`tenants/é 1/${path}`)) }
})
