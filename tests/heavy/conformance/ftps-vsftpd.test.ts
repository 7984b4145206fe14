import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { vsftpd } from '../../support/servers/vsftpd.ts'
import { makeFtp } from '../../support/stores/ftp-store.ts'

describeDriver(
  'ftp over TLS (vsftpd: no MLSD)',
  makeFtp(() => vsftpd({ tls: 'explicit' })),
  { testTimeoutMs: 120_000 },
)
