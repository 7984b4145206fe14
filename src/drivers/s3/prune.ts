/**
 * Uploads that were begun and never completed: their parts cost as much as files and show in no listing.
 *
 *   await disk.layer('s3')!.pruneIncompleteUploads({ olderThan: 24 * 60 * 60 })
 *
 * Only uploads that began before the given time are aborted, so that those under way are left alone. A lifecycle rule with
 * `abortUploads` does the same by itself.
 */
import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3'
import type { CallOptions } from '../../driver.ts'
import { InvalidArgumentError, PartialFailureError, type PathFailure } from '../../errors.ts'
import type { AskOptions, S3Access } from './access.ts'
import { ask, codeOf } from './ask.ts'

const ABORTS_AT_ONCE = 8

export interface PruneOptions extends CallOptions {
  /** A point in time, or seconds ago. */
  readonly olderThan: Date | number
  /** Only uploads to keys that begin so. Default: those of the whole bucket. */
  readonly prefix?: string | undefined
}

export interface IncompleteUpload {
  readonly path: string
  readonly uploadId: string
  readonly started: Date
}

export interface PruneResult {
  /** How many were aborted. */
  readonly aborted: number
  readonly uploads: readonly IncompleteUpload[]
}

/** @throws PartialFailureError for uploads that could not be aborted; the others are */
export async function pruneIncompleteUploads(access: S3Access, options: PruneOptions, now: Date = new Date()): Promise<PruneResult> {
  const { prefix = '', signal } = options
  const before = timeOf(options, now)
  const call = { operation: 'multipart', signal } as const
  const uploads: IncompleteUpload[] = []
  const failures: PathFailure[] = []
  for await (const page of openUploads(access, { ...call, prefix })) {
    const old = page.filter(({ started }) => started < before)
    const failed = await abortUploads(access, old, call)
    failures.push(...failed)
    const paths = new Set(failed.map(({ path }) => path))
    uploads.push(...old.filter(({ path }) => !paths.has(path)))
  }
  if (failures.length > 0) throw new PartialFailureError(undefined, { operation: 'multipart', driver: access.settings.name, failures })
  return { aborted: uploads.length, uploads }
}

function timeOf(options: PruneOptions, now: Date): Date {
  const olderThan: unknown = options?.olderThan
  if (typeof olderThan === 'number' && olderThan >= 0) return new Date(now.getTime() - olderThan * 1_000)
  const isDate = Object.prototype.toString.call(olderThan) === '[object Date]'
  if (isDate && !Number.isNaN((olderThan as Date).getTime())) return olderThan as Date
  throw new InvalidArgumentError('"olderThan" is a date, or a number of seconds ago')
}

/** Pages of the uploads that are open. */
export async function* openUploads(
  access: S3Access,
  { prefix, ...call }: AskOptions & { readonly prefix: string },
): AsyncGenerator<readonly IncompleteUpload[], void, undefined> {
  const { bucket = access.settings.bucket } = call
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
  while (markers !== undefined) {
    // Without `encoding-type`: radosgw encodes then, and does not say so.
    const input = { Bucket: bucket, Prefix: prefix, ...markers }
    const output: ListMultipartUploadsCommandOutput = await ask(
      access,
      ({ client, sdk }, http) => client.send(new sdk.ListMultipartUploadsCommand(input), http),
      call,
    )
    yield (output.Uploads ?? []).map(({ Key = '', UploadId = '', Initiated = new Date() }) => ({
      path: Key,
      uploadId: UploadId,
      started: Initiated,
    }))
    markers = output.IsTruncated === true ? { KeyMarker: output.NextKeyMarker, UploadIdMarker: output.NextUploadIdMarker } : undefined
  }
}

/** Aborts each, a few at once; one that is gone already is fine. @returns those that could not be aborted */
export async function abortUploads(
  access: S3Access,
  uploads: readonly IncompleteUpload[],
  call: AskOptions,
): Promise<readonly PathFailure[]> {
  const { bucket = access.settings.bucket, signal } = call
  const failures: PathFailure[] = []
  const waiting = [...uploads]
  const worker = async (): Promise<void> => {
    for (let upload = waiting.shift(); upload !== undefined; upload = waiting.shift()) {
      const { path, uploadId } = upload
      const input = { Bucket: bucket, Key: path, UploadId: uploadId }
      try {
        await ask(access, ({ client, sdk }, http) => client.send(new sdk.AbortMultipartUploadCommand(input), http), { ...call, path })
      } catch (error) {
        if (signal?.aborted) throw error
        if (codeOf(error) !== 'NoSuchUpload') failures.push({ path, error: error as PathFailure['error'] })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(ABORTS_AT_ONCE, uploads.length) }, worker))
  return failures
}
