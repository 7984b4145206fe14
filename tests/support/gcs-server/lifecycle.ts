/** Carries out the lifecycle rules of buckets when a test asks: Delete and SetStorageClass, by every condition of the API. */
import type { State } from './call.ts'
import type { Json, StoredBucket, StoredObject } from './model.ts'
import { keepsVersions } from './resources.ts'
import { checkHolds } from './settings.ts'

const DAY_MS = 24 * 3600 * 1000

interface Facts {
  readonly object: StoredObject
  readonly now: number
  /** How many versions came after this one. */
  readonly newer: number
}

/** @returns how many versions were deleted, and how many got another class */
export function applyLifecycle(state: State): { readonly deleted: number; readonly changed: number } {
  let deleted = 0
  let changed = 0
  for (const bucket of state.buckets.values()) {
    const { rule = [] } = (bucket.settings['lifecycle'] ?? {}) as { rule?: readonly { action: Json; condition: Json }[] }
    for (const object of bucket.objects.all()) {
      const versions = bucket.objects.versions(object.name)
      const facts: Facts = { object, now: state.now(), newer: versions.length - 1 - versions.indexOf(object) }
      const actions = rule.filter(({ condition }) => meets(condition, facts)).map(({ action }) => action)
      // "Delete" wins over any change of class.
      if (actions.some(({ type }) => type === 'Delete')) deleted += remove(state, bucket, object)
      else if (actions.some(({ type }) => type === 'SetStorageClass')) changed += reclassify(state, object, actions)
    }
  }
  return { deleted, changed }
}

function meets(condition: Json, { object, now, newer }: Facts): boolean {
  const { created, deleted, name, settings, storageClass } = object
  const { customTime } = settings as { customTime?: string }
  const days = (since: number | undefined): number => (since === undefined ? -1 : (now - since) / DAY_MS)
  const before = (instant: number | undefined, date: unknown): boolean => instant !== undefined && instant < Date.parse(String(date))
  const list = (value: unknown): readonly string[] => value as readonly string[]
  const custom = customTime === undefined ? undefined : Date.parse(customTime)
  const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
    age: (value) => days(created) >= Number(value),
    createdBefore: (value) => before(created, value),
    customTimeBefore: (value) => before(custom, value),
    daysSinceCustomTime: (value) => custom !== undefined && days(custom) >= Number(value),
    daysSinceNoncurrentTime: (value) => deleted !== undefined && days(deleted) >= Number(value),
    isLive: (value) => (deleted === undefined) === value,
    matchesPrefix: (value) => list(value).some((prefix) => name.startsWith(prefix)),
    matchesStorageClass: (value) => list(value).includes(storageClass),
    matchesSuffix: (value) => list(value).some((suffix) => name.endsWith(suffix)),
    noncurrentTimeBefore: (value) => before(deleted, value),
    numNewerVersions: (value) => newer >= Number(value),
  }
  return Object.entries(condition).every(([key, value]) => checks[key]?.(value) ?? false)
}

function remove(state: State, bucket: StoredBucket, object: StoredObject): number {
  try {
    checkHolds(bucket, object, state.now())
  } catch {
    return 0 // Held back: the rule waits.
  }
  if (object.deleted === undefined) bucket.objects.retire(object.name, keepsVersions(bucket), state.now())
  else bucket.objects.remove(object)
  return 1
}

function reclassify(state: State, object: StoredObject, actions: readonly Json[]): number {
  const wanted = actions.find(({ type }) => type === 'SetStorageClass')?.['storageClass']
  if (typeof wanted !== 'string' || wanted === object.storageClass) return 0
  object.storageClass = wanted
  object.storageClassUpdated = state.now()
  object.metageneration++
  object.updated = state.now()
  return 1
}
