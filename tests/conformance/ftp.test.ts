import { describeDriver } from '../../src/testing/conformance/index.ts'
import { proftpd } from '../support/servers/proftpd.ts'
import { makeFtp } from '../support/stores/ftp-store.ts'

describeDriver(
  'ftp',
  makeFtp(() => proftpd()),
  { testTimeoutMs: 120_000 },
)
