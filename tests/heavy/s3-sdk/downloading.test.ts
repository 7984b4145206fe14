/** tests/heavy/faults/s3-downloading.test.ts, over the SDK. */
import { useTransport } from '../../support/stores/s3-store.ts'

useTransport('sdk')
await import('../faults/s3-downloading.test.ts')
