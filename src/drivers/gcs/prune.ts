/** Removes what processes that were killed left in the reserved folder: additions, and parts of uploads that nobody completes. */
import type { CallOptions } from '../../driver.ts'
import { InvalidArgumentError, PartialFailureError } from '../../errors.ts'
import type { GcsApi } from './api.ts'
import { deleteMany } from './deleting.ts'
import { listNames } from './multipart.ts'
import { type ObjectResource, RESERVED } from './objects.ts'

export interface PruneOptions extends CallOptions {
  /** A point in time, or seconds ago. */
  readonly olderThan: Date | number
}

export interface PruneResult {
  /** How many uploads and additions were removed. */
  readonly aborted: number
  readonly uploads: readonly { readonly uploadId: string; readonly started: Date }[]
}

/** @throws PartialFailureError with the objects that could not be removed */
export async function prune(api: GcsApi, { olderThan, signal }: PruneOptions, now: Date): Promise<PruneResult> {
  const before = timeOf(olderThan, now)
  const groups = Map.groupBy(await listNames(api, RESERVED, { signal }), groupOf)
  const old = [...groups].filter(([, objects]) => objects.every(({ timeCreated }) => new Date(timeCreated ?? 0) < before))
  const names = old.flatMap(([, objects]) => objects.map(({ name }) => name))
  const failures = await deleteMany(api, names, { signal })
  if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
  const uploads = old.map(([group, objects]) => ({ uploadId: group.slice(group.lastIndexOf('/') + 1), started: startOf(objects) }))
  return { aborted: uploads.length, uploads }
}

function startOf(objects: readonly ObjectResource[]): Date {
  return new Date(Math.min(...objects.map(({ timeCreated }) => new Date(timeCreated ?? 0).getTime())))
}

function timeOf(olderThan: unknown, now: Date): Date {
  if (typeof olderThan === 'number' && olderThan >= 0) return new Date(now.getTime() - olderThan * 1_000)
  const isDate = Object.prototype.toString.call(olderThan) === '[object Date]'
  if (isDate && !Number.isNaN((olderThan as Date).getTime())) return olderThan as Date
  throw new InvalidArgumentError('"olderThan" is a date, or a number of seconds ago')
}

/** `.stowage/uploads/{id}/…` belong together: an upload is as old as its newest part. */
function groupOf({ name }: ObjectResource): string {
  return name.split('/').slice(0, 3).join('/')
}
