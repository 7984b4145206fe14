import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS_ON_DELETE } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

describeDriver('s3 as b2', () => makeS3({ preset: 'b2' }), { except: NO_CONDITIONS_ON_DELETE, testTimeoutMs: 120_000 })
