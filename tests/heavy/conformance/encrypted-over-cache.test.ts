/** The kit over encryption and a cache on S3. */
import { cached } from '../../../src/decorators/cached/cached.ts'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import type { Decorator } from '../../../src/driver.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS_ON_DELETE } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

const key = generateKey()
const decorators: readonly Decorator[] = [cached(), encrypted({ key })]

const make = async () => {
  const store = await makeS3()
  return { ...store, driver: decorators.reduce((inner, decorate) => decorate(inner), store.driver) }
}

describeDriver('encrypted(cached(s3))', make, { except: NO_CONDITIONS_ON_DELETE, testTimeoutMs: 120_000 })
