import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { makeGcs } from '../../support/stores/gcs-store.ts'

// Small chunks, so that the kit's files go up in sessions.
describeDriver('gcs with ACLs', () => makeGcs({ uniformAccess: false, chunkSize: 256 * 1024 }), { testTimeoutMs: 60_000 })
