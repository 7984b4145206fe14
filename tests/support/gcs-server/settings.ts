/** The part of an object's resource that its owner may set, how PATCH and PUT change it, and what Cloud Storage refuses in it. */
import { forbidden, GcsError, invalid } from './errors.ts'
import { type Json, type StoredBucket, type StoredObject, textOf } from './model.ts'
import { time } from './resources.ts'

const TEXT = ['cacheControl', 'contentDisposition', 'contentEncoding', 'contentLanguage', 'contentType', 'customTime'] as const
const FLAGS = ['eventBasedHold', 'temporaryHold'] as const
const MAX_METADATA_BYTES = 8 * 1024
const MAX_NAME_BYTES = 1024

export const STORAGE_CLASSES: readonly string[] = [
  'STANDARD',
  'NEARLINE',
  'COLDLINE',
  'ARCHIVE',
  'MULTI_REGIONAL',
  'REGIONAL',
  'DURABLE_REDUCED_AVAILABILITY',
]

/** Settings of a new object, or of one that PUT replaces them of. @throws 400 */
export function settingsOf(resource: Json): Json {
  return patchedSettings({}, resource)
}

/** `null` removes a field, or a key of `metadata`; what is absent stays. @throws 400 */
export function patchedSettings(current: Json, patch: Json): Json {
  const settings: Record<string, unknown> = { ...current }
  for (const field of TEXT) setField(settings, patch, field, 'string')
  for (const field of FLAGS) setField(settings, patch, field, 'boolean')
  setField(settings, patch, 'retention', 'object')
  if (settings['customTime'] !== undefined) settings['customTime'] = timestamp(textOf(settings['customTime']))
  patchMetadata(settings, patch['metadata'])
  return settings
}

function setField(settings: Record<string, unknown>, patch: Json, field: string, type: string): void {
  const value = patch[field]
  if (value === undefined) return
  if (value !== null && typeof value !== type) throw invalid(`Invalid value for: ${field} is not a ${type}`)
  if (typeof value === 'string' && /[\r\n]/.test(value)) throw invalid(`Invalid argument: ${field}`)
  if (value === null || value === '') delete settings[field]
  else settings[field] = value
}

function patchMetadata(settings: Record<string, unknown>, patch: unknown): void {
  if (patch === undefined) return
  const merged: Record<string, string> = patch === null ? {} : { ...(settings['metadata'] as Readonly<Record<string, string>> | undefined) }
  for (const [key, value] of Object.entries(patch ?? {}) as (readonly [string, unknown])[]) {
    if (value === null) delete merged[key]
    else if (typeof value === 'string') merged[key] = value
    else throw invalid(`Invalid value for: metadata.${key} is not a string`)
  }
  const size = Object.entries(merged).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (size > MAX_METADATA_BYTES) throw invalid(`The metadata is ${size} bytes, which exceeds the limit of ${MAX_METADATA_BYTES}.`)
  if (Object.keys(merged).length === 0) delete settings['metadata']
  else settings['metadata'] = merged
}

function timestamp(text: string): string {
  const instant = Date.parse(text)
  if (Number.isNaN(instant)) throw invalid(`Invalid value for: Invalid format: "${text}"`)
  return time(instant)
}

/** @throws 400 for what no object may be called */
export function checkName(name: string): void {
  const isBad = name === '' || name === '.' || name === '..' || /[\r\n]/.test(name) || name.startsWith('.well-known/acme-challenge/')
  if (isBad) throw invalid(name === '' ? 'No object name' : `Invalid object name: '${name}'`)
  if (!name.isWellFormed()) throw invalid('Object name is not valid UTF-8')
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw invalid('The specified object name is not valid: it is longer than 1024 bytes.')
}

/** @throws 400 */
export function checkStorageClass(name: unknown): string {
  if (typeof name === 'string' && STORAGE_CLASSES.includes(name)) return name
  throw new GcsError(400, { reason: 'invalid', message: `Invalid argument: storage class ${textOf(name)}`, xmlCode: 'InvalidStorageClass' })
}

/** Refuses what would take away a version that is held back. @throws 403 */
export function checkHolds(bucket: StoredBucket, object: StoredObject | undefined, now: number): void {
  if (object === undefined) return
  const { temporaryHold, eventBasedHold, retention } = object.settings as {
    temporaryHold?: boolean
    eventBasedHold?: boolean
    retention?: { retainUntilTime?: string }
  }
  const where = `Object '${object.bucket}/${object.name}'`
  const kind = temporaryHold === true ? 'Temporary' : eventBasedHold === true ? 'Event-Based' : undefined
  if (kind !== undefined) {
    const message = `${where} is under active ${kind} hold and cannot be deleted, overwritten or archived until hold is removed.`
    throw forbidden(message)
  }
  const period = Number((bucket.settings['retentionPolicy'] as { retentionPeriod?: string } | undefined)?.retentionPeriod ?? 0) * 1000
  const until = Math.max(period === 0 ? 0 : object.created + period, Date.parse(retention?.retainUntilTime ?? '') || 0)
  if (until <= now) return
  const rule = "is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until"
  throw forbidden(`${where} ${rule} ${time(until)}`, 'retentionPolicyNotMet')
}
