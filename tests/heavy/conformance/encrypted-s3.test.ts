/** The kit over encryption on S3. With a cache: encrypted-cached-s3.test.ts, encrypted-over-cache.test.ts. */
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS_ON_DELETE } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

const key = generateKey()

const make = async () => {
  const store = await makeS3()
  return { ...store, driver: encrypted({ key })(store.driver) }
}

describeDriver('encrypted(s3)', make, { except: NO_CONDITIONS_ON_DELETE, testTimeoutMs: 120_000 })
