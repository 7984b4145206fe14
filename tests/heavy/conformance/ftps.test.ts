import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { proftpd } from '../../support/servers/proftpd.ts'
import { makeFtp } from '../../support/stores/ftp-store.ts'

describeDriver(
  'ftp over TLS',
  makeFtp(() => proftpd({ tls: 'explicit' })),
  { testTimeoutMs: 120_000 },
)
