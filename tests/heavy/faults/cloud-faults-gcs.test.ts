import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from '@jest/globals'
import { GcsDriver } from '../../../src/drivers/gcs/gcs-driver.ts'
import { type GcsServer, startGcsServer } from '../../support/gcs-server/gcs-server.ts'
import { describeHttpFaults } from '../../support/http-faults.ts'

let server: GcsServer

beforeAll(async () => {
  server = await startGcsServer()
})

afterAll(() => server.close())

describeHttpFaults(
  'Google Cloud Storage behind a bad network',
  {
    slow: 'gcs',
    uploads: {
      whole: { method: 'POST', path: /\/upload\// },
      part: { method: 'PUT', path: /upload_id=/ },
      commit: { method: 'PUT', path: /upload_id=/, skip: 2 },
    },
    downloads: { method: 'GET', path: /file\.bin.*alt=media/ },
    stats: { method: 'GET', path: /file\.bin/ },
    lists: { method: 'GET', path: /\/o\?/ },
    deletes: { method: 'DELETE' },
    copies: { method: 'POST', path: /rewriteTo/ },
    flippedUpload: 'corrupted',
    checksDownloads: true,
    givesUpSilence: true,
    idleConnections: 2,
    maxConnections: 4,
  },
  async () => {
    const bucket = `stowage-test-${randomUUID()}`
    const options = { bucket, credentials: server.credentials, projectId: server.project }
    const driver = (endpoint: string, socketTimeoutMs?: number): GcsDriver =>
      new GcsDriver({ ...options, endpoint, socketTimeoutMs, chunkSize: 4 * 1024 * 1024 })
    const admin = driver(server.emulatorOrigin)
    await admin.buckets.create(bucket)
    return {
      endpoint: server.emulatorOrigin,
      driver,
      leftovers: async () => Array.from({ length: (await server.controls.openUploads({ bucket })).count }, () => 'an upload'),
      remove: async () => {
        await admin.buckets.delete(bucket, { force: true })
        await admin.close()
      },
    }
  },
)
