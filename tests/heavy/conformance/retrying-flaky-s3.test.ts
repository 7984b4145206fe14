import { setImmediate as nextTurn } from 'node:timers/promises'
import { retrying } from '../../../src/decorators/retrying.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { flaky } from '../../support/flaky.ts'
import { NO_CONDITIONS } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

const make = async () => {
  const { driver, ...store } = await makeS3({ retries: 0 })
  return { ...store, driver: retrying({ attempts: 20, sleep: () => nextTurn() })(flaky(driver)) }
}

describeDriver('retrying(flaky(s3))', make, { except: NO_CONDITIONS, testTimeoutMs: 120_000 })
