/** What the kit asks for and radosgw does not do, with what stands in its place. */
import type { Exception } from '../../../src/testing/conformance/index.ts'

/** For drivers that have multipart uploads and conditional writes. The requests are tested in tests/unit/s3/. */
export const NO_CONDITIONS_ON_COMPLETE: readonly Exception[] = [
  {
    test: 'judges the conditions of a multipart upload when it is completed',
    because: 'radosgw 16.2 ignores If-None-Match and If-Match on CompleteMultipartUpload (it judges them on PutObject)',
  },
]
