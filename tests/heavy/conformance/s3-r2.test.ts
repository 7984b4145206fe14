import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

describeDriver('s3 as r2', () => makeS3({ preset: 'r2' }), { except: NO_CONDITIONS, testTimeoutMs: 120_000 })
