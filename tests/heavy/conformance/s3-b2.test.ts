import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

describeDriver('s3 as b2', () => makeS3({ preset: 'b2' }), { testTimeoutMs: 120_000 })
