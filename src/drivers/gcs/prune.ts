/** Removes what processes that were killed left in the reserved folder: additions, and parts of uploads that nobody completes. */
import type { CallOptions } from '../../driver.ts'
import { PartialFailureError } from '../../errors.ts'
import type { GcsApi } from './api.ts'
import { deleteMany } from './deleting.ts'
import { listNames } from './multipart.ts'
import { type ObjectResource, RESERVED } from './objects.ts'

/** @returns how many additions and uploads were removed. @throws PartialFailureError with what could not be */
export async function prune(api: GcsApi, { olderThan, signal }: CallOptions & { readonly olderThan: Date }): Promise<number> {
  const groups = Map.groupBy(await listNames(api, RESERVED, { signal }), groupOf)
  const old = [...groups.values()].filter((objects) => objects.every(({ timeCreated }) => new Date(timeCreated ?? 0) < olderThan))
  const names = old.flatMap((objects) => objects.map(({ name }) => name))
  const failures = await deleteMany(api, names, { signal })
  if (failures.length > 0) throw new PartialFailureError(undefined, { failures })
  return old.length
}

/** `.stowage/uploads/{id}/…` belong together: an upload is as old as its newest part. */
function groupOf({ name }: ObjectResource): string {
  return name.split('/').slice(0, 3).join('/')
}
