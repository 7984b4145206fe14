import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeGcs } from '../support/stores/gcs-store.ts'

describeDriver('gcs', () => makeGcs(), { testTimeoutMs: 60_000 })
