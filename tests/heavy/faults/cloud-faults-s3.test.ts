import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'
import { describeHttpFaults } from '../../support/http-faults.ts'
import { testBucket } from '../../support/stores/s3-store.ts'
import { certificate } from '../../unit/s3-presets/tls-recorder.ts'

const VARIANTS = [
  ['lean', false],
  ['lean', true],
  ['sdk', false],
] as const

for (const [transport, secure] of VARIANTS)
  describeHttpFaults(
    `S3 behind a bad network${secure ? ' over TLS' : ''}, by the transport "${transport}"`,
    {
      slow: 's3',
      uploads: {
        whole: { method: 'PUT', path: /file\.bin(\?x-id=PutObject)?$/ },
        part: { method: 'PUT', path: /partNumber=/ },
        commit: { method: 'POST', path: /uploadId=/ },
      },
      downloads: { method: 'GET', path: /file\.bin/ },
      stats: { method: 'HEAD' },
      lists: { method: 'GET', path: /list-type=2/ },
      deletes: { method: 'POST', path: /\?delete/ },
      copies: { method: 'PUT', path: /copy\.bin/ },
      flippedUpload: 'corrupted',
      checksDownloads: false, // radosgw 16.2 stores no checksums; that they are compared is tested with a scripted answer.
      givesUpSilence: true,
      idleConnections: 1,
      maxConnections: 6,
    },
    async () => {
      const [bucket, identity] = await Promise.all([testBucket(), secure ? certificate() : undefined])
      // A bit that flips below TLS never arrives; here it flips beyond it, where only a signature of the body tells.
      const overTls = identity && { tls: { ca: identity.cert }, signPayload: true }
      return {
        endpoint: bucket.server.endpoint,
        identity,
        driver: (endpoint, socketTimeoutMs) => {
          const more = endpoint.startsWith('https:') ? overTls : {}
          return new S3Driver(bucket.options({ transport, endpoint, socketTimeoutMs, partSize: 5 * 1024 * 1024, ...more }))
        },
        leftovers: () => bucket.openUploads(),
        remove: () => bucket.remove(),
      }
    },
  )
