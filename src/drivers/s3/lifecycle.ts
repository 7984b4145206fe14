/**
 * Lifecycle rules of a bucket, as objects of ours ⇄ as S3 has them. `set` replaces all rules; none removes the configuration.
 *
 *   { filter: { prefix: 'tmp/' }, expire: { days: 7 } }  ⇄  { Filter: { Prefix: 'tmp/' }, Expiration: { Days: 7 }, Status: 'Enabled' }
 *
 * Amazon S3 user guide, "Lifecycle configuration elements".
 */
import type { LifecycleRule as SdkRule, LifecycleRuleFilter, TransitionStorageClass } from '@aws-sdk/client-s3'
import type { BucketSetting, CallOptions, LifecycleFilter, LifecycleNoncurrent, LifecycleRule, LifecycleTime } from '../../driver.ts'
import { InvalidArgumentError } from '../../errors.ts'
import type { S3Access } from './access.ts'
import { ask, codeOf } from './ask.ts'

export interface S3LifecycleRule extends LifecycleRule {
  /** Removes delete markers that no version is behind any more. Not together with `expire`. */
  readonly expiredDeleteMarkers?: boolean | undefined
}

export function lifecycleSetting(access: S3Access): BucketSetting<readonly S3LifecycleRule[]> {
  const own = access.settings.bucket
  return {
    get: async (name = own, { signal }: CallOptions = {}) => {
      const answer = await ask(
        access,
        ({ client, sdk }, http) => client.send(new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: name }), http),
        { operation: 'buckets', bucket: name, signal },
      ).catch((error: unknown) => {
        if (codeOf(error) !== 'NoSuchLifecycleConfiguration') throw error
        return undefined
      })
      return (answer?.Rules ?? []).map(ruleOf)
    },
    set: async (rules, name = own, { signal }: CallOptions = {}) => {
      if (!Array.isArray(rules)) throw new InvalidArgumentError('lifecycle rules are a list')
      const Rules = rules.map(sdkRuleOf)
      await ask(
        access,
        ({ client, sdk }, http): Promise<unknown> =>
          Rules.length === 0
            ? client.send(new sdk.DeleteBucketLifecycleCommand({ Bucket: name }), http)
            : client.send(new sdk.PutBucketLifecycleConfigurationCommand({ Bucket: name, LifecycleConfiguration: { Rules } }), http),
        { operation: 'buckets', bucket: name, signal },
      )
    },
  }
}

function sdkRuleOf(rule: S3LifecycleRule): SdkRule {
  judge(rule)
  const { id, enabled = true, filter = {}, transitions, expire, noncurrent = {}, abortUploads, expiredDeleteMarkers } = rule
  const kept = noncurrent.keep === undefined ? {} : { NewerNoncurrentVersions: noncurrent.keep }
  return {
    ...(id !== undefined && { ID: id }),
    Status: enabled ? 'Enabled' : 'Disabled',
    Filter: sdkFilterOf(filter),
    ...(transitions && {
      Transitions: transitions.map(({ storageClass, ...time }) => ({ ...sdkTimeOf(time), StorageClass: classOf(storageClass) })),
    }),
    ...(expire && { Expiration: sdkTimeOf(expire) }),
    ...(expiredDeleteMarkers === true && { Expiration: { ExpiredObjectDeleteMarker: true } }),
    ...(noncurrent.transitions && {
      NoncurrentVersionTransitions: noncurrent.transitions.map(({ days, storageClass }) => ({
        NoncurrentDays: days,
        StorageClass: classOf(storageClass),
        ...kept,
      })),
    }),
    ...(noncurrent.expire && { NoncurrentVersionExpiration: { NoncurrentDays: noncurrent.expire.days, ...kept } }),
    ...(abortUploads && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortUploads.days } }),
  }
}

/** @throws InvalidArgumentError for what no store takes, with the rule's id */
function judge({
  id = 'without an id',
  transitions = [],
  expire,
  noncurrent = {},
  abortUploads,
  expiredDeleteMarkers,
}: S3LifecycleRule): void {
  const refuse = (reason: string): never => {
    throw new InvalidArgumentError(`lifecycle rule ${JSON.stringify(id)}: ${reason}`)
  }
  const times: readonly LifecycleTime[] = [...transitions, ...(expire ? [expire] : [])]
  const late = [
    ...(noncurrent.transitions ?? []),
    ...(noncurrent.expire ? [noncurrent.expire] : []),
    ...(abortUploads ? [abortUploads] : []),
  ]
  if (times.length + late.length === 0 && expiredDeleteMarkers !== true)
    refuse('it does nothing: give it transitions, expire, noncurrent or abortUploads')
  if (expire && expiredDeleteMarkers === true) refuse('"expire" removes delete markers already: leave out "expiredDeleteMarkers"')
  for (const { days, date } of times) {
    if ((days === undefined) === (date === undefined)) refuse('a time is either days or a date')
    if (date !== undefined && date.getTime() % 86_400_000 !== 0) refuse('a date is midnight in UTC')
  }
  for (const { days = 0 } of [...times, ...late]) if (!Number.isInteger(days) || days < 0) refuse('days are a whole number')
  if (noncurrent.keep !== undefined && late.length === 0) refuse('"keep" needs "expire" or "transitions" beside it')
}

function classOf(storageClass: string): TransitionStorageClass {
  return storageClass as TransitionStorageClass
}

function sdkTimeOf({ days, date }: LifecycleTime): { Days: number } | { Date: Date } {
  return date === undefined ? { Days: days } : { Date: date }
}

/** One condition stands alone, several are joined by `And`. */
function sdkFilterOf({ prefix, tags = {}, largerThan, smallerThan }: LifecycleFilter): LifecycleRuleFilter {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  const [tag] = Tags
  const sizes = {
    ...(largerThan !== undefined && { ObjectSizeGreaterThan: largerThan }),
    ...(smallerThan !== undefined && { ObjectSizeLessThan: smallerThan }),
  }
  const conditions = Tags.length + Object.keys(sizes).length + (prefix === undefined ? 0 : 1)
  if (conditions > 1) return { And: { ...(prefix !== undefined && { Prefix: prefix }), ...(tag && { Tags }), ...sizes } }
  if (tag) return { Tag: tag }
  return conditions === 0 || prefix !== undefined ? { Prefix: prefix ?? '' } : sizes
}

function ruleOf(rule: SdkRule): S3LifecycleRule {
  const filter = filterOf(rule)
  const noncurrent = noncurrentOf(rule)
  const { ID, Status, Transitions = [], Expiration, AbortIncompleteMultipartUpload: abort } = rule
  const expire = Expiration && timeOf(Expiration)
  const transitions = Transitions.flatMap(({ StorageClass = '', ...time }) => {
    const when = timeOf(time) ?? { days: 0 }
    return [{ ...when, storageClass: StorageClass }]
  })
  return {
    ...(ID !== undefined && { id: ID }),
    enabled: Status === 'Enabled',
    ...(Object.keys(filter).length > 0 && { filter }),
    ...(transitions.length > 0 && { transitions }),
    ...(expire && { expire }),
    ...(Expiration?.ExpiredObjectDeleteMarker === true && { expiredDeleteMarkers: true }),
    ...(Object.keys(noncurrent).length > 0 && { noncurrent }),
    ...(abort?.DaysAfterInitiation !== undefined && { abortUploads: { days: abort.DaysAfterInitiation } }),
  }
}

interface SdkTime {
  readonly Days?: number | undefined
  readonly Date?: Date | undefined
}

function timeOf({ Days, Date: date }: SdkTime): LifecycleTime | undefined {
  if (date !== undefined) return { date }
  return Days === undefined ? undefined : { days: Days }
}

function filterOf({ Filter = {}, Prefix }: SdkRule): LifecycleFilter {
  const { Tag, And = {} } = Filter
  const tags = Object.fromEntries([...(And.Tags ?? []), ...(Tag ? [Tag] : [])].map(({ Key = '', Value = '' }) => [Key, Value]))
  const prefix = And.Prefix ?? Filter.Prefix ?? Prefix // a rule of the first format has the prefix by itself
  const largerThan = And.ObjectSizeGreaterThan ?? Filter.ObjectSizeGreaterThan
  const smallerThan = And.ObjectSizeLessThan ?? Filter.ObjectSizeLessThan
  return {
    ...(prefix !== undefined && prefix !== '' && { prefix }),
    ...(Object.keys(tags).length > 0 && { tags }),
    ...(largerThan !== undefined && { largerThan }),
    ...(smallerThan !== undefined && { smallerThan }),
  }
}

function noncurrentOf({ NoncurrentVersionExpiration: expiry, NoncurrentVersionTransitions: moves = [] }: SdkRule): LifecycleNoncurrent {
  const keep = expiry?.NewerNoncurrentVersions ?? moves[0]?.NewerNoncurrentVersions
  const transitions = moves.map(({ NoncurrentDays = 0, StorageClass = '' }) => ({ days: NoncurrentDays, storageClass: StorageClass }))
  return {
    ...(transitions.length > 0 && { transitions }),
    ...(expiry?.NoncurrentDays !== undefined && { expire: { days: expiry.NoncurrentDays } }),
    ...(keep !== undefined && { keep }),
  }
}
