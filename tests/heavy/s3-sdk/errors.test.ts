/** tests/unit/s3/errors.test.ts, over the SDK. */
import { useTransport } from '../../support/stores/s3-store.ts'

useTransport('sdk')
await import('../../unit/s3/errors.test.ts')
