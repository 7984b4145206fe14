import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

describeDriver('s3 over the SDK', () => makeS3({ transport: 'sdk' }), { except: NO_CONDITIONS, testTimeoutMs: 120_000 })
