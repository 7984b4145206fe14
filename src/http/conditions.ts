/**
 * Conditional requests (RFC 9110 section 13), in the order of its section 13.2.2:
 *
 *   If-Match, else If-Unmodified-Since   false → 412
 *   If-None-Match, else If-Modified-Since  false → 304
 *   If-Range                               false → Range is ignored
 *
 * If-Match and If-Range compare strongly, If-None-Match weakly. A date that is no HTTP date is ignored, a tag that is none matches nothing.
 */
import type { FileStat } from '../driver.ts'

/** What a client may hold against its copy: the entity tag as the header has it, and the date. */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: Date
}

const CONDITIONS = ['if-match', 'if-unmodified-since', 'if-none-match', 'if-modified-since', 'if-range']
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
const WHOLE_ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/** True when the facts of the file have to be known before it is read. */
export function isConditional(headers: Headers): boolean {
  return CONDITIONS.some((name) => headers.has(name))
}

/** A store's etag as an entity tag: quoted, and without what a header cannot carry. */
export function validatorsOf({ etag, lastModified }: FileStat): Validators {
  const quoted = etag === undefined || WHOLE_ENTITY_TAG.test(etag) ? etag : `"${encodeURIComponent(etag.toWellFormed())}"`
  return { etag: quoted, lastModified }
}

/** What the conditions of a GET or HEAD make of a file that exists. */
export function judge(headers: Headers, validators: Validators): 'proceed' | 'not modified' | 'failed' {
  if (!meetsMatch(headers, validators)) return 'failed'
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== null) return matchesAny(noneMatch, validators.etag, weakly) ? 'not modified' : 'proceed'
  const since = httpDate(headers.get('if-modified-since'))
  return since !== undefined && wholeSeconds(validators.lastModified) <= since ? 'not modified' : 'proceed'
}

/** If-Match, or else If-Unmodified-Since. */
export function meetsMatch(headers: Headers, { etag, lastModified }: Validators): boolean {
  const match = headers.get('if-match')
  if (match !== null) return matchesAny(match, etag, strongly)
  const since = httpDate(headers.get('if-unmodified-since'))
  return since === undefined || wholeSeconds(lastModified) <= since
}

/** False when If-Range names another version than this one: the whole file has to be sent. */
export function rangeApplies(headers: Headers, { etag, lastModified }: Validators): boolean {
  const condition = headers.get('if-range')
  if (condition === null) return true
  if (WHOLE_ENTITY_TAG.test(condition)) return etag !== undefined && strongly(condition, etag)
  return httpDate(condition) === wholeSeconds(lastModified)
}

type Comparison = (a: string, b: string) => boolean

const strongly: Comparison = (a, b) => a === b && !a.startsWith('W/')
const weakly: Comparison = (a, b) => a.replace(/^W\//, '') === b.replace(/^W\//, '')

function matchesAny(list: string, etag: string | undefined, same: Comparison): boolean {
  if (list.trim() === '*') return true
  return etag !== undefined && (list.match(ENTITY_TAG) ?? []).some((tag) => same(tag, etag))
}

function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000) * 1_000
}

/** IMF-fixdate and the two obsolete forms of RFC 9110 section 5.6.7. */
function httpDate(text: string | null): number | undefined {
  const fixed = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/.test(text ?? '')
  const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(text ?? '')
  const instant = fixed || asctime ? Date.parse(asctime ? `${text} GMT` : (text as string)) : Number.NaN
  return Number.isNaN(instant) ? undefined : instant
}
