import { Agent } from 'node:https'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { describeHttpFaults } from '../../support/http-faults.ts'
import { testBucket } from '../../support/stores/s3-store.ts'
import { certificate } from '../../unit/s3-presets/tls-recorder.ts'

interface Variant {
  readonly transport: 'lean' | 'sdk'
  readonly secure?: boolean
  /** An agent makes the connections. */
  readonly agent?: boolean
}

const VARIANTS: readonly Variant[] = [
  { transport: 'lean' },
  { transport: 'lean', secure: true },
  { transport: 'lean', secure: true, agent: true },
  { transport: 'sdk' },
]

/** A driver and its agent, which is closed along: whoever made an agent closes it. */
function overAgent(options: S3DriverOptions, ca: Buffer | undefined): S3Driver {
  const agent = new Agent({ keepAlive: true, ca })
  const driver = new S3Driver({ ...options, agent })
  const close = driver.close.bind(driver)
  driver.close = async () => {
    await close()
    agent.destroy()
  }
  return driver
}

for (const { transport, secure = false, agent = false } of VARIANTS)
  describeHttpFaults(
    `S3 behind a bad network${secure ? ' over TLS' : ''}, by the transport "${transport}"${agent ? ' and an agent' : ''}`,
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
      const overTls = identity && { signPayload: true, ...(!agent && { tls: { ca: identity.cert } }) }
      return {
        endpoint: bucket.server.endpoint,
        identity,
        driver: (endpoint, socketTimeoutMs) => {
          const more = endpoint.startsWith('https:') ? overTls : {}
          const given = { transport, endpoint, socketTimeoutMs, partSize: 5 * 1024 * 1024, ...more }
          const options = bucket.options(given)
          return agent && endpoint.startsWith('https:') ? overAgent(options, identity?.cert) : new S3Driver(options)
        },
        leftovers: () => bucket.openUploads(),
        remove: () => bucket.remove(),
      }
    },
  )
