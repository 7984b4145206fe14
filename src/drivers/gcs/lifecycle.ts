/**
 * Lifecycle rules as Google has them: one action under conditions each, where ours may do several things.
 *
 *   { transitions: [30 days → NEARLINE], expire: 365 days } ──▶ SetStorageClass(age 30) · Delete(age 365)
 *
 * What has no counterpart (tags, sizes, dates, rules that are off) is UnsupportedError, so that nothing is deleted that was not meant.
 */
import type { LifecycleRule, LifecycleTime } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'

export interface LifecycleResource {
  readonly rule?: readonly RuleResource[]
}

interface RuleResource {
  readonly action: { readonly type: string; readonly storageClass?: string }
  readonly condition: ConditionResource
}

interface ConditionResource {
  readonly age?: number
  readonly isLive?: boolean
  readonly matchesPrefix?: readonly string[]
  readonly daysSinceNoncurrentTime?: number
  readonly numNewerVersions?: number
}

/** @throws UnsupportedError for what the store would not do as it is said */
export function toLifecycle(rules: readonly LifecycleRule[]): LifecycleResource {
  return { rule: rules.flatMap(toRules) }
}

function toRules(rule: LifecycleRule): RuleResource[] {
  const { filter = {}, transitions = [], expire, noncurrent = {}, abortUploads } = rule
  if (rule.enabled === false) throw new UnsupportedError('Google Cloud Storage has no rules that are off: leave the rule out')
  if (filter.tags !== undefined || filter.largerThan !== undefined || filter.smallerThan !== undefined)
    throw new UnsupportedError('Google Cloud Storage has rules for prefixes, and not for tags or sizes')
  const where = filter.prefix === undefined ? {} : { matchesPrefix: [filter.prefix] }
  const made: RuleResource[] = transitions.map((transition) => ({
    action: { type: 'SetStorageClass', storageClass: transition.storageClass },
    condition: { age: daysOf(transition), isLive: true, ...where },
  }))
  if (expire !== undefined) made.push({ action: { type: 'Delete' }, condition: { age: daysOf(expire), isLive: true, ...where } })
  for (const { days, storageClass } of noncurrent.transitions ?? [])
    made.push({ action: { type: 'SetStorageClass', storageClass }, condition: { daysSinceNoncurrentTime: days, isLive: false, ...where } })
  if (noncurrent.expire !== undefined || noncurrent.keep !== undefined)
    made.push({ action: { type: 'Delete' }, condition: { ...noncurrentCondition(noncurrent), isLive: false, ...where } })
  if (abortUploads !== undefined)
    made.push({ action: { type: 'AbortIncompleteMultipartUpload' }, condition: { age: abortUploads.days, ...where } })
  return made
}

/** `numNewerVersions` counts the current one, too. */
function noncurrentCondition({ expire, keep }: NonNullable<LifecycleRule['noncurrent']>): ConditionResource {
  return {
    ...(expire !== undefined && { daysSinceNoncurrentTime: expire.days }),
    ...(keep !== undefined && { numNewerVersions: keep + 1 }),
  }
}

function daysOf({ days }: LifecycleTime): number {
  if (days !== undefined) return days
  throw new UnsupportedError('Google Cloud Storage has no rules that begin on a date: say after how many days')
}

/** Rules for the same files are one again. Rules of others, with conditions that ours have not, are told as far as they can be. */
export function fromLifecycle(lifecycle: LifecycleResource | undefined): readonly LifecycleRule[] {
  const rules: LifecycleRule[] = []
  for (const resource of lifecycle?.rule ?? []) {
    for (const prefix of resource.condition.matchesPrefix ?? [undefined]) {
      const rule = { enabled: true, ...(prefix !== undefined && { filter: { prefix } }), ...partOf(resource) }
      const last = rules.at(-1)
      const joined = last !== undefined && last.filter?.prefix === prefix ? merged(last, rule) : undefined
      if (joined === undefined) rules.push(rule)
      else rules[rules.length - 1] = joined
    }
  }
  return rules
}

function partOf({ action: { type, storageClass = '' }, condition }: RuleResource): Partial<LifecycleRule> {
  const { age = 0, isLive, daysSinceNoncurrentTime, numNewerVersions } = condition
  if (type === 'AbortIncompleteMultipartUpload') return { abortUploads: { days: age } }
  const isNoncurrent = isLive === false || daysSinceNoncurrentTime !== undefined || numNewerVersions !== undefined
  if (type === 'SetStorageClass') {
    if (isNoncurrent) return { noncurrent: { transitions: [{ days: daysSinceNoncurrentTime ?? age, storageClass }] } }
    return { transitions: [{ days: age, storageClass }] }
  }
  if (!isNoncurrent) return { expire: { days: age } }
  return {
    noncurrent: {
      ...(daysSinceNoncurrentTime !== undefined && { expire: { days: daysSinceNoncurrentTime } }),
      ...(numNewerVersions !== undefined && { keep: Math.max(0, numNewerVersions - 1) }),
    },
  }
}

/** Undefined when both say the same thing in different ways. */
function merged(a: LifecycleRule, b: LifecycleRule): LifecycleRule | undefined {
  if (a.expire !== undefined && b.expire !== undefined) return undefined
  if (a.abortUploads !== undefined && b.abortUploads !== undefined) return undefined
  const clash = (['expire', 'keep'] as const).some((key) => a.noncurrent?.[key] !== undefined && b.noncurrent?.[key] !== undefined)
  if (clash) return undefined
  const transitions = [...(a.transitions ?? []), ...(b.transitions ?? [])]
  const old = [...(a.noncurrent?.transitions ?? []), ...(b.noncurrent?.transitions ?? [])]
  const noncurrent = { ...a.noncurrent, ...b.noncurrent, ...(old.length > 0 && { transitions: old }) }
  return {
    ...a,
    ...b,
    ...(transitions.length > 0 && { transitions }),
    ...(Object.keys(noncurrent).length > 0 && { noncurrent }),
  }
}
