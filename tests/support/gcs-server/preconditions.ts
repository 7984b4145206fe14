/**
 * `ifGenerationMatch` and its seven sisters (Cloud Storage, "Request preconditions"). 0 stands for "there is no live version".
 *
 *   …Match fails     → 412
 *   …NotMatch fails  → 304 for reads, 412 for what changes something
 */
import { conditionNotMet, GcsError, notModified } from './errors.ts'

interface Judged {
  readonly generation: number
  readonly metageneration: number
}

export interface PreconditionOptions {
  /** `ifSource` for the source of a copy. */
  readonly prefix?: 'if' | 'ifSource'
  readonly reading?: boolean
}

/** @throws 412 or 304 when one does not hold, 400 when one is not a number */
export function checkPreconditions(query: URLSearchParams, current: Judged | undefined, options: PreconditionOptions = {}): void {
  const { prefix = 'if', reading = false } = options
  const generation = current?.generation ?? 0
  const metageneration = current?.metageneration ?? 0
  const wantedGeneration = whole(query, `${prefix}GenerationMatch`)
  const wantedMeta = whole(query, `${prefix}MetagenerationMatch`)
  if (wantedGeneration !== undefined && wantedGeneration !== generation) throw conditionNotMet()
  if (wantedMeta !== undefined && wantedMeta !== metageneration) throw conditionNotMet()
  const unwanted: readonly (readonly [number | undefined, number])[] = [
    [whole(query, `${prefix}GenerationNotMatch`), generation],
    [whole(query, `${prefix}MetagenerationNotMatch`), metageneration],
  ]
  for (const [value, actual] of unwanted) {
    if (value === undefined) continue
    // "If no live object exists, the precondition fails."
    if (value === actual || current === undefined) throw reading && current !== undefined ? notModified() : conditionNotMet()
  }
}

/** A whole number of the query. @throws 400 when it is something else */
export function whole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^-?\d{1,19}$/.test(text)) {
    const message = `Invalid value for: Invalid format: "${text}" is not a valid integer for ${name}`
    throw new GcsError(400, { reason: 'invalidParameter', message, location: name, locationType: 'parameter' })
  }
  return Number(text)
}

export function flag(query: URLSearchParams, name: string): boolean {
  return query.get(name)?.toLowerCase() === 'true'
}
