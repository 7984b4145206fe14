import { afterAll } from '@jest/globals'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeGcs, stopGcs } from '../support/stores/gcs-store.ts'

afterAll(stopGcs)

describeDriver('gcs', () => makeGcs(), { testTimeoutMs: 60_000 })
