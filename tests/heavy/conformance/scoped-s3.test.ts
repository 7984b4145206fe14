import { scoped } from '../../../src/decorators/scoped.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

const make = async () => {
  const { driver, failDeletes, ...store } = await makeS3()
  return { ...store, driver: scoped('tenants/é 1')(driver), failDeletes: (path: string) => failDeletes(`tenants/é 1/${path}`) }
}

describeDriver('s3 with a prefix', make, { except: NO_CONDITIONS, testTimeoutMs: 120_000 })
