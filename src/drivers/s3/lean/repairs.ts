/**
 * What can be put right between two attempts, and is then tried at once:
 *
 *   the clock is off            signatures are made for the store's time, which its answer has told
 *   another region              Amazon says which: the bucket is asked there, from now on
 *   the bucket is being moved   this request goes to where Amazon sends it
 *   credentials have expired    they are renewed, once for all requests that met it
 *   a stale connection          the store had closed it while it was idle
 *   417                         the body is sent without asking
 */
import type { S3Identity, S3Settings } from '../settings.ts'
import type { Failure } from './failure.ts'
import { amazonAddress, type Origin, originOf } from './origin.ts'

/** More than this off, and the clock is why a signature is refused. Amazon takes 15 minutes. */
const MAX_SKEW_MS = 4 * 60_000
const EXPIRED: ReadonlySet<string | undefined> = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])
/** Amazon's names for S3, whatever they have before and between: a bucket, FIPS, dual stack, a region. */
const AMAZON = /(^|\.)s3([.-][a-z0-9.-]+)?\.amazonaws\.(com|com\.cn|eu)$/
const REDIRECTS: ReadonlySet<number | undefined> = new Set([301, 400, 403])

/** How the attempt was made that failed. */
export interface Tried {
  readonly origin: Origin
  readonly identity: S3Identity
  readonly skewMs: number
}

/** The new clock, when the old one was why. A bare denial to HEAD may be for the same reason. */
export function skewOf({ Code, $metadata, headers }: Failure, { skewMs }: Tried, now: number): number | undefined {
  const isDenied = Code === 'RequestTimeTooSkewed' || Code === 'RequestExpired' || ($metadata.httpStatusCode === 403 && Code === undefined)
  const theirs = Date.parse(headers.date ?? '')
  if (!isDenied || Number.isNaN(theirs)) return undefined
  return Math.abs(theirs - now - skewMs) > MAX_SKEW_MS ? theirs - now : undefined
}

/** Where the bucket really is. Only Amazon is followed, from Amazon: a store of one's own stays where it was said to be. */
export function redirectOf({ $metadata, region }: Failure, { origin }: Tried, settings: S3Settings): Origin | undefined {
  if (settings.endpoint !== undefined || !AMAZON.test(origin.hostname)) return undefined
  const isElsewhere = region !== undefined && region !== origin.region && /^[a-z]{2}[a-z0-9-]+$/.test(region)
  return isElsewhere && REDIRECTS.has($metadata.httpStatusCode) ? inRegion(origin, region, settings) : undefined
}

/** What the name says besides the region stays: who asked for FIPS or dual stack is not taken off it. */
function inRegion(origin: Origin, region: string, settings: S3Settings): Origin {
  const at = origin.host.lastIndexOf(`.${origin.region}.amazonaws.`)
  if (at < 0) return originOf(amazonAddress(settings, region))
  const host = `${origin.host.slice(0, at + 1)}${region}${origin.host.slice(at + 1 + origin.region.length)}`
  return { ...originOf({ base: `https://${host}`, region }), path: origin.path }
}

/** Where this request alone is to go, while the names of a new bucket are not known everywhere. */
export function temporaryRedirectOf({ $metadata, headers }: Failure, { origin }: Tried, settings: S3Settings): Origin | undefined {
  if ($metadata.httpStatusCode !== 307 || settings.endpoint !== undefined || !AMAZON.test(origin.hostname)) return undefined
  const url = URL.parse(headers.location ?? '')
  if (url?.protocol !== 'https:' || !AMAZON.test(url.hostname) || url.host === origin.host) return undefined
  return { ...origin, hostname: url.hostname, host: url.host, port: url.port === '' ? undefined : url.port }
}

/** Answers to HEAD have no code: of an identity that expires, 400 may well mean that it has. */
export function isExpired({ Code, $metadata }: Failure, { identity }: Tried): boolean {
  return EXPIRED.has(Code) || (Code === undefined && $metadata.httpStatusCode === 400 && identity.sessionToken !== undefined)
}
