/** What the kit asks for and radosgw does not do, with what stands in its place. The requests are tested in tests/unit/s3/. */
import type { Exception } from '../../../src/testing/conformance/index.ts'

/** For all drivers. */
export const NO_CONDITIONS_ON_DELETE: readonly Exception[] = [
  {
    test: 'loses nothing that is written to the source while it moves',
    because: 'radosgw 16.2 ignores If-Match on DeleteObject, so that it deletes what came after the last look (Amazon judges it)',
  },
]

/** For drivers that have multipart uploads and conditional writes. */
export const NO_CONDITIONS: readonly Exception[] = [
  ...NO_CONDITIONS_ON_DELETE,
  {
    test: 'judges the conditions of a multipart upload when it is completed',
    because: 'radosgw 16.2 ignores If-None-Match and If-Match on CompleteMultipartUpload (it judges them on PutObject)',
  },
]
