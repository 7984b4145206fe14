/** tests/unit/s3/listing.test.ts, over the SDK. */
import { useTransport } from '../../support/stores/s3-store.ts'

useTransport('sdk')
await import('../../unit/s3/listing.test.ts')
