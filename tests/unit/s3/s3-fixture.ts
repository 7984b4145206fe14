/** What the tests of the S3 driver begin with: a bucket on radosgw, and disks on it that are closed with the test. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { type FaultProxy, faultProxy } from '../../support/fault-proxy.ts'
import type { HttpProxy } from '../../support/forwarding.ts'
import { type RecordingOptions, type RecordingProxy, recordingProxy } from '../../support/recording-proxy.ts'
import { type TestBucket, testBucket } from '../../support/stores/s3-store.ts'

export const PART: number = 5 * 1024 * 1024

export interface Fixture {
  readonly bucket: TestBucket
  /** A disk on the bucket; its parts are as small as S3 allows. */
  disk(options?: Partial<S3DriverOptions>): Disk
  /** A disk that reaches the bucket through a proxy which writes down what it is asked. */
  recorded(
    options?: Partial<S3DriverOptions>,
    answer?: RecordingOptions['answer'],
    upstream?: string,
  ): Promise<{ disk: Disk; proxy: RecordingProxy }>
  /** A disk that reaches the bucket through a proxy which does to requests what it is told. */
  faulty(options?: Partial<S3DriverOptions>): Promise<{ disk: Disk; proxy: FaultProxy }>
}

/** Call it at the top of a test file. What it gives is there within the tests. */
export function s3Fixture(): Fixture {
  let bucket: TestBucket | undefined
  const disks: Disk[] = []
  const proxies: HttpProxy[] = []
  const current = (): TestBucket => bucket as TestBucket
  const disk = (options: Partial<S3DriverOptions> = {}): Disk => {
    const made = new Disk(new S3Driver(current().options({ partSize: PART, ...options })), { name: 's3' })
    disks.push(made)
    return made
  }
  beforeEach(async () => {
    bucket = await testBucket()
  })
  afterEach(async () => {
    for (const made of disks.splice(0)) await made.close()
    for (const proxy of proxies.splice(0)) await proxy.close()
    await bucket?.remove()
  })
  return {
    get bucket() {
      return current()
    },
    disk,
    recorded: async (options, answer, upstream = current().server.endpoint) => {
      const proxy = await recordingProxy({ upstream, answer })
      proxies.push(proxy)
      return { proxy, disk: disk({ ...options, endpoint: proxy.endpoint }) }
    },
    faulty: async (options) => {
      const proxy = await faultProxy(current().server.endpoint)
      proxies.push(proxy)
      return { proxy, disk: disk({ ...options, endpoint: proxy.endpoint }) }
    },
  }
}

/** Chunks of a stream whose length nobody knows; `size` bytes that tell their place. */
export async function* streamOf(bytes: Uint8Array, chunkBytes: number = 64 * 1024 + 7): AsyncGenerator<Uint8Array, undefined> {
  for (let start = 0; start < bytes.byteLength; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds() && Date.now() < end; ) await sleep(5)
  expect(holds()).toBe(true)
}
