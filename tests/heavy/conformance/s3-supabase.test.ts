import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'

describeDriver('s3 as supabase', () => makeS3({ preset: 'supabase' }), { testTimeoutMs: 120_000 })
